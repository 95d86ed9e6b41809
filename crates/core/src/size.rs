//! Sizes that a file or a config claims, compared with what there can be before memory is asked for.

use std::fmt;

/// An array that is larger than there can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge {
    shape: Vec<usize>,
    bytes_each: usize,
    limit_bytes: u64,
}

/// The number of values of an array, if all of them fit into so many bytes.
///
/// # Errors
/// More bytes than that, also where their number overflows.
pub fn values_within(shape: &[usize], bytes_each: usize, limit_bytes: u64) -> Result<usize, TooLarge> {
    let n_values = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    let fits = |n_values: &usize| n_values.checked_mul(bytes_each).is_some_and(|bytes| bytes as u64 <= limit_bytes);
    n_values.filter(fits).ok_or_else(|| TooLarge { shape: shape.to_vec(), bytes_each, limit_bytes })
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        let Self { bytes_each, limit_bytes, .. } = self;
        write!(f, "{} values of {bytes_each} bytes, which is more than {limit_bytes} bytes", shape.join(" x "))
    }
}

impl std::error::Error for TooLarge {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_multiplied_without_overflow() {
        assert_eq!(values_within(&[3, 4], 8, 96), Ok(12));
        assert_eq!(values_within(&[0, usize::MAX], 8, 0), Ok(0));
        assert_eq!(values_within(&[], 4, 4), Ok(1));
        for shape in [vec![3, 5], vec![1 << 62, 4], vec![1 << 32, 1 << 32], vec![usize::MAX, 2, 0]] {
            let error = values_within(&shape, 8, 96).err();
            assert!(error.is_some(), "{shape:?}");
        }
        let error = values_within(&[1 << 32, 1 << 32], 4, 160).unwrap_err().to_string();
        assert_eq!(error, "4294967296 x 4294967296 values of 4 bytes, which is more than 160 bytes");
    }
}
