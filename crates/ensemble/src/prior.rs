//! Undoing the sampling of a specialist's training set (paper, section 5.2).
//!
//! A dustbin specialist is trained on its own classes far more often than they occur. Its odds "one of mine" against
//! "dustbin" are therefore too high by the ratio of the training odds to the true ones, and the logarithm of that
//! ratio, added to the dustbin logit, undoes it:
//!
//! ```text
//! shift = log((1 - pi) / pi) - log((1 - s) / s)
//! ```
//!
//! with `pi` the share of the special classes in the world and `s` their share in the specialist's training stream,
//! both counted. With half of the stream special (`s = 1/2`) the second term vanishes.

use serde::{Deserialize, Serialize};

/// What priors can have wrong with them.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what} of a specialist's classes must lie strictly between 0 and 1, found {value}")]
pub struct PriorError {
    /// which share
    pub what: &'static str,
    /// its value
    pub value: f64,
}

/// The shift of a dustbin logit from counted priors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawCorrection")]
pub struct PriorCorrection {
    special_prior: f64,
    training_share: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCorrection {
    special_prior: f64,
    training_share: f64,
}

impl TryFrom<RawCorrection> for PriorCorrection {
    type Error = PriorError;

    fn try_from(raw: RawCorrection) -> Result<Self, PriorError> {
        Self::new(raw.special_prior, raw.training_share)
    }
}

impl PriorCorrection {
    /// From the share of the special classes in the world, `pi`, and in the training stream, `s`.
    ///
    /// # Errors
    /// Shares of 0 or 1: then there is nothing to tell apart, and the shift is infinite.
    pub fn new(special_prior: f64, training_share: f64) -> Result<Self, PriorError> {
        check("the prior", special_prior)?;
        check("the training share", training_share)?;
        Ok(Self { special_prior, training_share })
    }

    /// From counts of examples: special and all in the original training set, special and all in the stream that the
    /// specialist was trained on.
    ///
    /// # Errors
    /// As [`PriorCorrection::new`].
    pub fn from_counts(world: (usize, usize), stream: (usize, usize)) -> Result<Self, PriorError> {
        Self::new(world.0 as f64 / world.1 as f64, stream.0 as f64 / stream.1 as f64)
    }

    /// What to add to the dustbin logit.
    pub fn dustbin_logit_shift(&self) -> f64 {
        log_odds_against(self.special_prior) - log_odds_against(self.training_share)
    }

    /// Corrects one specialist's logits, `[L + 1]`, the dustbin last.
    pub fn apply_to_logits(&self, logits: &mut [f32]) {
        if let Some(dustbin) = logits.last_mut() {
            *dustbin += self.dustbin_logit_shift() as f32;
        }
    }

    /// Corrects one specialist's probabilities, `[L + 1]`, the dustbin last: the same correction after the softmax.
    pub fn apply_to_probs(&self, probs: &mut [f64]) {
        let Some((dustbin, special)) = probs.split_last_mut() else { return };
        *dustbin *= self.dustbin_logit_shift().exp();
        let total = *dustbin + special.iter().sum::<f64>();
        special.iter_mut().for_each(|prob| *prob /= total);
        *dustbin /= total;
    }
}

fn log_odds_against(share: f64) -> f64 {
    ((1.0 - share) / share).ln()
}

fn check(what: &'static str, value: f64) -> Result<(), PriorError> {
    if value > 0.0 && value < 1.0 { Ok(()) } else { Err(PriorError { what, value }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shift_undoes_the_sampling() {
        // A specialist that knows nothing but its training shares says s; corrected it must say pi.
        let (pi, s) = (0.03, 0.5);
        let mut probs = [s * 0.25, s * 0.75, 1.0 - s];
        PriorCorrection::new(pi, s).unwrap().apply_to_probs(&mut probs);
        for (found, expected) in probs.iter().zip([pi * 0.25, pi * 0.75, 1.0 - pi]) {
            assert!((found - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn half_and_half_sampling_leaves_the_log_odds_of_the_prior() {
        let shift = PriorCorrection::from_counts((20, 100), (500, 1000)).unwrap().dustbin_logit_shift();
        assert!((shift - 4.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn logits_and_probabilities_are_corrected_alike() {
        let correction = PriorCorrection::new(0.1, 0.4).unwrap();
        let mut logits = [0.3_f32, -1.0, 2.0];
        let softmax = |logits: [f32; 3]| {
            let exp = logits.map(|logit| f64::from(logit).exp());
            exp.map(|value| value / exp.iter().sum::<f64>())
        };
        let mut probs = softmax(logits);
        correction.apply_to_probs(&mut probs);
        correction.apply_to_logits(&mut logits);
        for (a, b) in probs.iter().zip(softmax(logits)) {
            assert!((a - b).abs() < 1e-7);
        }
    }

    #[test]
    fn json_is_checked_on_the_way_in() {
        let correction = PriorCorrection::new(0.1, 0.4).unwrap();
        let text = serde_json::to_string(&correction).unwrap();
        assert_eq!(serde_json::from_str::<PriorCorrection>(&text).unwrap(), correction);
        assert!(serde_json::from_str::<PriorCorrection>(&text.replace("0.4", "1.0")).is_err());
    }

    #[test]
    fn equal_shares_need_no_correction_and_empty_ones_are_refused() {
        assert_eq!(PriorCorrection::new(0.2, 0.2).unwrap().dustbin_logit_shift(), 0.0);
        for (world, stream) in [((0, 10), (1, 2)), ((10, 10), (1, 2)), ((1, 2), (0, 0)), ((1, 2), (2, 2))] {
            assert!(PriorCorrection::from_counts(world, stream).is_err());
        }
    }
}
