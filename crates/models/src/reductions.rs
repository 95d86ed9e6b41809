//! What a model has less of than its architecture says, as a model folder holds it.

use crate::{Model, ModelError};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Sizes by the names of the layers or widths that have them; others are whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sizes(BTreeMap<String, usize>);

impl Sizes {
    /// Whether everything is whole.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The size of this name; none if it is whole.
    pub fn of(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    /// Names and sizes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.iter().map(|(name, size)| (name.as_str(), *size))
    }

    /// Forgets the names that do not pass.
    pub(crate) fn retain(&mut self, passes: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| passes(name));
    }

    /// Gives a name this size.
    pub fn insert(&mut self, name: String, size: usize) {
        self.0.insert(name, size);
    }
}

impl FromIterator<(String, usize)> for Sizes {
    fn from_iter<T: IntoIterator<Item = (String, usize)>>(sizes: T) -> Self {
        Self(sizes.into_iter().collect())
    }
}

/// What a model has less of than its architecture says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reductions {
    /// ranks of linear layers
    #[serde(default, skip_serializing_if = "Sizes::is_empty")]
    pub ranks: Sizes,
    /// units that are left of inner widths
    #[serde(default, skip_serializing_if = "Sizes::is_empty")]
    pub units: Sizes,
    /// blocks that are left out
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub left_out: BTreeSet<String>,
}

impl Reductions {
    /// Linear layers of these ranks.
    pub fn of_ranks(ranks: Sizes) -> Self {
        Self { ranks, ..Self::default() }
    }

    /// Whether the model is as its architecture says.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty() && self.units.is_empty() && self.left_out.is_empty()
    }
}

impl Model {
    /// A model of this architecture with these reductions and this state.
    pub(crate) fn with_reductions(
        &self,
        reductions: &Reductions,
        state: Vec<(String, Tensor)>,
    ) -> Result<Self, ModelError> {
        let reduced = (reductions, None);
        let mut model = Self::reduced(self.config(), self.input(), self.n_outputs(), reduced, self.device())?;
        model.tokenizer.clone_from(&self.tokenizer);
        model.temperature = self.temperature;
        model.load_state(state)?;
        Ok(model)
    }
}
