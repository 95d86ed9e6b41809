//! The errors of exports.

use std::path::PathBuf;
use stillhouse_models::ModelError;

/// An export that failed; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Weights that cannot be read, or a model that cannot be run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A model, a card or calibration examples that cannot be exported in this way.
    #[error("{0}")]
    Unfit(String),
    /// The place holds something else than an exported folder.
    #[error("{0}: exists and is no exported folder\n  hint: give another folder, or remove this one")]
    Occupied(PathBuf),
    /// A disk that refuses.
    #[error("{path}: {source}")]
    Io {
        /// file or folder
        path: PathBuf,
        /// what the system said
        source: std::io::Error,
    },
}
