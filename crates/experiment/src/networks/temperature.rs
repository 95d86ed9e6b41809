//! The temperature that fits predicted probabilities to labels (Guo et al. 2017, arXiv:1706.04599), and the search for it.
//!
//! N examples, C classes.

use crate::error::Result;
use crate::networks::ensemble::softened;
use stillhouse_core::{ClassId, Temperature};
use stillhouse_train::{PredictionRecord, metrics_of, records};

/// The factors that are tried lie between the inverse of this and this.
const MAX_FACTOR: f64 = 20.0;
const N_SECTIONS: usize = 16;
/// Standard errors by which a temperature must lower the loss to be believed.
const SURE_ERRORS: f64 = 2.0;

/// The temperature of the probabilities `[N, C]` as [`fit_temperature`] finds it, but 1 where these examples do not show that it is
/// better: what is fitted to a few dozen of them says little of others.
pub(crate) fn sure_temperature(probs: &[f32], labels: &[ClassId], n_classes: usize) -> Result<Temperature> {
    let fitted = fit_temperature(probs, labels, n_classes)?;
    let losses =
        |probs: &[f32]| -> Vec<f64> { records(probs, labels, n_classes).iter().map(PredictionRecord::nll).collect() };
    let (before, after) = (losses(probs), losses(&softened(probs, n_classes, fitted)));
    let gains: Vec<f64> = before.iter().zip(after).map(|(before, after)| before - after).collect();
    let n = gains.len().max(1) as f64;
    let mean = gains.iter().sum::<f64>() / n;
    let variance = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Ok(if mean > SURE_ERRORS * (variance / n).sqrt() { fitted } else { Temperature::ONE })
}

/// The temperature of the probabilities `[N, C]` with the least negative log likelihood of the labels; 1 without examples.
pub(crate) fn fit_temperature(probs: &[f32], labels: &[ClassId], n_classes: usize) -> Result<Temperature> {
    if labels.is_empty() {
        return Ok(Temperature::ONE);
    }
    let temperature = |value| Temperature::new(value).expect("a factor is above 0");
    let nll = |value| {
        let softened = softened(probs, n_classes, temperature(value));
        Ok(metrics_of(&records(&softened, labels, n_classes)).nll)
    };
    least(nll).map(temperature)
}

/// Golden-section search for the factor with the least `loss`, on a logarithmic scale.
pub(crate) fn least(loss: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-MAX_FACTOR.ln(), MAX_FACTOR.ln());
    let loss = |log_factor: f64| loss(log_factor.exp());
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (loss(left)?, loss(right)?);
    for _ in 0..N_SECTIONS {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = loss(left)?;
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = loss(right)?;
        }
    }
    Ok((0.5 * (low + high)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_of_least_loss_is_found() {
        for best in [0.06, 0.3, 1.0, 7.5] {
            let found = least(|factor| Ok((factor / best).ln().powi(2))).unwrap();
            assert!((found / best).ln().abs() < 0.01, "{found} for {best}");
        }
    }

    #[test]
    fn confidence_becomes_the_share_that_is_right() {
        // sure of class 0 by 0.98, right in 4 of 5: of two classes the best temperature makes it 0.8
        let labels: Vec<ClassId> = (0..50).map(|row| ClassId(u32::from(row % 5 == 0))).collect();
        let probs = [0.98_f32, 0.02].repeat(50);
        let temperature = fit_temperature(&probs, &labels, 2).unwrap();
        let expected = (0.98_f64 / 0.02).ln() / (0.8_f64 / 0.2).ln();
        assert!((temperature.get() / expected - 1.0).abs() < 0.01, "{} {expected}", temperature.get());
        assert_eq!(fit_temperature(&[], &[], 2).unwrap(), Temperature::ONE);
    }

    #[test]
    fn a_temperature_needs_examples_enough() {
        // sure by 0.98, right in 4 of 5
        let of = |n_rows: usize| {
            let labels: Vec<ClassId> = (0..n_rows).map(|row| ClassId(u32::from(row % 5 == 0))).collect();
            sure_temperature(&[0.98_f32, 0.02].repeat(n_rows), &labels, 2).unwrap()
        };
        assert!(of(500).get() > 2.0, "{}", of(500).get());
        assert_eq!(of(5), Temperature::ONE);
        assert_eq!(of(0), Temperature::ONE);
        // right as often as it says: nothing to gain
        let labels: Vec<ClassId> = (0..500).map(|row| ClassId(u32::from(row % 5 == 0))).collect();
        assert_eq!(sure_temperature(&[0.8_f32, 0.2].repeat(500), &labels, 2).unwrap(), Temperature::ONE);
    }
}
