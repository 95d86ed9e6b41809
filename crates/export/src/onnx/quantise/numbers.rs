//! Rows of numbers as signed bytes.

use stillhouse_models::RoundedRows;

const BITS: u8 = 8;
/// Largest signed byte; -128 is not used, so that the range is symmetric.
const LARGEST: f32 = 127.0;

/// Signed bytes with one scale for each row: a value is `byte * scale`.
pub(super) struct ByteRows {
    pub(super) bytes: Vec<i8>,
    pub(super) scales: Vec<f32>,
}

impl ByteRows {
    /// Rounds rows of `width` numbers; rows of 8 bits or fewer keep their codes. `storable` rounds a
    /// scale to a number that the file can hold.
    pub(super) fn of(values: &[f32], width: usize, storable: impl Fn(f32) -> f32) -> Self {
        let is_storable = |rows: &RoundedRows| rows.scales().iter().all(|scale| storable(*scale) == *scale);
        let largest = |row: &[f32]| row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let rows = RoundedRows::exact(values, width).filter(is_storable).unwrap_or_else(|| {
            RoundedRows::with_scales(values, width, BITS, |_, row| storable(largest(row) / LARGEST))
        });
        // a row of zeros, or of numbers that the scale cannot express
        let scales = rows.scales().iter().map(|scale| if *scale == 0.0 { 1.0 } else { *scale });
        Self { bytes: rows.codes().to_vec(), scales: scales.collect() }
    }
}

/// `[rows, width]` to `[width, rows]`.
pub(super) fn transposed<T: Copy>(values: &[T], width: usize) -> Vec<T> {
    (0..width).flat_map(|column| values.iter().skip(column).step_by(width).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_rounded_by_their_own_scale() {
        let ByteRows { bytes, scales } = ByteRows::of(&[1.27, -0.634, 0.0, 0.0, -2.54, 0.02], 2, |scale| scale);
        assert_eq!(bytes, [127, -63, 0, 0, -127, 1]);
        assert_eq!((scales[1], scales[2]), (1.0, 0.02));
    }

    #[test]
    fn a_scale_is_rounded_before_the_numbers_are() {
        let ByteRows { bytes, scales } = ByteRows::of(&[1.0, 0.5], 2, |_| 0.01);
        assert_eq!((bytes, scales), (vec![100, 50], vec![0.01]));
        assert_eq!(ByteRows::of(&[3.0, 0.5], 2, |_| 0.01).bytes, [127, 50]);
    }

    #[test]
    fn rounded_rows_keep_their_codes() {
        let ByteRows { bytes, scales } = ByteRows::of(&[0.75, -0.25, 0.5, 0.0], 2, |scale| scale);
        // of the scales that give a row without a rest, one that an `f16` holds
        assert_eq!((bytes, scales), (vec![3, -1, 2, 0], vec![0.25, 0.25]));
    }

    #[test]
    fn columns_become_rows() {
        assert_eq!(transposed(&[1, 2, 3, 4, 5, 6], 3), [1, 4, 2, 5, 3, 6]);
    }
}
