//! Elementary functions without branches, so that loops over them use the vector unit.

/// `e^x` with a relative error below 2e-7; `e^-87` where it would be smaller, `e^88` where it would be larger, and a NaN
/// for a NaN.
///
/// `x = n log 2 + r`, so `e^x = 2^n e^r`, and the Taylor series of degree 7 is exact to the last bit for `|r| < 0.35`.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // adding 1.5 * 2^23 rounds to a whole number, which is then in the lowest bits
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut series = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series * r + coefficient;
    }
    let power_of_two = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    series * power_of_two
}

/// Distribution function and density of the standard normal at `x`, the former with an error below 1e-7
/// (Abramowitz and Stegun 1964, 7.1.26).
#[inline(always)]
pub(crate) fn normal(x: f32) -> (f32, f32) {
    const P: f32 = 0.327_591_1;
    let distance = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + P * distance);
    let mut series = 1.061_405_4;
    for coefficient in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        series = series * t + coefficient;
    }
    let bell = exp(-0.5 * x * x);
    let tail = 0.5 * series * t * bell;
    (if x < 0.0 { tail } else { 1.0 - tail }, FRAC_1_SQRT_TAU * bell)
}

/// `1 / sqrt(2 pi)`.
pub(crate) const FRAC_1_SQRT_TAU: f32 = 0.398_942_3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_the_last_bits() {
        for step in -87_000..88_000 {
            let x = step as f32 / 1000.0;
            let (got, expected) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((got / expected - 1.0).abs() < 2e-7, "exp({x}) = {got}, expected {expected}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 2e-38 && exp(f32::INFINITY) > 1e38);
    }

    #[test]
    fn the_normal_distribution_is_right_to_a_ten_millionth() {
        for step in -10_000..10_000 {
            let x = step as f32 / 1000.0;
            let expected = 0.5 * libm::erfc(-f64::from(x) / std::f64::consts::SQRT_2);
            let density = (-0.5 * f64::from(x) * f64::from(x)).exp() / std::f64::consts::TAU.sqrt();
            let (cumulated, got) = normal(x);
            assert!((f64::from(cumulated) - expected).abs() < 1.5e-7, "{x}: {cumulated}, expected {expected}");
            assert!((f64::from(got) - density).abs() < 1e-7, "{x}: {got}, expected {density}");
        }
        assert!(normal(f32::NAN).0.is_nan());
    }
}
