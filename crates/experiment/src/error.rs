//! Why an experiment did not finish, in the kinds that the program's exit codes tell apart.

use crate::config::ConfigProblems;
use stillhouse_data::DataError;
use stillhouse_train::TrainError;

/// A failure of a command.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The config, or the way the program was called.
    #[error(transparent)]
    Config(#[from] ConfigProblems),
    /// Wrong usage that is not in a config: a run directory in use, a missing folder.
    #[error("{0}")]
    Usage(String),
    /// Data, or a file of the run, that is not what it should be.
    #[error("{0:#}")]
    BadData(anyhow::Error),
    /// Stopped by the user; the next run goes on.
    #[error("interrupted")]
    Interrupted,
    /// Anything else.
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

/// Result of everything in this crate that can fail.
pub type Result<T, E = ExperimentError> = std::result::Result<T, E>;

impl ExperimentError {
    /// The program's exit code: 1 failed, 2 wrong usage or config, 3 bad data, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Config(_) | Self::Usage(_) => 2,
            Self::BadData(_) => 3,
            Self::Interrupted => 130,
        }
    }

    /// The same failure with what was being done when it happened.
    #[must_use]
    pub fn context(self, what: impl std::fmt::Display) -> Self {
        match self {
            Self::BadData(error) => Self::BadData(anyhow::anyhow!("{what}: {error:#}")),
            Self::Failed(error) => Self::Failed(anyhow::anyhow!("{what}: {error:#}")),
            other => other,
        }
    }
}

impl From<DataError> for ExperimentError {
    fn from(error: DataError) -> Self {
        match error {
            error if error.is_interrupted() => Self::Interrupted,
            error if error.is_config() => Self::Usage(error.to_string()),
            // its text names the cause already
            error => Self::BadData(anyhow::anyhow!("{error}")),
        }
    }
}

impl From<TrainError> for ExperimentError {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Interrupted => Self::Interrupted,
            TrainError::Data(error) => error.into(),
            // a checkpoint that cannot be read or written is a matter of the user's files, like any other bad file
            error @ (TrainError::Checkpoint { .. }
            | TrainError::Write { .. }
            | TrainError::Targets(_)
            | TrainError::MissingTarget { .. }) => Self::BadData(error.into()),
            error => Self::Failed(error.into()),
        }
    }
}

impl From<anyhow::Error> for ExperimentError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// A file of a run that cannot be read or written, as bad data with its path.
pub(crate) fn file_error(path: &std::path::Path, what: &str, error: impl std::fmt::Display) -> ExperimentError {
    ExperimentError::BadData(anyhow::anyhow!("{}: {what}: {error}", path.display()))
}
