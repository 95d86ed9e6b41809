//! One teacher's row of probabilities.

use super::error::MergeError;
use crate::predictions::SUM_TOLERANCE;

/// Partial sums, so that the processor need not wait for one addition after the other.
const LANES: usize = 8;

/// Sum in an order that depends on the length only.
pub(super) fn sum<P: Copy + Into<f64>>(row: &[P]) -> f64 {
    sums(row).0
}

/// The sum, and the sum of absolute values.
fn sums<P: Copy + Into<f64>>(row: &[P]) -> (f64, f64) {
    let chunks = row.chunks_exact(LANES);
    let tail = chunks.remainder();
    let (mut plain, mut sizes) = ([0.0; LANES], [0.0; LANES]);
    for chunk in chunks {
        for lane in 0..LANES {
            let value: f64 = chunk[lane].into();
            plain[lane] += value;
            sizes[lane] += value.abs();
        }
    }
    let tail_sum = |space: fn(f64) -> f64| tail.iter().map(|value| space((*value).into())).sum::<f64>();
    (plain.iter().sum::<f64>() + tail_sum(|value| value), sizes.iter().sum::<f64>() + tail_sum(f64::abs))
}

/// Refuses what is not a distribution over `expected` outputs; returns the sum, so that the caller can divide by it.
pub(super) fn checked_sum<P: Copy + Into<f64>>(teacher: usize, row: &[P], expected: usize) -> Result<f64, MergeError> {
    if row.len() != expected {
        return Err(MergeError::Length { teacher, got: row.len(), expected });
    }
    // A sum of absolute values in the same order is the same sum if none is negative; NaN and infinity show in both.
    let (sum, sum_of_sizes) = sums(row);
    let is_good = sum == sum_of_sizes;
    if is_good && (sum - 1.0).abs() <= SUM_TOLERANCE {
        return Ok(sum);
    }
    let is_bad = |value: &P| !(*value).into().is_finite() || (*value).into() < 0.0;
    match row.iter().position(is_bad) {
        Some(output) => Err(MergeError::NotAProbability { teacher, output, value: row[output].into() }),
        None => Err(MergeError::Sum { teacher, sum }),
    }
}
