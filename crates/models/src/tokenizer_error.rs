//! What can be wrong with a tokenizer.

use std::path::{Path, PathBuf};

/// A tokenizer that cannot be read, trained or used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// A file that cannot be read.
    #[error("{}: the tokenizer cannot be read: {source}", path.display())]
    Io {
        /// the file
        path: PathBuf,
        /// the system's answer
        source: std::io::Error,
    },
    /// Content that is no tokenizer.
    #[error("no tokenizer as `tokenizers` writes them: {0}")]
    Format(String),
    /// A file whose content is no tokenizer.
    #[error("{}: {source}", path.display())]
    File {
        /// the file
        path: PathBuf,
        /// what is wrong
        source: Box<TokenizerError>,
    },
    /// A repository's file in place of a local one.
    #[error("the tokenizer of {0} is to be fetched first")]
    NotFetched(String),
    /// Texts on which no tokenizer can be trained.
    #[error("the tokenizer cannot be trained: {0}")]
    Training(String),
    /// A text that the vocabulary cannot express.
    #[error("the tokenizer fails on a text: {0}")]
    Encode(String),
    /// A model that takes too few tokens.
    #[error("max_len = {max_len} leaves no room beside {n_special} special tokens")]
    TooShort {
        /// tokens that the model takes
        max_len: usize,
        /// tokens that the tokenizer adds to each text
        n_special: usize,
    },
}

impl TokenizerError {
    /// The same error with the file that it was found in.
    pub(crate) fn at(self, path: &Path) -> Self {
        match self {
            Self::Io { .. } | Self::File { .. } => self,
            source => Self::File { path: path.to_owned(), source: Box::new(source) },
        }
    }
}
