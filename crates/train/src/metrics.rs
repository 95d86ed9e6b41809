//! Metrics of predicted probabilities against labels.
//!
//! N examples, C classes. Probabilities are row-major `[N, C]`.

use serde::{Deserialize, Serialize};
use stillhouse_core::ClassId;

/// Quality of a model on one split; shares are `0..=1`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Share of examples whose label is the most probable class.
    pub top1: f64,
    /// Share of examples whose label is among the five most probable classes.
    pub top5: f64,
    /// Mean negative log likelihood of the label, in nats.
    pub nll: f64,
    /// Expected calibration error over 15 equal bins of the top probability (Guo et al. 2017, arXiv:1706.04599).
    pub ece: f64,
}

/// Smallest probability in the logarithm: a label that a model rules out costs 69 nats, not infinity.
const PROB_FLOOR: f64 = 1e-30;
const N_CALIBRATION_BINS: usize = 15;

/// The record of one prediction: enough for every metric, in a few bytes for any number of classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PredictionRecord {
    /// The most probable class; the lowest number of several equals.
    pub predicted: ClassId,
    /// Classes ranked before the label; of equal probabilities the lower class number comes first.
    pub rank_of_label: u32,
    /// Probability of the label.
    pub label_prob: f32,
    /// Probability of the most probable class.
    pub top_prob: f32,
    /// Probability of the class after it; 0 for a single class.
    pub second_prob: f32,
}

impl PredictionRecord {
    /// The record of one row of probabilities `[C]`.
    pub fn new(row: &[f32], label: ClassId) -> Self {
        let predicted = argmax(row);
        let label_prob = row[label.index()];
        let rank_of_label = rank_of_label(row, label) as u32;
        let others = row[..predicted].iter().chain(&row[predicted + 1..]);
        let second_prob = others.copied().fold(0.0, f32::max);
        Self { predicted: ClassId(predicted as u32), rank_of_label, label_prob, top_prob: row[predicted], second_prob }
    }

    /// Negative log likelihood of the label, in nats.
    pub fn nll(&self) -> f64 {
        -f64::from(self.label_prob).max(PROB_FLOOR).ln()
    }

    /// Whether the label is the most probable class.
    pub fn is_correct(&self) -> bool {
        self.rank_of_label == 0
    }
}

/// Metrics of predictions that were recorded one by one; zeros for none.
pub fn metrics_of(records: &[PredictionRecord]) -> Metrics {
    let n = records.len().max(1) as f64;
    let within = |n_best: u32| records.iter().filter(|record| record.rank_of_label < n_best).count() as f64 / n;
    let nll: f64 = records.iter().map(PredictionRecord::nll).sum();
    Metrics { top1: within(1), top5: within(5), nll: nll / n, ece: expected_calibration_error(records) }
}

/// All metrics of `[N, C]` probabilities; zeros for an empty split.
pub fn evaluate(probs: &[f32], labels: &[ClassId], n_classes: usize) -> Metrics {
    metrics_of(&records(probs, labels, n_classes))
}

/// One record for each row of `[N, C]` probabilities.
pub fn records(probs: &[f32], labels: &[ClassId], n_classes: usize) -> Vec<PredictionRecord> {
    probs.chunks_exact(n_classes).zip(labels).map(|(row, label)| PredictionRecord::new(row, *label)).collect()
}

/// Share of examples on which two models name the same class.
pub fn agreement(a: &[PredictionRecord], b: &[PredictionRecord]) -> f64 {
    let n_same = a.iter().zip(b).filter(|(a, b)| a.predicted == b.predicted).count();
    n_same as f64 / a.len().max(1) as f64
}

/// Number of classes ranked before the label; of equal probabilities the lower class number comes first.
pub fn rank_of_label(row: &[f32], label: ClassId) -> usize {
    let own = row[label.index()];
    let ahead = |(class, prob): (usize, &f32)| *prob > own || (*prob == own && class < label.index());
    row.iter().enumerate().filter(|entry| ahead(*entry)).count()
}

/// The most probable class; the lowest number of several equals.
fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (class, prob) in row.iter().enumerate() {
        if *prob > row[best] {
            best = class;
        }
    }
    best
}

fn expected_calibration_error(records: &[PredictionRecord]) -> f64 {
    let mut confidence = [0.0; N_CALIBRATION_BINS];
    let mut n_correct = [0.0; N_CALIBRATION_BINS];
    for record in records {
        let top = f64::from(record.top_prob);
        let bin = ((top * N_CALIBRATION_BINS as f64) as usize).min(N_CALIBRATION_BINS - 1);
        confidence[bin] += top;
        n_correct[bin] += f64::from(u8::from(record.is_correct()));
    }
    let gaps = confidence.iter().zip(&n_correct).map(|(confidence, n_correct)| (confidence - n_correct).abs());
    gaps.sum::<f64>() / records.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBS: [f32; 9] = [0.7, 0.2, 0.1, 0.1, 0.1, 0.8, 0.4, 0.4, 0.2];

    #[test]
    fn golden_values() {
        let metrics = evaluate(&PROBS, &[ClassId(0), ClassId(0), ClassId(1)], 3);
        assert!((metrics.top1 - 1.0 / 3.0).abs() < 1e-12); // the tie of the last row goes to class 0
        assert_eq!(metrics.top5, 1.0);
        let nll = -(0.7f64.ln() + 0.1f64.ln() + 0.4f64.ln()) / 3.0;
        assert!((metrics.nll - nll).abs() < 1e-7);
        // three bins with one example each: |0.7 - 1|, |0.8 - 0|, |0.4 - 0|
        assert!((metrics.ece - (0.3 + 0.8 + 0.4) / 3.0).abs() < 1e-7);
    }

    #[test]
    fn agreement_counts_equal_choices() {
        let other = [0.9, 0.1, 0.0, 0.9, 0.1, 0.0, 0.9, 0.1, 0.0];
        let labels = [ClassId(0); 3];
        let share = agreement(&records(&PROBS, &labels, 3), &records(&other, &labels, 3));
        assert!((share - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_label_that_is_ruled_out_has_a_finite_cost() {
        assert!(evaluate(&[1.0, 0.0], &[ClassId(1)], 2).nll.is_finite());
        assert_eq!(evaluate(&[], &[], 2).top1, 0.0);
    }
}
