//! Numbers and laws of the losses.

use candle_core::{DType, Device, Tensor, Var};

use super::{distance, random, values};
use crate::loss::{SparseTargets, cross_entropy, logit_l2, soft_cross_entropy, sparse_soft_cross_entropy};

fn loss(tensor: &Tensor) -> f64 {
    values(tensor)[0]
}

#[test]
fn cross_entropy_agrees_with_candle_nn() {
    let logits = Var::from_tensor(&random("logits", &[6, 11], DType::F32)).unwrap();
    let labels = [0, 10, 3, 3, 7, 1_u32];
    let own = cross_entropy(&logits, &labels).unwrap();
    let theirs = candle_nn::loss::cross_entropy(&logits, &Tensor::new(&labels, &Device::Cpu).unwrap()).unwrap();
    assert!(own.dims().is_empty());
    assert!((loss(&own) - loss(&theirs)).abs() < 1e-6);
    let grad = |loss: &Tensor| loss.backward().unwrap().get(&logits).unwrap().clone();
    assert!(distance(&grad(&own), &grad(&theirs)) < 1e-7);
}

#[test]
fn golden_values() {
    // log(1 + e^-1 + e^-2) = 0.40760596
    let logits = Tensor::new(&[[1.0_f64, 2.0, 3.0]], &Device::Cpu).unwrap();
    assert!((loss(&cross_entropy(&logits, &[2]).unwrap()) - 0.407_605_964_444_380_3).abs() < 1e-14);
    // T = 2, p = (0, 0, 1): 4 log(1 + e^-0.5 + e^-1)
    let probs = Tensor::new(&[[0.0_f64, 0.0, 1.0]], &Device::Cpu).unwrap();
    let expected = 4.0 * (1.0 + (-0.5_f64).exp() + (-1.0_f64).exp()).ln();
    assert!((loss(&soft_cross_entropy(&logits, &probs, 2.0).unwrap()) - expected).abs() < 1e-13);
    // centred differences (-1, 0, 1) against zero logits: (1 + 0 + 1) / (2 * 3)
    assert!((loss(&logit_l2(&logits, &logits.zeros_like().unwrap()).unwrap()) - 1.0 / 3.0).abs() < 1e-15);
}

#[test]
fn one_hot_targets_at_temperature_one_are_hard_labels() {
    let logits = random("logits", &[3, 4], DType::F64);
    let one_hot =
        Tensor::new(&[[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]], &Device::Cpu).unwrap();
    let soft = soft_cross_entropy(&logits, &one_hot, 1.0).unwrap();
    let hard = cross_entropy(&logits, &[1, 0, 3]).unwrap();
    assert!((loss(&soft) - loss(&hard)).abs() < 1e-14);
}

#[test]
fn the_gradient_is_that_of_the_paper() {
    let temperature = 5.0;
    let logits = Var::from_tensor(&random("logits", &[3, 4], DType::F64)).unwrap();
    let soften = |logits: &Tensor| candle_nn::ops::softmax(&(logits / temperature).unwrap(), 1).unwrap();
    let probs = soften(&random("teacher", &[3, 4], DType::F64));
    let grads = soft_cross_entropy(&logits, &probs, temperature).unwrap().backward().unwrap();
    let expected = ((soften(&logits) - probs).unwrap() * (temperature / 3.0)).unwrap();
    assert!(distance(grads.get(&logits).unwrap(), &expected) < 1e-15);
}

#[test]
fn at_high_temperature_soft_targets_become_matched_logits() {
    // section 2.1: with zero-mean logits the gradient tends to (z - v) / C per example, that of logit_l2
    let logits = Var::from_tensor(&random("logits", &[3, 4], DType::F64)).unwrap();
    let teacher = random("teacher", &[3, 4], DType::F64);
    let temperature = 1e4;
    let probs = candle_nn::ops::softmax(&(&teacher / temperature).unwrap(), 1).unwrap();
    let soft = soft_cross_entropy(&logits, &probs, temperature).unwrap().backward().unwrap();
    let matched = logit_l2(&logits, &teacher).unwrap().backward().unwrap();
    assert!(distance(soft.get(&logits).unwrap(), matched.get(&logits).unwrap()) < 1e-3);
}

#[test]
fn huge_logits_stay_finite() {
    let logits = Var::from_tensor(&Tensor::new(&[[1e4_f32, -1e4, 0.0]], &Device::Cpu).unwrap()).unwrap();
    let hard = cross_entropy(&logits, &[1]).unwrap();
    assert_eq!(loss(&hard), 2e4);
    assert_eq!(values(hard.backward().unwrap().get(&logits).unwrap()), [1.0, -1.0, 0.0]);
    let probs = Tensor::new(&[[0.5_f32, 0.5, 0.0]], &Device::Cpu).unwrap();
    assert_eq!(loss(&soft_cross_entropy(&logits, &probs, 1.0).unwrap()), 1e4);
}

#[test]
fn a_constant_added_to_all_logits_changes_nothing() {
    let (logits, teacher) = (random("logits", &[3, 4], DType::F64), random("teacher", &[3, 4], DType::F64));
    let shifted = (&logits + 17.0).unwrap();
    let difference = loss(&logit_l2(&logits, &teacher).unwrap()) - loss(&logit_l2(&shifted, &teacher).unwrap());
    assert!(difference.abs() < 1e-13);
}

#[test]
fn a_nan_is_seen() {
    let logits = Tensor::new(&[[f32::NAN, 1.0]], &Device::Cpu).unwrap();
    assert!(loss(&cross_entropy(&logits, &[1]).unwrap()).is_nan());
}

#[test]
fn with_every_class_kept_sparse_targets_are_dense_ones() {
    let logits = Var::from_tensor(&random("logits", &[3, 4], DType::F64)).unwrap();
    let probs = candle_nn::ops::softmax(&random("teacher", &[3, 4], DType::F32), 1).unwrap();
    let probs: Vec<f32> = probs.flatten_all().unwrap().to_vec1().unwrap();
    let dense = Tensor::from_slice(&probs, (3, 4), &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
    let classes: Vec<u32> = (0..12).map(|position| position % 4).collect();
    let targets = SparseTargets { classes: &classes, probs: &probs, tails: &[0.0; 3] };
    let sparse = sparse_soft_cross_entropy(&logits, targets, 3.0).unwrap();
    let dense = soft_cross_entropy(&logits, &dense, 3.0).unwrap();
    assert!((loss(&sparse) - loss(&dense)).abs() < 1e-13);
    let grad = |loss: &Tensor| loss.backward().unwrap().get(&logits).unwrap().clone();
    assert!(distance(&grad(&sparse), &grad(&dense)) < 1e-14);
}

#[test]
fn a_tail_far_below_the_kept_classes_still_pulls() {
    // the tail's own softmax share underflows, but the target wants half of the mass there
    let logits = Var::from_tensor(&Tensor::new(&[[0.0_f32, -300.0, -301.0]], &Device::Cpu).unwrap()).unwrap();
    let targets = SparseTargets { classes: &[0], probs: &[0.5], tails: &[0.5] };
    let value = sparse_soft_cross_entropy(&logits, targets, 1.0).unwrap();
    let share = 1.0 / (1.0 + (-1.0_f64).exp());
    assert!((loss(&value) - 0.5 * (300.0 + share.ln())).abs() < 1e-4);
    let grads = values(value.backward().unwrap().get(&logits).unwrap());
    for (grad, expected) in grads.iter().zip([0.5, -0.5 * share, -0.5 * (1.0 - share)]) {
        assert!((grad - expected).abs() < 1e-6, "{grads:?}");
    }
}
