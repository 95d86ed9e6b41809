//! Clipping of gradients by their norm over all parameters (Pascanu, Mikolov and Bengio 2013).

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Result, Tensor};

use crate::element::{Element, with_element};
use crate::parallel::{CHUNK, for_each_chunk, map_chunks};
use crate::shape::expect_positive_number;
use crate::storage::{Elements, slice_mut};

const NAME: &str = "clip_by_global_norm";

/// Multiplies all gradients by `max_norm / norm`, in place, if their L2 norm over all elements is above `max_norm`.
///
/// Returns the norm before clipping, summed in the order of `grads`. A norm that is not finite leaves the gradients as
/// they are: the caller sees it in the returned value and stops.
pub fn clip_by_global_norm(grads: &[&Tensor], max_norm: f64) -> Result<f64> {
    expect_positive_number(NAME, "max_norm", max_norm)?;
    let mut square_sum = 0.0;
    for grad in grads {
        square_sum += sum_of_squares(grad)?;
    }
    let norm = square_sum.sqrt();
    if norm.is_finite() && norm > max_norm {
        for grad in grads {
            scale(grad, max_norm / norm)?;
        }
    }
    Ok(norm)
}

fn sum_of_squares(grad: &Tensor) -> Result<f64> {
    let grad = grad.detach().to_device(&Device::Cpu)?.contiguous()?;
    with_element!(grad.dtype(), NAME, T => Ok(sum_of_squares_in_chunks(&Elements::<T>::of(&grad)?)))
}

fn sum_of_squares_in_chunks<T: Element>(values: &[T]) -> f64 {
    let sums = map_chunks(values.len().div_ceil(CHUNK), |chunk_idx| {
        let start = chunk_idx * CHUNK;
        let chunk = &values[start..(start + CHUNK).min(values.len())];
        chunk.iter().map(|value| value.to_f64() * value.to_f64()).sum::<f64>()
    });
    sums.iter().sum()
}

fn scale(grad: &Tensor, factor: f64) -> Result<()> {
    if grad.device().is_cpu() && grad.is_contiguous() {
        return grad.inplace_op1(&Scale { factor });
    }
    let scaled = (grad.detach() * factor)?.contiguous()?;
    grad.slice_set(&scaled, 0, 0)
}

struct Scale {
    factor: f64,
}

impl InplaceOp1 for Scale {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, grad: &mut CpuStorage, layout: &Layout) -> Result<()> {
        with_element!(grad.dtype(), NAME, T => {
            let factor = self.factor as T;
            for_each_chunk(slice_mut::<T>(grad, layout)?, CHUNK, |_, chunk| {
                chunk.iter_mut().for_each(|value| *value *= factor);
            });
            Ok(())
        })
    }
}
