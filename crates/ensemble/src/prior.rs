//! Undoing the sampling of a specialist's training set (paper, section 5.2).
//!
//! A dustbin specialist is trained on its own classes far more often than they occur. Its odds "one of mine" against
//! "dustbin" are therefore too high by the ratio of the training odds to the true ones.

use crate::error::EnsembleError;

/// What to add to the dustbin logit of a specialist, so that its odds are those of the world:
///
/// ```text
/// shift = log((1 - pi) / pi) - log((1 - s) / s)
/// ```
///
/// `special_prior` is `pi`, the share of the special classes in the world, `training_share` is `s`, their share in the
/// specialist's training stream, both counted. With half of the stream special (`s = 1/2`) the second term vanishes.
///
/// # Errors
/// Shares of 0 or 1: the shift would be infinite.
pub fn dustbin_logit_shift(special_prior: f64, training_share: f64) -> Result<f64, EnsembleError> {
    Ok(log_odds_against("the prior", special_prior)? - log_odds_against("the training share", training_share)?)
}

fn log_odds_against(what: &str, share: f64) -> Result<f64, EnsembleError> {
    if share > 0.0 && share < 1.0 {
        return Ok(((1.0 - share) / share).ln());
    }
    Err(EnsembleError::new(format!(
        "{what} of a specialist's classes must lie strictly between 0 and 1, found {share}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shift_undoes_the_sampling() {
        // A specialist that knows nothing but its training shares says s; corrected it must say pi.
        let (pi, s) = (0.03, 0.5);
        let probs = [s * 0.25, s * 0.75, (1.0 - s) * dustbin_logit_shift(pi, s).unwrap().exp()];
        let total: f64 = probs.iter().sum();
        for (found, expected) in probs.iter().zip([pi * 0.25, pi * 0.75, 1.0 - pi]) {
            assert!((found / total - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn half_and_half_sampling_leaves_the_log_odds_of_the_prior() {
        assert!((dustbin_logit_shift(0.2, 0.5).unwrap() - 4.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn equal_shares_need_no_correction_and_empty_ones_are_refused() {
        assert_eq!(dustbin_logit_shift(0.2, 0.2), Ok(0.0));
        for (prior, share) in [(0.0, 0.5), (1.0, 0.5), (0.5, 0.0), (0.5, 1.0), (0.5, f64::NAN)] {
            assert!(dustbin_logit_shift(prior, share).is_err());
        }
    }
}
