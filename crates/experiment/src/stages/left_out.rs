//! What the merge would be without one of its specialists.

use super::evaluation::Models;
use super::predictions::{PROBS_AT_ONCE, Predictions, Sample};
use super::{Ensemble, Session};
use crate::error::Result;
use std::ops::Range;
use stillhouse_core::ClassId;
use stillhouse_train::{metrics_of, records};

/// Merges spent on leaving one specialist out after the other.
const MAX_MERGES: usize = 50_000;

/// What the merge is made of, on as many examples of a split as keep memory and the number of merges bounded.
pub(super) struct LeftOut<'a> {
    session: &'a Session<'a>,
    models: &'a Models<'a>,
    sample: Sample,
    labels: Vec<ClassId>,
    /// Of each member of the ensemble, for the rows of the sample so far.
    predictions: Vec<Vec<f32>>,
}

/// For each specialist that is heard, the top-1 of the merge minus that of the merge without it.
pub(super) struct LeftOutEffects {
    pub effects: Vec<f64>,
    pub n_examples: usize,
}

impl<'a> LeftOut<'a> {
    /// Nothing seen yet.
    pub fn new(session: &'a Session<'a>, models: &'a Models<'a>, n_rows: usize) -> Self {
        let n_heard = models.teachers.specialists.kept.len();
        let n_rows = if n_heard > 0 { n_rows } else { 0 };
        let most = (MAX_MERGES / n_heard.max(1)).min(PROBS_AT_ONCE / session.data.n_classes());
        let predictions = vec![Vec::new(); models.ensemble.members().len()];
        Self { session, models, sample: Sample::new(n_rows, most), labels: Vec::new(), predictions }
    }

    /// Takes the predictions of the next rows, whose labels these are.
    pub fn add(&mut self, rows: &Range<usize>, labels: &[ClassId], predictions: &Predictions<'_, '_>) {
        let sampled = self.sample.within(rows);
        let predictions = predictions.at(&sampled, &self.models.ensemble.members());
        self.labels.extend(sampled.iter().map(|row| labels[*row]));
        for (all, predictions) in self.predictions.iter_mut().zip(predictions) {
            all.extend_from_slice(&predictions);
        }
    }

    /// Merges with all specialists and without each.
    pub fn finish(self) -> Result<LeftOutEffects> {
        let (session, models, checked) = (self.session, self.models, &self.models.teachers.specialists);
        let predictions: Vec<&[f32]> = self.predictions.iter().map(Vec::as_slice).collect();
        let n_examples = self.sample.len();
        let top1 = |ensemble: &Ensemble<'_>, predictions: &[&[f32]]| -> Result<f64> {
            session.context.check_interrupt()?;
            let merged = ensemble.merge(predictions)?;
            Ok(metrics_of(&records(&merged, &self.labels, session.data.n_classes())).top1)
        };
        let mut effects = Vec::with_capacity(checked.kept.len());
        if n_examples > 0 {
            let with_all = top1(models.ensemble, &predictions)?;
            for position in 0..checked.kept.len() {
                let mut others = predictions.clone();
                others.remove(models.teachers.generalists.len() + position);
                let mut heard = checked.kept();
                heard.remove(position);
                let without = Ensemble::of(session, &models.teachers.generalists, heard, checked.fitted)?;
                effects.push(with_all - top1(&without, &others)?);
            }
        }
        Ok(LeftOutEffects { effects, n_examples })
    }
}
