//! Batch normalisation over all axes but the last (Ioffe and Szegedy 2015), with an optional rectifier behind it.
//!
//! Shapes: `C` channels, `M` positions (the product of all other axes).

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, DType, InplaceOp2, Layout, Result, Shape, Tensor};

use crate::batch_norm_kernel::{Affine, backward, inverse_std, normalise, statistics};
use crate::composite;
use crate::element::with_element;
use crate::shape::{expect_channels, expect_positive, expect_same_kind, expect_shape, mismatch};
use crate::storage::{Elements, output, slice, slice_mut, tensor};
use crate::tape::apply3;

const NAME: &str = "batch_norm";

/// `gamma (input - mean) / sqrt(var + eps) + beta` with the statistics of this batch, rectified if `fuse_relu`.
///
/// Takes `input [.., C]`, `gamma [C]`, `beta [C]`; returns the output `[.., C]`, the batch mean `[C]` and the batch
/// variance `[C]`. The variance is the biased one, divided by `M`, as it is used here; whoever keeps a running variance
/// in PyTorch's sense multiplies it by `M / (M - 1)`. Mean and variance are outside of the graph; the backward through
/// them is part of the operation.
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
    let (mean, var) = with_element!(input.dtype(), NAME, T => {
        Ok(statistics(&Elements::<T>::of(&input)?, n_channels))
    })?;
    let batch_mean = Tensor::from_slice(&mean, n_channels, input.device())?.to_dtype(input.dtype())?;
    let batch_var = Tensor::from_slice(&var, n_channels, input.device())?.to_dtype(input.dtype())?;
    let op =
        BatchNorm { inverse_std: inverse_std(&var, eps).into(), mean: mean.into(), relu: fuse_relu, of_batch: true };
    let result = apply3(op, &input, &gamma.contiguous()?, &beta.contiguous()?)?;
    Ok((result, batch_mean, batch_var))
}

/// The same normalisation with given statistics `[C]`, which are constants; it has a backward too.
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
    let mean = running_mean.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let var = running_var.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let op =
        BatchNorm { inverse_std: inverse_std(&var, eps).into(), mean: mean.into(), relu: fuse_relu, of_batch: false };
    apply3(op, &input.contiguous()?, &gamma.contiguous()?, &beta.contiguous()?)
}

/// `running = (1 - momentum) running + momentum batch`, in place; `momentum` is the weight of the new batch.
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

struct BatchNorm {
    mean: Arc<[f64]>,
    inverse_std: Arc<[f64]>,
    relu: bool,
    /// The statistics depend on the input, so that the gradient goes through them.
    of_batch: bool,
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
            let gamma = slice::<T>(gamma, gamma_layout)?;
            let affine = Affine::new(&self.mean, &self.inverse_std, gamma);
            let values = normalise(slice::<T>(input, input_layout)?, &affine, slice(beta, beta_layout)?, self.relu);
            Ok(output(values, input_layout.shape().clone()))
        })
    }

    fn bwd(
        &self,
        input: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let n_channels = gamma.elem_count();
        with_element!(grad.dtype(), NAME, T => {
            let (grad, values) = (Elements::<T>::of(&grad)?, Elements::<T>::of(input)?);
            let (result, gamma_values) = (Elements::<T>::of(result)?, Elements::<T>::of(gamma)?);
            let rectified: Option<&[T]> = self.relu.then_some(&result);
            let affine = Affine::new(&self.mean, &self.inverse_std, &gamma_values);
            let grads = backward(&grad, &values, rectified, &affine, self.of_batch, input.track_op());
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
