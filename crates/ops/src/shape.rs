//! Checks of shapes, dtypes and devices, with one wording for all operations.

use candle_core::{Error, Result, Tensor};

/// An error of operation `op` about `what`, which should have been `expected` and is `got`.
pub(crate) fn mismatch(op: &str, what: &str, expected: impl std::fmt::Display, got: impl std::fmt::Debug) -> Error {
    Error::msg(format!("{op}: {what}: expected {expected}, got {got:?}"))
}

/// Requires `tensor` to have the shape `expected`.
pub(crate) fn expect_shape(op: &str, what: &str, tensor: &Tensor, expected: &[usize]) -> Result<()> {
    if tensor.dims() == expected {
        return Ok(());
    }
    Err(mismatch(op, &format!("shape of {what}"), format!("{expected:?}"), tensor.dims()))
}

/// The two sizes of a matrix.
pub(crate) fn expect_matrix(op: &str, what: &str, tensor: &Tensor) -> Result<(usize, usize)> {
    match *tensor.dims() {
        [rows, columns] => Ok((rows, columns)),
        _ => Err(mismatch(op, &format!("shape of {what}"), "2 axes", tensor.dims())),
    }
}

/// The four sizes of a batch of images `[N, H, W, C]` or of a convolution weight.
pub(crate) fn expect_4d(op: &str, what: &str, tensor: &Tensor) -> Result<[usize; 4]> {
    match *tensor.dims() {
        [a, b, c, d] => Ok([a, b, c, d]),
        _ => Err(mismatch(op, &format!("shape of {what}"), "4 axes", tensor.dims())),
    }
}

/// The size of the last axis, which holds the channels.
pub(crate) fn expect_channels(op: &str, tensor: &Tensor) -> Result<usize> {
    tensor.dims().last().copied().ok_or_else(|| mismatch(op, "shape of input", "at least 1 axis", tensor.dims()))
}

/// Requires all `others` to have the dtype and the device of `first`.
pub(crate) fn expect_same_kind(op: &str, first: &Tensor, others: &[(&str, &Tensor)]) -> Result<()> {
    for (name, other) in others {
        if other.dtype() != first.dtype() {
            return Err(mismatch(op, &format!("dtype of {name}"), format!("{:?}", first.dtype()), other.dtype()));
        }
        if !other.device().same_device(first.device()) {
            let expected = format!("{:?}", first.device().location());
            return Err(mismatch(op, &format!("device of {name}"), expected, other.device().location()));
        }
    }
    Ok(())
}

/// Requires a size that must not be zero.
pub(crate) fn expect_positive(op: &str, what: &str, value: usize) -> Result<()> {
    if value > 0 {
        return Ok(());
    }
    Err(mismatch(op, what, "at least 1", value))
}

/// Requires a finite number above zero.
pub(crate) fn expect_positive_number(op: &str, what: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(mismatch(op, what, "a finite number above 0", value))
}
