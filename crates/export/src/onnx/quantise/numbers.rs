//! Numbers as bytes.

/// Largest signed byte; -128 is not used, so that the range is symmetric.
pub(super) const LARGEST: f32 = 127.0;

/// Signed bytes with one scale for each row: a value is `byte * scale`.
pub(super) struct ByteRows {
    pub(super) bytes: Vec<i8>,
    pub(super) scales: Vec<f32>,
}

impl ByteRows {
    /// Rounds rows of `width` numbers. `storable` rounds a scale to a number that the file can hold.
    pub(super) fn of(values: &[f32], width: usize, storable: impl Fn(f32) -> f32) -> Self {
        let (mut bytes, mut scales) = (Vec::with_capacity(values.len()), Vec::new());
        for row in values.chunks_exact(width) {
            let largest = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            let scale = match storable(largest / LARGEST) {
                // a row of zeros, or of numbers that the scale cannot express
                0.0 => 1.0,
                scale => scale,
            };
            // `as` keeps what is just above 127 within the range
            bytes.extend(row.iter().map(|value| (value / scale).round().clamp(-LARGEST, LARGEST) as i8));
            scales.push(scale);
        }
        Self { bytes, scales }
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
    fn columns_become_rows() {
        assert_eq!(transposed(&[1, 2, 3, 4, 5, 6], 3), [1, 4, 2, 5, 3, 6]);
    }
}
