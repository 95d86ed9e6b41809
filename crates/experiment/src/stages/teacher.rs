//! Anything that predicts a distribution over all classes: one voice, several, or the merged ensemble.

use super::external::External;
use super::{Ensemble, Trained, Workshop};
use crate::error::Result;
use rayon::prelude::*;
use std::ops::Range;
use stillhouse_core::{ClassId, ViewId};
use stillhouse_data::Split;
use stillhouse_models::Model;
use stillhouse_train::{PREDICTION_BATCH, PredictionRecord, predict_by_heads, predict_proba, records};

/// Probabilities over all classes that are in memory at once, of each network and of what they say together.
pub(crate) const PROBS_AT_ONCE: usize = 1 << 24;

/// One voice: a network of this run, or predictions that were made elsewhere.
#[derive(Clone, Copy)]
pub(crate) enum Member<'a> {
    /// A network.
    Network(&'a Trained),
    /// A file's content.
    External(&'a External),
}

impl<'a> Member<'a> {
    pub fn name(&self) -> &'a str {
        match self {
            Self::Network(trained) => &trained.name,
            Self::External(external) => &external.name,
        }
    }

    /// Hash of everything that its predictions depend on.
    pub fn key(&self) -> &'a str {
        match self {
            Self::Network(trained) => &trained.key,
            Self::External(external) => &external.key,
        }
    }

    /// The network, unless it was trained elsewhere.
    pub fn network(&self) -> Option<&'a Trained> {
        match self {
            Self::Network(trained) => Some(trained),
            Self::External(_) => None,
        }
    }

    /// Its own outputs as probabilities for every row of a split. External predictions have no views: the config allows
    /// them for data without augmentation only.
    pub fn predict(&self, split: &Split, view: Option<ViewId>) -> Result<Vec<f32>> {
        match self {
            Self::Network(trained) => Ok(predict_proba(&trained.model, split, view)?),
            Self::External(external) => external.predict(split),
        }
    }
}

/// A source of soft targets and of predictions to evaluate.
pub(crate) enum Teacher<'a> {
    /// One voice.
    Single(Member<'a>),
    /// The mean of several voices' probabilities.
    Mean(Vec<Member<'a>>),
    /// Generalists and specialists, merged (paper, eq. 5).
    Merged(&'a Ensemble<'a>),
}

impl<'a> Teacher<'a> {
    /// The voices behind it.
    pub fn members(&self) -> Vec<Member<'a>> {
        match self {
            Self::Single(member) => vec![*member],
            Self::Mean(members) => members.clone(),
            Self::Merged(ensemble) => ensemble.members(),
        }
    }

    /// Hashes of everything that its predictions depend on, but the merge's config.
    pub fn keys(&self) -> Vec<String> {
        match self {
            Self::Merged(ensemble) => vec![ensemble.key.clone()],
            _ => self.members().iter().map(|member| member.key().to_owned()).collect(),
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

    /// Records of its predictions for every row of a split; `see` is shown every distribution `[C]` with its label.
    pub fn records(
        &self,
        shop: &Workshop<'_>,
        split: &Split,
        mut see: impl FnMut(&[f32], ClassId),
    ) -> Result<Vec<PredictionRecord>> {
        let mut all = Vec::with_capacity(split.len());
        self.predict_in_chunks(shop, split, |rows, probs| {
            let labels = &split.labels()[rows];
            probs.chunks_exact(shop.n_classes()).zip(labels).for_each(|(row, label)| see(row, *label));
            all.extend(records(probs, labels, shop.n_classes()));
            Ok(())
        })?;
        Ok(all)
    }

    /// What a student is to learn from it, `[N, C]`: distributions that the student's loss softens.
    pub fn soft_targets(&self, shop: &Workshop<'_>, split: &Split, view: Option<ViewId>) -> Result<Vec<f32>> {
        let Self::Merged(ensemble) = self else { return self.predict(shop, split, view) };
        let networks = self.predict_members(shop, split, view)?;
        ensemble.soft_targets(&networks, shop.config.student.temperature())
    }

    /// Every voice's own probabilities, in the order of [`Teacher::members`]. Networks with a common body are asked
    /// together.
    pub fn predict_members(&self, shop: &Workshop<'_>, split: &Split, view: Option<ViewId>) -> Result<Vec<Vec<f32>>> {
        let members = self.members();
        let mut predictions: Vec<Vec<f32>> = vec![Vec::new(); members.len()];
        let mut is_done = vec![false; members.len()];
        for (first, member) in members.iter().enumerate() {
            if is_done[first] {
                continue;
            }
            shop.context.check_interrupt()?;
            let has_body_of = |other: &Member<'_>, trained: &Trained| {
                other.network().is_some_and(|other| other.body_key == trained.body_key)
            };
            let sharing: Vec<usize> = match member.network() {
                Some(trained) => (0..members.len()).filter(|&other| has_body_of(&members[other], trained)).collect(),
                None => vec![first],
            };
            if sharing.len() == 1 {
                predictions[first] = member.predict(split, view)?;
                continue;
            }
            let networks = sharing.iter().filter_map(|&member| members[member].network());
            let models: Vec<&Model> = networks.map(|trained| &*trained.model).collect();
            for (member, predicted) in sharing.into_iter().zip(predict_by_heads(&models, split, view)?) {
                (predictions[member], is_done[member]) = (predicted, true);
            }
        }
        Ok(predictions)
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
