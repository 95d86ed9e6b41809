//! Anything that predicts a distribution over all classes: one voice, several, or the merged ensemble.

use super::answers::Voices;
use super::external::External;
use super::{Ensemble, Trained, Workshop};
use crate::error::Result;
use rayon::prelude::*;
use std::ops::Range;
use stillhouse_core::ViewId;
use stillhouse_data::Split;
use stillhouse_models::Model;
use stillhouse_train::{PredictionRecord, predict_by_heads, predict_proba, records};

/// Probabilities that are in memory at once.
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

    /// Numbers of a row of its predictions.
    pub fn n_outputs(&self, n_classes: usize) -> usize {
        match self {
            Self::Network(trained) => trained.model.n_outputs(),
            Self::External(external) => external.scope.n_outputs(n_classes),
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
        self.combine(&ask(shop, &self.members(), split, view)?)
    }

    /// The same in pieces, so that memory does not grow with the number of examples: `visit` is given rows of the split
    /// and their probabilities `[rows, C]`.
    pub fn predict_in_chunks(
        &self,
        shop: &Workshop<'_>,
        split: &Split,
        mut visit: impl FnMut(Range<usize>, &[f32]) -> Result<()>,
    ) -> Result<()> {
        Voices::new(self.members()).ask(shop, split, |rows, answers| visit(rows, &answers.by(self)?))
    }

    /// What it says where its members say this, in the order of [`Teacher::members`], `[N, C]`.
    pub fn combine<P: AsRef<[f32]> + Sync>(&self, predictions: &[P]) -> Result<Vec<f32>> {
        match self {
            Self::Single(_) => Ok(predictions[0].as_ref().to_vec()),
            Self::Mean(_) => Ok(mean(predictions)),
            Self::Merged(ensemble) => ensemble.merge(predictions),
        }
    }

    /// Records of its predictions for every row of a split.
    pub fn records(&self, shop: &Workshop<'_>, split: &Split) -> Result<Vec<PredictionRecord>> {
        let mut all = Vec::with_capacity(split.len());
        self.predict_in_chunks(shop, split, |rows, probs| {
            all.extend(records(probs, &split.labels()[rows], shop.n_classes()));
            Ok(())
        })?;
        Ok(all)
    }

    /// What a student is to learn from it, `[N, C]`: distributions that the student's loss softens.
    pub fn soft_targets(&self, shop: &Workshop<'_>, split: &Split, view: Option<ViewId>) -> Result<Vec<f32>> {
        let Self::Merged(ensemble) = self else { return self.predict(shop, split, view) };
        let predictions = ask(shop, &ensemble.members(), split, view)?;
        ensemble.soft_targets(&predictions, shop.config.student.temperature())
    }
}

/// Every voice's own probabilities, in the order of the voices. Networks with a common body are asked together.
pub(crate) fn ask(
    shop: &Workshop<'_>,
    voices: &[Member<'_>],
    split: &Split,
    view: Option<ViewId>,
) -> Result<Vec<Vec<f32>>> {
    let mut predictions: Vec<Vec<f32>> = vec![Vec::new(); voices.len()];
    let mut is_done = vec![false; voices.len()];
    for (first, voice) in voices.iter().enumerate() {
        if is_done[first] {
            continue;
        }
        shop.context.check_interrupt()?;
        let has_body_of = |other: &Member<'_>, trained: &Trained| {
            other.network().is_some_and(|other| other.body_key == trained.body_key)
        };
        let sharing: Vec<usize> = match voice.network() {
            Some(trained) => (0..voices.len()).filter(|&other| has_body_of(&voices[other], trained)).collect(),
            None => vec![first],
        };
        if sharing.len() == 1 {
            predictions[first] = voice.predict(split, view)?;
            continue;
        }
        let networks = sharing.iter().filter_map(|&voice| voices[voice].network());
        let models: Vec<&Model> = networks.map(|trained| &*trained.model).collect();
        for (voice, predicted) in sharing.into_iter().zip(predict_by_heads(&models, split, view)?) {
            (predictions[voice], is_done[voice]) = (predicted, true);
        }
    }
    Ok(predictions)
}

/// Mean over networks, with f64 inside.
pub(super) fn mean<P: AsRef<[f32]> + Sync>(networks: &[P]) -> Vec<f32> {
    if let [only] = networks {
        return only.as_ref().to_vec();
    }
    let n = networks.len() as f64;
    let value = |position: usize| networks.iter().map(|probs| f64::from(probs.as_ref()[position])).sum::<f64>() / n;
    (0..networks[0].as_ref().len()).into_par_iter().map(|position| value(position) as f32).collect()
}
