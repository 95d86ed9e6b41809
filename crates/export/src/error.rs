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
    /// The place holds something else than an export of the same kind.
    #[error(
        "{place}: {found}, expected nothing there, an empty folder, or {expected} that stillhouse exported and nothing else\n  \
             hint: give another folder, or move away what is there"
    )]
    Occupied {
        /// where
        place: PathBuf,
        /// what it holds, in words
        found: String,
        /// what an export may replace, in words
        expected: String,
    },
    /// A disk that refuses.
    #[error("{path}: {source}")]
    Io {
        /// file or folder
        path: PathBuf,
        /// what the system said
        source: std::io::Error,
    },
}
