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

/// All metrics of `[N, C]` probabilities; zeros for an empty split.
pub fn evaluate(probs: &[f32], labels: &[ClassId], n_classes: usize) -> Metrics {
    let n = labels.len().max(1) as f64;
    let ranks: Vec<usize> = rows(probs, n_classes).zip(labels).map(|(row, label)| rank_of_label(row, *label)).collect();
    let nll = rows(probs, n_classes)
        .zip(labels)
        .map(|(row, label)| -f64::from(row[label.index()]).max(PROB_FLOOR).ln())
        .sum::<f64>();
    Metrics {
        top1: ranks.iter().filter(|rank| **rank == 0).count() as f64 / n,
        top5: ranks.iter().filter(|rank| **rank < 5).count() as f64 / n,
        nll: nll / n,
        ece: expected_calibration_error(probs, labels, n_classes),
    }
}

/// Whether the label is the most probable class, for each example.
pub fn correct(probs: &[f32], labels: &[ClassId], n_classes: usize) -> Vec<bool> {
    rows(probs, n_classes).zip(labels).map(|(row, label)| rank_of_label(row, *label) == 0).collect()
}

/// Share of examples on which two models name the same class.
pub fn agreement(a: &[f32], b: &[f32], n_classes: usize) -> f64 {
    let n = (a.len() / n_classes).max(1);
    let n_same =
        rows(a, n_classes).zip(rows(b, n_classes)).filter(|(row_a, row_b)| argmax(row_a) == argmax(row_b)).count();
    n_same as f64 / n as f64
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

fn expected_calibration_error(probs: &[f32], labels: &[ClassId], n_classes: usize) -> f64 {
    let mut confidence = [0.0; N_CALIBRATION_BINS];
    let mut n_correct = [0.0; N_CALIBRATION_BINS];
    for (row, label) in rows(probs, n_classes).zip(labels) {
        let predicted = argmax(row);
        let top = f64::from(row[predicted]);
        let bin = ((top * N_CALIBRATION_BINS as f64) as usize).min(N_CALIBRATION_BINS - 1);
        confidence[bin] += top;
        n_correct[bin] += f64::from(u8::from(predicted == label.index()));
    }
    let gaps = confidence.iter().zip(&n_correct).map(|(confidence, n_correct)| (confidence - n_correct).abs());
    gaps.sum::<f64>() / labels.len().max(1) as f64
}

fn rows(probs: &[f32], n_classes: usize) -> std::slice::ChunksExact<'_, f32> {
    probs.chunks_exact(n_classes)
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
        assert!((agreement(&PROBS, &other, 3) - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_label_that_is_ruled_out_has_a_finite_cost() {
        assert!(evaluate(&[1.0, 0.0], &[ClassId(1)], 2).nll.is_finite());
        assert_eq!(evaluate(&[], &[], 2).top1, 0.0);
    }
}
