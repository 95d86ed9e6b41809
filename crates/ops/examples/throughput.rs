//! Milliseconds and GFLOP/s of single operations, to see where time goes: `cargo run --release --example throughput`.
//!
//! Set `RAYON_NUM_THREADS` and `CANDLE_NUM_THREADS` first; without them candle asks the system on every product.

use std::time::Instant;

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, Var};
use stillhouse_ops::init::{InitKey, normal};
use stillhouse_ops::optimizer::{AdamWHyper, adamw_step};
use stillhouse_ops::{DropoutKey, batch_norm_train, conv2d, dropout, linear_relu, max_pool2d, relu};

const REPETITIONS: usize = 20;

fn main() -> Result<()> {
    stillhouse_ops::keep_freed_memory();
    println!("{:<34} {:>9} {:>9}", "operation", "ms", "GFLOP/s");
    matrix_product(128, 1200, 1200)?;
    matrix_product(131_072, 288, 32)?;
    mlp_layer(128, 1200, 1200)?;
    convolution(128, 32, 32, 32, 3, 1)?;
    convolution(128, 16, 64, 64, 3, 1)?;
    convolution(128, 8, 128, 128, 3, 1)?;
    convolution(128, 32, 3, 32, 3, 1)?;
    convolution(128, 32, 32, 64, 3, 2)?;
    convolution(128, 32, 64, 64, 1, 1)?;
    elementwise(&[128, 32, 32, 32])?;
    adamw(1200 * 1200)
}

/// The best of all repetitions, printed with the rate at which `flops` were done.
///
/// The best and not the median, because other programs can only make an operation slower.
fn report(name: &str, flops: f64, mut work: impl FnMut() -> Result<()>) -> Result<()> {
    let mut best_ms = f64::INFINITY;
    for _ in 0..REPETITIONS {
        let start = Instant::now();
        work()?;
        best_ms = best_ms.min(start.elapsed().as_secs_f64() * 1e3);
    }
    println!("{name:<34} {best_ms:>9.3} {:>9.1}", flops / best_ms / 1e6);
    Ok(())
}

fn random(name: &str, shape: &[usize]) -> Result<Tensor> {
    normal(shape, 0.0, 0.1, InitKey { seed: 0, name }, DType::F32, &Device::Cpu)
}

/// What the matrix product alone reaches.
fn matrix_product(m: usize, k: usize, n: usize) -> Result<()> {
    let (left, right) = (random("left", &[m, k])?, random("right", &[k, n])?);
    report(&format!("matmul {m}x{k}x{n}"), 2.0 * (m * k * n) as f64, || left.matmul(&right).map(|_| ()))
}

fn mlp_layer(batch: usize, n_inputs: usize, n_outputs: usize) -> Result<()> {
    let input = Var::from_tensor(&random("input", &[batch, n_inputs])?)?;
    let weight = Var::from_tensor(&random("weight", &[n_outputs, n_inputs])?)?;
    let bias = Var::from_tensor(&random("bias", &[n_outputs])?)?;
    let flops = 2.0 * (batch * n_inputs * n_outputs) as f64;
    forward_and_backward(&format!("linear_relu {batch}x{n_inputs}x{n_outputs}"), flops, || {
        linear_relu(&input, &weight, &bias)
    })
}

fn convolution(batch: usize, side: usize, c: usize, o: usize, kernel: usize, stride: usize) -> Result<()> {
    let input = Var::from_tensor(&random("input", &[batch, side, side, c])?)?;
    let weight = Var::from_tensor(&random("weight", &[kernel, kernel, c, o])?)?;
    let out = side.div_ceil(stride);
    let flops = 2.0 * (batch * out * out * kernel * kernel * c * o) as f64;
    let name = format!("conv {batch}x{side}x{side}x{c}->{o} k{kernel} s{stride}");
    forward_and_backward(&name, flops, || conv2d(&input, &weight, stride, kernel / 2))
}

fn forward_and_backward(name: &str, flops: f64, op: impl Fn() -> Result<Tensor>) -> Result<()> {
    report(name, flops, || op().map(|_| ()))?;
    let grad = random("gradient", op()?.dims())?;
    report("  with backward", 3.0 * flops, || op()?.apply_op1(Sink { grad: grad.clone() })?.backward().map(|_| ()))
}

/// A loss that costs nothing and has a given gradient.
struct Sink {
    grad: Tensor,
}

impl CustomOp1 for Sink {
    fn name(&self) -> &'static str {
        "sink"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), Shape::from(())))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.grad.clone()))
    }
}

fn elementwise(shape: &[usize]) -> Result<()> {
    let input = Var::from_tensor(&random("input", shape)?)?;
    let channels = shape[shape.len() - 1];
    let gamma = Var::ones(channels, DType::F32, &Device::Cpu)?;
    let beta = Var::zeros(channels, DType::F32, &Device::Cpu)?;
    let n = input.elem_count() as f64;
    forward_and_backward("identity", n, || Ok(input.as_tensor().clone()))?;
    forward_and_backward("relu", n, || relu(&input))?;
    forward_and_backward("dropout", n, || dropout(&input, 0.5, DropoutKey { seed: 0 }))?;
    forward_and_backward("batch_norm relu", n, || Ok(batch_norm_train(&input, &gamma, &beta, 1e-5, true)?.0))?;
    forward_and_backward("max_pool2d 2", n, || max_pool2d(&input, 2, 2, 0))
}

fn adamw(len: usize) -> Result<()> {
    let param = Var::from_tensor(&random("param", &[len])?)?;
    let grad = random("grad", &[len])?;
    let moments = Tensor::zeros((2, len), DType::F32, &Device::Cpu)?;
    let hyper = AdamWHyper {
        learning_rate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.01,
        gradient_scale: 1.0,
        step: 1,
    };
    report(&format!("adamw {len}"), 12.0 * len as f64, || adamw_step(&param, &grad, &moments, hyper))
}
