//! Calibration of a specialist's dustbin, and the refit of its bias on held-out examples.
//!
//! N examples, drawn with the frequencies of the data. A dustbin is right where the example's class is not one of the
//! specialist's.

use serde::{Deserialize, Serialize};

/// Bins of equal width for the calibration error.
const N_BINS: usize = 15;
/// Probabilities are kept this far from 0 and 1, so that their odds are finite.
const ODDS_FLOOR: f64 = 1e-12;
/// Shifts beyond this many nats are no calibration any more: all examples are on one side.
const MAX_SHIFT: f64 = 20.0;
const MAX_ITERATIONS: usize = 100;
const TOLERANCE: f64 = 1e-10;

/// Predicted and observed share of examples of other classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DustbinCalibration {
    /// Mean probability of the dustbin.
    pub predicted: f64,
    /// Share of examples whose class is none of the specialist's.
    pub observed: f64,
    /// Expected calibration error over 15 equal bins of the dustbin's probability.
    pub ece: f64,
    /// Mean negative log likelihood of "mine or not", in nats.
    pub nll: f64,
}

/// Calibration after `shift` nats were added to the dustbin's logit; zeros without examples.
///
/// # Panics
/// If there is not one label for each probability: a bug in this program.
pub fn dustbin_calibration(dustbin_probs: &[f32], is_other: &[bool], shift: f64) -> DustbinCalibration {
    assert_eq!(dustbin_probs.len(), is_other.len(), "one label for each probability");
    let n = dustbin_probs.len().max(1) as f64;
    let mut bins = [[0.0; 2]; N_BINS];
    let (mut predicted, mut observed, mut nll) = (0.0, 0.0, 0.0);
    for (prob, other) in dustbin_probs.iter().zip(is_other) {
        let shifted = sigmoid(log_odds(*prob) + shift);
        let truth = f64::from(u8::from(*other));
        let bin = &mut bins[((shifted * N_BINS as f64) as usize).min(N_BINS - 1)];
        bin[0] += shifted;
        bin[1] += truth;
        predicted += shifted;
        observed += truth;
        nll -= if *other { shifted } else { 1.0 - shifted }.max(ODDS_FLOOR).ln();
    }
    let gaps: f64 = bins.iter().map(|[predicted, observed]| (predicted - observed).abs()).sum();
    DustbinCalibration { predicted: predicted / n, observed: observed / n, ece: gaps / n, nll: nll / n }
}

/// The shift of the dustbin's logit that minimises the negative log likelihood of "mine or not" on these examples.
///
/// The likelihood is concave in the shift; at its maximum the mean predicted share is the observed one, which is found
/// by Newton steps inside a bracket. Examples all of one kind have no maximum: the shift is 0 then, and it never
/// exceeds 20 nats either way.
///
/// # Panics
/// If there is not one label for each probability: a bug in this program.
pub fn refit_dustbin_bias(dustbin_probs: &[f32], is_other: &[bool]) -> f64 {
    assert_eq!(dustbin_probs.len(), is_other.len(), "one label for each probability");
    let n_other = is_other.iter().filter(|other| **other).count();
    if n_other == 0 || n_other == is_other.len() {
        return 0.0;
    }
    let odds: Vec<f64> = dustbin_probs.iter().map(|prob| log_odds(*prob)).collect();
    let (mut low, mut high, mut shift) = (-MAX_SHIFT, MAX_SHIFT, 0.0_f64);
    for _ in 0..MAX_ITERATIONS {
        let (mut excess, mut slope) = (-(n_other as f64), 0.0);
        for odds in &odds {
            let prob = sigmoid(odds + shift);
            excess += prob;
            slope += prob * (1.0 - prob);
        }
        if excess > 0.0 {
            high = shift;
        } else {
            low = shift;
        }
        let newton = shift - excess / slope.max(f64::MIN_POSITIVE);
        let next = if newton > low && newton < high { newton } else { (low + high) / 2.0 };
        let moved = (next - shift).abs();
        shift = next;
        if moved < TOLERANCE {
            break;
        }
    }
    shift
}

fn log_odds(prob: f32) -> f64 {
    let prob = f64::from(prob).clamp(ODDS_FLOOR, 1.0 - ODDS_FLOOR);
    prob.ln() - (-prob).ln_1p()
}

fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_groups_by_hand() {
        // 0.25 predicted everywhere, 3 of 4 are others: the odds must rise from 1/3 to 3, a shift of 2 ln 3.
        let (probs, is_other) = ([0.25_f32; 4], [true, true, true, false]);
        assert!((refit_dustbin_bias(&probs, &is_other) - 2.0 * 3.0_f64.ln()).abs() < 1e-9);
        let before = dustbin_calibration(&probs, &is_other, 0.0);
        assert!((before.predicted - 0.25).abs() < 1e-7 && before.observed == 0.75);
        assert!((before.ece - 0.5).abs() < 1e-7);
        let after = dustbin_calibration(&probs, &is_other, 2.0 * 3.0_f64.ln());
        assert!(after.ece < 1e-7 && after.nll < before.nll);
    }

    #[test]
    fn one_sided_examples_and_certain_dustbins_stay_finite() {
        assert_eq!(refit_dustbin_bias(&[0.3, 0.4], &[true, true]), 0.0);
        assert_eq!(refit_dustbin_bias(&[], &[]), 0.0);
        let shift = refit_dustbin_bias(&[0.0, 1.0, 0.0, 1.0], &[true, false, false, true]);
        assert!(shift.abs() <= MAX_SHIFT);
        assert!(dustbin_calibration(&[0.0, 1.0], &[true, false], 0.0).nll.is_finite());
        assert_eq!(dustbin_calibration(&[], &[], 0.0).observed, 0.0);
    }

    proptest! {
        #[test]
        fn the_refit_matches_the_observed_share_and_never_raises_the_loss(
            rows in prop::collection::vec((0.001_f32..0.999, any::<bool>()), 2..60),
        ) {
            let (probs, is_other): (Vec<f32>, Vec<bool>) = rows.into_iter().unzip();
            let shift = refit_dustbin_bias(&probs, &is_other);
            let (before, after) = (dustbin_calibration(&probs, &is_other, 0.0), dustbin_calibration(&probs, &is_other, shift));
            prop_assert!(after.nll <= before.nll + 1e-9);
            if before.observed > 0.0 && before.observed < 1.0 {
                prop_assert!((after.predicted - after.observed).abs() < 1e-6);
                for other in [shift - 0.1, shift + 0.1] {
                    prop_assert!(dustbin_calibration(&probs, &is_other, other).nll >= after.nll - 1e-12);
                }
            }
        }
    }
}
