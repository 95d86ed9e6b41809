//! What can be wrong with data, said so that the reader of the message knows what to do next.

use crate::hub::{HubError, HubErrorKind};
use std::fmt;
use std::path::{Path, PathBuf};
use stillhouse_core::{Problem, in_words};

/// A dataset that could not be loaded or an example that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The user asked to stop; nothing is wrong with the data.
    #[error("interrupted while reading data")]
    Interrupted,
    /// Settings that are out of range or contradict each other.
    #[error("{}", in_words(.0))]
    Config(Vec<Problem>),
    /// A file or folder that cannot be opened, listed or read.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// the file or folder
        path: PathBuf,
        /// what was tried, for example `read`
        action: &'static str,
        /// the system's answer
        source: std::io::Error,
    },
    /// Content that is not what it has to be.
    #[error(transparent)]
    Invalid(Box<Invalid>),
    /// The hub did not deliver.
    #[error(transparent)]
    Hub(Box<HubError>),
}

impl From<HubError> for DataError {
    fn from(error: HubError) -> Self {
        match error.kind {
            HubErrorKind::Interrupted => Self::Interrupted,
            _ => Self::Hub(Box::new(error)),
        }
    }
}

/// Content that is not what it has to be: where, found, expected, remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// the file or folder
    pub path: PathBuf,
    /// what was found, with its place inside the file
    pub found: String,
    /// what would have been right
    pub expected: String,
    /// what to do about it, where that is known
    pub hint: Option<String>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, expected {}", self.path.display(), self.found, self.expected)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl std::error::Error for Invalid {}

impl DataError {
    /// Whether the user asked to stop, so that the program ends with its own exit code.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted)
    }

    /// Whether the fault lies in the config rather than in the data.
    pub fn is_config(&self) -> bool {
        matches!(self, Self::Config(_))
    }

    pub(crate) fn invalid(path: &Path, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Invalid(Box::new(Invalid {
            path: path.to_owned(),
            found: found.into(),
            expected: expected.into(),
            hint: None,
        }))
    }

    /// The same error with a remedy; errors that name their own keep it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Invalid(invalid) = &mut self {
            invalid.hint = Some(hint.into());
        }
        self
    }

    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }
}
