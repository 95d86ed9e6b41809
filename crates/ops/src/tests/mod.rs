//! Laws that every operation keeps, checked on one table of cases: the gradient is the derivative, the composite of
//! candle's operations agrees, strides do not matter, and neither does the number of threads.

mod bad_input;
mod cases;
#[cfg(feature = "cuda")]
mod cuda;
mod golden;
mod laws;
mod losses;
mod optimizers;
mod products;
mod randomness;
mod row_gradients;
mod tape;
mod vector;

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::init::{InitKey, normal};

/// Normal numbers, the same for the same name.
fn random(name: &str, shape: &[usize], dtype: DType) -> Tensor {
    normal(shape, 0.0, 1.0, InitKey { seed: 1, name }, dtype, &Device::Cpu).unwrap()
}

/// The bits of all elements.
fn bits(tensor: &Tensor) -> Vec<u64> {
    values(tensor).into_iter().map(f64::to_bits).collect()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest distance of two elements.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    values(a).iter().zip(values(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The output of `op` and the gradients of all inputs, for a loss that weights the outputs with fixed random numbers.
fn run(op: &dyn Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> (Tensor, Vec<Tensor>) {
    let vars: Vec<Var> = inputs.iter().map(|input| Var::from_tensor(input).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let output = op(&tensors).unwrap();
    let grads = weighted_sum(&output).backward().unwrap();
    let grads = vars.iter().map(|var| grads.get(var).expect("a gradient for every input").clone()).collect();
    (output.detach(), grads)
}

fn weighted_sum(output: &Tensor) -> Tensor {
    let weights = random("weights of outputs", output.dims(), output.dtype()).to_device(output.device());
    (output * weights.unwrap()).unwrap().sum_all().unwrap()
}
