//! The error of this crate.

/// Why predictions, affinities, hierarchies, clusterings or teachers are refused. The message says what was found and
/// what was expected; teachers are counted from 0, in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EnsembleError {
    message: String,
    key: &'static str,
}

impl EnsembleError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::of_key("", message)
    }

    /// An error that a change of one key of the clustering's config can remedy.
    pub(crate) fn of_key(key: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), key }
    }

    /// Key of the clustering's config that is to be changed, for example `method.n_clusters`; empty where it is none
    /// alone.
    pub fn key(&self) -> &'static str {
        self.key
    }
}
