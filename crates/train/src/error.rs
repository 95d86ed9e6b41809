//! The error of this crate.

use std::path::{Path, PathBuf};
use stillhouse_data::DataError;

/// A failure of one model's training, or its interruption.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Stopped by the user, after writing the checkpoint if the job has a path for one.
    #[error("interrupted")]
    Interrupted,
    /// Loss or gradient stopped being a finite number.
    #[error(
        "{model}: {what} is {value} at epoch {epoch}, step {step}; training cannot go on\n  \
         hint: lower the learning rate (now {learning_rate:.3e}), add warm-up, or set `clip_norm`"
    )]
    Diverged {
        /// the model in training
        model: String,
        /// the loss, or the gradient's norm
        what: &'static str,
        /// what was found
        value: f64,
        /// counted from 1
        epoch: usize,
        /// step inside the epoch, counted from 1
        step: usize,
        /// at that step
        learning_rate: f64,
    },
    /// A training split too small for one step.
    #[error("{model}: nothing to train on: {n_rows} rows")]
    NoData {
        /// the model in training
        model: String,
        /// rows of the split
        n_rows: usize,
    },
    /// Examples that do not differ, from which a network cannot learn.
    #[error(
        "{model}: its {n_rows} training examples are all the same, as the network sees them ({what}), so nothing can be \
         learned\n  \
         hint: look at the data: features that never vary, images of one colour, or texts that the tokenizer does not know"
    )]
    Constant {
        /// the model in training
        model: String,
        /// examples of the split
        n_rows: usize,
        /// the part of an example that the network sees
        what: &'static str,
    },
    /// Soft targets that do not fit the student's loss.
    #[error(transparent)]
    Targets(#[from] stillhouse_targets::TargetsError),
    /// A student's row without its soft target.
    #[error("{model}: no soft target for example {example}, view {view:?}; the store belongs to other data or views")]
    MissingTarget {
        /// the model in training
        model: String,
        /// id of the example
        example: u64,
        /// its view
        view: Option<u32>,
    },
    /// The soft targets of an epoch could not be made.
    #[error(transparent)]
    EpochTargets(Box<dyn std::error::Error + Send + Sync>),
    /// A checkpoint that cannot be read or does not fit the model.
    #[error("{}: {what}\n  hint: remove the file to train this stage from its beginning", path.display())]
    Checkpoint {
        /// the checkpoint file
        path: PathBuf,
        /// what was found
        what: String,
    },
    /// A file that the system refuses to read or write, or a bug of this program.
    #[error("{message}")]
    Failed {
        /// what failed, and where
        message: String,
        /// the system's answer
        #[source]
        source: Option<std::io::Error>,
    },
    /// Reading examples failed.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Building or loading weights failed.
    #[error(transparent)]
    Model(#[from] stillhouse_models::ModelError),
    /// A tensor operation failed.
    #[error("tensor operation failed")]
    Tensor(#[from] candle_core::Error),
}

impl TrainError {
    /// A checkpoint or weights that the system refuses to read.
    pub(crate) fn unreadable(path: &Path, source: std::io::Error) -> Self {
        Self::Failed { message: format!("{}: cannot be read", path.display()), source: Some(source) }
    }

    /// A checkpoint or weights that cannot be written.
    pub(crate) fn unwritable(path: &Path, source: std::io::Error) -> Self {
        Self::Failed { message: format!("{}: cannot be written", path.display()), source: Some(source) }
    }
}
