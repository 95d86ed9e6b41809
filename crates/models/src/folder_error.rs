//! The errors of models on disk.

use crate::ModelError;
use std::io;
use std::path::{Path, PathBuf};
use stillhouse_files::PathError;

/// A model folder that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// file or folder
        path: PathBuf,
        /// what it said
        source: io::Error,
    },
    /// A folder of something else where a model should be written.
    #[error("{0} exists and is not a model folder, it is not replaced; hint: choose another place or remove it")]
    Occupied(PathBuf),
    /// A place without a name, such as `/` or `..`.
    #[error("{0} cannot be the name of a model folder")]
    Unnamed(PathBuf),
    /// Files that are missing, damaged, of another version, or do not fit together or to the model.
    #[error("{0}")]
    Invalid(String),
}

impl FolderError {
    /// A folder whose files do not go together, or do not fit the model.
    pub(crate) fn folder(folder: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Invalid(format!("{}: {problem}", folder.display()))
    }

    /// The error of a model that is read from a folder.
    pub(crate) fn model(folder: &Path) -> impl Fn(ModelError) -> Self + '_ {
        |error| Self::folder(folder, error)
    }

    /// A damaged or truncated file of weights.
    pub(crate) fn weights(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Invalid(format!("{} is damaged: {problem}", path.display()))
    }

    /// A file that is not a model's config.
    pub(crate) fn config(path: &Path, problem: &serde_json::Error) -> Self {
        Self::Invalid(format!("{} is not a model's config: {problem}", path.display()))
    }

    /// Weights that cannot be read back from the device, or values that cannot be written as bytes.
    pub(crate) fn encode(problem: impl std::fmt::Display) -> Self {
        Self::Invalid(format!("the weights cannot be written: {problem}"))
    }
}

impl From<PathError> for FolderError {
    fn from(PathError { path, source }: PathError) -> Self {
        Self::Io { path, source }
    }
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> FolderError {
    FolderError::Io { path: path.to_owned(), source }
}
