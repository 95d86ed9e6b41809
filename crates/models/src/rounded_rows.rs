//! Rows of weights in a few bits: the one place where weights are rounded.
//!
//! A number becomes `code * scale`, where each row has a scale of its own. Codes of `b` bits are the whole numbers between `-L` and
//! `L`, where `L = 2^(b-1) - 1`; codes of 2 bits are -3, -1, 1 and 3. There a fourth number is worth more than a zero: the least
//! squared error of normal numbers falls from 0.190 to 0.119 of their variance (Max 1960, doi:10.1109/TIT.1960.1057548). Of 3 bits, an
//! eighth number lowered the NLL of five students of nine and raised that of four (2026-11-29).
//!
//! Below 8 bits the largest numbers of a row are clipped where that lowers its squared error (Guan et al. 2019,
//! arXiv:1911.02079, for tables). Codes are chosen for scales that are rounded to `f16`.
//!
//! Shapes: `R` rows of `W` numbers.

use half::f16;

/// Fewest and most bits of a weight.
pub const WEIGHT_BITS: [u8; 2] = [2, 8];
/// Shares of a row's largest number that are tried as its clip. Three times as many, each followed by two steps of least squares,
/// lower the error of tables of n-grams by 1 % of it (2026-11-28).
const CLIPS: [f32; 12] = [1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5, 0.4, 0.3];
/// Distance from a whole code, as a share of the row's largest number, that a few operations in `f32` explain: a product with a
/// batch norm's factor, and the quotient that finds the scale.
const EXACT: f32 = 1.0 / (1 << 21) as f32;

/// Rows as whole numbers and scales.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundedRows {
    bits: u8,
    width: usize,
    /// `[R, W]`
    codes: Vec<i8>,
    /// `[R]`
    scales: Vec<f32>,
}

impl RoundedRows {
    /// Rounds rows `[R, W]` with the clips of least squared error. A row that is rounded to so many bits already keeps its codes.
    ///
    /// # Panics
    /// If these are not [`WEIGHT_BITS`], or rows of no numbers.
    pub fn nearest(values: &[f32], width: usize, bits: u8) -> Self {
        Self::with_scales(values, width, bits, |_, row| {
            let known = exact_scale(row, bits).filter(|scale| is_half(*scale));
            known.unwrap_or_else(|| scale_of(row, bits, best_clip(row, bits)))
        })
    }

    /// Rounds rows `[R, W]` with a clip for each.
    pub(crate) fn clipped(values: &[f32], width: usize, bits: u8, clips: &[f32]) -> Self {
        Self::with_scales(values, width, bits, |nth, row| scale_of(row, bits, clips[nth]))
    }

    /// Rounds rows `[R, W]` with a scale for each, 0 for a row of zeros.
    ///
    /// # Panics
    /// As [`RoundedRows::nearest`].
    pub fn with_scales(values: &[f32], width: usize, bits: u8, mut scale: impl FnMut(usize, &[f32]) -> f32) -> Self {
        assert!((WEIGHT_BITS[0]..=WEIGHT_BITS[1]).contains(&bits), "{bits} bits");
        let codes_of_bits = Codes::of(bits);
        let (mut codes, mut scales) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len() / width));
        for (nth, row) in values.chunks_exact(width).enumerate() {
            let scale = scale(nth, row);
            codes.extend(row.iter().map(|value| codes_of_bits.nearest(*value, scale)));
            scales.push(scale);
        }
        Self { bits, width, codes, scales }
    }

    /// The codes of rows `[R, W]` that are rounded already, in the fewest bits that hold them; none for other rows.
    pub fn exact(values: &[f32], width: usize) -> Option<Self> {
        let [fewest, most] = WEIGHT_BITS;
        let in_bits = |bits: u8| {
            let rows = values.chunks_exact(width);
            let scales: Vec<f32> = rows.map(|row| exact_scale(row, bits)).collect::<Option<_>>()?;
            Some(Self::with_scales(values, width, bits, |nth, _| scales[nth]))
        };
        (fewest..=most).find_map(in_bits)
    }

    /// Bits of a code.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Numbers in a row, `W`.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whole numbers, `[R, W]`.
    pub fn codes(&self) -> &[i8] {
        &self.codes
    }

    /// The scale of each row, `[R]`.
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// The scales as `f16`, `[R]`; none if one of them is no such number.
    pub fn half_scales(&self) -> Option<Vec<f16>> {
        self.scales.iter().all(|scale| is_half(*scale)).then(|| self.scales.iter().map(|s| f16::from_f32(*s)).collect())
    }

    /// The rounded numbers, `[R, W]`.
    pub fn values(&self) -> Vec<f32> {
        let rows = self.codes.chunks_exact(self.width).zip(&self.scales);
        rows.flat_map(|(codes, scale)| codes.iter().map(move |code| f32::from(*code) * scale)).collect()
    }

    /// Codes, counted from the lowest one, as bytes: low bits first, each row from a byte of its own.
    pub fn packed_codes(&self) -> Vec<u8> {
        let codes_of_bits = Codes::of(self.bits);
        let mut packed = Vec::new();
        for codes in self.codes.chunks_exact(self.width) {
            let start = packed.len();
            packed.resize(start + row_bytes(self.width, self.bits), 0);
            for (nth, code) in codes.iter().enumerate() {
                put_bits(&mut packed[start..], nth * usize::from(self.bits), codes_of_bits.number(*code).into());
            }
        }
        packed
    }

    /// Rows of what [`RoundedRows::packed_codes`] gave; none if there is a code beyond its bits.
    pub(crate) fn unpacked(packed: &[u8], width: usize, stored: Codes, scales: Vec<f32>) -> Option<Self> {
        let mut codes = Vec::with_capacity(scales.len() * width);
        for (row, scale) in packed.chunks_exact(row_bytes(width, stored.bits).max(1)).zip(&scales) {
            for nth in 0..width {
                let code = stored.code(get_bits(row, nth * usize::from(stored.bits), stored.bits))?;
                codes.push(if *scale == 0.0 { 0 } else { code });
            }
        }
        // -1, 0 and 1 are codes of three bits
        let bits = if stored == Codes::of(stored.bits) { stored.bits } else { stored.bits + 1 };
        Some(Self { bits, width, codes, scales })
    }
}

/// The codes of so many bits: every `step`-th number from `-largest` to `largest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codes {
    bits: u8,
    largest: i8,
    step: i8,
}

impl Codes {
    /// Of 2 to 8 bits.
    pub fn of(bits: u8) -> Self {
        if bits == WEIGHT_BITS[0] { Self { bits, largest: 3, step: 2 } } else { Self::with_zero(bits) }
    }

    /// Those of model folders before version 3, in which 2 bits were -1, 0 and 1.
    pub(crate) fn with_zero(bits: u8) -> Self {
        Self { bits, largest: i8::MAX >> (WEIGHT_BITS[1] - bits), step: 1 }
    }

    /// Bits of a code.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// The largest code; the lowest one is its negative.
    pub fn largest(self) -> i8 {
        self.largest
    }

    /// Distance between two codes.
    pub fn step(self) -> i8 {
        self.step
    }

    /// The nearest code.
    fn nearest(self, value: f32, scale: f32) -> i8 {
        if scale == 0.0 {
            return 0;
        }
        let largest = f32::from(self.largest);
        let clamped = (value / scale).clamp(-largest, largest);
        // adding and taking away a number without binary places rounds to whole numbers, by vectors
        let whole = |value: f32| (value + WITHOUT_PLACES) - WITHOUT_PLACES;
        match self.step {
            1 => whole(clamped) as i8,
            // odd numbers
            _ => (2.0 * whole((clamped - 1.0) / 2.0) + 1.0) as i8,
        }
    }

    /// How many codes lie below this one. The zeros of a row without a scale are given to a code at hand.
    pub fn number(self, code: i8) -> u8 {
        ((i16::from(code) + i16::from(self.largest) + i16::from(self.step) - 1) / i16::from(self.step)) as u8
    }

    /// The code above so many others; none if there are no so many.
    fn code(self, number: u16) -> Option<i8> {
        let code = number as i16 * i16::from(self.step) - i16::from(self.largest);
        i8::try_from(code).ok().filter(|code| *code <= self.largest)
    }
}

/// Bytes of the codes of a row.
pub(crate) fn row_bytes(width: usize, bits: u8) -> usize {
    (width * usize::from(bits)).div_ceil(8)
}

/// The clip with the least squared error, the first of equal ones. Eight bits are not clipped.
pub(crate) fn best_clip(row: &[f32], bits: u8) -> f32 {
    let (mut least, mut best) = (f32::INFINITY, CLIPS[0]);
    if bits >= WEIGHT_BITS[1] {
        return best;
    }
    let codes = Codes::of(bits);
    for clip in CLIPS {
        let scale = scale_of(row, bits, clip);
        let error = |value: &f32| (value - f32::from(codes.nearest(*value, scale)) * scale).powi(2);
        let sum: f32 = row.iter().map(error).sum();
        if sum < least {
            (least, best) = (sum, clip);
        }
    }
    best
}

fn largest_of(row: &[f32]) -> f32 {
    row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()))
}

fn is_half(scale: f32) -> bool {
    f16::from_f32(scale).to_f32() == scale
}

/// The scale of a row that is clipped at this share of its largest number, as an `f16` number. Zero for a row of zeros.
fn scale_of(row: &[f32], bits: u8, clip: f32) -> f32 {
    f16::from_f32(largest_of(row) * clip / f32::from(Codes::of(bits).largest)).to_f32()
}

/// The scale with which each number of a row is a code, as an `f16` number if there is such a one; none if there is none. The largest number
/// has the largest code, but where a tiny scale was rounded to a coarse `f16`, and in older folders of two bits.
fn exact_scale(row: &[f32], bits: u8) -> Option<f32> {
    let (largest, codes) = (largest_of(row), Codes::of(bits));
    if largest == 0.0 {
        return Some(0.0);
    }
    let is_code =
        |value: &f32, scale: f32| (value - f32::from(codes.nearest(*value, scale)) * scale).abs() <= EXACT * largest;
    let mut scales = (1..=codes.largest).rev().map(|code| largest / f32::from(code));
    let is_exact = |scale: &f32| row.iter().all(|value| is_code(value, *scale));
    scales.clone().find(|scale| is_half(*scale) && is_exact(scale)).or_else(|| scales.find(is_exact))
}

/// 1.5 times 2^23.
const WITHOUT_PLACES: f32 = 12_582_912.0;

/// Writes a number's bits from this bit on, low ones first; the bits there are 0.
fn put_bits(bytes: &mut [u8], from: usize, value: u16) {
    let (byte, shift) = (from / 8, from % 8);
    let shifted = (u32::from(value)) << shift;
    bytes[byte] |= shifted as u8;
    if shifted > 0xFF {
        bytes[byte + 1] |= (shifted >> 8) as u8;
    }
}

fn get_bits(bytes: &[u8], from: usize, bits: u8) -> u16 {
    let (byte, shift) = (from / 8, from % 8);
    let high = bytes.get(byte + 1).map_or(0, |high| u32::from(*high) << 8);
    let pair = u32::from(bytes[byte]) | high;
    ((pair >> shift) & ((1 << bits) - 1)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random: a Weyl sequence, with a large one in each row of seven.
    fn numbers(n: usize) -> Vec<f32> {
        let weyl = |index: usize| ((index as f64 * 0.618_033_988_749_895).fract() - 0.5) as f32;
        (0..n).map(|index| weyl(index) * if index % 7 == 3 { 3.0 } else { 1.0 }).collect()
    }

    fn all_bits() -> std::ops::RangeInclusive<u8> {
        WEIGHT_BITS[0]..=WEIGHT_BITS[1]
    }

    #[test]
    fn packed_codes_are_low_bits_first_and_rows_share_no_byte() {
        let rows = RoundedRows::nearest(&[7.0, -7.0, 1.0, 0.0, 0.0, 0.0], 3, 4);
        assert_eq!((rows.codes(), rows.scales()), (&[7, -7, 1, 0, 0, 0][..], &[1.0, 0.0][..]));
        assert_eq!(rows.packed_codes(), [0x0E, 0x08, 0x77, 0x07]);
        // -3, 0, 3 and 1 plus 3 are 000, 011, 110, 100
        assert_eq!(RoundedRows::nearest(&[-3.0, 0.0, 3.0, 1.0], 4, 3).packed_codes(), [0b1001_1000, 0b1001]);
        // two bits: how many of -3, -1, 1, 3 lie below; a row without a scale is one of zeros
        let rows = RoundedRows::nearest(&[3.0, -3.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0], 4, 2);
        assert_eq!(rows.packed_codes(), [0b0110_0011, 0b1010_1010]);
        for bits in all_bits() {
            let rows = RoundedRows::nearest(&[&numbers(44)[..], &[0.0; 11]].concat(), 11, bits);
            assert_eq!(rows.packed_codes().len(), 5 * row_bytes(11, bits));
            let scales = rows.scales().to_vec();
            assert_eq!(RoundedRows::unpacked(&rows.packed_codes(), 11, Codes::of(bits), scales).unwrap(), rows);
        }
    }

    #[test]
    fn two_bits_are_the_nearest_of_four_numbers() {
        let rows = RoundedRows::with_scales(&[9.0, 2.1, 1.9, 0.1, -0.1, -1.9, -2.1, -9.0], 8, 2, |_, _| 1.0);
        assert_eq!(rows.codes(), [3, 3, 1, 1, -1, -1, -3, -3]);
        assert_eq!(rows.values(), [3.0, 3.0, 1.0, 1.0, -1.0, -1.0, -3.0, -3.0]);
    }

    #[test]
    fn two_bits_of_an_older_folder_have_a_zero() {
        let rows = RoundedRows::unpacked(&[0b10_01_00], 3, Codes::with_zero(2), vec![0.5]).unwrap();
        assert_eq!((rows.values(), rows.bits()), (vec![-0.5, 0.0, 0.5], 3));
        assert_eq!(RoundedRows::unpacked(&[0b11], 1, Codes::with_zero(2), vec![1.0]), None);
        let rows = RoundedRows::nearest(&numbers(55), 11, 4);
        let read = RoundedRows::unpacked(&rows.packed_codes(), 11, Codes::with_zero(4), rows.scales().to_vec());
        assert_eq!(read.unwrap(), rows);
    }

    #[test]
    fn eight_bits_are_off_by_half_a_step_and_a_clip_lowers_the_error_of_few() {
        let values = numbers(200);
        let rounded = RoundedRows::nearest(&values, 50, 8).values();
        for (row, rounded) in values.chunks(50).zip(rounded.chunks(50)) {
            let step = largest_of(row) / 127.0;
            assert!(row.iter().zip(rounded).all(|(a, b)| (a - b).abs() <= 0.501 * step));
        }
        let error = |rounded: &[f32]| values.iter().zip(rounded).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        for bits in [2, 3, 4] {
            let unclipped = RoundedRows::clipped(&values, 50, bits, &[1.0; 4]).values();
            assert!(error(&RoundedRows::nearest(&values, 50, bits).values()) < error(&unclipped), "{bits} bits");
        }
    }

    #[test]
    fn rounding_twice_changes_nothing() {
        // a row of ordinary numbers, and rows whose scales are coarse `f16`
        let of_size = |size: f32| numbers(20).into_iter().map(move |value| value * size);
        let sizes = [1.0, 1e-5, 1.2e-7, 1e-7, 8e-8, 5e-8];
        let values: Vec<f32> = sizes.into_iter().flat_map(of_size).collect();
        for bits in all_bits() {
            let once = RoundedRows::nearest(&values, 20, bits);
            assert_eq!(RoundedRows::nearest(&once.values(), 20, bits), once, "{bits} bits");
        }
    }

    #[test]
    fn rows_that_are_rounded_already_are_found_with_their_codes() {
        let values = numbers(160);
        assert_eq!(RoundedRows::exact(&values, 20), None);
        for bits in all_bits() {
            let rows = RoundedRows::nearest(&values, 20, bits);
            assert_eq!(RoundedRows::exact(&rows.values(), 20).unwrap(), rows, "{bits} bits");
            // times a factor of a batch norm, whose scales are no `f16`
            let scaled: Vec<f32> =
                rows.values().iter().map(|value| (f64::from(*value) * 0.123_456_789) as f32).collect();
            let found = RoundedRows::exact(&scaled, 20).unwrap();
            assert_eq!((found.codes(), found.bits()), (rows.codes(), bits));
            assert!(found.half_scales().is_none() && rows.half_scales().is_some());
            assert!(found.values().iter().zip(&scaled).all(|(a, b)| (a - b).abs() <= 3e-7 * b.abs()));
        }
        // as an older folder of two bits has them
        let with_zero = RoundedRows::exact(&[0.75, 0.0, -0.75], 3).unwrap();
        assert_eq!((with_zero.bits(), with_zero.half_scales().is_some()), (3, true));
        let zeros = RoundedRows::exact(&[0.0; 6], 3).unwrap();
        assert_eq!((zeros.bits(), zeros.values()), (2, vec![0.0; 6]));
    }
}
