//! The rectifier, and a bias with an optional rectifier.
//!
//! Shapes: `C` channels, the last axis.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use crate::composite;
use crate::element::{Element, with_element};
use crate::linear::{column_sums, mask_by_output};
use crate::parallel::{CHUNK, filled, rows_per_chunk};
use crate::shape::{expect_channels, expect_same_kind, expect_shape};
use crate::storage::{Elements, output, slice, tensor};
use crate::tape::{apply1, apply2};
use crate::vector::inlined;

/// `max(0, input)`, element by element; the gradient at 0 is 0, and a NaN stays a NaN.
///
/// # Errors
/// A dtype that is not a float.
pub fn relu(input: &Tensor) -> Result<Tensor> {
    if !input.device().is_cpu() {
        return composite::relu(input);
    }
    apply1(Relu, &input.contiguous()?)
}

/// `input [.., C] + bias [C]`, followed by the rectifier if `fuse_relu`.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit.
pub fn add_bias(input: &Tensor, bias: &Tensor, fuse_relu: bool) -> Result<Tensor> {
    let op = AddBias { relu: fuse_relu };
    let n_channels = expect_channels(op.name(), input)?;
    expect_shape(op.name(), "bias", bias, &[n_channels])?;
    expect_same_kind(op.name(), input, &[("bias", bias)])?;
    if !input.device().is_cpu() {
        return composite::add_bias(input, bias, fuse_relu);
    }
    apply2(op, &input.contiguous()?, &bias.contiguous()?)
}

/// `max(0, value)` that keeps NaN, so that a diverged run is seen.
#[inline(always)]
pub(crate) fn positive_part<T: Element>(value: T) -> T {
    if value <= T::ZERO { T::ZERO } else { value }
}

struct Relu;

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        with_element!(input.dtype(), self.name(), T => {
            let input = slice::<T>(input, layout)?;
            let values = filled(input.len(), CHUNK, inlined!(|start, chunk| {
                chunk.iter_mut().zip(&input[start..]).for_each(|(value, input)| *value = positive_part(*input));
            }));
            Ok(output(values, layout.shape().clone()))
        })
    }

    fn bwd(&self, _input: &Tensor, result: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        with_element!(grad.dtype(), self.name(), T => {
            let values = mask_by_output(&Elements::<T>::of(&grad)?, &Elements::<T>::of(result)?, 1.0);
            Ok(Some(tensor(values, grad.shape().clone())?))
        })
    }
}

struct AddBias {
    relu: bool,
}

impl CustomOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add_bias"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        with_element!(input.dtype(), self.name(), T => {
            let (input, bias) = (slice::<T>(input, input_layout)?, slice::<T>(bias, bias_layout)?);
            let n_channels = bias.len().max(1);
            let values = filled(input.len(), rows_per_chunk(n_channels) * n_channels, inlined!(|start, chunk| {
                let rows = chunk.chunks_exact_mut(n_channels).zip(input[start..].chunks_exact(n_channels));
                for (row, input) in rows {
                    for ((value, input), bias) in row.iter_mut().zip(input).zip(bias) {
                        let sum = *input + *bias;
                        *value = if self.relu { positive_part(sum) } else { sum };
                    }
                }
            }));
            Ok(output(values, input_layout.shape().clone()))
        })
    }

    fn bwd(
        &self,
        input: &Tensor,
        bias: &Tensor,
        result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mut grad = grad.contiguous()?;
        with_element!(grad.dtype(), self.name(), T => {
            if self.relu {
                let masked = mask_by_output(&Elements::<T>::of(&grad)?, &Elements::<T>::of(result)?, 1.0);
                grad = tensor(masked, grad.shape().clone())?;
            }
            let bias_grad = if bias.track_op() {
                Some(tensor(column_sums(&Elements::<T>::of(&grad)?, bias.elem_count()), bias.elem_count())?)
            } else {
                None
            };
            Ok((input.track_op().then_some(grad), bias_grad))
        })
    }
}
