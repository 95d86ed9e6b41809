//! Many paired tests at once: one for each class.
//!
//! The student is compared with its twin on the test examples of each class. Of 100 classes without any difference, five
//! would have `p < 0.05` by chance, so the p-values are corrected for the number of classes.
//!
//! * **The test is McNemar's exact conditional test**, not the mid-p version of [`statistics`](crate::statistics). The smallest
//!   mid-p that `k` discordant examples can give is `2^-k`, which has the probability `2^(1-k)` without any difference. A
//!   correction for many classes reads that tail, where mid-p is twice too small.
//! * **The correction is that of Benjamini and Hochberg** (1995, J. R. Stat. Soc. B 57:289): of the classes that are listed as
//!   helped or hurt, at most 5 % are expected to be listed by chance. Holm's correction (1979, Scand. J. Stat. 6:65) would bound
//!   the chance of a single wrong class in the list, which with hundreds of classes leaves the list empty. The correction
//!   needs independent tests, and no test example belongs to two classes.

use crate::statistics::SIGNIFICANCE_LEVEL;
use statrs::distribution::{Binomial, DiscreteCDF};

/// McNemar's exact two-sided p-value from the two discordant counts: twice `P(X <= k)` with
/// `X ~ Binomial(only_a + only_b, 1/2)` and `k` the smaller count, at most 1.
pub fn mcnemar_exact_p(only_a: u64, only_b: u64) -> f64 {
    let Ok(binomial) = Binomial::new(0.5, only_a + only_b) else { return 1.0 };
    if only_a.abs_diff(only_b) <= 1 {
        return 1.0; // half of the outcomes or more lie on either side; spared the rounding
    }
    (2.0 * binomial.cdf(only_a.min(only_b))).min(1.0)
}

/// The p-values, each corrected by Benjamini and Hochberg: the smallest false discovery rate at which it is significant.
///
/// The `k`-th smallest of `m` p-values becomes `p * m / k`, or that of a larger p-value where that is smaller.
///
/// ```
/// use stillhouse_report::multiple_tests::benjamini_hochberg;
/// assert_eq!(benjamini_hochberg(&[0.25, 0.0625, 0.5, 0.125]), [0.25 * 4.0 / 3.0, 0.25, 0.5, 0.25]);
/// ```
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; n];
    let mut smallest = 1.0_f64;
    for (nth, &index) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[index] * n as f64 / (nth + 1) as f64);
        adjusted[index] = smallest;
    }
    adjusted
}

/// The smallest number of examples, all of which the same model alone gets right, that makes one of `n_tests` classes
/// significant when no other class is: the smallest `k` with `2^(1-k) n_tests < 0.05`.
pub fn n_needed(n_tests: u64) -> u64 {
    let threshold = SIGNIFICANCE_LEVEL / n_tests.max(1) as f64;
    (1..).find(|&k| mcnemar_exact_p(k, 0) < threshold).expect("p-values halve with each example")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_p_is_a_sum_of_binomial_terms() {
        // 2 (1 + 8) / 2^8 and 2 (1 + 14 + 91) / 2^14: the examples of Fagerland et al. 2013
        assert!((mcnemar_exact_p(1, 7) - 18.0 / 256.0).abs() < 1e-12);
        assert!((mcnemar_exact_p(12, 2) - 212.0 / 16384.0).abs() < 1e-12);
        assert_eq!([mcnemar_exact_p(0, 0), mcnemar_exact_p(4, 4), mcnemar_exact_p(1, 0)], [1.0; 3]);
    }

    #[test]
    fn corrected_p_values_follow_the_step_up_rule() {
        // 0.002 * 5 / 1, 0.01 * 5 / 2, 0.04 * 5 / 4 for the third and the fourth, 0.5 * 5 / 5
        let adjusted = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.5, 0.002]);
        for (got, expected) in adjusted.iter().zip([0.025, 0.05, 0.05, 0.5, 0.01]) {
            assert!((got - expected).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(benjamini_hochberg(&[]), [] as [f64; 0]);
        assert_eq!(benjamini_hochberg(&[1.0, 1.0]), [1.0, 1.0]);
    }

    #[test]
    fn more_classes_need_more_examples() {
        assert_eq!((n_needed(1), n_needed(77), n_needed(15_000)), (6, 12, 20));
        let p_values: Vec<f64> = std::iter::once(mcnemar_exact_p(12, 0)).chain([1.0; 76]).collect();
        assert!(benjamini_hochberg(&p_values)[0] < SIGNIFICANCE_LEVEL);
    }
}
