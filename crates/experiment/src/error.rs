//! Why an experiment did not finish, in the kinds that the program's exit codes tell apart.

use crate::config::ConfigProblems;
use stillhouse_data::DataError;
use stillhouse_models::FolderError;
use stillhouse_targets::TargetsError;
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
    /// A training that cannot succeed, however often it is tried: its loss diverges, or it has no examples. Damaged files
    /// and failures of the machine are never this.
    #[error("{0:#}")]
    NotTrainable(anyhow::Error),
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
            Self::Failed(_) | Self::NotTrainable(_) => 1,
            Self::Config(_) | Self::Usage(_) => 2,
            Self::BadData(_) => 3,
            Self::Interrupted => 130,
        }
    }

    /// The same failure with a remedy.
    #[must_use]
    pub(crate) fn hint(self, hint: &str) -> Self {
        match self {
            Self::BadData(error) => Self::BadData(anyhow::anyhow!("{error:#}\n  hint: {hint}")),
            Self::Failed(error) => Self::Failed(anyhow::anyhow!("{error:#}\n  hint: {hint}")),
            other => other,
        }
    }

    /// The same failure with what was being done when it happened.
    #[must_use]
    pub fn context(self, what: impl std::fmt::Display) -> Self {
        match self {
            Self::BadData(error) => Self::BadData(anyhow::anyhow!("{what}: {error:#}")),
            Self::Failed(error) => Self::Failed(anyhow::anyhow!("{what}: {error:#}")),
            Self::NotTrainable(error) => Self::NotTrainable(anyhow::anyhow!("{what}: {error:#}")),
            other => other,
        }
    }
}

impl From<DataError> for ExperimentError {
    fn from(error: DataError) -> Self {
        match error {
            error if error.is_interrupted() => Self::Interrupted,
            error if error.is_config() => Self::Usage(error.to_string()),
            error if error.is_of_the_machine() => Self::Failed(anyhow::anyhow!("{error}")),
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
            TrainError::EpochTargets(error) => match error.downcast::<Self>() {
                Ok(error) => *error,
                Err(error) => Self::Failed(anyhow::Error::from_boxed(error)),
            },
            error @ (TrainError::Diverged { .. } | TrainError::NoData { .. }) => Self::NotTrainable(error.into()),
            error @ (TrainError::Checkpoint { .. }
            | TrainError::Targets(_)
            | TrainError::MissingTarget { .. }
            | TrainError::Constant { .. }) => Self::BadData(error.into()),
            error => Self::Failed(error.into()),
        }
    }
}

impl From<anyhow::Error> for ExperimentError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// The system's refusal to read or write a file: bad data where another path or content would help, and a failure where
/// the machine has to be helped: a full disk, missing permissions, a defective drive.
pub(crate) fn system_error(path: &std::path::Path, what: &str, error: &std::io::Error) -> ExperimentError {
    use std::io::ErrorKind as Kind;
    let error_text = anyhow::anyhow!("{}: {what}: {error}", path.display());
    match error.kind() {
        Kind::NotFound
        | Kind::AlreadyExists
        | Kind::NotADirectory
        | Kind::IsADirectory
        | Kind::InvalidData
        | Kind::InvalidInput
        | Kind::UnexpectedEof => ExperimentError::BadData(error_text),
        _ => ExperimentError::Failed(error_text),
    }
}

/// A store of soft targets that cannot be written: the system's refusal, or bad data.
pub(crate) fn store_error(path: &std::path::Path, error: &TargetsError) -> ExperimentError {
    match error {
        TargetsError::Io { source, .. } => system_error(path, "cannot be written", source),
        error => file_error(path, "cannot be written", error),
    }
}

/// A store of soft targets that cannot be used: the system's refusal, or content that is not what it should be, of which the
/// error's text names the file already.
pub(crate) fn unusable_store(error: &TargetsError) -> ExperimentError {
    match error {
        TargetsError::Io { path, source } => system_error(path, "cannot be read", source),
        error => ExperimentError::BadData(anyhow::anyhow!("{error}")),
    }
}

/// A model folder that cannot be written: the system's refusal, or a folder of somebody else in its place.
pub(crate) fn model_folder_error(folder: &std::path::Path, error: &FolderError) -> ExperimentError {
    of_folder(folder, error, "the model cannot be written")
}

/// A model folder that cannot be used: the system's refusal, or files that are not what they should be.
pub(crate) fn unreadable_model(folder: &std::path::Path, error: &FolderError) -> ExperimentError {
    of_folder(folder, error, "the model cannot be read")
}

fn of_folder(folder: &std::path::Path, error: &FolderError, what: &str) -> ExperimentError {
    match error {
        FolderError::Io { source, .. } => system_error(folder, what, source),
        error => file_error(folder, what, error),
    }
}

/// A file whose content is not what it should be, as bad data with its path.
pub(crate) fn file_error(path: &std::path::Path, what: &str, error: impl std::fmt::Display) -> ExperimentError {
    ExperimentError::BadData(anyhow::anyhow!("{}: {what}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};
    use std::path::Path;

    #[test]
    fn a_full_disk_is_a_failure_and_a_missing_file_is_bad_data() {
        let code = |kind| system_error(Path::new("x"), "cannot be written", &Error::from(kind)).exit_code();
        assert_eq!([ErrorKind::StorageFull, ErrorKind::PermissionDenied, ErrorKind::Other].map(code), [1; 3]);
        assert_eq!([ErrorKind::NotFound, ErrorKind::NotADirectory].map(code), [3; 2]);
        let path = Path::new("x");
        let full = |path: &Path| (path.to_owned(), Error::from(ErrorKind::StorageFull));
        let (at, source) = full(path);
        assert_eq!(store_error(path, &TargetsError::Io { path: at, source }).exit_code(), 1);
        let (at, source) = full(path);
        assert_eq!(model_folder_error(path, &FolderError::Io { path: at, source }).exit_code(), 1);
        assert_eq!(model_folder_error(path, &FolderError::Occupied(path.to_owned())).exit_code(), 3);
    }

    #[test]
    fn only_a_training_that_diverges_or_has_no_examples_is_not_trainable() {
        let diverged = TrainError::Diverged {
            model: "m".into(),
            what: "the loss",
            value: f64::NAN,
            epoch: 1,
            step: 1,
            learning_rate: 1.0,
        };
        let no_data = TrainError::NoData { model: "m".into(), n_rows: 1 };
        for error in [diverged, no_data] {
            assert!(matches!(ExperimentError::from(error), ExperimentError::NotTrainable(_)));
        }
        let source = Some(Error::from(ErrorKind::StorageFull));
        let write = TrainError::Failed { message: "x: cannot be written".into(), source };
        assert!(matches!(ExperimentError::from(write), ExperimentError::Failed(_)));
        let damaged = TrainError::Checkpoint { path: "x".into(), what: "cut off".into() };
        assert!(matches!(ExperimentError::from(damaged), ExperimentError::BadData(_)));
    }
}
