//! Predictions of a model on labelled examples, checked once.
//!
//! N examples, C classes. Probabilities are row-major `[N, C]`.

use stillhouse_core::ClassId;

/// How far the sum of a predicted distribution may be from 1: more than rounding in single precision over 20000
/// classes, less than a forgotten softmax.
pub(crate) const SUM_TOLERANCE: f64 = 1e-3;

/// The mean of several networks' probabilities, value by value, summed in `f64`: what a plain ensemble predicts.
///
/// # Panics
/// If a network has fewer values than `mean`.
pub fn mean_prediction(networks: &[&[f32]], mean: &mut [f32]) {
    let n_networks = networks.len() as f64;
    for (position, mean) in mean.iter_mut().enumerate() {
        let sum: f64 = networks.iter().map(|probs| f64::from(probs[position])).sum();
        *mean = (sum / n_networks) as f32;
    }
}

/// What predictions can have wrong with them.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PredictionError {
    /// No example at all.
    #[error("predictions of at least one example are needed")]
    Empty,
    /// The numbers do not form a matrix of examples by classes.
    #[error("{got} probabilities for {n_examples} examples and {n_classes} classes, expected {expected}")]
    Shape {
        /// probabilities given
        got: usize,
        /// labels given
        n_examples: usize,
        /// classes of the dataset
        n_classes: usize,
        /// the product of the last two
        expected: usize,
    },
    /// A label that is not a class.
    #[error("row {row}: label {label} is outside 0..{n_classes}")]
    Label {
        /// the example's row
        row: usize,
        /// its label
        label: ClassId,
        /// classes of the dataset
        n_classes: usize,
    },
    /// A probability that is not one.
    #[error("row {row}, class {class}: {value} is not a probability")]
    NotAProbability {
        /// the example's row
        row: usize,
        /// the column
        class: usize,
        /// what stands there
        value: f32,
    },
    /// A row that is not a distribution.
    #[error("row {row} sums to {sum}, expected 1\nhint: probabilities are needed here, not logits")]
    Sum {
        /// the example's row
        row: usize,
        /// its sum
        sum: f64,
    },
}

/// A view of `[N, C]` probabilities with their `[N]` labels, known to be distributions over the right classes.
#[derive(Clone, Copy, Debug)]
pub struct Predictions<'a> {
    probs: &'a [f32],
    labels: &'a [ClassId],
    n_classes: usize,
}

impl<'a> Predictions<'a> {
    /// Checked predictions.
    ///
    /// # Errors
    /// Sizes that do not fit, labels outside the dataset, rows that are not distributions.
    pub fn new(probs: &'a [f32], labels: &'a [ClassId], n_classes: usize) -> Result<Self, PredictionError> {
        if labels.is_empty() || n_classes == 0 {
            return Err(PredictionError::Empty);
        }
        let expected = labels.len() * n_classes;
        if probs.len() != expected {
            return Err(PredictionError::Shape { got: probs.len(), n_examples: labels.len(), n_classes, expected });
        }
        if let Some(row) = labels.iter().position(|label| label.index() >= n_classes) {
            return Err(PredictionError::Label { row, label: labels[row], n_classes });
        }
        for (row, values) in probs.chunks_exact(n_classes).enumerate() {
            check_row(row, values)?;
        }
        Ok(Self { probs, labels, n_classes })
    }

    /// Number of examples, `N`.
    pub fn n_examples(&self) -> usize {
        self.labels.len()
    }

    /// Number of classes, `C`.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// The true classes, `[N]`.
    pub fn labels(&self) -> &'a [ClassId] {
        self.labels
    }

    /// The distributions, each `[C]`.
    pub fn rows(&self) -> impl Iterator<Item = &'a [f32]> {
        self.probs.chunks_exact(self.n_classes)
    }

    /// Pairs of true class and most probable class.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = (ClassId, ClassId)> {
        self.labels.iter().copied().zip(self.rows().map(|row| ClassId(argmax(row) as u32)))
    }

    pub(crate) fn probs(&self) -> &'a [f32] {
        self.probs
    }
}

fn check_row(row: usize, values: &[f32]) -> Result<(), PredictionError> {
    if let Some(class) = values.iter().position(|value| !value.is_finite() || *value < 0.0) {
        return Err(PredictionError::NotAProbability { row, class, value: values[class] });
    }
    let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE { Err(PredictionError::Sum { row, sum }) } else { Ok(()) }
}

/// Position of the largest value; the first one on ties.
pub(crate) fn argmax(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, candidate| if values[candidate] > values[best] { candidate } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_predictions_are_refused_with_their_row() {
        let labels = [ClassId(0), ClassId(1)];
        let check = |probs: &[f32]| Predictions::new(probs, &labels, 2).map(|_| ()).unwrap_err();
        assert!(matches!(check(&[1.0, 0.0]), PredictionError::Shape { got: 2, expected: 4, .. }));
        assert!(matches!(check(&[1.0, 0.0, 0.5, 0.4]), PredictionError::Sum { row: 1, .. }));
        assert!(matches!(check(&[1.0, 0.0, 1.5, -0.5]), PredictionError::NotAProbability { row: 1, class: 1, .. }));
        assert!(matches!(check(&[f32::NAN, 0.0, 1.0, 0.0]), PredictionError::NotAProbability { row: 0, class: 0, .. }));
        assert_eq!(Predictions::new(&[], &[], 2).map(|_| ()), Err(PredictionError::Empty));
        let outside = Predictions::new(&[1.0, 0.0], &[ClassId(2)], 2).map(|_| ()).unwrap_err();
        assert_eq!(outside.to_string(), "row 0: label 2 is outside 0..2");
    }

    #[test]
    fn ties_go_to_the_first_class() {
        assert_eq!(argmax(&[0.2, 0.4, 0.4]), 1);
    }
}
