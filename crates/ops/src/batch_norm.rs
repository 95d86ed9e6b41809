//! Batch normalisation over all axes but the last (Ioffe and Szegedy 2015), followed by an optional rectifier.
//!
//! Shapes: `C` channels, `M` positions (the product of all other axes).

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Error, InplaceOp2, Layout, Result, Shape, Tensor};

use crate::activation::relu;
use crate::arithmetic::add;
use crate::batch_norm_kernel::{Channels, Upstream, backward, moments, normalise};
use crate::channel_moments::ChannelMoments;
use crate::composite;
use crate::element::{Element, with_element};
use crate::linear::mask_by_output;
use crate::shape::{expect_channels, expect_positive, expect_same_kind, expect_shape, mismatch};
use crate::storage::{Elements, output, slice, slice_mut, tensor};
use crate::tape::{apply_any, apply3, is_recorded};

const NAME: &str = "batch_norm";

/// `gamma (input - mean) / sqrt(var + eps) + beta` with the statistics of this batch, rectified if `fuse_relu`.
///
/// Takes `input [.., C]`, `gamma [C]`, `beta [C]`; returns the output `[.., C]`, the batch mean `[C]` and the batch
/// variance `[C]`. The variance is the biased one, divided by `M`, as it is used here; a running variance as PyTorch
/// keeps it is larger by the factor `M / (M - 1)`. Mean and variance are outside of the graph; the backward through
/// them is part of the operation.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit, an empty batch.
pub fn batch_norm_train(
    input: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f64,
    fuse_relu: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let n_channels = check(input, &[("gamma", gamma), ("beta", beta)])?;
    expect_positive(NAME, "positions per channel", input.elem_count() / n_channels)?;
    if !input.device().is_cpu() {
        return composite::batch_norm_train(input, gamma, beta, eps, fuse_relu);
    }
    let input = input.contiguous()?;
    let moments = with_element!(input.dtype(), NAME, T => Ok(moments(&Elements::<T>::of(&input)?, n_channels)))?;
    let [mean, var] = moments.tensors(&input)?;
    let result = normalise_batch(&input, moments, gamma, beta, eps, Epilogue { residual: None, relu: fuse_relu })?;
    Ok((result, mean, var))
}

/// The operations that follow a normalisation in the same pass.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a> {
    /// Added before the rectifier; of the shape of the input.
    pub(crate) residual: Option<&'a Tensor>,
    pub(crate) relu: bool,
}

/// Normalises a contiguous input on the CPU by its own moments; shapes are checked.
pub(crate) fn normalise_batch(
    input: &Tensor,
    moments: ChannelMoments,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f64,
    epilogue: Epilogue<'_>,
) -> Result<Tensor> {
    let op = BatchNorm { moments: Arc::new(moments), eps, relu: epilogue.relu, of_batch: true };
    op.apply(input, gamma, beta, epilogue.residual)
}

/// Batch normalisation with given statistics `[C]`, which are constants; it has a backward too.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit.
pub fn batch_norm_eval(
    input: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    running_mean: &Tensor,
    running_var: &Tensor,
    eps: f64,
    fuse_relu: bool,
) -> Result<Tensor> {
    let statistics = [("running mean", running_mean), ("running variance", running_var)];
    check(input, &[("gamma", gamma), ("beta", beta), statistics[0], statistics[1]])?;
    if !input.device().is_cpu() {
        return composite::batch_norm_eval(input, gamma, beta, running_mean, running_var, eps, fuse_relu);
    }
    let moments = ChannelMoments::of_tensors(running_mean, running_var)?;
    let op = BatchNorm { moments: Arc::new(moments), eps, relu: fuse_relu, of_batch: false };
    op.apply(&input.contiguous()?, gamma, beta, None)
}

/// `running = (1 - momentum) running + momentum batch`, in place; `momentum` is the weight of the new batch.
///
/// # Errors
/// Shapes, dtypes or devices that differ.
pub fn update_running_average(running: &Tensor, batch: &Tensor, momentum: f64) -> Result<()> {
    let op = RunningAverage { momentum };
    expect_shape("update_running_average", "batch value", batch, running.dims())?;
    expect_same_kind("update_running_average", running, &[("batch value", batch)])?;
    if !running.device().is_cpu() {
        let updated = ((running * (1.0 - momentum))? + (batch * momentum)?)?;
        return running.slice_set(&updated.detach().contiguous()?, 0, 0);
    }
    running.inplace_op2(&batch.contiguous()?, &op)
}

fn check(input: &Tensor, vectors: &[(&str, &Tensor)]) -> Result<usize> {
    let n_channels = expect_channels(NAME, input)?;
    if n_channels == 0 {
        return Err(mismatch(NAME, "shape of input", "at least 1 channel", input.dims()));
    }
    for (name, vector) in vectors {
        expect_shape(NAME, name, vector, &[n_channels])?;
    }
    expect_same_kind(NAME, input, vectors)?;
    Ok(n_channels)
}

#[derive(Clone)]
struct BatchNorm {
    moments: Arc<ChannelMoments>,
    eps: f64,
    relu: bool,
    /// The statistics depend on the input, so that the gradient goes through them.
    of_batch: bool,
}

impl BatchNorm {
    fn apply(self, input: &Tensor, gamma: &Tensor, beta: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        let (gamma, beta) = (gamma.contiguous()?, beta.contiguous()?);
        match residual {
            None => apply3(self, input, &gamma, &beta),
            Some(residual) => self.apply_with_residual(input, &gamma, &beta, &residual.contiguous()?),
        }
    }

    /// candle's graph has no operations of four inputs; there, the residual is added by an operation of its own.
    fn apply_with_residual(self, input: &Tensor, gamma: &Tensor, beta: &Tensor, residual: &Tensor) -> Result<Tensor> {
        let inputs = [input, gamma, beta, residual];
        if !is_recorded(NAME, &inputs)? && inputs.iter().any(|input| input.track_op()) {
            let normalised = apply3(Self { relu: false, ..self.clone() }, input, gamma, beta)?;
            let sum = add(&normalised, residual)?;
            return if self.relu { relu(&sum) } else { Ok(sum) };
        }
        let result = with_element!(input.dtype(), NAME, T => {
            let shape = input.shape().clone();
            let (input, residual) = (Elements::<T>::of(input)?, Elements::<T>::of(residual)?);
            let channels = self.channels(&Elements::<T>::of(gamma)?, &Elements::<T>::of(beta)?);
            Ok(output(normalise(&input, Some(&residual), &channels, self.relu), shape))
        })?;
        apply_any(NAME, &inputs, result, move |inputs, result, grad| self.backward_with_residual(inputs, result, grad))
    }

    /// The gradient of the rectifier's input is that of a sum, so it is the residual's gradient too.
    fn backward_with_residual(&self, inputs: &[Tensor], result: &Tensor, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let [input, gamma, beta, residual] = inputs else { return Err(Error::msg("internal: four inputs")) };
        let mut grad = grad.contiguous()?;
        if self.relu {
            grad = with_element!(grad.dtype(), NAME, T => {
                let masked = mask_by_output(&Elements::<T>::of(&grad)?, &Elements::<T>::of(result)?, 1.0);
                tensor(masked, grad.shape().clone())
            })?;
        }
        let of_sum = Self { relu: false, ..self.clone() };
        let (input, gamma, beta) = of_sum.bwd(input, gamma, beta, result, &grad)?;
        Ok(vec![input, gamma, beta, residual.track_op().then_some(grad)])
    }

    fn channels<T: Element>(&self, gamma: &[T], beta: &[T]) -> Channels<T> {
        Channels::new(&self.moments, self.eps, gamma, beta)
    }
}

impl CustomOp3 for BatchNorm {
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
            let channels = self.channels(slice::<T>(gamma, gamma_layout)?, slice(beta, beta_layout)?);
            let values = normalise(slice::<T>(input, input_layout)?, None, &channels, self.relu);
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
            let (grad, values) = (Elements::<T>::of(&grad)?, Elements::<T>::of(input)?);
            let channels = self.channels(&Elements::<T>::of(gamma)?, &Elements::<T>::of(beta)?);
            let upstream = Upstream { grad: &grad, input: &values, relu: self.relu, channels: &channels };
            let grads = backward(upstream, self.of_batch, input.track_op());
            let input_grad = grads.input.map(|values| tensor(values, input.shape().clone())).transpose()?;
            let gamma_grad = gamma.track_op().then(|| tensor(grads.gamma, n_channels)).transpose()?;
            let beta_grad = beta.track_op().then(|| tensor(grads.beta, n_channels)).transpose()?;
            Ok((input_grad, gamma_grad, beta_grad))
        })
    }
}

struct RunningAverage {
    momentum: f64,
}

impl InplaceOp2 for RunningAverage {
    fn name(&self) -> &'static str {
        "update_running_average"
    }

    fn cpu_fwd(
        &self,
        running: &mut CpuStorage,
        running_layout: &Layout,
        batch: &CpuStorage,
        batch_layout: &Layout,
    ) -> Result<()> {
        with_element!(running.dtype(), "update_running_average", T => {
            let (keep, momentum) = ((1.0 - self.momentum) as T, self.momentum as T);
            let batch = slice::<T>(batch, batch_layout)?;
            for (running, batch) in slice_mut::<T>(running, running_layout)?.iter_mut().zip(batch) {
                *running = keep * *running + momentum * *batch;
            }
            Ok(())
        })
    }
}
