//! The error of this crate.

/// Values that are no temperature, no class subset or no clustering; the message says what was found and expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CoreError(pub(crate) String);
