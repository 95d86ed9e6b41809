//! Anything that predicts a distribution over all classes: one voice, several, or the merged ensemble.

use super::answers::Voices;
use super::external::External;
use super::{Ensemble, Trained, Workshop};
use crate::error::Result;
use rayon::prelude::*;
use std::ops::Range;
use stillhouse_core::ViewId;
use stillhouse_data::Split;
use stillhouse_ensemble::mean_prediction;
use stillhouse_models::Model;
use stillhouse_train::{PREDICTION_BATCH, PredictionRecord, predict_together, records};

/// Probabilities that are in memory at once.
pub(crate) const PROBS_AT_ONCE: usize = 1 << 24;
/// Rows that are predicted between two looks at the interruption: whole batches, enough for many threads.
const ROWS_BETWEEN_CHECKS: usize = 64 * PREDICTION_BATCH;
/// Values of a mean that one thread computes at once.
const VALUES_PER_TASK: usize = 1 << 14;

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
    pub fn predict(&self, shop: &Workshop<'_>, split: &Split) -> Result<Vec<f32>> {
        self.combine(&ask(shop, &self.members(), split, None)?)
    }

    /// Probabilities `[N, C]` at `T = 1` in pieces, so that memory does not grow with the number of examples: `visit` is given
    /// rows of the split and their probabilities `[rows, C]`. Runs in the caller's pool.
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

    /// What a student is to learn from it where its members predict this, in the order of [`Teacher::members`], `[N, C]`:
    /// distributions that the student's loss softens.
    pub fn soft_targets<P: AsRef<[f32]> + Sync>(&self, shop: &Workshop<'_>, predictions: &[P]) -> Result<Vec<f32>> {
        match self {
            Self::Merged(ensemble) => ensemble.soft_targets(predictions, shop.config.student.temperature()),
            Self::Single(_) | Self::Mean(_) => self.combine(predictions),
        }
    }
}

/// Every member's own probabilities for every row of a split, in the order of the members. Each example is read, augmented
/// and encoded once for all networks that take the same input. Runs in the caller's pool.
pub(crate) fn ask(
    shop: &Workshop<'_>,
    members: &[Member<'_>],
    split: &Split,
    view: Option<ViewId>,
) -> Result<Vec<Vec<f32>>> {
    let networks: Vec<&Trained> = members.iter().filter_map(Member::network).collect();
    let models: Vec<&Model> = networks.iter().map(|network| &*network.model).collect();
    let first_with_body =
        |network: &&Trained| networks.iter().position(|other| other.body_key == network.body_key).expect("itself");
    let body_of: Vec<usize> = networks.iter().map(first_with_body).collect();
    let mut of_networks: Vec<Vec<f32>> = vec![Vec::new(); networks.len()];
    for start in (0..split.len()).step_by(ROWS_BETWEEN_CHECKS) {
        shop.context.check_interrupt()?;
        let rows: Vec<usize> = (start..(start + ROWS_BETWEEN_CHECKS).min(split.len())).collect();
        let predicted = predict_together(&models, &body_of, &split.select(&rows), view)?;
        of_networks.iter_mut().zip(predicted).for_each(|(all, predicted)| all.extend(predicted));
    }
    let mut of_networks = of_networks.into_iter();
    let of_member = |member: &Member<'_>| match member {
        Member::Network(_) => Ok(of_networks.next().expect("one for each network")),
        Member::External(external) => external.predict(split),
    };
    members.iter().map(of_member).collect()
}

/// Mean over networks.
fn mean<P: AsRef<[f32]>>(networks: &[P]) -> Vec<f32> {
    let networks: Vec<&[f32]> = networks.iter().map(AsRef::as_ref).collect();
    let mut mean = vec![0.0; networks[0].len()];
    mean.par_chunks_mut(VALUES_PER_TASK).enumerate().for_each(|(chunk, mean)| {
        let start = chunk * VALUES_PER_TASK;
        let parts: Vec<&[f32]> = networks.iter().map(|probs| &probs[start..start + mean.len()]).collect();
        mean_prediction(&parts, mean);
    });
    mean
}
