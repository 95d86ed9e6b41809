//! Fully connected layers.
//!
//! Shapes: `B` examples, `I` inputs, `O` outputs; weights are `[O, I]`, one row for each output unit.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use crate::composite;
use crate::element::{Element, value_or_zero, with_element};
use crate::matmul::{Matrix, Write, multiply};
use crate::parallel::{filled, gemm_parallelism, rows_per_chunk, sum_over_rows};
use crate::shape::{expect_matrix, expect_same_kind, expect_shape};
use crate::storage::{Elements, output, slice, tensor};
use crate::tape::apply3;

/// `input [B, I] weight^T [I, O] + bias [O]`, an output of shape `[B, O]`.
pub fn linear(input: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(input, weight, bias, Linear { relu: false })
}

/// `max(0, linear(input, weight, bias))` in one operation: one edge of the graph and one pass less.
pub fn linear_relu(input: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(input, weight, bias, Linear { relu: true })
}

struct Linear {
    relu: bool,
}

fn apply(input: &Tensor, weight: &Tensor, bias: &Tensor, op: Linear) -> Result<Tensor> {
    let name = op.name();
    let (_, n_inputs) = expect_matrix(name, "input", input)?;
    let (n_outputs, _) = expect_matrix(name, "weight", weight)?;
    expect_shape(name, "weight", weight, &[n_outputs, n_inputs])?;
    expect_shape(name, "bias", bias, &[n_outputs])?;
    expect_same_kind(name, input, &[("weight", weight), ("bias", bias)])?;
    if !input.device().is_cpu() {
        return composite::linear(input, weight, bias, op.relu);
    }
    apply3(op, &input.contiguous()?, &weight.contiguous()?, &bias.contiguous()?)
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        if self.relu { "linear_relu" } else { "linear" }
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
        let (batch, n_inputs) = input_layout.shape().dims2()?;
        let n_outputs = bias_layout.shape().elem_count();
        with_element!(input.dtype(), self.name(), T => {
            let input = Matrix::row_major(slice::<T>(input, input_layout)?, batch, n_inputs);
            let weight = Matrix::row_major(slice::<T>(weight, weight_layout)?, n_outputs, n_inputs);
            let values = forward(input, weight, slice::<T>(bias, bias_layout)?, batch, self.relu);
            Ok(output(values, (batch, n_outputs)))
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
        let (batch, n_inputs) = input.dims2()?;
        let n_outputs = bias.elem_count();
        with_element!(grad.dtype(), self.name(), T => {
            let mut masked = Vec::new();
            let locked = Elements::<T>::of(&grad)?;
            if self.relu {
                masked = mask_by_output(&locked, &Elements::<T>::of(result)?);
            }
            let grad: &[T] = if self.relu { &masked } else { &locked };
            let rows = Matrix::row_major(grad, batch, n_outputs);
            let input_grad = if input.track_op() {
                let weight = Elements::<T>::of(weight)?;
                let weight = Matrix::row_major(&weight, n_outputs, n_inputs);
                Some(tensor(product(rows, weight, batch * n_inputs), (batch, n_inputs))?)
            } else {
                None
            };
            let weight_grad = if weight.track_op() {
                let input = Elements::<T>::of(input)?;
                let input = Matrix::row_major(&input, batch, n_inputs);
                Some(tensor(product(rows.transposed(), input, n_outputs * n_inputs), (n_outputs, n_inputs))?)
            } else {
                None
            };
            let bias_grad = if bias.track_op() { Some(tensor(column_sums(grad, n_outputs), n_outputs)?) } else { None };
            Ok((input_grad, weight_grad, bias_grad))
        })
    }
}

fn forward<T: Element>(input: Matrix<'_, T>, weight: Matrix<'_, T>, bias: &[T], batch: usize, relu: bool) -> Vec<T> {
    let n_outputs = bias.len();
    let chunk_len = rows_per_chunk(n_outputs) * n_outputs;
    let mut values = Vec::with_capacity(batch * n_outputs);
    (0..batch).for_each(|_| values.extend_from_slice(bias));
    multiply(&mut values, input, weight.transposed(), Write::Add, gemm_parallelism());
    if relu {
        crate::parallel::for_each_chunk(&mut values, chunk_len, |_, chunk| {
            chunk.iter_mut().for_each(|value| *value = crate::activation::positive_part(*value));
        });
    }
    values
}

/// The product as a new row-major matrix of `len` elements.
fn product<T: Element>(left: Matrix<'_, T>, right: Matrix<'_, T>, len: usize) -> Vec<T> {
    let mut values = vec![T::ZERO; len];
    multiply(&mut values, left, right, Write::Overwrite, gemm_parallelism());
    values
}

/// The gradient where the output of the rectifier is above zero, zero elsewhere.
pub(crate) fn mask_by_output<T: Element>(grad: &[T], result: &[T]) -> Vec<T> {
    filled(grad.len(), crate::parallel::CHUNK, |start, chunk| {
        for ((value, grad), result) in chunk.iter_mut().zip(&grad[start..]).zip(&result[start..]) {
            *value = value_or_zero(*result > T::ZERO, *grad);
        }
    })
}

/// Sums over all rows of `[.., C]`, the gradient of a bias `[C]`.
pub(crate) fn column_sums<T: Element>(values: &[T], n_columns: usize) -> Vec<T> {
    if n_columns == 0 {
        return Vec::new();
    }
    let sums = sum_over_rows(values.len() / n_columns, n_columns, n_columns, |rows, sums| {
        for row in values[rows.start * n_columns..rows.end * n_columns].chunks_exact(n_columns) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value.to_f64());
        }
    });
    sums.into_iter().map(T::from_f64).collect()
}
