//! Layer normalisation over the last axis (Ba, Kiros and Hinton 2016).
//!
//! Shapes: `M` rows, `C` channels of a row.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use crate::composite;
use crate::element::{Element, with_element};
use crate::lane_sums::{product_sum, sum_of, sum_of_two};
use crate::parallel::{filled, map_chunks_mut, rows_per_chunk};
use crate::shape::{expect_channels, expect_positive, expect_same_kind, expect_shape};
use crate::storage::{Elements, output, slice, tensor};
use crate::tape::apply3;
use crate::vector::inlined;

const NAME: &str = "layer_norm";

/// `gamma (input - mean) / sqrt(var + eps) + beta` with mean and biased variance of each row of `input [.., C]`;
/// `gamma` and `beta` are `[C]`.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit.
pub fn layer_norm(input: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    let n_channels = expect_channels(NAME, input)?;
    expect_positive(NAME, "channels", n_channels)?;
    let vectors = [("gamma", gamma), ("beta", beta)];
    for (name, vector) in vectors {
        expect_shape(NAME, name, vector, &[n_channels])?;
    }
    expect_same_kind(NAME, input, &vectors)?;
    if !input.device().is_cpu() {
        return composite::layer_norm(input, gamma, beta, eps);
    }
    apply3(LayerNorm { eps }, &input.contiguous()?, &gamma.contiguous()?, &beta.contiguous()?)
}

struct LayerNorm {
    eps: f64,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        gamma: &CpuStorage,
        gamma_layout: &Layout,
        beta: &CpuStorage,
        beta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        with_element!(input.dtype(), NAME, T => {
            let (gamma, beta) = (slice::<T>(gamma, gamma_layout)?, slice::<T>(beta, beta_layout)?);
            let values = forward(slice::<T>(input, input_layout)?, gamma, beta, self.eps);
            Ok(output(values, input_layout.shape().clone()))
        })
    }

    fn bwd(
        &self,
        input: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let n_channels = gamma.elem_count();
        with_element!(grad.dtype(), NAME, T => {
            let (grads, inputs) = (Elements::<T>::of(&grad)?, Elements::<T>::of(input)?);
            let grads = backward(&grads, &inputs, &Elements::<T>::of(gamma)?, self.eps);
            let input_grad = input.track_op().then(|| tensor(grads.input, input.shape().clone())).transpose()?;
            let gamma_grad = gamma.track_op().then(|| tensor(grads.gamma, n_channels)).transpose()?;
            let beta_grad = beta.track_op().then(|| tensor(grads.beta, n_channels)).transpose()?;
            Ok((input_grad, gamma_grad, beta_grad))
        })
    }
}

/// Mean and `1 / sqrt(var + eps)` of a row.
#[inline(always)]
fn statistics<T: Element>(row: &[T], eps: f64) -> (T, T) {
    let share = T::rounded(1.0 / row.len() as f64);
    let mean = sum_of(row, |value| value) * share;
    let var = sum_of(row, |value| (value - mean) * (value - mean)) * share;
    (mean, T::ONE / Element::sqrt(var + T::rounded(eps)))
}

fn forward<T: Element>(input: &[T], gamma: &[T], beta: &[T], eps: f64) -> Vec<T> {
    let n_channels = gamma.len();
    filled(
        input.len(),
        rows_per_chunk(n_channels) * n_channels,
        inlined!(|start, chunk| {
            let rows = chunk.chunks_exact_mut(n_channels).zip(input[start..].chunks_exact(n_channels));
            for (values, row) in rows {
                let (mean, inverse_std) = statistics(row, eps);
                for (((value, x), gamma), beta) in values.iter_mut().zip(row).zip(gamma).zip(beta) {
                    *value = (*x - mean) * inverse_std * *gamma + *beta;
                }
            }
        }),
    )
}

struct Grads<T> {
    input: Vec<T>,
    gamma: Vec<T>,
    beta: Vec<T>,
}

/// With `h = (x - mean) / std` and `g = grad gamma`, the gradient of `x` is `(g - mean(g) - h mean(g h)) / std`.
fn backward<T: Element>(grad: &[T], input: &[T], gamma: &[T], eps: f64) -> Grads<T> {
    let n_channels = gamma.len();
    let mut input_grad = vec![T::ZERO; input.len()];
    let partial_sums = map_chunks_mut(
        &mut input_grad,
        rows_per_chunk(n_channels) * n_channels,
        inlined!(|start, chunk| {
            let mut sums = vec![T::ZERO; 2 * n_channels];
            let rows = chunk.chunks_exact_mut(n_channels).zip(input[start..].chunks_exact(n_channels));
            let rows = rows.zip(grad[start..].chunks_exact(n_channels));
            let (gamma_sums, beta_sums) = sums.split_at_mut(n_channels);
            for ((values, row), grad) in rows {
                backward_row(values, row, grad, gamma, eps, gamma_sums, beta_sums);
            }
            sums
        }),
    );
    let mut gamma_grad = vec![T::ZERO; n_channels];
    let mut beta_grad = gamma_grad.clone();
    for sums in &partial_sums {
        let (gamma_sums, beta_sums) = sums.split_at(n_channels);
        gamma_grad.iter_mut().zip(gamma_sums).for_each(|(total, sum)| *total += *sum);
        beta_grad.iter_mut().zip(beta_sums).for_each(|(total, sum)| *total += *sum);
    }
    Grads { input: input_grad, gamma: gamma_grad, beta: beta_grad }
}

/// Writes the gradient of one row to `values`, and adds to the sums of `gamma` and `beta`.
#[inline(always)]
fn backward_row<T: Element>(
    values: &mut [T],
    row: &[T],
    grad: &[T],
    gamma: &[T],
    eps: f64,
    gamma_sums: &mut [T],
    beta_sums: &mut [T],
) {
    let (mean, inverse_std) = statistics(row, eps);
    let share = T::rounded(1.0 / row.len() as f64);
    for ((value, x), ((sum, beta_sum), grad)) in
        values.iter_mut().zip(row).zip(gamma_sums.iter_mut().zip(beta_sums).zip(grad))
    {
        let normalised = (*x - mean) * inverse_std;
        *sum += *grad * normalised;
        *beta_sum += *grad;
        *value = normalised;
    }
    let grad_mean = sum_of_two(grad, gamma, |grad, gamma| grad * gamma) * share;
    let product_mean = product_sum(grad, gamma, values) * share;
    for ((value, grad), gamma) in values.iter_mut().zip(grad).zip(gamma) {
        *value = inverse_std * (*grad * *gamma - grad_mean - *value * product_mean);
    }
}
