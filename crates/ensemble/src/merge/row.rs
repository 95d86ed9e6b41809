//! One teacher's row of probabilities.

use super::error::MergeError;
use crate::predictions::SUM_TOLERANCE;

/// Partial sums, so that the processor need not wait for one addition after the other.
const LANES: usize = 8;

/// Sum in an order that depends on the length only.
pub(super) fn sum<P: Copy + Into<f64>>(row: &[P]) -> f64 {
    let chunks = row.chunks_exact(LANES);
    let tail: f64 = chunks.remainder().iter().map(|value| (*value).into()).sum();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += (*value).into());
    }
    lanes.iter().sum::<f64>() + tail
}

/// Refuses what is not a distribution over `expected` outputs; returns the sum, so that the caller can divide by it.
pub(super) fn checked_sum<P: Copy + Into<f64>>(teacher: usize, row: &[P], expected: usize) -> Result<f64, MergeError> {
    if row.len() != expected {
        return Err(MergeError::Length { teacher, got: row.len(), expected });
    }
    // NaN fails the comparison, so one pass finds every kind of bad number; the second one only names it.
    let mut smallest = [f64::INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    let mut is_good = chunks.remainder().iter().all(|value| (*value).into() >= 0.0);
    for chunk in chunks {
        // `min` passes over a NaN, which then shows in the sum
        smallest.iter_mut().zip(chunk).for_each(|(least, value)| *least = least.min((*value).into()));
    }
    is_good &= smallest.iter().all(|value| *value >= 0.0);
    let sum = sum(row);
    if is_good && (sum - 1.0).abs() <= SUM_TOLERANCE {
        return Ok(sum);
    }
    let is_bad = |value: &P| !(*value).into().is_finite() || (*value).into() < 0.0;
    match row.iter().position(is_bad) {
        Some(output) => Err(MergeError::NotAProbability { teacher, output, value: row[output].into() }),
        None => Err(MergeError::Sum { teacher, sum }),
    }
}
