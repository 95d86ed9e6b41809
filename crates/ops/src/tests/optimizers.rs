//! Optimizer steps against their composites, golden numbers, and any number of threads.

use candle_core::{DType, Device, Tensor, Var};

use super::{bits, distance, random, values};
use crate::composite;
use crate::optimizer::{
    AdamWHyper, SgdHyper, adamw_step, average_step, clip_factor, global_norm, max_norm_columns, max_norm_rows, sgd_step,
};

/// More than two chunks, and not a multiple of one.
const LEN: usize = 40_003;

fn var(name: &str, shape: &[usize]) -> Var {
    Var::from_tensor(&random(name, shape, DType::F32)).unwrap()
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

fn sgd(momentum: f64, nesterov: bool) -> SgdHyper {
    SgdHyper { learning_rate: 0.1, momentum, nesterov, weight_decay: 0.01, gradient_scale: 0.7 }
}

fn adamw(step: u64) -> AdamWHyper {
    AdamWHyper { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.01, gradient_scale: 1.0, step }
}

/// Three steps of each kind; `own` chooses between the fused step and its composite.
fn train(own: bool) -> Vec<Tensor> {
    let mut results = Vec::new();
    for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
        let (param, velocity) = (var("param", &[LEN]), (momentum > 0.0).then(|| zeros(&[LEN])));
        for step in 0..3 {
            let grad = random(&format!("grad {step}"), &[LEN], DType::F32);
            let hyper = sgd(momentum, nesterov);
            let step = if own {
                sgd_step(&param, &grad, velocity.as_ref(), hyper)
            } else {
                composite::sgd_step(&param, &grad, velocity.as_ref(), hyper, None)
            };
            step.unwrap();
        }
        results.push(param.detach());
        results.extend(velocity);
    }
    let (param, moments) = (var("param", &[LEN]), zeros(&[2, LEN]));
    for step in 1..4 {
        let grad = random(&format!("grad {step}"), &[LEN], DType::F32);
        let step = if own {
            adamw_step(&param, &grad, &moments, adamw(step))
        } else {
            composite::adamw_step(&param, &grad, &moments, adamw(step), None)
        };
        step.unwrap();
    }
    let average = random("average", &[LEN], DType::F32);
    let step = if own { average_step } else { composite::average_step };
    step(&average, &param, 0.9).unwrap();
    results.extend([param.detach(), moments, average]);
    results
}

#[test]
fn composites_agree() {
    for (own, reference) in train(true).iter().zip(&train(false)) {
        assert!(distance(own, reference) < 1e-5, "{}", distance(own, reference));
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let run = || {
        let mut results = train(true);
        let grads = [random("a", &[LEN], DType::F32), random("b", &[7], DType::F32)];
        let norm = global_norm(&grads.each_ref()).unwrap();
        for limit in [max_norm_rows, max_norm_columns] {
            let weight = var("weight", &[211, 303]);
            limit(&weight, 12.0).unwrap();
            results.push(weight.detach());
        }
        results.extend(grads);
        (norm.to_bits(), results.iter().map(bits).collect::<Vec<_>>())
    };
    let pool = |n_threads| rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
    let expected = pool(1).install(run);
    for n_threads in [2, 3] {
        assert!(pool(n_threads).install(run) == expected, "{n_threads} threads");
    }
}

#[test]
fn sgd_golden_values() {
    // v = 0.5 * 1 + 2 = 2.5; p = 10 - 0.1 * 2.5 - 0.1 * 0.1 * 10 = 9.65; Nesterov: 2 + 0.5 * 2.5 = 3.25, p = 9.575
    for (nesterov, expected) in [(false, 9.65), (true, 9.575)] {
        let param = Var::new(&[10.0_f64], &Device::Cpu).unwrap();
        let velocity = Tensor::new(&[1.0_f64], &Device::Cpu).unwrap();
        let grad = Tensor::new(&[2.0_f64], &Device::Cpu).unwrap();
        let hyper = SgdHyper { learning_rate: 0.1, momentum: 0.5, nesterov, weight_decay: 0.1, gradient_scale: 1.0 };
        sgd_step(&param, &grad, Some(&velocity), hyper).unwrap();
        assert!((values(&param)[0] - expected).abs() < 1e-14);
        assert_eq!(values(&velocity), [2.5]);
    }
}

#[test]
fn the_first_adamw_step_has_the_length_of_the_learning_rate() {
    let param = Var::new(&[10.0_f64, -10.0], &Device::Cpu).unwrap();
    let grad = Tensor::new(&[3.0_f64, -0.001], &Device::Cpu).unwrap();
    let moments = Tensor::zeros((2, 2), DType::F64, &Device::Cpu).unwrap();
    let hyper = AdamWHyper { weight_decay: 0.0, eps: 0.0, ..adamw(1) };
    adamw_step(&param, &grad, &moments, hyper).unwrap();
    for (got, expected) in values(&param).iter().zip([9.9, -9.9]) {
        assert!((got - expected).abs() < 1e-12);
    }
}

#[test]
fn adamw_agrees_with_candle_nn() {
    use candle_nn::optim::{AdamW, Optimizer, ParamsAdamW};
    let (own, theirs) = (var("param", &[50]), var("param", &[50]));
    let params = ParamsAdamW { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.01 };
    let mut optimizer = AdamW::new(vec![theirs.clone()], params).unwrap();
    let moments = zeros(&[2, 50]);
    for step in 1..6 {
        let loss = (theirs.sqr().unwrap() * 0.5).unwrap().sum_all().unwrap();
        optimizer.backward_step(&loss).unwrap();
        let grad = own.copy().unwrap().detach();
        adamw_step(&own, &grad, &moments, adamw(step)).unwrap();
    }
    assert!(distance(&own, &theirs) < 1e-5);
}

#[test]
fn an_average_moves_by_its_share_of_the_distance() {
    let average = Tensor::new(&[1.0_f64, -2.0], &Device::Cpu).unwrap();
    let param = Var::new(&[5.0_f64, -2.0], &Device::Cpu).unwrap();
    average_step(&average, &param, 0.75).unwrap();
    assert_eq!(values(&average), [2.0, -2.0]);
    average_step(&average, &param, 0.0).unwrap();
    assert_eq!(values(&average), [5.0, -2.0]);
}

#[test]
fn clipping_shortens_long_gradients_only() {
    let grads = [3.0_f32, 4.0].map(|value| Tensor::new(&[value], &Device::Cpu).unwrap());
    assert_eq!(global_norm(&grads.each_ref()).unwrap(), 5.0);
    assert_eq!([clip_factor(5.0, 6.0), clip_factor(5.0, 1.0), clip_factor(0.0, 1.0)], [1.0, 0.2, 1.0]);
    assert_eq!(clip_factor(f64::NAN, 1.0), 1.0);
    let broken = Tensor::new(&[f32::NAN], &Device::Cpu).unwrap();
    assert!(global_norm(&[&grads[0], &broken]).unwrap().is_nan());
    // a step along the scaled gradient is a step of half the length
    let hyper = SgdHyper { momentum: 0.0, weight_decay: 0.0, gradient_scale: 0.5, ..sgd(0.0, false) };
    let param = Var::new(&[1.0_f64], &Device::Cpu).unwrap();
    sgd_step(&param, &Tensor::new(&[2.0_f64], &Device::Cpu).unwrap(), None, hyper).unwrap();
    assert_eq!(values(&param), [0.9]);
}

#[test]
fn max_norm_shrinks_long_units_only() {
    let weight = || Var::new(&[[3.0_f64, 0.1], [4.0, 0.0]], &Device::Cpu).unwrap();
    let columns = weight();
    max_norm_columns(&columns, 1.0).unwrap();
    assert!(distance(&columns, &Tensor::new(&[[0.6_f64, 0.1], [0.8, 0.0]], &Device::Cpu).unwrap()) < 1e-15);
    let rows = weight();
    max_norm_rows(&rows, 3.5).unwrap();
    assert!(distance(&rows, &Tensor::new(&[[3.0_f64, 0.1], [3.5, 0.0]], &Device::Cpu).unwrap()) < 1e-15);
    for by_rows in [true, false] {
        let (own, reference) = (var("weight", &[3, 3, 2, 5]), var("weight", &[3, 3, 2, 5]));
        if by_rows { max_norm_rows(&own, 2.0) } else { max_norm_columns(&own, 2.0) }.unwrap();
        composite::max_norm(&reference, 2.0, by_rows).unwrap();
        assert!(distance(&own, &reference) < 1e-6);
    }
}

#[test]
fn bad_steps_are_errors() {
    let param = var("param", &[3]);
    let message = |result: candle_core::Result<()>| result.unwrap_err().to_string();
    assert!(message(sgd_step(&param, &zeros(&[2]), None, sgd(0.0, false))).contains("shape of gradient"));
    assert!(message(sgd_step(&param, &zeros(&[3]), None, sgd(0.9, false))).contains("needs a velocity"));
    assert!(message(sgd_step(&param, &param.detach(), None, sgd(0.0, false))).contains("share memory"));
    assert!(message(adamw_step(&param, &zeros(&[3]), &zeros(&[3]), adamw(1))).contains("[2, 3]"));
    assert!(message(adamw_step(&param, &zeros(&[3]), &zeros(&[2, 3]), adamw(0))).contains("step"));
    assert!(message(average_step(&zeros(&[2]), &param, 0.9)).contains("shape of gradient"));
    assert!(message(average_step(&param.detach(), &param, 0.9)).contains("share memory"));
    assert!(message(max_norm_rows(&param, 1.0)).contains("2 axes"));
    assert!(message(max_norm_rows(&var("weight", &[2, 2]), 0.0)).contains("limit"));
}
