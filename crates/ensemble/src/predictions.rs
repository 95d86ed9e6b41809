//! Predictions of a model on labelled examples, checked once.
//!
//! N examples, C classes. Probabilities are row-major `[N, C]`.

use crate::error::EnsembleError;
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

/// A view of `[N, C]` probabilities with their `[N]` labels, checked to be distributions over `C` classes.
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
    pub fn new(probs: &'a [f32], labels: &'a [ClassId], n_classes: usize) -> Result<Self, EnsembleError> {
        if labels.is_empty() || n_classes == 0 {
            return Err(no_predictions());
        }
        let expected = labels.len() * n_classes;
        if probs.len() != expected {
            let (got, n_examples) = (probs.len(), labels.len());
            return Err(EnsembleError::new(format!(
                "{got} probabilities for {n_examples} examples and {n_classes} classes, expected {expected}"
            )));
        }
        if let Some(row) = labels.iter().position(|label| label.index() >= n_classes) {
            let label = labels[row];
            return Err(EnsembleError::new(format!("row {row}: label {label} is outside 0..{n_classes}")));
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

pub(crate) fn no_predictions() -> EnsembleError {
    EnsembleError::new("predictions of at least one example are needed")
}

fn check_row(row: usize, values: &[f32]) -> Result<(), EnsembleError> {
    if let Some(class) = values.iter().position(|value| !value.is_finite() || *value < 0.0) {
        let value = values[class];
        return Err(EnsembleError::new(format!("row {row}, class {class}: {value} is not a probability")));
    }
    let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
    if (sum - 1.0).abs() <= SUM_TOLERANCE {
        return Ok(());
    }
    Err(EnsembleError::new(format!(
        "row {row} sums to {sum}, expected 1\nhint: probabilities are needed here, not logits"
    )))
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
        let check = |probs: &[f32]| Predictions::new(probs, &labels, 2).map(|_| ()).unwrap_err().to_string();
        assert_eq!(check(&[1.0, 0.0]), "2 probabilities for 2 examples and 2 classes, expected 4");
        assert!(check(&[1.0, 0.0, 0.5, 0.4]).starts_with("row 1 sums to 0.9"));
        assert_eq!(check(&[1.0, 0.0, 1.5, -0.5]), "row 1, class 1: -0.5 is not a probability");
        assert_eq!(check(&[f32::NAN, 0.0, 1.0, 0.0]), "row 0, class 0: NaN is not a probability");
        assert_eq!(Predictions::new(&[], &[], 2).map(|_| ()), Err(no_predictions()));
        let outside = Predictions::new(&[1.0, 0.0], &[ClassId(2)], 2).map(|_| ()).unwrap_err();
        assert_eq!(outside.to_string(), "row 0: label 2 is outside 0..2");
    }

    #[test]
    fn ties_go_to_the_first_class() {
        assert_eq!(argmax(&[0.2, 0.4, 0.4]), 1);
    }
}
