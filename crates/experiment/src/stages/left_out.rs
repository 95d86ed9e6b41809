//! What the merge would be without one of its specialists.

use super::answers::{Answers, Sample};
use super::evaluation::Models;
use super::{Ensemble, Workshop};
use crate::error::Result;
use std::ops::Range;
use stillhouse_data::Split;
use stillhouse_train::PredictionRecord;

/// Merges spent on leaving one specialist out after the other.
const MAX_MERGES: usize = 50_000;

/// Counts how many examples are right with all specialists, and without each, on as many examples of a split as keep the
/// number of merges bounded.
pub(super) struct LeftOut<'a> {
    shop: &'a Workshop<'a>,
    split: &'a Split,
    ensemble: &'a Ensemble<'a>,
    /// For each specialist that is heard, the ensemble without it.
    without: Vec<Ensemble<'a>>,
    sample: Sample,
    n_right: usize,
    n_right_without: Vec<usize>,
}

impl<'a> LeftOut<'a> {
    /// Nothing seen yet.
    pub fn new(shop: &'a Workshop<'a>, models: &'a Models<'a>, split: &'a Split) -> Result<Self> {
        let checked = models.specialists;
        let without = |position: usize| {
            let mut heard = checked.kept();
            heard.remove(position);
            Ensemble::of(shop, models.generalists, heard, checked.fitted)
        };
        let n_heard = checked.kept.len();
        let n_rows = if n_heard > 0 { split.len() } else { 0 };
        Ok(Self {
            shop,
            split,
            ensemble: models.ensemble,
            without: (0..n_heard).map(without).collect::<Result<_>>()?,
            sample: Sample::new(n_rows, MAX_MERGES / n_heard.max(1)),
            n_right: 0,
            n_right_without: vec![0; n_heard],
        })
    }

    /// Takes what all voices say about the next rows.
    pub fn add(&mut self, rows: &Range<usize>, answers: &Answers<'_, '_>) -> Result<()> {
        let sampled = self.sample.within(rows);
        if sampled.is_empty() {
            return Ok(());
        }
        let answers = answers.at(&sampled);
        let n_right = |ensemble: &Ensemble<'_>| -> Result<usize> {
            self.shop.context.check_interrupt()?;
            let merged = ensemble.merge(&answers.of_all(&ensemble.members()))?;
            let labels = sampled.iter().map(|row| self.split.label(rows.start + row));
            let rows = merged.chunks_exact(self.shop.n_classes()).zip(labels);
            Ok(rows.filter(|(row, label)| PredictionRecord::new(row, *label).is_correct()).count())
        };
        self.n_right += n_right(self.ensemble)?;
        for (total, ensemble) in self.n_right_without.iter_mut().zip(&self.without) {
            *total += n_right(ensemble)?;
        }
        Ok(())
    }

    /// How many examples were counted.
    pub fn n_examples(&self) -> usize {
        self.sample.len()
    }

    /// For each specialist that is heard, the top-1 of the merge minus that of the merge without it.
    pub fn effects(&self) -> Vec<f64> {
        let top1 = |n_right: usize| n_right as f64 / self.n_examples() as f64;
        self.n_right_without.iter().map(|n_right| top1(self.n_right) - top1(*n_right)).collect()
    }
}
