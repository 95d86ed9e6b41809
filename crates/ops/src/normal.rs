//! Distribution function and density of the standard normal.

use crate::vector::exp_f32;

/// Both at `x`, the former with an error below 3e-7
/// (Abramowitz and Stegun 1964, 7.1.26).
#[inline(always)]
pub(crate) fn normal_f32(x: f32) -> (f32, f32) {
    const P: f32 = 0.327_591_1;
    let distance = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + P * distance);
    let mut series = 1.061_405_4;
    for coefficient in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        series = series * t + coefficient;
    }
    let bell = exp_f32(-0.5 * x * x);
    let tail = 0.5 * series * t * bell;
    (if x < 0.0 { tail } else { 1.0 - tail }, FRAC_1_SQRT_TAU * bell)
}

/// `1 / sqrt(2 pi)`.
const FRAC_1_SQRT_TAU: f32 = 0.398_942_3;

/// Both, exact to the last bits.
pub(crate) fn normal_f64(x: f64) -> (f64, f64) {
    (0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2), (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_is_right_to_the_last_bits_of_one() {
        for step in -10_000..10_000 {
            let x = step as f32 / 1000.0;
            let expected = 0.5 * libm::erfc(-f64::from(x) / std::f64::consts::SQRT_2);
            let density = (-0.5 * f64::from(x) * f64::from(x)).exp() / std::f64::consts::TAU.sqrt();
            let (cumulated, got) = normal_f32(x);
            assert!((f64::from(cumulated) - expected).abs() < 3e-7, "{x}: {cumulated}, expected {expected}");
            assert!((f64::from(got) - density).abs() < 2e-7, "{x}: {got}, expected {density}");
        }
        assert!(normal_f32(f32::NAN).0.is_nan());
    }
}
