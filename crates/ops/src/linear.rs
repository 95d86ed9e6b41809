//! Fully connected layers, with what usually follows them.
//!
//! Shapes: `B` examples (any number of axes), `I` inputs, `O` outputs; weights are `[O, I]`, one row for each output
//! unit.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use crate::activation::positive_part;
use crate::composite;
use crate::dropout::{DropoutKey, Mask};
use crate::element::{Element, value_or_zero, with_element};
use crate::matmul::{Matrix, product};
use crate::parallel::{CHUNK, filled, for_each_chunk, rows_per_chunk, sum_over_rows};
use crate::shape::{expect_channels, expect_matrix, expect_same_kind, expect_shape};
use crate::storage::{Elements, output, slice, tensor};
use crate::tape::apply3;
use crate::vector::inlined;

/// `input [B, I] weight^T [I, O] + bias [O]`, an output of shape `[B, O]`.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit.
pub fn linear(input: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(input, weight, bias, Linear { relu: false, mask: None })
}

/// `max(0, linear(input, weight, bias))` in one operation.
///
/// # Errors
/// As [`linear`].
pub fn linear_relu(input: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(input, weight, bias, Linear { relu: true, mask: None })
}

/// `dropout(linear_relu(input, weight, bias), probability, key)` in one operation.
///
/// The backward needs no mask: what was dropped and what was not positive is zero in the output.
///
/// # Errors
/// As [`linear`], and a probability that is not at least 0 and below 1.
pub fn linear_relu_dropout(
    input: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    probability: f64,
    key: DropoutKey,
) -> Result<Tensor> {
    apply(input, weight, bias, Linear { relu: true, mask: Mask::checked(probability, key)? })
}

struct Linear {
    relu: bool,
    /// Only after a rectifier: the backward reads from its output which elements were dropped.
    mask: Option<Mask>,
}

fn apply(input: &Tensor, weight: &Tensor, bias: &Tensor, op: Linear) -> Result<Tensor> {
    let name = op.name();
    let n_inputs = expect_channels(name, input)?;
    let (n_outputs, _) = expect_matrix(name, "weight", weight)?;
    expect_shape(name, "weight", weight, &[n_outputs, n_inputs])?;
    expect_shape(name, "bias", bias, &[n_outputs])?;
    expect_same_kind(name, input, &[("weight", weight), ("bias", bias)])?;
    if !input.device().is_cpu() {
        let result = composite::linear(input, weight, bias, op.relu)?;
        return op.mask.map_or(Ok(result.clone()), |mask| composite::dropout(&result, &mask));
    }
    apply3(op, &input.contiguous()?, &weight.contiguous()?, &bias.contiguous()?)
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        match (self.relu, &self.mask) {
            (false, _) => "linear",
            (true, None) => "linear_relu",
            (true, Some(_)) => "linear_relu_dropout",
        }
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n_outputs, n_inputs) = weight_layout.shape().dims2()?;
        let leading = &input_layout.dims()[..input_layout.dims().len() - 1];
        let shape = [leading, &[n_outputs]].concat();
        with_element!(input.dtype(), self.name(), T => {
            let input = Matrix::row_major(slice::<T>(input, input_layout)?, leading.iter().product(), n_inputs);
            let weight = Matrix::row_major(slice::<T>(weight, weight_layout)?, n_outputs, n_inputs);
            let mut values = product(input, weight.transposed());
            self.finish(&mut values, slice::<T>(bias, bias_layout)?);
            Ok(output(values, shape))
        })
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (n_outputs, n_inputs) = weight.dims2()?;
        let n_rows = input.dims()[..input.rank() - 1].iter().product();
        with_element!(grad.dtype(), self.name(), T => {
            let mut masked = Vec::new();
            let locked = Elements::<T>::of(&grad)?;
            if self.relu {
                let scale = self.mask.as_ref().map_or(1.0, Mask::scale);
                masked = mask_by_output(&locked, &Elements::<T>::of(result)?, scale);
            }
            let grad: &[T] = if self.relu { &masked } else { &locked };
            let rows = Matrix::row_major(grad, n_rows, n_outputs);
            let input_grad = if input.track_op() {
                let weight = Elements::<T>::of(weight)?;
                let weight = Matrix::row_major(&weight, n_outputs, n_inputs);
                Some(tensor(product(rows, weight), input.shape().clone())?)
            } else {
                None
            };
            let weight_grad = if weight.track_op() {
                let input = Elements::<T>::of(input)?;
                let input = Matrix::row_major(&input, n_rows, n_inputs);
                Some(tensor(product(rows.transposed(), input), (n_outputs, n_inputs))?)
            } else {
                None
            };
            let bias_grad = if bias.track_op() { Some(tensor(column_sums(grad, n_outputs), n_outputs)?) } else { None };
            Ok((input_grad, weight_grad, bias_grad))
        })
    }
}

impl Linear {
    /// What follows the product: bias, rectifier and mask, a chunk of rows at a time.
    fn finish<T: Element>(&self, values: &mut [T], bias: &[T]) {
        let n_outputs = bias.len().max(1);
        // an even number of rows: the mask goes by pairs of elements
        let chunk_len = rows_per_chunk(n_outputs).next_multiple_of(2) * n_outputs;
        for_each_chunk(
            values,
            chunk_len,
            inlined!(|start, chunk| {
                for row in chunk.chunks_exact_mut(n_outputs) {
                    for (value, bias) in row.iter_mut().zip(bias) {
                        let sum = *value + *bias;
                        *value = if self.relu { positive_part(sum) } else { sum };
                    }
                }
                if let Some(mask) = &self.mask {
                    mask.apply_at(start, chunk);
                }
            }),
        );
    }
}

/// `scale` times the gradient where the output of the rectifier is above zero, zero elsewhere.
pub(crate) fn mask_by_output<T: Element>(grad: &[T], result: &[T], scale: f64) -> Vec<T> {
    let scale = T::rounded(scale);
    filled(
        grad.len(),
        CHUNK,
        inlined!(|start, chunk| {
            for ((value, grad), result) in chunk.iter_mut().zip(&grad[start..]).zip(&result[start..]) {
                *value = value_or_zero(*result > T::ZERO, *grad * scale);
            }
        }),
    )
}

/// Sums over all rows of `[.., C]`, the gradient of a bias `[C]`.
pub(crate) fn column_sums<T: Element>(values: &[T], n_columns: usize) -> Vec<T> {
    if n_columns == 0 {
        return Vec::new();
    }
    let sums = sum_over_rows(
        values.len() / n_columns,
        n_columns,
        n_columns,
        inlined!(|rows, sums| {
            for row in values[rows.start * n_columns..rows.end * n_columns].chunks_exact(n_columns) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value.widened());
            }
        }),
    );
    sums.into_iter().map(T::rounded).collect()
}
