//! The norm of gradients over all parameters, by which they are clipped (Pascanu, Mikolov and Bengio 2013).

use candle_core::{DType, Result, Tensor};

use crate::element::{Element, with_element};
use crate::parallel::{CHUNK, map_chunks};
use crate::storage::Elements;
use crate::vector::{inlined, sum};

/// The L2 norm over all elements of all gradients, summed in the order of `grads`.
///
/// A step clips by its `gradient_scale`, [`clip_factor`], so that clipping needs no pass of its own.
///
/// # Errors
/// A dtype that is not a float.
pub fn global_norm(grads: &[&Tensor]) -> Result<f64> {
    let square_sums: Vec<f64> = grads.iter().map(|grad| sum_of_squares(grad)).collect::<Result<_>>()?;
    Ok(square_sums.iter().sum::<f64>().sqrt())
}

/// What gradients of this norm are multiplied by, so that it is at most `max_norm`; 1 for a norm that is not a number.
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    if norm > max_norm { max_norm / norm } else { 1.0 }
}

fn sum_of_squares(grad: &Tensor) -> Result<f64> {
    if !grad.device().is_cpu() {
        return grad.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar();
    }
    let grad = grad.detach().contiguous()?;
    with_element!(grad.dtype(), "global_norm", T => Ok(sum_of_squares_in_chunks(&Elements::<T>::of(&grad)?)))
}

fn sum_of_squares_in_chunks<T: Element>(values: &[T]) -> f64 {
    let sums = map_chunks(
        values.len().div_ceil(CHUNK),
        inlined!(|chunk_idx| {
            let start = chunk_idx * CHUNK;
            sum(&values[start..(start + CHUNK).min(values.len())], |value| value.widened() * value.widened())
        }),
    );
    sums.iter().sum()
}
