//! The path of other devices, on a GPU: every operation and every step against its twin on the CPU.
//!
//! These tests need a GPU, and exist only in a build with the feature `cuda`.

use candle_core::{DType, Device, Error, Result, Tensor, Var};

use super::cases::{Scale, cases};
use super::{distance, random, run, values};
use crate::loss::cross_entropy;
use crate::optimizer::{
    AdamWHyper, SgdHyper, adamw_step, adamw_step_rows, global_norm, max_norm_columns, max_norm_rows, sgd_step,
    sgd_step_rows,
};
use crate::{Gradient, Gradients, TokenRows, embedding, embedding_bag, record, update_running_average};

fn gpu() -> Device {
    Device::new_cuda(0).expect("a GPU")
}

fn on(device: &Device, tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(|tensor| tensor.to_device(device).unwrap()).collect()
}

/// `distance`, relative to the largest element; infinite where a number is not finite.
fn relative_distance(a: &Tensor, b: &Tensor) -> f64 {
    if !values(a).iter().all(|value| value.is_finite()) {
        return f64::INFINITY;
    }
    distance(a, b) / (1.0 + values(b).iter().map(|value| value.abs()).fold(0.0, f64::max))
}

/// In double precision a few rounding errors of sums of at most some hundred terms, and of the GPU's own `exp`, `tanh`
/// and `erf`, are left. In single precision the sums have up to 70 000 terms, in another order; it is the tolerance of
/// the CPU operations against their composites.
#[test]
fn operations_and_gradients_agree_with_the_cpu() {
    let device = gpu();
    let mut n_wrong = 0;
    for (scale, dtype, tolerance) in [(Scale::Small, DType::F64, 1e-12), (Scale::Large, DType::F32, 2e-3)] {
        for case in cases(scale, dtype) {
            let (expected, expected_grads) = run(&case.op, &case.inputs);
            let inputs = on(&device, &case.inputs);
            let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&case.op, &inputs)));
            let Ok((output, grads)) = found else {
                eprintln!("{}: failed", case.name);
                n_wrong += 1;
                continue;
            };
            assert!(output.device().is_cuda(), "{}", case.name);
            let pairs = std::iter::once(&output).chain(&grads).zip(std::iter::once(&expected).chain(&expected_grads));
            let distance = pairs.map(|(got, expected)| relative_distance(got, expected)).fold(0.0, f64::max);
            println!("{dtype:?} {}: {distance:.1e}", case.name);
            if distance >= tolerance {
                eprintln!("{dtype:?} {}: {distance:.1e}, expected below {tolerance:.0e}", case.name);
                n_wrong += 1;
            }
        }
    }
    assert_eq!(n_wrong, 0, "operations that differ");
}

/// At zero, where half of a rectifier's inputs may be: in empty texts, and under the black background of images.
#[test]
fn the_gradient_of_the_rectifier_at_zero_is_zero() {
    for device in [Device::Cpu, gpu()] {
        let input = Tensor::new(&[[-1.0_f32, 0.0, 2.0, f32::NEG_INFINITY]], &device).unwrap();
        let (output, grads) = run(&|x| crate::relu(&x[0]), &[input]);
        assert_eq!(values(&output), [0.0, 0.0, 2.0, 0.0]);
        assert_eq!(
            values(&grads[0]).iter().map(|value| *value != 0.0).collect::<Vec<_>>(),
            [false, false, true, false]
        );
        let nan = Tensor::new(&[f32::NAN], &device).unwrap();
        assert!(values(&crate::relu(&nan).unwrap())[0].is_nan());
    }
}

const LEN: usize = 40_003;

fn sgd(momentum: f64, nesterov: bool) -> SgdHyper {
    SgdHyper { learning_rate: 0.1, momentum, nesterov, weight_decay: 0.01, gradient_scale: 0.7 }
}

fn adamw(step: u64) -> AdamWHyper {
    AdamWHyper { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.01, gradient_scale: 0.5, step }
}

fn zeros(shape: &[usize], device: &Device) -> Tensor {
    Tensor::zeros(shape, DType::F32, device).unwrap()
}

fn var(name: &str, shape: &[usize], device: &Device) -> Var {
    Var::from_tensor(&random(name, shape, DType::F32).to_device(device).unwrap()).unwrap()
}

/// Three steps of each kind.
fn trained(device: &Device) -> Vec<Tensor> {
    let mut results = Vec::new();
    let grad = |step: u64| random(&format!("grad {step}"), &[LEN], DType::F32).to_device(device).unwrap();
    for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
        let param = var("param", &[LEN], device);
        let velocity = (momentum > 0.0).then(|| zeros(&[LEN], device));
        (0..3).for_each(|step| sgd_step(&param, &grad(step), velocity.as_ref(), sgd(momentum, nesterov)).unwrap());
        results.push(param.detach());
        results.extend(velocity);
    }
    let (param, moments) = (var("param", &[LEN], device), zeros(&[2, LEN], device));
    (1..4).for_each(|step| adamw_step(&param, &grad(step), &moments, adamw(step)).unwrap());
    results.extend([param.detach(), moments]);
    for limit in [max_norm_rows, max_norm_columns] {
        let weight = var("weight", &[21, 5, 30], device);
        limit(&weight, 8.0).unwrap();
        results.push(weight.detach());
    }
    let running = zeros(&[7], device);
    update_running_average(&running, &random("batch", &[7], DType::F32).to_device(device).unwrap(), 0.1).unwrap();
    results.push(running);
    results
}

/// A step is a handful of roundings of numbers of about 1.
#[test]
fn steps_agree_with_the_cpu() {
    for (nth, (found, expected)) in trained(&gpu()).iter().zip(trained(&Device::Cpu)).enumerate() {
        assert!(relative_distance(found, &expected) < 1e-5, "{nth}: {}", relative_distance(found, &expected));
    }
    let grads = [random("a", &[LEN], DType::F32), random("b", &[7], DType::F32)];
    let expected = global_norm(&grads.each_ref()).unwrap();
    let on_gpu = on(&gpu(), &grads);
    let norm = global_norm(&on_gpu.iter().collect::<Vec<_>>()).unwrap();
    assert!((norm / expected - 1.0).abs() < 1e-6, "{norm}, expected {expected}");
}

const N_ROWS: usize = 300;
const WIDTH: usize = 12;

/// Bags of every second row at most, one of them empty.
fn bags(step: u64) -> TokenRows {
    let step = step as usize;
    let bag = |bag: usize| (0..bag % 7).map(move |nth| (((bag + step) * 37 + nth * nth * 6) % (N_ROWS / 2) * 2) as u32);
    TokenRows::of((0..50).map(|nth| bag(nth).collect::<Vec<u32>>())).unwrap()
}

fn gradients(loss: impl FnOnce() -> Result<Tensor>) -> Gradients {
    let (loss, tape) = record::<_, Error>(loss).unwrap();
    tape.backward(&loss).unwrap()
}

/// Four steps of a table that is read in bags and token by token, of which some rows are never read.
fn trained_table(device: &Device, is_adamw: bool) -> Vec<Tensor> {
    let table = var("table", &[N_ROWS, WIDTH], device);
    let state = zeros(if is_adamw { &[2, N_ROWS, WIDTH] } else { &[N_ROWS, WIDTH] }, device);
    for step in 1..5 {
        let found = gradients(|| {
            let bags = bags(step);
            let logits = if step % 2 == 0 {
                embedding_bag(&table, &bags)?
            } else {
                crate::add(&embedding(&table, bags.ids())?, &embedding(&table, bags.ids())?)?
            };
            cross_entropy(&logits, &vec![3; logits.dim(0)?])
        });
        let Some(Gradient::Rows(rows)) = found.get(&table) else { panic!("expected rows on {device:?}") };
        if is_adamw {
            adamw_step_rows(&table, rows, &state, adamw(step)).unwrap();
        } else {
            sgd_step_rows(&table, rows, Some(&state), sgd(0.9, true)).unwrap();
        }
    }
    vec![table.detach(), state]
}

#[test]
fn only_rows_that_were_read_are_stepped() {
    for is_adamw in [false, true] {
        let found = trained_table(&gpu(), is_adamw);
        let expected = trained_table(&Device::Cpu, is_adamw);
        for (nth, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let distance = relative_distance(found, expected);
            assert!(distance < 1e-4, "{nth}, AdamW {is_adamw}: {distance}");
        }
        let odd_row = |tensor: &Tensor| values(&tensor.get(1).unwrap());
        assert_eq!(odd_row(&found[0]), odd_row(&var("table", &[N_ROWS, WIDTH], &Device::Cpu)));
    }
}

/// A table that is read, and also used as a whole.
#[test]
fn a_tied_table_has_a_gradient_in_full() {
    let gradient = |device: &Device| {
        let table = var("table", &[5, 5], device);
        let bias = zeros(&[5], device);
        let tied = || cross_entropy(&crate::linear(&embedding(&table, &[1, 3, 1])?, &table, &bias)?, &[0, 1, 2]);
        gradients(tied).get(&table).unwrap().to_dense().unwrap()
    };
    assert!(relative_distance(&gradient(&gpu()), &gradient(&Device::Cpu)) < 1e-6);
}
