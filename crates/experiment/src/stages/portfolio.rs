//! What the training compute of the teachers buys: generalists one after the other, and specialists one after the other.
//!
//! N examples, C classes.

use super::evaluation::Models;
use super::predictions::{PROBS_AT_ONCE, Predictions, Sample};
use super::{Clustered, Ensemble, Member, Session, Specialist, Trained};
use crate::error::Result;
use crate::pipeline::Teachers;
use crate::report::PortfolioPoint;
use std::ops::Range;
use stillhouse_core::ClassId;
use stillhouse_data::Split;
use stillhouse_train::PredictionRecord;

/// Points with specialists: the last has all of them, each one before half as many.
const N_SPECIALIST_POINTS: usize = 4;
/// Merges spent on them.
const MAX_MERGES: usize = 200_000;

/// Counts how many examples of a split are right by the mean of 1, 2, ... generalists, and by the merge with ever more of
/// the specialists that it hears, those first that gain most on the validation examples of their own classes. On a share
/// of the split where there are many examples.
pub(super) struct Portfolio<'a> {
    session: &'a Session<'a>,
    split: &'a Split,
    generalists: Vec<&'a Trained>,
    /// One for each number of specialists.
    ensembles: Vec<Ensemble<'a>>,
    sample: Sample,
    /// Of each point: those of the generalists, then those of the ensembles.
    n_right: Vec<usize>,
}

impl<'a> Portfolio<'a> {
    /// Nothing seen yet. Without points where no generalist was trained.
    pub fn new(session: &'a Session<'a>, models: &Models<'a>, split: &'a Split) -> Result<Self> {
        let Teachers { generalists, ensemble_members, .. } = models.teachers;
        let (generalists, ordered) = match &generalists[..] {
            [] => (Vec::new(), Vec::new()),
            _ => (generalists.iter().chain(ensemble_members).collect(), by_gain(models)),
        };
        let ensemble = |n: usize| {
            Ensemble::of(
                session,
                &models.teachers.generalists,
                ordered[..n].to_vec(),
                models.teachers.specialists.fitted,
            )
        };
        let ensembles: Vec<Ensemble<'a>> = counts(ordered.len()).into_iter().map(ensemble).collect::<Result<_>>()?;
        let n_right = vec![0; generalists.len() + ensembles.len()];
        let most = (MAX_MERGES / N_SPECIALIST_POINTS).min(PROBS_AT_ONCE / session.data.n_classes());
        let sample = Sample::new(split.len(), most);
        Ok(Self { session, split, generalists, ensembles, sample, n_right })
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
        for (total, ensemble) in of_ensembles.iter_mut().zip(&self.ensembles) {
            self.session.context.check_interrupt()?;
            *total += n_right(&ensemble.merge(&predictions.at(&sampled, &ensemble.members()))?);
        }
        Ok(())
    }

    fn top1s(&self) -> impl Iterator<Item = f64> + '_ {
        self.n_right.iter().map(|n_right| *n_right as f64 / self.sample.len().max(1) as f64)
    }
}

/// What each point costs and gains, counted on both splits.
pub(super) fn points(
    models: &Models<'_>,
    clustered: Option<&Clustered>,
    on_test: &Portfolio<'_>,
    on_valid: &Portfolio<'_>,
) -> Vec<PortfolioPoint> {
    let flops = |networks: &[&Trained]| networks.iter().map(|trained| trained.fit.train_flops).sum::<f64>();
    let generalists = &on_test.generalists;
    let plain = (1..=generalists.len()).map(|n| (n, 0, 0.0, flops(&generalists[..n])));
    let n_generalists = models.teachers.generalists.len();
    let with_specialists = on_test.ensembles.iter().map(|ensemble| {
        let heard = ensemble.specialists();
        let n_known: usize = heard.iter().map(|specialist| specialist.subset.len()).sum();
        let trained: Vec<&Trained> = heard.iter().map(|specialist| &specialist.trained).collect();
        let coverage = n_known as f64 / on_test.session.data.n_classes() as f64;
        let of_clusters = clustered.map_or(0.0, |clustered| clustered.train_flops);
        (n_generalists, heard.len(), coverage, flops(&generalists[..n_generalists]) + of_clusters + flops(&trained))
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
    plain.chain(with_specialists).zip(on_test.top1s().zip(on_valid.top1s())).map(point).collect()
}

/// How many specialists the points have, ascending.
fn counts(n_specialists: usize) -> Vec<usize> {
    let halved = (0..N_SPECIALIST_POINTS).rev().map(|halvings| n_specialists >> halvings);
    let mut counts: Vec<usize> = halved.filter(|n| *n > 0).collect();
    counts.dedup();
    counts
}

/// The specialists that are heard, the one with the largest gain on its own validation examples first.
fn by_gain<'a>(models: &Models<'a>) -> Vec<&'a Specialist> {
    let checked = &models.teachers.specialists;
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
