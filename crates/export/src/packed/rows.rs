//! Rounding of a matrix, one scale for each row.
//!
//! `R` rows, `W` numbers in a row, `n` bits; codes are `-(2^(n-1) - 1)..=2^(n-1) - 1`.

use crate::graph::Constant;

/// A matrix as codes and scales.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedRows {
    bits: u32,
    width: usize,
    /// upper halves of `f32`, `[R]`
    scales: Vec<u16>,
    /// `[R, W]`
    codes: Vec<i8>,
}

/// Clips that are tried, as shares of the largest number of a row, where codes are few. With 8 bits no clip gains anything.
const CLIPS: std::ops::RangeInclusive<u32> = 16..=40;
const WHOLE_ROW: f32 = 40.0;
/// Least-squares steps from a clip: codes for the scale, then the scale for the codes.
const N_REFITS: usize = 2;

impl PackedRows {
    /// Rounds a constant; the first axis is its rows.
    pub(super) fn of(constant: &Constant, bits: u32) -> Self {
        let width = constant.dims[1..].iter().product();
        let (mut scales, mut codes) = (Vec::with_capacity(constant.dims[0]), Vec::with_capacity(constant.values.len()));
        for row in constant.values.chunks_exact(width) {
            let scale = best_scale(row, bits);
            scales.push(upper_half(scale));
            codes.extend(row.iter().map(|value| code(*value, scale, bits)));
        }
        Self { bits, width, scales, codes }
    }

    /// 4 or 8.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Numbers in a row, `W`.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The scale of each row, as the upper half of an `f32`, `[R]`.
    pub fn scales(&self) -> &[u16] {
        &self.scales
    }

    /// Rounded numbers, `[R, W]`: code times scale.
    pub fn values(&self) -> Vec<f32> {
        let rows = self.codes.chunks_exact(self.width).zip(&self.scales);
        rows.flat_map(|(codes, scale)| codes.iter().map(|code| f32::from(*code) * widened(*scale))).collect()
    }

    /// The codes as a file holds them. 8 bits: two's complement. 4 bits: code plus 8, two in a byte, the first in the lower half;
    /// a row begins with a byte of its own.
    pub fn code_bytes(&self) -> Vec<u8> {
        if self.bits == 8 {
            return self.codes.iter().map(|code| code.cast_unsigned()).collect();
        }
        let nibble = |code: &i8| (code + 8).cast_unsigned();
        let byte = |pair: &[i8]| nibble(&pair[0]) | pair.get(1).map_or(0, |second| nibble(second) << 4);
        self.codes.chunks_exact(self.width).flat_map(|row| row.chunks(2).map(byte)).collect()
    }

    /// Bytes of codes and scales.
    pub fn n_bytes(&self) -> usize {
        let of_row = (self.width * self.bits as usize).div_ceil(8);
        self.scales.len() * (size_of::<u16>() + of_row)
    }
}

/// The scale of least squared error, rounded to an upper half.
fn best_scale(row: &[f32], bits: u32) -> f32 {
    let largest = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let whole = rounded(largest / largest_code(bits));
    if bits == 8 || largest == 0.0 {
        return whole;
    }
    let mut best = (squared_error(row, whole, bits), whole);
    for clip in CLIPS {
        let mut scale = rounded(whole * clip as f32 / WHOLE_ROW);
        for _ in 0..=N_REFITS {
            let error = squared_error(row, scale, bits);
            if error < best.0 {
                best = (error, scale);
            }
            scale = rounded(refit(row, scale, bits));
        }
    }
    best.1
}

/// `sum(x q) / sum(q^2)`: the best scale of the codes `q`.
fn refit(row: &[f32], scale: f32, bits: u32) -> f32 {
    let (mut products, mut squares) = (0.0, 0.0);
    for value in row {
        let code = f64::from(code(*value, scale, bits));
        products += f64::from(*value) * code;
        squares += code * code;
    }
    if squares > 0.0 { (products / squares) as f32 } else { scale }
}

fn squared_error(row: &[f32], scale: f32, bits: u32) -> f64 {
    row.iter().map(|value| f64::from(value - f32::from(code(*value, scale, bits)) * scale).powi(2)).sum()
}

fn code(value: f32, scale: f32, bits: u32) -> i8 {
    if scale == 0.0 {
        return 0;
    }
    let limit = largest_code(bits);
    (value / scale).round().clamp(-limit, limit) as i8
}

fn largest_code(bits: u32) -> f32 {
    ((1_u32 << (bits - 1)) - 1) as f32
}

/// The nearest `f32` whose lower half is zero. A scale is never negative.
fn rounded(scale: f32) -> f32 {
    widened(upper_half(scale))
}

fn upper_half(scale: f32) -> u16 {
    const HALF_OF_LOWER: u32 = 1 << 15;
    (scale.to_bits().saturating_add(HALF_OF_LOWER) >> 16) as u16
}

/// The `f32` of an upper half.
fn widened(upper: u16) -> f32 {
    f32::from_bits(u32::from(upper) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constant(dims: [usize; 2]) -> Constant {
        // rows of different sizes, one of them zero
        let values = (0..dims[0] * dims[1]).map(|index| {
            let row = index / dims[1];
            row as f32 * 0.1 * (index as f32 * 12.9898).sin()
        });
        Constant { name: "table".into(), dims: dims.to_vec(), values: values.collect() }
    }

    #[test]
    fn eight_bits_are_within_half_a_step() {
        let constant = constant([9, 33]);
        let packed = PackedRows::of(&constant, 8);
        let values = packed.values();
        let rows = constant.values.chunks_exact(33).zip(values.chunks_exact(33));
        for ((row, found), scale) in rows.zip(packed.scales()) {
            // the largest number may be clipped by the rounding of the scale, 2^-9 of it
            let bound = 0.5 * widened(*scale) + 127.0 * widened(*scale) / 256.0;
            assert!(row.iter().zip(found).all(|(a, b)| (a - b).abs() <= bound));
        }
        assert_eq!(packed.n_bytes(), packed.code_bytes().len() + 2 * packed.scales().len());
    }

    #[test]
    fn the_clip_of_four_bits_is_no_worse_than_the_whole_row() {
        let constant = constant([9, 33]);
        let packed = PackedRows::of(&constant, 4);
        for (row, scale) in constant.values.chunks_exact(33).zip(packed.scales()) {
            let largest = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            let plain = squared_error(row, rounded(largest / 7.0), 4);
            let error = squared_error(row, widened(*scale), 4);
            assert!(error <= plain);
            // uniform rounding with 15 steps: a standard deviation of the step over sqrt(12)
            assert!(error <= row.len() as f64 * f64::from(largest / 7.0).powi(2) / 12.0 * 1.5 + 1e-12);
        }
    }

    #[test]
    fn two_codes_share_a_byte_and_rows_do_not() {
        let constant = Constant { name: "m".into(), dims: vec![2, 3], values: vec![7.0, -7.0, 1.0, 0.0, 0.0, 0.0] };
        let packed = PackedRows::of(&constant, 4);
        assert_eq!(packed.code_bytes(), [0x1f, 0x09, 0x88, 0x08]);
        assert_eq!(packed.values(), constant.values);
        assert_eq!(packed.n_bytes(), 4 + 4);
    }

    #[test]
    fn scales_are_upper_halves() {
        assert_eq!(widened(upper_half(0.0)), 0.0);
        for scale in [1.0, 0.3, 1e-30, 3.3e38_f32] {
            assert!((rounded(scale) / scale - 1.0).abs() <= 1.0 / 256.0, "{scale}");
        }
    }
}
