//! Collecting rows in any order.

use crate::error::TargetsError;
use crate::info::TargetsInfo;
use crate::soft_targets::SoftTargets;
use stillhouse_core::ExampleView;

/// How far a row's sum may be from 1: more than single-precision rounding over 20000 classes, less than a mistake.
pub(crate) const SUM_TOLERANCE: f64 = 1e-3;

/// Takes rows in any order; what comes out depends on the rows alone.
#[derive(Clone, Debug)]
pub struct SoftTargetsBuilder {
    info: TargetsInfo,
    keys: Vec<ExampleView>,
    probs: Vec<f32>,
}

impl SoftTargetsBuilder {
    /// An empty collection.
    pub fn new(info: TargetsInfo) -> Self {
        Self { info, keys: Vec::new(), probs: Vec::new() }
    }

    /// The same, with memory for so many rows.
    pub fn with_capacity(info: TargetsInfo, n_rows: usize) -> Self {
        let probs = Vec::with_capacity(n_rows * info.n_classes());
        Self { info, keys: Vec::with_capacity(n_rows), probs }
    }

    /// Adds the distribution `[C]` of one example and view.
    ///
    /// # Errors
    /// A row that is not a distribution over the classes.
    pub fn push(&mut self, key: ExampleView, probs: &[f32]) -> Result<(), TargetsError> {
        check_row(key, probs, self.info.n_classes())?;
        self.keys.push(key);
        self.probs.extend_from_slice(probs);
        Ok(())
    }

    /// Sorts the rows by example and view.
    ///
    /// # Errors
    /// No row or no class at all, or two rows for one example and view.
    pub fn finish(self) -> Result<SoftTargets, TargetsError> {
        let n_classes = self.info.n_classes();
        if self.keys.is_empty() || n_classes == 0 {
            return Err(TargetsError::Empty { n_classes, n_rows: self.keys.len() });
        }
        if self.keys.is_sorted_by(|a, b| a < b) {
            return Ok(SoftTargets::from_sorted(self.info, self.keys, self.probs));
        }
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        order.sort_by_key(|row| self.keys[*row]);
        let keys: Vec<ExampleView> = order.iter().map(|row| self.keys[*row]).collect();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(TargetsError::Duplicate { key: pair[0] });
        }
        let mut probs = Vec::with_capacity(self.probs.len());
        order.iter().for_each(|row| probs.extend_from_slice(&self.probs[row * n_classes..][..n_classes]));
        Ok(SoftTargets::from_sorted(self.info, keys, probs))
    }
}

/// Refuses what is not a distribution over the classes.
pub(crate) fn check_row(key: ExampleView, probs: &[f32], expected: usize) -> Result<(), TargetsError> {
    if probs.len() != expected {
        return Err(TargetsError::Length { key, got: probs.len(), expected });
    }
    if let Some(class) = probs.iter().position(|prob| !prob.is_finite() || *prob < 0.0) {
        return Err(TargetsError::NotAProbability { key, class, value: probs[class] });
    }
    let sum: f64 = probs.iter().map(|prob| f64::from(*prob)).sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE { Err(TargetsError::Sum { key, sum }) } else { Ok(()) }
}
