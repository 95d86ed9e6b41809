//! What can go wrong in training.

use std::path::PathBuf;
use stillhouse_data::DataError;

/// A failure of one model's training, or its interruption.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The user asked to stop; a checkpoint was written if one was asked for.
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
    /// Variables that the backward pass does not reach.
    #[error("{model}: no usable gradient reaches {}; this is a bug in the model's operations", variables.join(", "))]
    GradientGap {
        /// the model in training
        model: String,
        /// names of the variables
        variables: Vec<String>,
    },
    /// A training split too small for one step.
    #[error("{model}: nothing to train on: {n_rows} rows")]
    NoData {
        /// the model in training
        model: String,
        /// rows of the split
        n_rows: usize,
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
    /// A checkpoint that cannot be read or does not fit the model.
    #[error("{}: {what}\n  hint: remove the file to train this stage from its beginning", path.display())]
    Checkpoint {
        /// the checkpoint file
        path: PathBuf,
        /// what was found
        what: String,
    },
    /// A checkpoint or weights that the system refuses to read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// the file
        path: PathBuf,
        /// the system's answer
        #[source]
        source: std::io::Error,
    },
    /// A checkpoint or weights that cannot be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// the file
        path: PathBuf,
        /// the system's answer
        #[source]
        source: std::io::Error,
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
