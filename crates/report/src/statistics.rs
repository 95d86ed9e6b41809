//! Statistics that a report needs: paired comparison of two models, intervals over seeds, the share of a gain kept.
//!
//! Two models that are tested on the same examples agree on most of them, so their accuracies are compared in pairs:
//! only the `n_discordant` examples that exactly one of them gets right carry information.
//!
//! Shapes: `N` test examples; every function is pure and needs no random numbers, so the same predictions give the same
//! words in every report.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, ContinuousCDF, Discrete, DiscreteCDF, StudentsT};

/// Significance level of every verdict; the intervals are its 95 % counterparts.
pub const SIGNIFICANCE_LEVEL: f64 = 0.05;

/// The 97.5 % point of the standard normal distribution.
const NORMAL_97_5: f64 = 1.959_963_984_540_054;

/// Halvings of `[-1, 1]` that reach the spacing of doubles.
const N_BISECTIONS: usize = 60;

/// What a comparison says in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// `a` is better than `b`: `p < 0.05` and the interval lies above 0.
    #[serde(rename = "BEATS")]
    Beats,
    /// The examples or seeds at hand do not tell the two apart.
    #[serde(rename = "NO DIFFERENCE")]
    NoDifference,
    /// `a` is worse than `b`: `p < 0.05` and the interval lies below 0.
    #[serde(rename = "WORSE")]
    Worse,
}

impl Verdict {
    /// The one rule for every verdict: the test and the interval must both exclude "no difference".
    pub fn new(p_value: f64, ci95: [f64; 2]) -> Self {
        match () {
            () if p_value < SIGNIFICANCE_LEVEL && ci95[0] > 0.0 => Self::Beats,
            () if p_value < SIGNIFICANCE_LEVEL && ci95[1] < 0.0 => Self::Worse,
            () => Self::NoDifference,
        }
    }

    /// The word as it stands in `report.json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Beats => "BEATS",
            Self::NoDifference => "NO DIFFERENCE",
            Self::Worse => "WORSE",
        }
    }

    /// The verdict of the same comparison read from `b`'s side.
    pub fn reversed(self) -> Self {
        match self {
            Self::Beats => Self::Worse,
            Self::NoDifference => Self::NoDifference,
            Self::Worse => Self::Beats,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// A paired comparison of two models on the same examples, as it stands in `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// name of the model that the verdict speaks of
    pub a: String,
    /// name of the model that it is compared with
    pub b: String,
    /// top-1 accuracy of `a` minus that of `b`, -1..1
    pub delta: f64,
    /// 95 % interval of `delta`
    pub ci95: [f64; 2],
    /// two-sided p-value of "both are right equally often"
    pub p_value: f64,
    /// BEATS, NO DIFFERENCE or WORSE, of `a`
    pub verdict: Verdict,
}

impl Comparison {
    /// The same comparison with `a` and `b` exchanged.
    pub fn reversed(&self) -> Self {
        Self {
            a: self.b.clone(),
            b: self.a.clone(),
            delta: -self.delta,
            ci95: [-self.ci95[1], -self.ci95[0]],
            p_value: self.p_value,
            verdict: self.verdict.reversed(),
        }
    }
}

/// Compares two models that predicted the same `N` examples, `correct_a` and `correct_b` in the same order.
///
/// The p-value is McNemar's **mid-p** (recommended over the exact conditional test, which is too cautious, by
/// Fagerland, Lydersen and Laake 2013, BMC Med. Res. Methodol. 13:91). The interval is **Tango's score interval** for a
/// difference of paired proportions (Tango 1998, Stat. Med. 17:891), the inversion of McNemar's own score test, so that
/// the two seldom disagree; where they do, the verdict is NO DIFFERENCE.
///
/// # Panics
/// If the two slices have different lengths: predictions of different examples, a bug of the caller.
///
/// ```
/// use stillhouse_report::statistics::{Verdict, compare};
/// let hard: Vec<bool> = (0..1000).map(|example| example % 10 != 0).collect();
/// let soft: Vec<bool> = (0..1000).map(|example| example % 20 != 0).collect();
/// let comparison = compare("student", &soft, "student_hard", &hard);
/// assert_eq!(comparison.delta, 0.05);
/// assert_eq!(comparison.verdict, Verdict::Beats);
/// ```
pub fn compare(name_a: &str, correct_a: &[bool], name_b: &str, correct_b: &[bool]) -> Comparison {
    assert_eq!(correct_a.len(), correct_b.len(), "{name_a} and {name_b} were evaluated on different examples");
    let pairs = || correct_a.iter().zip(correct_b);
    let only_a = pairs().filter(|(a, b)| **a && !**b).count() as u64;
    let only_b = pairs().filter(|(a, b)| !**a && **b).count() as u64;
    let n_examples = correct_a.len() as u64;
    let p_value = mcnemar_mid_p(only_a, only_b);
    let ci95 = tango_interval(only_a, only_b, n_examples);
    Comparison {
        a: name_a.to_owned(),
        b: name_b.to_owned(),
        delta: (only_a as f64 - only_b as f64) / (n_examples.max(1) as f64),
        ci95,
        p_value,
        verdict: Verdict::new(p_value, ci95),
    }
}

/// McNemar's mid-p value from the two discordant counts: twice `P(X < k) + P(X = k) / 2` with
/// `X ~ Binomial(only_a + only_b, 1/2)` and `k` the smaller count.
pub fn mcnemar_mid_p(only_a: u64, only_b: u64) -> f64 {
    let n_discordant = only_a + only_b;
    let Ok(binomial) = Binomial::new(0.5, n_discordant) else { return 1.0 };
    let smaller = only_a.min(only_b);
    if n_discordant == 0 || only_a == only_b {
        return 1.0; // by symmetry; spared the rounding
    }
    (2.0 * binomial.cdf(smaller) - binomial.pmf(smaller)).clamp(0.0, 1.0)
}

/// Tango's 95 % score interval of `(only_a - only_b) / n_examples`.
///
/// Its two ends are the differences at which the score statistic is `+-1.96`; the statistic falls with the difference,
/// so bisection finds them.
pub fn tango_interval(only_a: u64, only_b: u64, n_examples: u64) -> [f64; 2] {
    if n_examples == 0 {
        return [-1.0, 1.0]; // nothing was seen, nothing is excluded
    }
    let end_at = |target: f64| {
        let (mut low, mut high) = (-1.0_f64, 1.0_f64);
        for _ in 0..N_BISECTIONS {
            let middle = f64::midpoint(low, high);
            let above = tango_score(only_a as f64, only_b as f64, n_examples as f64, middle) > target;
            (low, high) = if above { (middle, high) } else { (low, middle) };
        }
        f64::midpoint(low, high)
    };
    [end_at(NORMAL_97_5), end_at(-NORMAL_97_5)]
}

/// The score statistic for "the difference is `delta`", with the share of pairs that only `b` gets right at its maximum
/// likelihood under that hypothesis (Tango 1998, eq. 6 to 9).
fn tango_score(only_a: f64, only_b: f64, n_examples: f64, delta: f64) -> f64 {
    let quadratic = 2.0 * n_examples;
    let linear = (2.0 * n_examples - only_a + only_b) * delta - only_a - only_b;
    let constant = -only_b * delta * (1.0 - delta);
    let root = (linear * linear - 4.0 * quadratic * constant).max(0.0).sqrt();
    let share_only_b = (root - linear) / (2.0 * quadratic);
    let variance = n_examples * (2.0 * share_only_b + delta * (1.0 - delta));
    let distance = only_a - only_b - n_examples * delta;
    match () {
        () if distance == 0.0 => 0.0,
        () if variance > 0.0 => distance / variance.sqrt(),
        () => distance * f64::INFINITY, // at the border no variance is left: infinitely far off, on the distance's side
    }
}

/// Mean and 95 % interval of the same quantity over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedSummary {
    /// number of seeds
    pub n_seeds: usize,
    /// mean over the seeds
    pub mean: f64,
    /// Student's t interval of the mean; one seed gives none
    pub ci95: Option<[f64; 2]>,
}

impl SeedSummary {
    /// The interval of the mean, or the mean alone.
    pub fn ends(self) -> [f64; 2] {
        self.ci95.unwrap_or([self.mean; 2])
    }
}

/// Mean and Student's t interval over seeds; `None` where there is no finite value.
pub fn summarise_seeds(values: &[f64]) -> Option<SeedSummary> {
    let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let n_seeds = values.len();
    let mean = values.iter().sum::<f64>() / n_seeds as f64;
    let half_width = standard_error(&values, mean).map(|error| error * student_97_5(n_seeds - 1));
    (n_seeds > 0).then_some(SeedSummary { n_seeds, mean, ci95: half_width.map(|half| [mean - half, mean + half]) })
}

/// Two models compared over seeds, seed by seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedComparison {
    /// the differences' mean and interval
    pub difference: SeedSummary,
    /// two-sided p-value of the paired t test; one seed gives none
    pub p_value: Option<f64>,
    /// BEATS, NO DIFFERENCE or WORSE; one seed gives none
    pub verdict: Option<Verdict>,
}

/// Paired t test over seeds: `values_a[i]` and `values_b[i]` come from the same seed.
pub fn compare_over_seeds(values_a: &[f64], values_b: &[f64]) -> Option<SeedComparison> {
    let differences: Vec<f64> =
        values_a.iter().zip(values_b).map(|(a, b)| a - b).filter(|difference| difference.is_finite()).collect();
    let difference = summarise_seeds(&differences)?;
    let p_value = standard_error(&differences, difference.mean).map(|error| {
        let t = difference.mean.abs() / error;
        match () {
            () if error > 0.0 => 2.0 * student(differences.len() - 1).sf(t),
            () if difference.mean == 0.0 => 1.0,
            () => 0.0, // the same difference for every seed
        }
    });
    let verdict = p_value.zip(difference.ci95).map(|(p_value, ci95)| Verdict::new(p_value, ci95));
    Some(SeedComparison { difference, p_value, verdict })
}

/// Wilson's 95 % score interval of one accuracy (Wilson 1927), for drawing; not for comparing models.
pub fn wilson_interval(accuracy: f64, n_examples: u64) -> [f64; 2] {
    if n_examples == 0 || !accuracy.is_finite() {
        return [0.0, 1.0];
    }
    let n = n_examples as f64;
    let z2 = NORMAL_97_5 * NORMAL_97_5;
    let centre = (accuracy + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = NORMAL_97_5 / (1.0 + z2 / n) * (accuracy * (1.0 - accuracy) / n + z2 / (4.0 * n * n)).sqrt();
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

/// Area under the ROC curve of a score that is to be higher for positives: the share of pairs of a positive and a negative
/// in which it is, equal scores counted half. 0.5 without a pair, and where the score says nothing.
pub fn auroc(positives: &[f64], negatives: &[f64]) -> f64 {
    let mut negatives = negatives.to_vec();
    negatives.sort_by(f64::total_cmp);
    let n_pairs = positives.len() as f64 * negatives.len() as f64;
    let won = |score: &f64| {
        let n_below = negatives.partition_point(|other| other < score);
        let n_up_to = negatives.partition_point(|other| other <= score);
        (n_below + n_up_to) as f64 / 2.0
    };
    if n_pairs > 0.0 { positives.iter().map(won).sum::<f64>() / n_pairs } else { 0.5 }
}

/// `(student - student_hard) / (ensemble - student_hard)` of three accuracies: the share of the ensemble's gain over
/// hard labels that the student keeps. `None` where the ensemble gains nothing, since a share of nothing says nothing.
pub fn gain_kept(student: f64, student_hard: f64, ensemble: f64) -> Option<f64> {
    let gain = ensemble - student_hard;
    let kept = (student - student_hard) / gain;
    (gain > 0.0 && kept.is_finite()).then_some(kept)
}

/// Standard error of the mean, from two values on.
fn standard_error(values: &[f64], mean: f64) -> Option<f64> {
    let n = values.len();
    let sum_of_squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (n >= 2).then(|| (sum_of_squares / (n - 1) as f64 / n as f64).sqrt())
}

fn student(degrees_of_freedom: usize) -> StudentsT {
    StudentsT::new(0.0, 1.0, degrees_of_freedom as f64).expect("at least one degree of freedom")
}

fn student_97_5(degrees_of_freedom: usize) -> f64 {
    student(degrees_of_freedom).inverse_cdf(1.0 - SIGNIFICANCE_LEVEL / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn assert_close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-6, "got {got}, expected {expected}");
    }

    /// Correctness of two models with the given counts of pairs.
    fn pairs(both: usize, only_a: usize, only_b: usize, neither: usize) -> (Vec<bool>, Vec<bool>) {
        let counts = [(both, true, true), (only_a, true, false), (only_b, false, true), (neither, false, false)];
        counts.iter().flat_map(|&(n, a, b)| std::iter::repeat_n((a, b), n)).unzip()
    }

    #[test]
    fn mid_p_is_a_sum_of_binomial_terms() {
        // 2 (1 + 8/2) / 2^8; Fagerland et al. 2013, airway hyper-responsiveness, 0.039
        assert_close(mcnemar_mid_p(1, 7), 10.0 / 256.0);
        // 2 (1 + 14 + 91/2) / 2^14; Armitage and Berry's tubercle bacilli
        assert_close(mcnemar_mid_p(12, 2), 121.0 / 16384.0);
        assert_close(mcnemar_mid_p(260, 200), 0.005_142_986_302);
        assert_eq!(mcnemar_mid_p(5, 5), 1.0);
        assert_eq!(mcnemar_mid_p(0, 0), 1.0);
    }

    #[test]
    fn tango_interval_matches_a_numeric_maximum_likelihood() {
        // expected values from a golden-section search for the constrained maximum, written separately in Python
        for ((only_a, only_b, n), [low, high]) in [
            ((1, 7, 21), [-0.517_232_275, -0.026_003_034]),
            ((12, 2, 50), [0.061_112_407, 0.344_708_747]),
            ((0, 1, 44), [-0.118_077_097, 0.059_393_231]),
            ((30, 10, 1000), [0.008_002_555, 0.033_566_546]),
        ] {
            let interval = tango_interval(only_a, only_b, n);
            assert_close(interval[0], low);
            assert_close(interval[1], high);
        }
    }

    #[test]
    fn without_discordant_pairs_the_interval_is_z2_over_n_plus_z2() {
        let expected = NORMAL_97_5.powi(2) / (100.0 + NORMAL_97_5.powi(2));
        let [low, high] = tango_interval(0, 0, 100);
        assert_close(high, expected);
        assert_close(low, -expected);
        assert_eq!(tango_interval(0, 0, 0), [-1.0, 1.0]);
    }

    #[test]
    fn verdicts_follow_test_and_interval() {
        let verdict = |both, only_a, only_b, neither| {
            let (a, b) = pairs(both, only_a, only_b, neither);
            compare("a", &a, "b", &b).verdict
        };
        assert_eq!(verdict(900, 30, 10, 60), Verdict::Beats);
        assert_eq!(verdict(900, 10, 30, 60), Verdict::Worse);
        assert_eq!(verdict(900, 20, 18, 62), Verdict::NoDifference);
        assert_eq!(Verdict::new(0.04, [-0.001, 0.2]), Verdict::NoDifference);
        assert_eq!(Verdict::new(0.06, [0.001, 0.2]), Verdict::NoDifference);
        assert_eq!(compare("a", &[], "b", &[]).verdict, Verdict::NoDifference);
    }

    #[test]
    #[should_panic(expected = "different examples")]
    fn different_examples_cannot_be_compared() {
        compare("a", &[true], "b", &[]);
    }

    #[test]
    fn seeds_give_students_t_interval() {
        let summary = summarise_seeds(&[1.0, 2.0, 3.0]).unwrap();
        let half_width = 4.302_652_729_911 / 3.0_f64.sqrt(); // t(0.975, 2) times sd 1 over sqrt(3)
        assert_close(summary.mean, 2.0);
        assert_close(summary.ci95.unwrap()[0], 2.0 - half_width);
        assert_close(summary.ci95.unwrap()[1], 2.0 + half_width);
        assert_eq!(summarise_seeds(&[0.7]).unwrap().ci95, None);
        assert_eq!(summarise_seeds(&[f64::NAN]), None);
        assert_eq!(summarise_seeds(&[]), None);
    }

    #[test]
    fn paired_t_test_over_seeds() {
        let compared = compare_over_seeds(&[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0]).unwrap();
        let t = 2.0 * 3.0_f64.sqrt();
        assert_close(compared.p_value.unwrap(), 1.0 - t / (2.0 + t * t).sqrt()); // closed form at two degrees
        assert_eq!(compared.verdict, Some(Verdict::NoDifference));
        assert_eq!(compare_over_seeds(&[0.7], &[0.6]).unwrap().verdict, None);
        let constant = compare_over_seeds(&[0.75, 0.5], &[0.5, 0.25]).unwrap();
        assert_eq!((constant.p_value, constant.verdict), (Some(0.0), Some(Verdict::Beats)));
        assert_eq!(compare_over_seeds(&[0.5, 0.5], &[0.5, 0.5]).unwrap().p_value, Some(1.0));
    }

    #[test]
    fn wilson_interval_of_one_half() {
        let [low, high] = wilson_interval(0.5, 100);
        assert_close(low, 0.403_831_53);
        assert_close(high, 0.596_168_47);
        assert_eq!(wilson_interval(f64::NAN, 100), [0.0, 1.0]);
    }

    #[test]
    fn auroc_counts_pairs_in_order() {
        assert_close(auroc(&[0.9, 0.4, 0.7], &[0.5, 0.4]), (2.0 + 0.5 + 2.0) / 6.0);
        assert_close(auroc(&[0.1], &[0.2, 0.3]), 0.0);
        assert_close(auroc(&[0.3; 4], &[0.3; 5]), 0.5);
        assert_close(auroc(&[], &[1.0]), 0.5);
    }

    #[test]
    fn share_of_no_gain_is_no_share() {
        assert_close(gain_kept(0.60, 0.577, 0.693).unwrap(), 0.023 / 0.116);
        assert_eq!(gain_kept(0.6, 0.7, 0.7), None);
        assert_eq!(gain_kept(0.6, 0.7, f64::NAN), None);
    }

    proptest! {
        #[test]
        fn exchanging_the_models_mirrors_everything(counts in prop::array::uniform4(0usize..60)) {
            let [both, only_a, only_b, neither] = counts;
            let (a, b) = pairs(both, only_a, only_b, neither);
            let (forward, mirrored) = (compare("a", &a, "b", &b), compare("b", &b, "a", &a).reversed());
            prop_assert_eq!(forward.verdict, mirrored.verdict);
            prop_assert!((forward.ci95[0] - mirrored.ci95[0]).abs() < 1e-9);
            prop_assert!((forward.ci95[1] - mirrored.ci95[1]).abs() < 1e-9);
            prop_assert!(forward.ci95[0] <= forward.delta + 1e-9 && forward.delta <= forward.ci95[1] + 1e-9);
            prop_assert!((0.0..=1.0).contains(&forward.p_value));
        }
    }
}
