//! Whole trainings: fused operations, the recorded pass and the in-place step stay beside the composites, candle's own
//! pass and the composite step, over some hundred steps.

use candle_core::{DType, Result, Tensor, Var};

use super::{random, values};
use crate::conv2d::Conv2dSize;
use crate::dropout::Mask;
use crate::loss::cross_entropy;
use crate::optimizer::{SgdHyper, sgd_step};
use crate::{
    DropoutKey, Gradients, add, batch_norm_train, composite, conv2d, global_average_pool, linear, linear_relu_dropout,
    record, relu,
};

const N_STEPS: u64 = 300;
const HYPER: SgdHyper =
    SgdHyper { learning_rate: 0.05, momentum: 0.9, nesterov: true, weight_decay: 1e-3, gradient_scale: 1.0 };
const EPS: f64 = 1e-5;

#[derive(Clone, Copy, PartialEq)]
enum Path {
    Own,
    Composite,
}

/// The losses of a training of a net with parameters of these shapes, batches of ten examples, three classes.
fn train(
    path: Path,
    shapes: &[&[usize]],
    input: &[usize],
    net: impl Fn(&[Tensor], &Tensor, u64) -> Tensor,
) -> Vec<f64> {
    let scaled =
        |(nth, shape): (usize, &&[usize])| (random(&format!("parameter {nth}"), shape, DType::F32) * 0.4).unwrap();
    let params: Vec<Var> = shapes.iter().enumerate().map(|entry| Var::from_tensor(&scaled(entry)).unwrap()).collect();
    let velocities: Vec<Tensor> = params.iter().map(|param| param.zeros_like().unwrap()).collect();
    let tensors: Vec<Tensor> = params.iter().map(|param| param.as_tensor().clone()).collect();
    let labels: Vec<u32> = (0..10).map(|row| row % 3).collect();
    let step = |step: u64| {
        let inputs = random(&format!("inputs {}", step % 4), input, DType::F32);
        let (loss, gradients) = match path {
            Path::Own => {
                let (loss, tape) = record(|| cross_entropy(&net(&tensors, &inputs, step), &labels)).unwrap();
                let gradients = tape.backward(&loss).unwrap();
                (loss, gradients)
            }
            Path::Composite => {
                let loss = composite::cross_entropy(&net(&tensors, &inputs, step), &labels).unwrap();
                let gradients = Gradients::of_candle(&loss).unwrap();
                (loss, gradients)
            }
        };
        for (param, velocity) in params.iter().zip(&velocities) {
            let gradient = gradients.get(param).unwrap().values();
            let update = if path == Path::Own {
                sgd_step(param, gradient, Some(velocity), HYPER)
            } else {
                composite::sgd_step(param, gradient, Some(velocity), HYPER, None)
            };
            update.unwrap();
        }
        values(&loss)[0]
    };
    (0..N_STEPS).map(step).collect()
}

fn assert_same_course(own: &[f64], composite: &[f64]) {
    for (step, (own, composite)) in own.iter().zip(composite).enumerate() {
        assert!((own - composite).abs() < 1e-3 * (1.0 + composite), "step {step}: {own} and {composite}");
    }
    assert!(own[N_STEPS as usize - 1] < 0.5 * own[0], "the training learns: from {} to {}", own[0], own[own.len() - 1]);
}

#[test]
fn an_mlp_with_dropout_trains_like_its_composite() {
    let key = |step| DropoutKey { seed: 1 }.derive("hidden", step);
    let own = |p: &[Tensor], inputs: &Tensor, step: u64| {
        linear(&linear_relu_dropout(inputs, &p[0], &p[1], 0.2, key(step)).unwrap(), &p[2], &p[3]).unwrap()
    };
    let reference = |p: &[Tensor], inputs: &Tensor, step: u64| {
        let hidden = composite::linear(inputs, &p[0], &p[1], true).unwrap();
        let hidden = composite::dropout(&hidden, &Mask::new(0.2, key(step))).unwrap();
        composite::linear(&hidden, &p[2], &p[3], false).unwrap()
    };
    let shapes: [&[usize]; 4] = [&[24, 12], &[24], &[3, 24], &[3]];
    assert_same_course(
        &train(Path::Own, &shapes, &[10, 12], own),
        &train(Path::Composite, &shapes, &[10, 12], reference),
    );
}

#[test]
fn a_small_residual_net_trains_like_its_composite() {
    let own = |p: &[Tensor], images: &Tensor, _: u64| -> Result<Tensor> {
        let (stem, _, _) = batch_norm_train(&conv2d(images, &p[0], 1, 1)?, &p[1], &p[2], EPS, true)?;
        let (residual, _, _) = batch_norm_train(&conv2d(&stem, &p[3], 1, 1)?, &p[4], &p[5], EPS, false)?;
        linear(&global_average_pool(&relu(&add(&residual, &stem)?)?)?, &p[6], &p[7])
    };
    let reference = |p: &[Tensor], images: &Tensor, _: u64| -> Result<Tensor> {
        let conv = |x: &Tensor, w: &Tensor| composite::conv2d(x, w, &Conv2dSize::dense(x, w, 1, 1)?);
        let (stem, _, _) = composite::batch_norm_train(&conv(images, &p[0])?, &p[1], &p[2], EPS, true)?;
        let (residual, _, _) = composite::batch_norm_train(&conv(&stem, &p[3])?, &p[4], &p[5], EPS, false)?;
        composite::linear(&(residual + stem)?.relu()?.mean((1, 2))?, &p[6], &p[7], false)
    };
    let shapes: [&[usize]; 8] = [&[3, 3, 2, 4], &[4], &[4], &[3, 3, 4, 4], &[4], &[4], &[3, 4], &[3]];
    let input = [10, 5, 4, 2];
    assert_same_course(
        &train(Path::Own, &shapes, &input, |p, images, step| own(p, images, step).unwrap()),
        &train(Path::Composite, &shapes, &input, |p, images, step| reference(p, images, step).unwrap()),
    );
}
