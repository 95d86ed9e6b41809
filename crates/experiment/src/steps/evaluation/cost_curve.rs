//! The cost curve: top-1 against training compute, for generalists one after the other and for ever more specialists; and
//! what the merge loses without each single specialist.
//!
//! N examples, C classes.

use crate::error::Result;
use crate::networks::artifacts::{Clustered, Specialist, Trained};
use crate::networks::ensemble::Ensemble;
use crate::networks::member::Member;
use crate::networks::predictions::{PROBS_AT_ONCE, Predictions, Sample};
use crate::networks::teachers::Teachers;
use crate::report::PortfolioPoint;
use crate::session::Session;
use std::ops::Range;
use stillhouse_core::ClassId;
use stillhouse_data::Split;
use stillhouse_train::{PredictionRecord, metrics_of, records};

/// Points with specialists: the last has all of them, each one before half as many.
const N_SPECIALIST_POINTS: usize = 4;
/// Merges that may be spent on the points with specialists, and on leaving one specialist out after the other. Where there
/// are many examples, an evenly spread sample is merged.
const MAX_MERGES: usize = 200_000;
const MAX_LEAVE_ONE_OUT_MERGES: usize = 50_000;

/// Counts how many examples of a split each set of teachers predicts right: the mean of 1, 2, ... generalists, and the merge
/// with ever more specialists, in the order of their gain on the validation examples of their own classes.
pub(super) struct CostCurve<'a> {
    session: &'a Session<'a>,
    split: &'a Split,
    generalists: Vec<&'a Trained>,
    growing: Vec<Ensemble<'a>>,
    sample: Sample,
    /// Examples that are right, of each point: first the generalists, then the growing ensembles.
    n_right: Vec<usize>,
}

impl<'a> CostCurve<'a> {
    /// A curve without examples. Without points where no generalist was trained.
    pub fn new(session: &'a Session<'a>, teachers: &'a Teachers, split: &'a Split) -> Result<Self> {
        let Teachers { generalists, specialists: checked, ensemble_members, .. } = teachers;
        let (mut plain, mut growing): (Vec<&Trained>, Vec<_>) = Default::default();
        if !generalists.is_empty() {
            let ordered = by_gain(teachers);
            let merge_of = |n: usize| Ensemble::of(session, generalists, ordered[..n].to_vec(), checked.fitted);
            plain = generalists.iter().chain(ensemble_members).collect();
            growing = counts(ordered.len()).into_iter().map(merge_of).collect::<Result<_>>()?;
        }
        let n_right = vec![0; plain.len() + growing.len()];
        let most = (MAX_MERGES / N_SPECIALIST_POINTS).min(PROBS_AT_ONCE / session.data.n_classes());
        Ok(Self { session, split, generalists: plain, growing, sample: Sample::new(split.len(), most), n_right })
    }

    /// Takes the predictions of the next rows.
    pub fn add(&mut self, rows: &Range<usize>, predictions: &Predictions<'_, '_>) -> Result<()> {
        let sampled = self.sample.within(rows);
        if sampled.is_empty() || self.n_right.is_empty() {
            return Ok(());
        }
        let n_classes = self.session.data.n_classes();
        let labels: Vec<ClassId> = sampled.iter().map(|row| self.split.label(rows.start + row)).collect();
        let n_right = |probs: &[f32]| {
            let rows = probs.chunks_exact(n_classes).zip(&labels);
            rows.filter(|(row, label)| PredictionRecord::new(row, **label).is_correct()).count()
        };
        let (of_generalists, of_ensembles) = self.n_right.split_at_mut(self.generalists.len());
        let mut sum = vec![0.0_f32; sampled.len() * n_classes];
        for (total, generalist) in of_generalists.iter_mut().zip(&self.generalists) {
            let probs = &predictions.at(&sampled, &[Member::Network(generalist)])[0];
            sum.iter_mut().zip(&**probs).for_each(|(sum, prob)| *sum += prob);
            *total += n_right(&sum);
        }
        for (total, ensemble) in of_ensembles.iter_mut().zip(&self.growing) {
            self.session.context.check_interrupt()?;
            *total += n_right(&ensemble.merge(&predictions.at(&sampled, &ensemble.members()))?);
        }
        Ok(())
    }

    /// Top-1 of every point.
    fn top1s(&self) -> Vec<f64> {
        self.n_right.iter().map(|n_right| *n_right as f64 / self.sample.len().max(1) as f64).collect()
    }
}

/// Predictions of the merged teachers for a sample of a split, from which one specialist is left out after the other.
pub(super) struct LeaveOneOut<'a> {
    session: &'a Session<'a>,
    teachers: &'a Teachers,
    ensemble: Option<&'a Ensemble<'a>>,
    sample: Sample,
    labels: Vec<ClassId>,
    /// Predictions of each member of the merged ensemble.
    predictions: Vec<Vec<f32>>,
}

impl<'a> LeaveOneOut<'a> {
    /// Without examples; the sample is empty where no specialist is merged.
    pub fn new(
        session: &'a Session<'a>,
        teachers: &'a Teachers,
        ensemble: Option<&'a Ensemble<'a>>,
        n_rows: usize,
    ) -> Self {
        let n_merged = teachers.specialists.kept.len();
        let most = (MAX_LEAVE_ONE_OUT_MERGES / n_merged.max(1)).min(PROBS_AT_ONCE / session.data.n_classes());
        let sample = Sample::new(if n_merged > 0 { n_rows } else { 0 }, most);
        let predictions = vec![Vec::new(); ensemble.map_or(0, |ensemble| ensemble.members().len())];
        Self { session, teachers, ensemble, sample, labels: Vec::new(), predictions }
    }

    /// Takes the predictions of the next rows of the split.
    pub fn add(&mut self, split: &Split, rows: &Range<usize>, predictions: &Predictions<'_, '_>) {
        let Some(ensemble) = self.ensemble else { return };
        let sampled = self.sample.within(rows);
        self.labels.extend(sampled.iter().map(|row| split.label(rows.start + row)));
        for (all, of_rows) in self.predictions.iter_mut().zip(predictions.at(&sampled, &ensemble.members())) {
            all.extend_from_slice(&of_rows);
        }
    }

    /// Number of examples.
    pub fn n_examples(&self) -> usize {
        self.sample.len()
    }

    /// Top-1 of the merge minus that of the merge without a specialist, for each specialist that is merged. One ensemble is
    /// in memory at a time.
    pub fn effects(&self) -> Result<Vec<f64>> {
        let Teachers { generalists, specialists: checked, .. } = self.teachers;
        let top1 = |ensemble: &Ensemble<'_>, predictions: &[&[f32]]| -> Result<f64> {
            self.session.context.check_interrupt()?;
            let merged = ensemble.merge(predictions)?;
            Ok(metrics_of(&records(&merged, &self.labels, self.session.data.n_classes())).top1)
        };
        let Some(ensemble) = self.ensemble.filter(|_| !self.labels.is_empty()) else { return Ok(Vec::new()) };
        let all: Vec<&[f32]> = self.predictions.iter().map(Vec::as_slice).collect();
        let with_all = top1(ensemble, &all)?;
        let without = |position: usize| -> Result<f64> {
            let (mut predictions, mut specialists) = (all.clone(), checked.kept());
            predictions.remove(generalists.len() + position);
            specialists.remove(position);
            let others = Ensemble::of(self.session, generalists, specialists, checked.fitted)?;
            Ok(with_all - top1(&others, &predictions)?)
        };
        (0..checked.kept.len()).map(without).collect()
    }
}

/// Cost and top-1 of every point of the curve, on both splits.
pub(super) fn points(
    teachers: &Teachers,
    clustered: Option<&Clustered>,
    on_test: &CostCurve<'_>,
    on_valid: &CostCurve<'_>,
) -> Vec<PortfolioPoint> {
    let flops = |networks: &[&Trained]| networks.iter().map(|trained| trained.fit.train_flops).sum::<f64>();
    let generalists = &on_test.generalists;
    let plain = (1..=generalists.len()).map(|n| (n, 0, 0.0, flops(&generalists[..n])));
    let n_generalists = teachers.generalists.len();
    let with_specialists = on_test.growing.iter().map(|ensemble| {
        let specialists = ensemble.specialists();
        let n_known: usize = specialists.iter().map(|specialist| specialist.subset.len()).sum();
        let trained: Vec<&Trained> = specialists.iter().map(|specialist| &specialist.trained).collect();
        let coverage = n_known as f64 / on_test.session.data.n_classes() as f64;
        let of_clusters = clustered.map_or(0.0, |clustered| clustered.train_flops);
        let train_flops = flops(&generalists[..n_generalists]) + of_clusters + flops(&trained);
        (n_generalists, specialists.len(), coverage, train_flops)
    });
    let point = |((n_generalists, n_specialists, coverage, train_flops), (top1, valid_top1))| PortfolioPoint {
        n_generalists: n_generalists as u64,
        n_specialists: n_specialists as u64,
        coverage,
        train_flops,
        top1,
        valid_top1,
        n_test: on_test.sample.len() as u64,
    };
    plain.chain(with_specialists).zip(on_test.top1s().into_iter().zip(on_valid.top1s())).map(point).collect()
}

/// How many specialists the points have, ascending.
fn counts(n_specialists: usize) -> Vec<usize> {
    let halved = (0..N_SPECIALIST_POINTS).rev().map(|halvings| n_specialists >> halvings);
    let mut counts: Vec<usize> = halved.filter(|n| *n > 0).collect();
    counts.dedup();
    counts
}

/// The specialists that are merged, the one with the largest gain on its own validation examples first.
fn by_gain(teachers: &Teachers) -> Vec<&Specialist> {
    let checked = &teachers.specialists;
    let gain = |idx: &usize| {
        let check = &checked.checks[*idx];
        (check.specialist_top1 - check.generalist_top1) * check.n_own as f64
    };
    let mut order = checked.kept.clone();
    order.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
    order.into_iter().map(|idx| &checked.specialists[idx]).collect()
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn the_last_point_has_all_specialists() {
        assert_eq!(counts(54), [6, 13, 27, 54]);
        assert_eq!(counts(3), [1, 3]);
        assert_eq!(counts(1), [1]);
        assert!(counts(0).is_empty());
    }
}
