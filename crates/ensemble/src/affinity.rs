//! The affinity of classes: how much the generalist confuses two of them.
//!
//! N examples, C classes, `p` predicted probabilities `[N, C]` on examples that the model was not trained on.
//!
//! | kind | entry `(i, j)` |
//! |---|---|
//! | `prediction_covariance` | `mean(p_i p_j) - mean(p_i) mean(p_j)` over the examples: the paper's, labels play no part |
//! | `soft_confusion` | `(R_ij + R_ji) / 2`, `R_ij` the mean of `p_j` over the examples of class `i` |
//! | `hard_confusion` | the same with 1 for the most probable class and 0 for all others in place of `p` |

use crate::error::EnsembleError;
use crate::predictions::Predictions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::ClassId;

/// Examples that are summed at once: their columns stay in the processor's cache.
const BLOCK: usize = 64;

/// The measure of confusion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AffinityKind {
    /// Covariance of the predicted probabilities of two classes (the paper's; needs no labels).
    #[default]
    PredictionCovariance,
    /// Mean probability that is given to one class on examples of the other, both ways.
    SoftConfusion,
    /// Share of the examples of one class that are taken for the other, both ways.
    HardConfusion,
}

/// A symmetric matrix `[C, C]`: the larger an entry, the more the two classes are confused.
#[derive(Clone, Debug, PartialEq)]
pub struct Affinity {
    n_classes: usize,
    values: Vec<f64>,
    off_diagonal_mass: f64,
}

impl Affinity {
    /// A given matrix, row-major `[C, C]`; its off-diagonal mass is the share of absolute values off the
    /// diagonal.
    ///
    /// # Errors
    /// Numbers that are not a finite symmetric matrix.
    pub fn new(n_classes: usize, values: Vec<f64>) -> Result<Self, EnsembleError> {
        if values.len() != n_classes * n_classes {
            let got = values.len();
            return Err(EnsembleError::new(format!("{got} affinities, expected {n_classes} x {n_classes}")));
        }
        for a in 0..n_classes {
            for b in 0..=a {
                let (there, back) = (values[a * n_classes + b], values[b * n_classes + a]);
                if there != back || !there.is_finite() {
                    return Err(EnsembleError::new(format!(
                        "the affinity of classes {a} and {b} is {there} one way and {back} the other, expected one \
                         finite number"
                    )));
                }
            }
        }
        let total: f64 = values.iter().map(|value| value.abs()).sum();
        let diagonal: f64 = (0..n_classes).map(|class| values[class * n_classes + class].abs()).sum();
        let off_diagonal_mass = if total > 0.0 { (total - diagonal) / total } else { 0.0 };
        Ok(Self { n_classes, values, off_diagonal_mass })
    }

    /// Number of classes, `C`.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// The matrix, row-major `[C, C]`.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// One row, which is also a column, `[C]`.
    pub fn row(&self, class: ClassId) -> &[f64] {
        &self.values[class.index() * self.n_classes..][..self.n_classes]
    }

    /// The affinity of two classes.
    pub fn get(&self, a: ClassId, b: ClassId) -> f64 {
        self.row(a)[b.index()]
    }

    /// How much confusion there was to learn from, `0..1`.
    ///
    /// For the covariance `1 - mean(sum_i p_i^2)`, the share of `mean(p_i p_j)` off the diagonal; for the soft
    /// confusion the mean probability that an example's other classes get, averaged over classes. Near 0 the
    /// predictions are one-hot (an over-fitted generalist on its own training data) and clusters mean little.
    pub fn off_diagonal_mass(&self) -> f64 {
        self.off_diagonal_mass
    }
}

/// The affinity of all classes from held-out predictions.
///
/// A class that is never predicted has zero covariance with all others; one without examples has a soft confusion from
/// the examples of others only.
///
/// # Errors
/// Predictions that are not distributions, or do not fit the labels.
pub fn class_affinity(
    kind: AffinityKind,
    probs: &[f32],
    labels: &[ClassId],
    n_classes: usize,
) -> Result<Affinity, EnsembleError> {
    let predictions = Predictions::new(probs, labels, n_classes)?;
    Ok(match kind {
        AffinityKind::PredictionCovariance => prediction_covariance(&predictions),
        AffinityKind::SoftConfusion => soft_confusion(&predictions),
        AffinityKind::HardConfusion => {
            let mut decided = vec![0.0; probs.len()];
            for ((_, decision), row) in predictions.decisions().zip(decided.chunks_exact_mut(n_classes)) {
                row[decision.index()] = 1.0;
            }
            soft_confusion(&Predictions::new(&decided, labels, n_classes)?)
        }
    })
}

fn prediction_covariance(predictions: &Predictions<'_>) -> Affinity {
    let (n_classes, n_examples) = (predictions.n_classes(), predictions.n_examples() as f64);
    let mut mean = vec![0.0; n_classes];
    for row in predictions.rows() {
        mean.iter_mut().zip(row).for_each(|(mean, prob)| *mean += f64::from(*prob) / n_examples);
    }
    let mut values = vec![0.0; n_classes * n_classes];
    let mut sum_of_squares = 0.0;
    for block in predictions.probs().chunks(BLOCK * n_classes) {
        sum_of_squares += block.iter().map(|prob| f64::from(*prob).powi(2)).sum::<f64>();
        add_second_moments(&mut values, block, &mean);
    }
    for i in 0..n_classes {
        for j in 0..=i {
            values[i * n_classes + j] /= n_examples;
            values[j * n_classes + i] = values[i * n_classes + j];
        }
    }
    Affinity { n_classes, values, off_diagonal_mass: (1.0 - sum_of_squares / n_examples).clamp(0.0, 1.0) }
}

/// Adds `(p_i - mean_i) (p_j - mean_j)` of one block of examples to the lower triangle.
fn add_second_moments(values: &mut [f64], block: &[f32], mean: &[f64]) {
    let n_classes = mean.len();
    let mut columns = vec![[0.0_f64; BLOCK]; n_classes];
    for (example, row) in block.chunks_exact(n_classes).enumerate() {
        for (class, prob) in row.iter().enumerate() {
            columns[class][example] = f64::from(*prob) - mean[class];
        }
    }
    for i in 0..n_classes {
        for j in 0..=i {
            values[i * n_classes + j] += dot(&columns[i], &columns[j]);
        }
    }
}

/// Eight partial sums, so that the compiler can keep several in one register.
fn dot(a: &[f64; BLOCK], b: &[f64; BLOCK]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

fn soft_confusion(predictions: &Predictions<'_>) -> Affinity {
    let n_classes = predictions.n_classes();
    let mut rows = vec![0.0; n_classes * n_classes];
    let mut counts = vec![0_usize; n_classes];
    for (row, label) in predictions.rows().zip(predictions.labels()) {
        counts[label.index()] += 1;
        let sums = &mut rows[label.index() * n_classes..][..n_classes];
        sums.iter_mut().zip(row).for_each(|(sum, prob)| *sum += f64::from(*prob));
    }
    for (sums, count) in rows.chunks_exact_mut(n_classes).zip(&counts) {
        sums.iter_mut().for_each(|sum| *sum /= (*count).max(1) as f64);
    }
    let seen: Vec<usize> = (0..n_classes).filter(|class| counts[*class] > 0).collect();
    let right: f64 = seen.iter().map(|class| rows[class * n_classes + class]).sum();
    let total: f64 = rows.iter().sum();
    let symmetric = |index: usize| (rows[index] + rows[index % n_classes * n_classes + index / n_classes]) / 2.0;
    let values = (0..n_classes * n_classes).map(symmetric).collect();
    Affinity { n_classes, values, off_diagonal_mass: ((total - right) / total).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROBS: [f32; 12] = [0.5, 0.25, 0.25, 0.75, 0.25, 0.0, 0.0, 0.5, 0.5, 0.25, 0.5, 0.25];
    const LABELS: [ClassId; 4] = [ClassId(0), ClassId(0), ClassId(1), ClassId(1)];

    #[test]
    fn covariance_of_a_small_table() {
        // numpy.cov(probs.T, bias=True)
        let affinity = class_affinity(AffinityKind::PredictionCovariance, &PROBS, &LABELS, 3).unwrap();
        let expected = [0.078125, -0.03125, -0.046875, -0.03125, 0.015625, 0.015625, -0.046875, 0.015625, 0.03125];
        for (found, expected) in affinity.values().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{affinity:?}");
        }
        // 1 - (0.375 + 0.625 + 0.5 + 0.375) / 4
        assert!((affinity.off_diagonal_mass() - 0.53125).abs() < 1e-15);
    }

    #[test]
    fn soft_confusion_of_a_small_table() {
        let affinity = class_affinity(AffinityKind::SoftConfusion, &PROBS, &LABELS, 3).unwrap();
        // rows by true class: [0.625, 0.25, 0.125], [0.125, 0.5, 0.375], none
        let expected = [0.625, 0.1875, 0.0625, 0.1875, 0.5, 0.1875, 0.0625, 0.1875, 0.0];
        for (found, expected) in affinity.values().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{affinity:?}");
        }
        assert!((affinity.off_diagonal_mass() - 0.4375).abs() < 1e-15);
    }

    #[test]
    fn hard_confusion_of_a_small_table() {
        let affinity = class_affinity(AffinityKind::HardConfusion, &PROBS, &LABELS, 3).unwrap();
        // class 0 is always right; class 1 is taken for itself twice (of equals the first counts)
        assert_eq!(affinity.values(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        let swapped = [ClassId(1), ClassId(0), ClassId(1), ClassId(2)];
        let affinity = class_affinity(AffinityKind::HardConfusion, &PROBS, &swapped, 3).unwrap();
        assert_eq!(affinity.get(ClassId(0), ClassId(1)), 0.25);
        assert_eq!(affinity.get(ClassId(1), ClassId(2)), 0.5);
    }

    #[test]
    fn a_class_that_is_never_predicted_has_no_covariance() {
        let probs = [0.5, 0.5, 0.0, 0.2, 0.8, 0.0];
        let affinity =
            class_affinity(AffinityKind::PredictionCovariance, &probs, &[ClassId(0), ClassId(2)], 3).unwrap();
        assert_eq!(affinity.row(ClassId(2)), [0.0; 3]);
    }

    #[test]
    fn matrices_from_elsewhere_are_checked() {
        let error = |values: &[f64]| Affinity::new(2, values.to_vec()).unwrap_err().to_string();
        assert_eq!(error(&[1.0; 3]), "3 affinities, expected 2 x 2");
        assert!(
            error(&[1.0, 2.0, 3.0, 1.0]).starts_with("the affinity of classes 1 and 0 is 3 one way and 2 the other")
        );
        assert!(Affinity::new(2, vec![1.0, f64::NAN, f64::NAN, 1.0]).is_err());
        assert_eq!(Affinity::new(2, vec![3.0, 1.0, 1.0, 3.0]).unwrap().off_diagonal_mass(), 0.25);
    }

    proptest! {
        #[test]
        fn the_covariance_is_that_of_the_definition(n in 1_usize..150, n_classes in 1_usize..9, seed in any::<u64>()) {
            use rand_chacha::rand_core::RngCore;
            let mut rng = stillhouse_core::Seed(seed).rng();
            let mut probs: Vec<f32> = (0..n * n_classes).map(|_| (rng.next_u32() % 1000 + 1) as f32).collect();
            for row in probs.chunks_exact_mut(n_classes) {
                let total: f32 = row.iter().sum();
                row.iter_mut().for_each(|prob| *prob /= total);
            }
            let labels = vec![ClassId(0); n];
            let affinity = class_affinity(AffinityKind::PredictionCovariance, &probs, &labels, n_classes).unwrap();
            let mean = |f: &dyn Fn(&[f32]) -> f64| probs.chunks_exact(n_classes).map(f).sum::<f64>() / n as f64;
            for i in 0..n_classes {
                for j in 0..n_classes {
                    let product = mean(&|row| f64::from(row[i]) * f64::from(row[j]));
                    let expected = product - mean(&|row| f64::from(row[i])) * mean(&|row| f64::from(row[j]));
                    let found = affinity.get(ClassId(i as u32), ClassId(j as u32));
                    prop_assert!((found - expected).abs() < 1e-12);
                }
            }
            prop_assert!(Affinity::new(n_classes, affinity.values().to_vec()).is_ok());
        }
    }
}
