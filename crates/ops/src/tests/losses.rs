//! Numbers and laws of the losses.

use candle_core::{DType, Device, Tensor, Var};

use super::{distance, random, values};
use crate::loss::{
    Decoupled, LabelTerms, SparseTargets, adjusted_cross_entropy, cross_entropy, decoupled_cross_entropy, logit_l2,
    soft_cross_entropy, sparse_soft_cross_entropy, standardised_soft_cross_entropy,
};

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

/// The gradient of the only variable.
fn gradient(loss: &Tensor, logits: &Var) -> Tensor {
    loss.backward().unwrap().get(logits).unwrap().clone()
}

#[test]
fn golden_values_of_standardised_logits() {
    // the z-scores of both (1, 3) and (-40, 0) are (-1, 1), but for the 1e-6 in the variance; with T = 2 the loss is
    // - 4 sum p log p, p = softmax(-1/2, 1/2)
    let logits = Tensor::new(&[[1.0_f64, 3.0]], &Device::Cpu).unwrap();
    let teacher = Tensor::new(&[[-40.0_f64, 0.0]], &Device::Cpu).unwrap();
    let p = 1.0 / (1.0 + 1.0_f64.exp());
    let expected = -4.0 * (p * p.ln() + (1.0 - p) * (1.0 - p).ln());
    assert!((loss(&standardised_soft_cross_entropy(&logits, &teacher, 2.0).unwrap()) - expected).abs() < 1e-5);
}

#[test]
fn standardised_logits_have_neither_mean_nor_spread() {
    let (logits, teacher) = (random("logits", &[3, 4], DType::F64), random("teacher", &[3, 4], DType::F64));
    let at = |logits: &Tensor, teacher: &Tensor| loss(&standardised_soft_cross_entropy(logits, teacher, 2.0).unwrap());
    let moved = ((&logits * 5.0).unwrap() + 17.0).unwrap();
    let moved_teacher = ((&teacher * 0.5).unwrap() - 3.0).unwrap();
    assert!((at(&logits, &teacher) - at(&moved, &moved_teacher)).abs() < 1e-4);
    assert!((at(&logits, &teacher) - at(&(&logits * -1.0).unwrap(), &teacher)).abs() > 0.1);
}

#[test]
fn the_gradient_leaves_mean_and_spread_of_standardised_logits_alone() {
    let logits = Var::from_tensor(&random("logits", &[3, 4], DType::F64)).unwrap();
    let teacher = random("teacher", &[3, 4], DType::F64);
    let grad = gradient(&standardised_soft_cross_entropy(&logits, &teacher, 2.0).unwrap(), &logits);
    let centred = logits.broadcast_sub(&logits.mean_keepdim(1).unwrap()).unwrap();
    for direction in [grad.ones_like().unwrap(), centred] {
        let along = (&grad * direction).unwrap().sum(1).unwrap();
        assert!(values(&along).iter().all(|along| along.abs() < 1e-5), "{along}");
    }
}

#[test]
fn equal_logits_have_a_finite_standardised_loss() {
    let logits = Var::from_tensor(&Tensor::new(&[[7.0_f32; 3]], &Device::Cpu).unwrap()).unwrap();
    let teacher = Tensor::new(&[[0.0_f32, -1.0, 1.0]], &Device::Cpu).unwrap();
    let value = standardised_soft_cross_entropy(&logits, &teacher, 2.0).unwrap();
    assert!((loss(&value) - 4.0 * 3.0_f64.ln()).abs() < 1e-6);
    let grads = values(&gradient(&value, &logits));
    assert!(grads.iter().all(|grad| grad.is_finite()) && grads[2] < -1.0 && grads[1] > 1.0, "{grads:?}");
    let alike = standardised_soft_cross_entropy(&logits, &logits, 2.0).unwrap();
    assert_eq!(values(&gradient(&alike, &logits)), [0.0; 3]);
}

/// With the weights of the target class and of the others.
fn decoupled(logits: &Tensor, probs: &Tensor, classes: &[u32], temperature: f64, weights: [f64; 2]) -> Tensor {
    let [target_weight, non_target_weight] = weights;
    let settings = Decoupled { temperature, target_weight, non_target_weight };
    decoupled_cross_entropy(logits, probs, classes, settings).unwrap()
}

#[test]
fn with_the_others_mass_as_their_weight_the_parts_are_the_whole() {
    // Zhao et al.: soft_cross_entropy = target + (1 - p_t) non_target
    let temperature = 3.0;
    let logits = Var::from_tensor(&random("logits", &[1, 4], DType::F64)).unwrap();
    let probs = candle_nn::ops::softmax(&random("teacher", &[1, 4], DType::F64), 1).unwrap();
    for class in 0..4 {
        let weights = [1.0, 1.0 - values(&probs)[class]];
        let parts = decoupled(&logits, &probs, &[class as u32], temperature, weights);
        let whole = soft_cross_entropy(&logits, &probs, temperature).unwrap();
        assert!((loss(&parts) - loss(&whole)).abs() < 1e-13);
        assert!(distance(&gradient(&parts, &logits), &gradient(&whole, &logits)) < 1e-14);
    }
}

#[test]
fn the_part_of_the_target_class_is_that_of_a_sparse_target_of_one_class() {
    let logits = Var::from_tensor(&random("logits", &[2, 4], DType::F64)).unwrap();
    let probs = Tensor::new(&[[0.5_f64, 0.25, 0.125, 0.125], [0.125, 0.0625, 0.75, 0.0625]], &Device::Cpu).unwrap();
    let targets = SparseTargets { classes: &[1, 2], probs: &[0.25, 0.75], tails: &[0.75, 0.25] };
    let sparse = sparse_soft_cross_entropy(&logits, targets, 2.0).unwrap();
    let target = decoupled(&logits, &probs, &[1, 2], 2.0, [1.0, 0.0]);
    assert!((loss(&sparse) - loss(&target)).abs() < 1e-13);
    assert!(distance(&gradient(&sparse, &logits), &gradient(&target, &logits)) < 1e-14);
}

#[test]
fn a_teacher_that_is_sure_still_says_what_the_other_classes_are_like() {
    // the others have 3e-30 of the mass, of which 1 - p_t would leave nothing: their shares are 1/3 and 2/3
    let logits = Var::from_tensor(&Tensor::new(&[[60.0_f32, 0.0, 0.0]], &Device::Cpu).unwrap()).unwrap();
    let probs = Tensor::new(&[[1.0_f32, 1e-30, 2e-30]], &Device::Cpu).unwrap();
    let value = decoupled(&logits, &probs, &[0], 1.0, [1.0, 8.0]);
    assert!((loss(&value) - 8.0 * 2.0_f64.ln()).abs() < 1e-6);
    let grads = values(&gradient(&value, &logits));
    for (grad, expected) in grads.iter().zip([0.0, 8.0 * (0.5 - 1.0 / 3.0), 8.0 * (0.5 - 2.0 / 3.0)]) {
        assert!((grad - expected).abs() < 1e-5, "{grads:?}");
    }
}

#[test]
fn a_one_hot_target_has_a_target_part_only() {
    let logits = Var::from_tensor(&random("logits", &[1, 3], DType::F64)).unwrap();
    let probs = Tensor::new(&[[0.0_f64, 1.0, 0.0]], &Device::Cpu).unwrap();
    let value = decoupled(&logits, &probs, &[1], 1.0, [1.0, 8.0]);
    let hard = cross_entropy(&logits, &[1]).unwrap();
    assert!((loss(&value) - loss(&hard)).abs() < 1e-14);
    assert!(distance(&gradient(&value, &logits), &gradient(&hard, &logits)) < 1e-14);
}

fn adjusted(logits: &Tensor, labels: &[u32], terms: &LabelTerms) -> f64 {
    loss(&adjusted_cross_entropy(logits, labels, terms).unwrap())
}

#[test]
fn without_terms_the_adjusted_loss_is_the_plain_one_to_the_bit() {
    let logits = Var::from_tensor(&random("logits", &[5, 9], DType::F32)).unwrap();
    let labels = [0, 8, 3, 3, 7_u32];
    let grad = |loss: &Tensor| values(loss.backward().unwrap().get(&logits).unwrap());
    let plain = cross_entropy(&logits, &labels).unwrap();
    let same = adjusted_cross_entropy(&logits, &labels, &LabelTerms::default()).unwrap();
    assert_eq!((loss(&plain), grad(&plain)), (loss(&same), grad(&same)));
}

#[test]
fn adjusted_losses_by_hand() {
    let logits = Tensor::new(&[[1.0_f64, 2.0, 3.0], [0.0, 0.0, 0.0]], &Device::Cpu).unwrap();
    // -log softmax of the labels: 1 + 0.40760596 and log 3
    let parts = [1.407_605_964_444_380_3, 3.0_f64.ln()];
    let weighted = LabelTerms { class_weights: Some([0.5, 4.0, 1.0].into()), ..LabelTerms::default() };
    assert!((adjusted(&logits, &[1, 0], &weighted) - (4.0 * parts[0] + 0.5 * parts[1]) / 2.0).abs() < 1e-13);
    // smoothing 0.3: a tenth of each class's part, and 0.7 of the label's
    let log_probs = [2.407_605_964_444_38, 1.407_605_964_444_380_3, 0.407_605_964_444_380_3];
    let smooth = LabelTerms { smoothing: 0.3, ..LabelTerms::default() };
    let expected = 0.1 * log_probs.iter().sum::<f64>() + 0.7 * log_probs[1];
    assert!((adjusted(&logits, &[1, 0], &smooth) - (expected + parts[1]) / 2.0).abs() < 1e-13);
    // equal logits and priors of 1/2, 1/4, 1/4: the probability of the label is its prior
    let shifts = [0.5_f64, 0.25, 0.25].map(f64::ln);
    let shifted = LabelTerms { logit_shifts: Some(shifts.into()), ..LabelTerms::default() };
    let even = Tensor::zeros((2, 3), DType::F64, &Device::Cpu).unwrap();
    assert!((adjusted(&even, &[0, 1], &shifted) - (2.0_f64.ln() + 4.0_f64.ln()) / 2.0).abs() < 1e-14);
}

#[test]
fn tables_and_smoothing_that_do_not_fit_are_refused() {
    let logits = random("logits", &[2, 4], DType::F32);
    let refused =
        |labels: &[u32], terms: &LabelTerms| adjusted_cross_entropy(&logits, labels, terms).unwrap_err().to_string();
    let short = LabelTerms { class_weights: Some([1.0; 3].into()), ..LabelTerms::default() };
    assert!(refused(&[0, 1], &short).contains("class weights: expected 4, got 3"));
    let all = LabelTerms { smoothing: 1.0, ..LabelTerms::default() };
    assert!(refused(&[0, 1], &all).contains("smoothing: expected at least 0 and below 1, got 1"));
    assert!(refused(&[0, 4], &LabelTerms::default()).contains("label: expected a class below 4"));
}
