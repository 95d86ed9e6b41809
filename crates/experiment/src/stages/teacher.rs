//! A teacher: anything that predicts a distribution over all classes, be it one network, the mean of several, or the merged
//! ensemble.
//!
//! N rows, C classes.

use super::external::External;
use super::predictions::{Predictions, distinct, visit_predictions};
use super::{Ensemble, Session, Trained};
use crate::error::Result;
use crate::store::Stage;
use rayon::prelude::*;
use std::ops::Range;
use stillhouse_data::Split;
use stillhouse_ensemble::mean_prediction;
use stillhouse_train::{PredictionRecord, records};

/// Values of a mean that one thread computes at once.
const VALUES_PER_TASK: usize = 1 << 14;

/// One source of predictions in a teacher.
#[derive(Clone, Copy)]
pub(crate) enum Member<'a> {
    /// A network of this run.
    Network(&'a Trained),
    /// Stored predictions of a teacher that was trained elsewhere.
    External(&'a External),
}

impl<'a> Member<'a> {
    pub fn name(&self) -> &'a str {
        match self {
            Self::Network(trained) => trained.stage.name(),
            Self::External(external) => &external.name,
        }
    }

    /// The stage that its predictions depend on.
    pub fn stage(&self) -> &'a Stage {
        match self {
            Self::Network(trained) => &trained.stage,
            Self::External(external) => &external.stage,
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

/// A source of soft targets, and a model to evaluate.
pub(crate) enum Teacher<'a> {
    /// One member.
    Single(Member<'a>),
    /// The mean of several members' probabilities.
    Mean(Vec<Member<'a>>),
    /// Generalists and specialists, merged (paper, eq. 5).
    Merged(&'a Ensemble<'a>),
}

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
        Predictions::new(session, &distinct(self.members()), split, None)?.by(self)
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
            visit(rows, &predictions.by(self)?)
        })
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
