//! A teacher: anything that predicts a distribution over all classes, be it one network, the mean of several, or the merged
//! ensemble.
//!
//! N rows, C classes.

use crate::error::Result;
use crate::networks::ensemble::Ensemble;
use crate::networks::member::Member;
use crate::networks::predictions::{Predictions, distinct, visit_predictions};
use crate::role::Role;
use crate::session::Session;
use crate::stage::Stage;
use rayon::prelude::*;
use std::ops::Range;
use stillhouse_data::Split;
use stillhouse_ensemble::mean_prediction;
use stillhouse_train::{PredictionRecord, records};

/// Values of a mean that one thread computes at once.
const VALUES_PER_TASK: usize = 1 << 14;

/// A source of soft targets, and a model to evaluate.
pub(crate) enum Teacher<'a> {
    /// One member.
    Single(Member<'a>),
    /// The mean of several members' probabilities.
    Mean(Vec<Member<'a>>),
    /// Generalists and specialists, merged (paper, eq. 5).
    Merged(&'a Ensemble<'a>),
}

/// The models that predict every class.
pub(crate) type Complete<'a> = [(Role, Teacher<'a>)];

impl<'a> Teacher<'a> {
    /// The members whose predictions it combines.
    pub fn members(&self) -> Vec<Member<'a>> {
        match self {
            Self::Single(member) => vec![*member],
            Self::Mean(members) => members.clone(),
            Self::Merged(ensemble) => ensemble.members(),
        }
    }

    /// The stages that its predictions depend on, apart from the merge's config.
    pub fn stages(&self) -> Vec<&Stage> {
        match self {
            Self::Merged(ensemble) => vec![ensemble.stage()],
            _ => self.members().iter().map(Member::stage).collect(),
        }
    }

    /// Probabilities `[N, C]` at `T = 1` for every row of a split. Runs in the caller's pool.
    pub fn predict(&self, session: &Session<'_>, split: &Split) -> Result<Vec<f32>> {
        let members = distinct(self.members());
        self.apply(&Predictions::new(session, &members, split, None)?)
    }

    /// Probabilities `[N, C]` at `T = 1` in pieces, so that memory does not grow with the number of examples: `visit` is given
    /// rows of the split and their probabilities `[rows, C]`. Runs in the caller's pool.
    pub fn predict_in_chunks(
        &self,
        session: &Session<'_>,
        split: &Split,
        mut visit: impl FnMut(Range<usize>, &[f32]) -> Result<()>,
    ) -> Result<()> {
        visit_predictions(session, &distinct(self.members()), split, |rows, predictions| {
            visit(rows, &self.apply(predictions)?)
        })
    }

    /// Its prediction `[N, C]`, given those of its members.
    pub fn apply(&self, predictions: &Predictions<'_, '_>) -> Result<Vec<f32>> {
        self.combine(&predictions.of_all(&self.members()))
    }

    /// Its prediction `[N, C]`, given those of its members in the order of [`Teacher::members`].
    pub fn combine<P: AsRef<[f32]> + Sync>(&self, predictions: &[P]) -> Result<Vec<f32>> {
        match self {
            Self::Single(_) => Ok(predictions[0].as_ref().to_vec()),
            Self::Mean(_) => Ok(mean(predictions)),
            Self::Merged(ensemble) => ensemble.merge(predictions),
        }
    }

    /// Records of its predictions for every row of a split.
    pub fn records(&self, session: &Session<'_>, split: &Split) -> Result<Vec<PredictionRecord>> {
        let mut all = Vec::with_capacity(split.len());
        self.predict_in_chunks(session, split, |rows, probs| {
            all.extend(records(probs, &split.labels()[rows], session.data.n_classes()));
            Ok(())
        })?;
        Ok(all)
    }

    /// The distributions `[N, C]` that a student is to match, given the predictions of its members in the order of
    /// [`Teacher::members`]; the student's loss softens them.
    pub fn soft_targets<P: AsRef<[f32]> + Sync>(&self, session: &Session<'_>, predictions: &[P]) -> Result<Vec<f32>> {
        match self {
            Self::Merged(ensemble) => ensemble.soft_targets(predictions, session.config.student.temperature()),
            Self::Single(_) | Self::Mean(_) => self.combine(predictions),
        }
    }
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
