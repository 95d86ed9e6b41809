//! Anything that predicts a distribution over all classes: one network, several, or the merged ensemble.

use super::{Ensemble, Trained, Workshop};
use crate::error::Result;
use rayon::prelude::*;
use std::ops::Range;
use stillhouse_core::ViewId;
use stillhouse_data::Split;
use stillhouse_train::{PREDICTION_BATCH, predict_proba};

/// Probabilities over all classes that are in memory at once, of each network and of what they say together.
pub(crate) const PROBS_AT_ONCE: usize = 1 << 24;

/// A source of soft targets and of predictions to evaluate.
pub(crate) enum Teacher<'a> {
    /// One network.
    Single(&'a Trained),
    /// The mean of several networks' probabilities.
    Mean(Vec<&'a Trained>),
    /// Generalists and specialists, merged (paper, eq. 5).
    Merged(&'a Ensemble<'a>),
}

impl<'a> Teacher<'a> {
    /// The networks behind it.
    pub fn members(&self) -> Vec<&'a Trained> {
        match self {
            Self::Single(trained) => vec![trained],
            Self::Mean(members) => members.clone(),
            Self::Merged(ensemble) => ensemble.members(),
        }
    }

    /// Hashes of everything that its predictions depend on, but the merge's config.
    pub fn keys(&self) -> Vec<String> {
        match self {
            Self::Merged(ensemble) => vec![ensemble.key.clone()],
            _ => self.members().iter().map(|trained| trained.key.clone()).collect(),
        }
    }

    /// Probabilities `[N, C]` at `T = 1` for every row of a split. Runs in the caller's pool.
    pub fn predict(&self, shop: &Workshop<'_>, split: &Split, view: Option<ViewId>) -> Result<Vec<f32>> {
        let networks = self.predict_members(shop, split, view)?;
        match self {
            Self::Single(_) => Ok(networks.concat()),
            Self::Mean(_) => Ok(mean(&networks)),
            Self::Merged(ensemble) => ensemble.merge(&networks),
        }
    }

    /// The same in pieces, so that memory does not grow with the number of examples: `visit` is given rows of the split
    /// and their probabilities `[rows, C]`.
    pub fn predict_in_chunks(
        &self,
        shop: &Workshop<'_>,
        split: &Split,
        mut visit: impl FnMut(Range<usize>, &[f32]) -> Result<()>,
    ) -> Result<()> {
        let n_batches = PROBS_AT_ONCE / (shop.n_classes() * PREDICTION_BATCH);
        let n_rows = n_batches.max(1) * PREDICTION_BATCH;
        for start in (0..split.len()).step_by(n_rows) {
            let rows = start..(start + n_rows).min(split.len());
            let positions: Vec<usize> = rows.clone().collect();
            visit(rows, &self.predict(shop, &split.select(&positions), None)?)?;
        }
        Ok(())
    }

    /// What a student is to learn from it, `[N, C]`: distributions that the student's loss softens.
    pub fn soft_targets(&self, shop: &Workshop<'_>, split: &Split, view: Option<ViewId>) -> Result<Vec<f32>> {
        let Self::Merged(ensemble) = self else { return self.predict(shop, split, view) };
        let networks = self.predict_members(shop, split, view)?;
        ensemble.soft_targets(&networks, shop.config.student.temperature())
    }

    /// Every network's own probabilities, in the order of [`Teacher::members`].
    pub fn predict_members(&self, shop: &Workshop<'_>, split: &Split, view: Option<ViewId>) -> Result<Vec<Vec<f32>>> {
        let networks = self.members().into_iter().map(|trained| {
            shop.context.check_interrupt()?;
            Ok(predict_proba(&trained.model, split, view)?)
        });
        networks.collect()
    }
}

/// Mean over networks, with f64 inside.
pub(super) fn mean(networks: &[Vec<f32>]) -> Vec<f32> {
    if let [only] = networks {
        return only.clone();
    }
    let n = networks.len() as f64;
    let value = |position: usize| networks.iter().map(|probs| f64::from(probs[position])).sum::<f64>() / n;
    (0..networks[0].len()).into_par_iter().map(|position| value(position) as f32).collect()
}
