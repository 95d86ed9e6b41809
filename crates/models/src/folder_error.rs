//! What can go wrong with a model on disk.

use crate::{FORMAT_VERSION, ModelError};
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
    /// A file that every model folder has.
    #[error("{folder} is not a model folder: it has no {file}")]
    Missing {
        /// the folder
        folder: PathBuf,
        /// the file
        file: String,
    },
    /// A folder of something else where a model should be written.
    #[error("{0} exists and is not a model folder, it is not replaced; hint: choose another place or remove it")]
    Occupied(PathBuf),
    /// A place without a name, such as `/` or `..`.
    #[error("{0} cannot be the name of a model folder")]
    Unnamed(PathBuf),
    /// A file of another program's version.
    #[error("{path} has format version {got}, this program reads version {FORMAT_VERSION}")]
    Version {
        /// the config
        path: PathBuf,
        /// its version
        got: String,
    },
    /// A config that is not one.
    #[error("{path} is not a model's config: {source}")]
    Config {
        /// the config
        path: PathBuf,
        /// the parser's message
        source: serde_json::Error,
    },
    /// A damaged or truncated weights file.
    #[error("{path} is damaged: {message}")]
    Weights {
        /// the weights
        path: PathBuf,
        /// what is wrong
        message: String,
    },
    /// An architecture that cannot be built, or weights of another one.
    #[error("{folder}: {source}")]
    Model {
        /// the folder
        folder: PathBuf,
        /// what does not fit
        source: ModelError,
    },
    /// Files that contradict each other or themselves.
    #[error("{folder}: {problem}")]
    Inconsistent {
        /// the folder
        folder: PathBuf,
        /// the contradiction
        problem: String,
    },
    /// A card that does not fit the model.
    #[error("the model's card does not fit the model: {}", .0.join("; "))]
    Card(Vec<String>),
    /// A label that does not fit on a line.
    #[error("label {index}, {label:?}, contains a line break; hint: rename the class")]
    Newline {
        /// its output
        index: usize,
        /// the label
        label: String,
    },
    /// Weights that cannot be read back from the device, or bytes that cannot be laid out.
    #[error("the weights cannot be written: {0}")]
    Encode(String),
}

impl From<PathError> for FolderError {
    fn from(PathError { path, source }: PathError) -> Self {
        Self::Io { path, source }
    }
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> FolderError {
    FolderError::Io { path: path.to_owned(), source }
}
