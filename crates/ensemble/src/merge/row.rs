//! Checks, sums and scales single rows of probabilities, compiled for the processor's vectors.

use crate::error::EnsembleError;
use crate::predictions::SUM_TOLERANCE;
use pulp::{Arch, NullaryFnOnce};

/// Partial sums, so that the processor need not wait for one addition after the other.
const PARTS: usize = 32;

/// Sum in an order that depends on the length only.
pub(super) fn sum<P: Copy + Into<f64>>(row: &[P]) -> f64 {
    Arch::new().dispatch(Sums { row }).0
}

/// The sum of few numbers, for which choosing vectors would take longer than adding.
pub(super) fn short_sum(values: &[f64]) -> f64 {
    const PARTS: usize = 8;
    let chunks = values.chunks_exact(PARTS);
    let tail: f64 = chunks.remainder().iter().sum();
    let mut sums = [0.0; PARTS];
    for chunk in chunks {
        for part in 0..PARTS {
            sums[part] += chunk[part];
        }
    }
    sums.iter().sum::<f64>() + tail
}

/// The sum, and the sum of absolute values.
struct Sums<'a, P> {
    row: &'a [P],
}

impl<P: Copy + Into<f64>> NullaryFnOnce for Sums<'_, P> {
    type Output = (f64, f64);

    #[inline(always)]
    fn call(self) -> (f64, f64) {
        let chunks = self.row.chunks_exact(PARTS);
        let (mut tail, mut tail_of_sizes) = (0.0, 0.0);
        for value in chunks.remainder() {
            let value: f64 = (*value).into();
            tail += value;
            tail_of_sizes += value.abs();
        }
        if self.row.len() < PARTS {
            return (tail, tail_of_sizes);
        }
        let (mut plain, mut sizes) = ([0.0; PARTS], [0.0; PARTS]);
        for chunk in chunks {
            for part in 0..PARTS {
                let value: f64 = chunk[part].into();
                plain[part] += value;
                sizes[part] += value.abs();
            }
        }
        let (mut sum, mut sum_of_sizes) = (0.0, 0.0);
        for part in 0..PARTS {
            sum += plain[part];
            sum_of_sizes += sizes[part];
        }
        (sum + tail, sum_of_sizes + tail_of_sizes)
    }
}

/// `out = factor * row`
pub(super) fn scale_into<P: Copy + Into<f64>>(row: &[P], factor: f64, out: &mut [f64]) {
    Arch::new().dispatch(Scale { row, factor, out });
}

struct Scale<'a, P> {
    row: &'a [P],
    factor: f64,
    out: &'a mut [f64],
}

impl<P: Copy + Into<f64>> NullaryFnOnce for Scale<'_, P> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (out, prob) in self.out.iter_mut().zip(self.row) {
            *out = self.factor * (*prob).into();
        }
    }
}

/// Refuses what is not a distribution over `expected` outputs; returns the sum, so that the caller can divide by it.
pub(super) fn checked_sum<P: Copy + Into<f64>>(
    teacher: usize,
    row: &[P],
    expected: usize,
) -> Result<f64, EnsembleError> {
    if row.len() != expected {
        let got = row.len();
        return Err(EnsembleError::new(format!("teacher {teacher}: {got} probabilities, expected {expected}")));
    }
    // A sum of absolute values in the same order is the same sum if none is negative; NaN and infinity show in both.
    let (sum, sum_of_sizes) = Arch::new().dispatch(Sums { row });
    let is_good = sum == sum_of_sizes;
    if is_good && (sum - 1.0).abs() <= SUM_TOLERANCE {
        return Ok(sum);
    }
    let is_bad = |value: &P| !(*value).into().is_finite() || (*value).into() < 0.0;
    Err(EnsembleError::new(match row.iter().position(is_bad) {
        Some(output) => {
            let value: f64 = row[output].into();
            format!("teacher {teacher}, output {output}: {value} is not a probability")
        }
        None => format!(
            "teacher {teacher}: probabilities sum to {sum}, expected 1\n\
             hint: probabilities are needed here, not logits"
        ),
    }))
}

/// Largest distance of a merged row's sum from 1: rounding in rows of a million classes stays below it.
const RESULT_TOLERANCE: f64 = 1e-9;

/// Refuses a merged row that is not a distribution.
pub(super) fn check_result(probs: &[f64]) -> Result<(), EnsembleError> {
    let (sum, sum_of_sizes) = Arch::new().dispatch(Sums { row: probs });
    if sum == sum_of_sizes && (sum - 1.0).abs() <= RESULT_TOLERANCE {
        return Ok(());
    }
    Err(EnsembleError::new(format!(
        "the merged probabilities sum to {sum}, expected 1\n\
         hint: the teachers' weights or probabilities lie too far apart; give weights between 1e-6 and 1e6, and \
         probabilities that were computed in double precision"
    )))
}
