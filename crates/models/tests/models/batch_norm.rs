//! Batch norm in training and in evaluation, seen through the smallest convolutional net.

use crate::cases::{assert_close, batch, convnet, logits, model, train_mode, values, variable};
use candle_core::{Device, Tensor};
use stillhouse_core::InputShape;
use stillhouse_models::Mode;

/// One pixel, one channel: the convolution multiplies by its middle weight.
const PIXEL: InputShape = InputShape::Image { channels: 1, height: 1, width: 1 };

#[test]
fn running_statistics_move_by_a_tenth_towards_mean_and_unbiased_variance() {
    let model = model(&convnet(&[1], 1, None), &PIXEL, 0);
    let weight = variable(&model, "stages.0.0.conv.weight");
    weight.set(&Tensor::full(2.0f32, (3, 3, 1, 1), &Device::Cpu).unwrap()).unwrap();
    let inputs = Tensor::new(&[[[[1.0f32]]], [[[2.0]]], [[[6.0]]]], &Device::Cpu).unwrap().into();
    model.forward(&inputs, train_mode(0)).unwrap();
    // after the convolution 2, 4, 12: mean 6, unbiased variance (16 + 4 + 36) / 2 = 28
    assert_close(&values(&model, "stages.0.0.norm.running_mean"), &[0.6], 1e-6);
    assert_close(&values(&model, "stages.0.0.norm.running_var"), &[0.9 + 2.8], 1e-6);
}

#[test]
fn evaluation_uses_the_running_statistics_and_changes_nothing() {
    let model = model(&convnet(&[1], 1, None), &PIXEL, 0);
    for (name, value) in [("conv.weight", 1.0f32), ("norm.running_mean", 3.0), ("norm.running_var", 4.0)] {
        let var = variable(&model, &format!("stages.0.0.{name}"));
        var.set(&Tensor::full(value, var.dims(), &Device::Cpu).unwrap()).unwrap();
    }
    let inputs = Tensor::new(&[[[[9.0f32]]], [[[1.0]]]], &Device::Cpu).unwrap().into();
    // (9 - 3) / sqrt(4 + 1e-5) = 3 goes through the ReLU, (1 - 3) / 2 does not
    let head: Vec<f32> = values(&model, "head.weight");
    let expected: Vec<f32> = head.iter().map(|weight| 3.0 * weight).collect();
    assert_close(&logits(&model, &inputs)[0], &expected, 1e-5);
    assert_close(&logits(&model, &inputs)[1], &[0.0; 5], 1e-6);
    assert_eq!(values(&model, "stages.0.0.norm.running_mean"), [3.0]);
}

#[test]
fn evaluation_approaches_training_when_the_running_statistics_have_settled() {
    let input = InputShape::Image { channels: 2, height: 6, width: 6 };
    let model = model(&convnet(&[4, 4], 1, None), &input, 0);
    let inputs = batch(&input, 64, 1);
    for step in 0..200 {
        model.forward(&inputs, train_mode(step)).unwrap();
    }
    let trained: Vec<f32> = model.forward(&inputs, train_mode(0)).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    // the biased and the unbiased variance of 64 x 9 positions or more differ by less than 2 in a thousand
    assert_close(&logits(&model, &inputs).concat(), &trained, 5e-3);
}

#[test]
fn a_single_position_does_not_break_the_running_variance() {
    let model = model(&convnet(&[2], 1, None), &PIXEL, 0);
    model.forward(&batch(&PIXEL, 1, 1), train_mode(0)).unwrap();
    assert_close(&values(&model, "stages.0.0.norm.running_var"), &[0.9, 0.9], 1e-6);
    let logits = model.forward(&batch(&PIXEL, 1, 1), Mode::Eval).unwrap().to_vec2::<f32>().unwrap();
    assert!(logits[0].iter().all(|logit| logit.is_finite()));
}
