//! The exponential and the sums that losses are made of.

use crate::softmax_rows;
use crate::vector::{at_full_width, exp_f32, inlined, largest, sum, sum_pairs};

/// Distance in units in the last place of the true value.
fn error_in_ulp(value: f32, exact: f64) -> f64 {
    let unit = 2.0_f64.powi(exact.log2().floor() as i32 - 23);
    (f64::from(value) - exact).abs() / unit
}

#[test]
fn the_exponential_is_within_two_units_in_the_last_place() {
    let inputs: Vec<f32> = (0..2_000_000).map(|nth| -87.3 + 176.0 * nth as f32 / 2_000_000.0).collect();
    let mut values = inputs.clone();
    at_full_width(inlined!(|| values.iter_mut().for_each(|value| *value = exp_f32(*value))));
    for (input, value) in inputs.iter().zip(values) {
        let error = error_in_ulp(value, f64::from(*input).exp());
        assert!(error < 2.0, "exp({input}) = {value}, {error} units off");
        assert_eq!(value.to_bits(), exp_f32(*input).to_bits(), "other bits at another width");
    }
}

#[test]
fn the_exponential_has_the_usual_limits() {
    assert_eq!([0.0, -0.0, f32::NEG_INFINITY, -1e30, -87.4].map(exp_f32), [1.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!([f32::INFINITY, 88.8, 1e30].map(exp_f32), [f32::INFINITY; 3]);
    assert!(exp_f32(f32::NAN).is_nan());
    assert!(exp_f32(88.72).is_finite() && exp_f32(-87.3) > 0.0);
}

#[test]
fn sums_and_maxima_take_every_element() {
    for len in [0, 1, 15, 16, 17, 31, 32, 100] {
        let values: Vec<f32> = (0..len).map(|nth| nth as f32).collect();
        let expected = (0..len).sum::<usize>() as f64;
        assert_eq!(sum(&values, f64::from), expected);
        assert_eq!(sum_pairs(&values, &values, |a, b| f64::from(2.0 * a - b)), expected);
        let top = if len == 0 { f32::NEG_INFINITY } else { (len - 1) as f32 };
        assert_eq!(largest(&values), top);
    }
    assert_eq!(largest(&[f32::NAN, 1.0, f32::NAN]), 1.0);
}

#[test]
fn softmax_is_safe_for_large_logits() {
    let mut values = [1000.0, 1000.0, -1000.0, 0.0, 1.0, 2.0];
    softmax_rows(&mut values, 3);
    assert_eq!(values[..3], [0.5, 0.5, 0.0]);
    assert!((values[3..].iter().sum::<f32>() - 1.0).abs() < 1e-6);
    assert!((values[5] - 0.665_241).abs() < 1e-6);
    softmax_rows(&mut [], 0);
}
