//! Softening a stored distribution (paper, equation 1), and its entropy.
//!
//! C classes.

use stillhouse_core::Temperature;

/// Writes `p_i^(1/T) / sum_j p_j^(1/T)` to `out`: the softmax of `log p / T`, computed in log space in double
/// precision.
///
/// A class with probability exactly 0 keeps exactly 0 at every temperature: teachers end in a softmax, so a zero is a
/// probability below the smallest single-precision number (1e-45), and any floor above that would turn into noise (a
/// floor of 1e-7 on 443 classes is 12 % of the mass at `T = 2`). Every positive probability counts as it is stored.
///
/// ```
/// use stillhouse_core::Temperature;
/// use stillhouse_targets::soften;
/// let mut out = [0.0; 3];
/// soften(&[0.64, 0.36, 0.0], Temperature::new(2.0)?, &mut out);
/// assert!((out[0] - 0.8 / 1.4).abs() < 1e-6 && out[2] == 0.0);
/// # Ok::<(), stillhouse_core::CoreError>(())
/// ```
///
/// # Panics
/// If the slices differ in length: a bug in this program.
pub fn soften(probs: &[f32], temperature: Temperature, out: &mut [f32]) {
    assert_eq!(probs.len(), out.len(), "one softened probability for each class");
    if temperature == Temperature::ONE {
        out.copy_from_slice(probs);
        return;
    }
    let largest = f64::from(probs.iter().copied().fold(0.0, f32::max)).ln();
    let softened = |prob: f32| ((f64::from(prob).ln() - largest) / temperature.get()).exp();
    let total: f64 = probs.iter().filter(|prob| **prob > 0.0).map(|prob| softened(*prob)).sum();
    for (out, prob) in out.iter_mut().zip(probs) {
        *out = if *prob > 0.0 { (softened(*prob) / total) as f32 } else { 0.0 };
    }
}

/// Entropy of a distribution in nats: 0 for a one-hot target, `log C` for one that says nothing.
pub fn entropy(probs: &[f32]) -> f64 {
    let term = |prob: f64| if prob > 0.0 { -prob * prob.ln() } else { 0.0 };
    probs.iter().map(|prob| term(f64::from(*prob))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn softened(probs: &[f32], temperature: f64) -> Vec<f32> {
        let mut out = vec![0.0; probs.len()];
        soften(probs, Temperature::new(temperature).unwrap(), &mut out);
        out
    }

    fn distribution() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(prop_oneof![Just(f32::NEG_INFINITY), -60.0_f32..0.0], 1..12).prop_map(|logits| {
            let mut probs: Vec<f32> = logits.iter().map(|logit| logit.exp()).collect();
            let total: f32 = probs.iter().sum();
            if total == 0.0 {
                probs[0] = 1.0;
            } else {
                probs.iter_mut().for_each(|prob| *prob /= total);
            }
            probs
        })
    }

    #[test]
    fn entropy_of_known_distributions() {
        assert_eq!(entropy(&[0.0, 1.0, 0.0]), 0.0);
        assert!((entropy(&[0.25; 4]) - 4.0_f64.ln()).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn temperature_one_changes_nothing(probs in distribution()) {
            prop_assert_eq!(softened(&probs, 1.0), probs);
        }

        #[test]
        fn a_huge_temperature_is_uniform_on_the_support(probs in distribution()) {
            let support = probs.iter().filter(|prob| **prob > 0.0).count() as f32;
            for (out, prob) in softened(&probs, 1e9).iter().zip(&probs) {
                let expected = if *prob > 0.0 { 1.0 / support } else { 0.0 };
                prop_assert!((out - expected).abs() < 1e-5);
            }
        }

        #[test]
        fn a_distribution_stays_one_and_keeps_its_order(probs in distribution(), temperature in 0.2_f64..50.0) {
            let out = softened(&probs, temperature);
            prop_assert!((out.iter().map(|prob| f64::from(*prob)).sum::<f64>() - 1.0).abs() < 1e-5);
            for i in 0..probs.len() {
                for j in 0..probs.len() {
                    prop_assert!(probs[i] <= probs[j] || out[i] >= out[j]);
                }
            }
        }

        #[test]
        fn softening_twice_multiplies_temperatures(probs in distribution()) {
            let twice = softened(&softened(&probs, 2.0), 3.0);
            for (twice, once) in twice.iter().zip(softened(&probs, 6.0)) {
                prop_assert!((twice - once).abs() < 1e-5);
            }
        }
    }
}
