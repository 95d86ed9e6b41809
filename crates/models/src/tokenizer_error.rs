//! The error of tokenizers.

/// A tokenizer that cannot be read, trained or used; the message begins with the file, where there is one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TokenizerError(pub(crate) String);
