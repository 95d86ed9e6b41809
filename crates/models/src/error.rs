//! The errors of models in memory.

use crate::TokenizerError;
use std::collections::BTreeMap;
use std::fmt;
use stillhouse_core::{Problem, in_words};

/// A model that cannot be built, run, or filled with weights.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A config that fails its checks.
    #[error("the model cannot be built: {}", in_words(.0))]
    Config(Vec<Problem>),
    /// Inputs, weights, heads or tokenizers that do not fit the model: what was found and what was expected.
    #[error("{0}")]
    Misfit(String),
    /// A tensor operation that failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl ModelError {
    /// Weights of another model.
    pub(crate) fn weights(mismatch: &StateMismatch) -> Self {
        Self::Misfit(format!("the weights do not fit the model: {mismatch}"))
    }

    /// An input of another kind or shape than the one that the model was built for.
    pub(crate) fn input(got: impl fmt::Display, expected: impl fmt::Display) -> Self {
        Self::Misfit(format!("the input is {got}, the model expects {expected}"))
    }
}

impl From<TokenizerError> for ModelError {
    fn from(error: TokenizerError) -> Self {
        Self::Misfit(error.to_string())
    }
}

/// How a set of named tensors differs from the one that a model expects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StateMismatch {
    /// names that the model has and the set has not
    pub(crate) missing: Vec<String>,
    /// names that the set has and the model has not
    pub(crate) extra: Vec<String>,
    /// tensors of another shape or type, each with what was found and what was expected
    pub(crate) misshapen: Vec<String>,
}

impl StateMismatch {
    /// How tensors by name, type and shape differ from those of a model, by name and shape, all of which are `f32`.
    pub(crate) fn between<'a>(
        expected: impl Iterator<Item = (&'a str, &'a [usize])>,
        found: impl Iterator<Item = (&'a str, &'a str, &'a [usize])>,
    ) -> Self {
        let mut mismatch = Self::default();
        let mut unclaimed: BTreeMap<&str, (&str, &[usize])> =
            found.map(|(name, dtype, shape)| (name, (dtype, shape))).collect();
        for (name, shape) in expected {
            match unclaimed.remove(name) {
                None => mismatch.missing.push(name.to_owned()),
                Some((dtype, got)) if dtype != "f32" || got != shape => {
                    mismatch.misshapen.push(format!("{name} ({dtype} {got:?}, expected f32 {shape:?})"));
                }
                Some(_) => {}
            }
        }
        mismatch.extra = unclaimed.into_keys().map(str::to_owned).collect();
        mismatch
    }

    /// Whether the set fits.
    pub(crate) fn is_empty(&self) -> bool {
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
