//! Teachers' predictions on one example and the teachers' weights.

use super::error::{MergeError, Teacher};
use crate::predictions::SUM_TOLERANCE;
use stillhouse_core::ClassSubset;

/// One specialist's prediction on one example.
#[derive(Clone, Copy, Debug)]
pub struct SpecialistVote<'a> {
    /// The classes that it knows.
    pub subset: &'a ClassSubset,
    /// Probabilities `[L + 1]`: its classes in the order of the subset, then the dustbin.
    pub probs: &'a [f64],
}

/// How much each teacher counts. Only ratios matter: two teachers of half the weight are one of the whole.
#[derive(Clone, Debug, PartialEq)]
pub struct TeacherWeights {
    /// The generalist's; for several generalists the sum of theirs.
    pub generalist: f64,
    /// One for each specialist.
    pub specialists: Vec<f64>,
}

impl TeacherWeights {
    /// The same weight for the generalist and for each specialist, as in the paper.
    pub fn equal(n_specialists: usize) -> Self {
        Self { generalist: 1.0, specialists: vec![1.0; n_specialists] }
    }

    /// Checked: one weight for each specialist, none negative, not all zero.
    pub(super) fn check(&self, n_specialists: usize) -> Result<(), MergeError> {
        let got = self.specialists.len();
        if got != n_specialists {
            return Err(MergeError::SpecialistCount { what: "weights", got, expected: n_specialists });
        }
        let named = self.specialists.iter().enumerate().map(|(index, weight)| (Teacher::Specialist(index), *weight));
        for (teacher, weight) in std::iter::once((Teacher::Generalist, self.generalist)).chain(named) {
            if !weight.is_finite() || weight < 0.0 {
                return Err(MergeError::Weight { teacher, weight });
            }
        }
        if self.generalist + self.specialists.iter().sum::<f64>() > 0.0 { Ok(()) } else { Err(MergeError::NoWeight) }
    }
}

/// Refuses what is not a distribution over `expected` outputs; returns the sum, so that the caller can divide by it.
pub(super) fn check_distribution(teacher: Teacher, probs: &[f64], expected: usize) -> Result<f64, MergeError> {
    if probs.len() != expected {
        return Err(MergeError::Length { teacher, got: probs.len(), expected });
    }
    // NaN fails the comparison, so one pass finds every kind of bad number; the second one only names it.
    let all_good = probs.iter().fold(true, |good, prob| good & (*prob >= 0.0));
    let sum: f64 = probs.iter().sum();
    if all_good && (sum - 1.0).abs() <= SUM_TOLERANCE {
        return Ok(sum);
    }
    match probs.iter().position(|prob| !prob.is_finite() || *prob < 0.0) {
        Some(output) => Err(MergeError::NotAProbability { teacher, output, value: probs[output] }),
        None => Err(MergeError::Sum { teacher, sum }),
    }
}
