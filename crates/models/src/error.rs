//! What can go wrong with a model in memory.

use std::fmt;
use stillhouse_core::{Problem, in_words};

/// A model that cannot be built, run, or filled with weights.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A config that fails its checks.
    #[error("the model cannot be built: {}", in_words(.0))]
    Config(Vec<Problem>),
    /// A head without outputs.
    #[error("a model needs at least one output, found n_outputs = 0")]
    NoOutputs,
    /// An input of another kind or shape than the one that the model was built for.
    #[error("the input is {got}, the model expects {expected}")]
    Input {
        /// the batch that was given
        got: String,
        /// what a batch is for this model
        expected: String,
    },
    /// Weights of another model.
    #[error("the weights do not fit the model: {0}")]
    State(StateMismatch),
    /// Head surgery with a subset of another dataset's classes.
    #[error("the subset is taken from {got} classes, the model has {expected} outputs")]
    Subset {
        /// the subset's dataset
        got: usize,
        /// outputs of the model whose head is cut
        expected: usize,
    },
    /// A dustbin that would stand for no class.
    #[error("the subset holds all {n_classes} classes, a dustbin would stand for nothing")]
    EmptyDustbin {
        /// classes of the dataset
        n_classes: usize,
    },
    /// A head that reads other features than the body gives.
    #[error("the head reads {got} features, the body gives {expected}")]
    HeadFeatures {
        /// features that the head reads
        got: usize,
        /// width of the body's features
        expected: usize,
    },
    /// An output beyond the head's last.
    #[error("output {output_idx} does not exist, the model has {n_outputs}")]
    NoSuchOutput {
        /// the output that was asked for
        output_idx: usize,
        /// outputs of the model
        n_outputs: usize,
    },
    /// A correction that would destroy the head.
    #[error("the correction of output {output_idx}'s bias must be finite, found {delta}")]
    Correction {
        /// the output
        output_idx: usize,
        /// what should have been added
        delta: f64,
    },
    /// A tokenizer that does not fit.
    #[error(transparent)]
    Tokenizer(#[from] crate::TokenizerError),
    /// A tensor operation that failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// How a set of named tensors differs from the one that a model expects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateMismatch {
    /// names that the model has and the set has not
    pub missing: Vec<String>,
    /// names that the set has and the model has not
    pub extra: Vec<String>,
    /// tensors of another shape or type, each with what was found and what was expected
    pub misshapen: Vec<String>,
}

impl StateMismatch {
    /// Whether the set fits.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.misshapen.is_empty()
    }
}

/// Names listed in full in a message; a wrong architecture differs in all of its tensors.
const N_LISTED: usize = 4;

impl fmt::Display for StateMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("missing", &self.missing), ("extra", &self.extra), ("misshapen", &self.misshapen)];
        let texts: Vec<String> =
            parts.iter().filter(|(_, names)| !names.is_empty()).map(|(what, names)| listed(what, names)).collect();
        f.write_str(&texts.join("; "))
    }
}

fn listed(what: &str, names: &[String]) -> String {
    let shown = names[..names.len().min(N_LISTED)].join(", ");
    match names.len().saturating_sub(N_LISTED) {
        0 => format!("{what} {shown}"),
        n_more => format!("{what} {shown} and {n_more} more"),
    }
}
