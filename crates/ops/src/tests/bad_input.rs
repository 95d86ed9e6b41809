//! Wrong shapes, dtypes and numbers are errors that say what was expected; empty batches never panic.

use candle_core::{DType, Device, Result, Tensor};

use super::{random, values};
use crate::loss::{
    Decoupled, SparseTargets, cross_entropy, decoupled_cross_entropy, logit_l2, soft_cross_entropy,
    sparse_soft_cross_entropy, standardised_soft_cross_entropy,
};
use crate::{
    AttentionConfig, ConvNorm, DropoutKey, Gelu, TokenPooling, TokenRows, add_bias, avg_pool2d, batch_norm_eval,
    batch_norm_train, conv2d, depthwise_conv2d, dropout, embedding, embedding_bag, gelu, global_average_pool,
    layer_norm, linear, max_pool2d, pool_tokens, relu, self_attention,
};

fn f32s(shape: &[usize]) -> Tensor {
    random("bad input", shape, DType::F32)
}

fn assert_error<T>(result: Result<T>, parts: &[&str]) {
    let message = result.err().expect("an error").to_string();
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn wrong_shapes_name_both_sides() {
    assert_error(linear(&f32s(&[2, 3]), &f32s(&[4, 5]), &f32s(&[4])), &["linear", "weight", "[4, 3]", "[4, 5]"]);
    assert_error(linear(&f32s(&[2, 3]), &f32s(&[4, 3]), &f32s(&[3])), &["bias", "[4]", "[3]"]);
    assert_error(linear(&f32s(&[]), &f32s(&[4, 3]), &f32s(&[4])), &["input", "at least 1 axis", "[]"]);
    assert_error(conv2d(&f32s(&[2, 5, 5]), &f32s(&[3, 3, 1, 1]), 1, 1), &["conv2d", "input", "4 axes"]);
    assert_error(conv2d(&f32s(&[2, 5, 5, 2]), &f32s(&[3, 3, 1, 1]), 1, 1), &["weight", "[3, 3, 2, 1]"]);
    assert_error(conv2d(&f32s(&[2, 5, 5, 1]), &f32s(&[3, 3, 1, 1]), 0, 1), &["stride", "at least 1", "got 0"]);
    assert_error(conv2d(&f32s(&[2, 2, 5, 1]), &f32s(&[3, 3, 1, 1]), 1, 0), &["padded", "3 x 3", "(2, 5)"]);
    assert_error(depthwise_conv2d(&f32s(&[2, 5, 5, 2]), &f32s(&[3, 3, 1]), 1, 1), &["depthwise_conv2d", "[3, 3, 2]"]);
    assert_error(depthwise_conv2d(&f32s(&[2, 5, 5, 2]), &f32s(&[3, 3, 2, 1]), 1, 1), &["weight", "3 axes"]);
    let (image, weight, c) = (f32s(&[2, 5, 5, 2]), f32s(&[3, 3, 2, 4]), f32s(&[4]));
    let norm =
        ConvNorm { weight: &weight, stride: 2, padding: 1, gamma: &c, beta: &c, eps: 1e-5, residual: None, relu: true };
    assert_error(ConvNorm { beta: &f32s(&[2]), ..norm }.train(&image), &["conv_norm", "beta", "[4]", "[2]"]);
    assert_error(ConvNorm { residual: Some(&image), ..norm }.train(&image), &["residual", "[2, 3, 3, 4]"]);
    assert_error(norm.train(&f32s(&[2, 5, 5, 2]).narrow(0, 0, 0).unwrap()), &["positions per channel", "at least 1"]);
    assert_error(norm.eval(&image, &c, &f32s(&[3])), &["running variance", "[4]"]);
    assert_error(max_pool2d(&f32s(&[2, 2, 5, 1]), 3, 1, 0), &["max_pool2d", "[3, 3]", "(2, 5)"]);
    assert_error(max_pool2d(&f32s(&[2, 5, 5, 1]), 3, 1, 2), &["max_pool2d", "padding", "half the kernel"]);
    assert_error(avg_pool2d(&f32s(&[2, 2, 5, 1]), 0, 1), &["kernel", "at least 1"]);
    let c = f32s(&[3]);
    assert_error(batch_norm_train(&f32s(&[4, 2]), &c, &c, 1e-5, false), &["batch_norm", "gamma", "[2]", "[3]"]);
    assert_error(batch_norm_eval(&f32s(&[4, 3]), &c, &c, &c, &f32s(&[2]), 1e-5, true), &["running variance"]);
    assert_error(add_bias(&f32s(&[4, 2]), &c, false), &["add_bias", "[2]", "[3]"]);
    assert_error(soft_cross_entropy(&f32s(&[4, 2]), &f32s(&[4, 3]), 1.0), &["target", "[4, 2]", "[4, 3]"]);
    assert_error(logit_l2(&f32s(&[4, 2]), &f32s(&[3, 2])), &["teacher", "[4, 2]", "[3, 2]"]);
    let standardised = standardised_soft_cross_entropy(&f32s(&[4, 2]), &f32s(&[3, 2]), 1.0);
    assert_error(standardised, &["teacher", "[4, 2]", "[3, 2]"]);
    assert_error(decoupled(&f32s(&[4, 2]), &f32s(&[4, 3]), &[0; 4], 1.0), &["target", "[4, 2]", "[4, 3]"]);
}

fn decoupled(logits: &Tensor, probs: &Tensor, classes: &[u32], temperature: f64) -> Result<Tensor> {
    decoupled_cross_entropy(
        logits,
        probs,
        classes,
        Decoupled { temperature, target_weight: 1.0, non_target_weight: 1.0 },
    )
}

#[test]
fn wrong_dtypes_are_named() {
    let doubles = random("doubles", &[4, 3], DType::F64);
    assert_error(linear(&f32s(&[2, 3]), &doubles, &f32s(&[4])), &["dtype of weight", "F32", "F64"]);
    let integers = Tensor::zeros((2, 3), DType::U32, &Device::Cpu).unwrap();
    assert_error(relu(&integers), &["relu", "expected f32", "U32"]);
}

#[test]
fn wrong_numbers_are_named() {
    let logits = f32s(&[2, 3]);
    assert_error(cross_entropy(&logits, &[0]), &["number of labels", "expected 2", "got 1"]);
    assert_error(cross_entropy(&logits, &[0, 3]), &["label", "below 3", "got 3"]);
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_error(soft_cross_entropy(&logits, &logits, temperature), &["temperature", "above 0"]);
        assert_error(standardised_soft_cross_entropy(&logits, &logits, temperature), &["temperature", "above 0"]);
        assert_error(decoupled(&logits, &logits, &[0, 1], temperature), &["temperature", "above 0"]);
    }
    assert_error(decoupled(&logits, &logits, &[0], 1.0), &["number of target classes", "expected 2", "got 1"]);
    assert_error(decoupled(&logits, &logits, &[0, 3], 1.0), &["target class", "below 3", "got 3"]);
    assert_error(decoupled(&f32s(&[2, 1]), &f32s(&[2, 1]), &[0, 0], 1.0), &["classes", "at least 2"]);
    for probability in [1.0, -0.1, f64::NAN] {
        assert_error(dropout(&logits, probability, DropoutKey { seed: 0 }), &["probability", "below 1"]);
    }
}

#[test]
fn wrong_sparse_targets_are_named() {
    let loss = |classes: &[u32], probs: &[f32], tails: &[f32]| {
        sparse_soft_cross_entropy(&f32s(&[2, 3]), SparseTargets { classes, probs, tails }, 1.0)
    };
    assert_error(loss(&[0], &[1.0], &[0.0]), &["tail masses", "expected 2", "got 1"]);
    assert_error(loss(&[0, 1, 2], &[0.5; 3], &[0.5; 2]), &["class numbers", "expected 2", "got 3"]);
    assert_error(loss(&[0, 1], &[0.5; 3], &[0.5; 2]), &["probabilities", "expected 2", "got 3"]);
    for bad in [[0, 1, 1, 1], [0, 1, 2, 0], [0, 1, 2, 3]] {
        assert_error(loss(&bad, &[0.5; 4], &[0.5; 2]), &["class numbers of row 1", "ascending, below 3"]);
    }
}

#[test]
fn wrong_texts_are_named() {
    let rows = TokenRows::of([vec![0, 2], vec![], vec![1]]).unwrap();
    let config = AttentionConfig { n_heads: 2, rotary: false, dropout: None };
    assert_error(embedding_bag(&f32s(&[2, 3]), &rows), &["id", "below 2", "got 2"]);
    assert_error(embedding(&f32s(&[2, 3]), &[0, 5]), &["id", "below 2", "got 5"]);
    assert_error(pool_tokens(&f32s(&[4, 3]), &rows, TokenPooling::Mean), &["tokens", "[3, 3]", "[4, 3]"]);
    assert_error(self_attention(&f32s(&[4, 12]), &rows, config), &["projections", "[3, 12]", "[4, 12]"]);
    assert_error(self_attention(&f32s(&[3, 15]), &rows, config), &["columns", "3 x 2 heads", "got 15"]);
    let rotary = AttentionConfig { rotary: true, ..config };
    assert_error(self_attention(&f32s(&[3, 6]), &rows, rotary), &["3 x 2 heads of even width", "got 6"]);
    assert_error(self_attention(&f32s(&[3, 6]), &rows, AttentionConfig { n_heads: 0, ..config }), &["0 heads"]);
    let dropped = AttentionConfig { dropout: Some((1.0, DropoutKey { seed: 0 })), ..config };
    assert_error(self_attention(&f32s(&[3, 6]), &rows, dropped), &["probability", "below 1"]);
    assert_error(layer_norm(&f32s(&[3, 6]), &f32s(&[6]), &f32s(&[5]), 1e-5), &["beta", "[6]", "[5]"]);
}

#[test]
fn empty_texts_do_not_panic() {
    let empty = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let config = AttentionConfig { n_heads: 2, rotary: true, dropout: Some((0.5, DropoutKey { seed: 0 })) };
    let table = f32s(&[4, 3]);
    for rows in [TokenRows::of([[0; 0]; 2]).unwrap(), TokenRows::of([[0; 0]; 0]).unwrap()] {
        assert_eq!(embedding_bag(&table, &rows).unwrap().dims(), [rows.n_rows(), 3]);
        assert_eq!(embedding(&table, rows.ids()).unwrap().dims(), [0, 3]);
        assert_eq!(self_attention(&empty(&[0, 12]), &rows, config).unwrap().dims(), [0, 4]);
        let pooled = pool_tokens(&empty(&[0, 3]), &rows, TokenPooling::First).unwrap();
        assert_eq!(pooled.dims(), [rows.n_rows(), 3]);
    }
    assert_eq!(gelu(&empty(&[0, 3]), Gelu::Exact).unwrap().dims(), [0, 3]);
    assert_eq!(layer_norm(&empty(&[0, 3]), &f32s(&[3]), &f32s(&[3]), 1e-5).unwrap().dims(), [0, 3]);
}

#[test]
fn empty_batches_do_not_panic() {
    let empty = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let c = f32s(&[3]);
    let output = linear(&empty(&[0, 5]), &f32s(&[3, 5]), &c).unwrap();
    assert_eq!(output.dims(), [0, 3]);
    // no inputs: the bias alone
    assert_eq!(values(&linear(&empty(&[2, 0]), &empty(&[3, 0]), &c).unwrap()), [values(&c), values(&c)].concat());
    let images = empty(&[0, 4, 4, 3]);
    assert_eq!(conv2d(&images, &f32s(&[3, 3, 3, 2]), 1, 1).unwrap().dims(), [0, 4, 4, 2]);
    assert_eq!(depthwise_conv2d(&images, &f32s(&[3, 3, 3]), 1, 1).unwrap().dims(), [0, 4, 4, 3]);
    assert_eq!(max_pool2d(&images, 2, 2, 0).unwrap().dims(), [0, 2, 2, 3]);
    assert_eq!(global_average_pool(&images).unwrap().dims(), [0, 3]);
    assert_eq!(relu(&images).unwrap().dims(), [0, 4, 4, 3]);
    assert_eq!(dropout(&images, 0.5, DropoutKey { seed: 0 }).unwrap().dims(), [0, 4, 4, 3]);
    assert_eq!(batch_norm_eval(&images, &c, &c, &c, &c, 1e-5, false).unwrap().dims(), [0, 4, 4, 3]);
    assert_error(batch_norm_train(&images, &c, &c, 1e-5, false), &["positions per channel", "at least 1"]);
    assert_error(cross_entropy(&empty(&[0, 3]), &[]), &["examples in batch", "at least 1"]);
    assert_error(logit_l2(&empty(&[2, 0]), &empty(&[2, 0])), &["classes", "at least 1"]);
}
