//! Gradients reach everything, training learns, and it gives the same bits whatever the threads.

use crate::cases::{batch, bits, every_case, labels, loss_and_gradients, mlp, model, sgd_step, train_mode, values};
use candle_core::Var;
use stillhouse_core::InputShape;
use stillhouse_models::{MlpConfig, ModelConfig};
use stillhouse_ops::loss::cross_entropy;
use stillhouse_ops::{Gradients, gradient_coverage};

#[test]
fn every_variable_of_every_architecture_gets_a_gradient() {
    for (config, input) in every_case() {
        let model = model(&config, &input, 1);
        let (_, gradients) = loss_and_gradients(&model, &batch(&input, 10, 2), &labels(10), 0);
        let vars: Vec<(String, Var)> =
            model.params().iter().map(|param| (param.name.clone(), param.var.clone())).collect();
        assert_eq!(gradient_coverage(&gradients, &vars).unwrap(), Vec::<String>::new(), "{config:?}");
    }
}

#[test]
fn the_recorded_pass_finds_the_gradients_of_candles_own() {
    for (config, input) in every_case() {
        let model = model(&config, &input, 1);
        let inputs = batch(&input, 10, 2);
        let (loss, gradients) = loss_and_gradients(&model, &inputs, &labels(10), 0);
        let expected_loss = cross_entropy(&model.forward(&inputs, train_mode(0)).unwrap(), &labels(10)).unwrap();
        let expected = Gradients::of_candle(&expected_loss).unwrap();
        assert_eq!(loss.to_scalar::<f32>().unwrap(), expected_loss.to_scalar::<f32>().unwrap());
        for param in model.params() {
            let bits = |gradients: &Gradients| {
                let gradient = gradients
                    .get(&param.var)
                    .unwrap()
                    .to_dense()
                    .unwrap()
                    .flatten_all()
                    .unwrap()
                    .to_vec1::<f32>()
                    .unwrap();
                // candle adds every gradient to a zero, which makes a negative zero positive
                gradient.into_iter().map(|value| (value + 0.0).to_bits()).collect::<Vec<_>>()
            };
            assert_eq!(bits(&gradients), bits(&expected), "{config:?}, {}", param.name);
        }
    }
}

#[test]
fn a_few_steps_reduce_the_loss_of_every_architecture() {
    for (config, input) in every_case() {
        let model = model(&config, &input, 1);
        let inputs = batch(&input, 20, 2);
        let losses: Vec<f32> = (0..60).map(|step| sgd_step(&model, &inputs, &labels(20), 0.2, step)).collect();
        let late = losses[50..].iter().sum::<f32>() / 10.0;
        assert!(late < 0.85 * losses[0], "{config:?}: from {} to {late}", losses[0]);
    }
}

#[test]
fn one_thread_and_many_give_the_same_bits() {
    for (config, input) in every_case() {
        let trained = |n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| {
                let model = model(&config, &input, 1);
                for step in 0..3 {
                    sgd_step(&model, &batch(&input, 16, step), &labels(16), 0.1, step);
                }
                bits(&model)
            })
        };
        assert_eq!(trained(1), trained(3), "{config:?}");
    }
}

#[test]
fn dropout_changes_with_its_key_and_is_off_in_evaluation() {
    let dropped = MlpConfig { widths: vec![32], dropout: 0.5, input_dropout: 0.0, max_norm: None };
    let input = InputShape::Features { n_features: 8 };
    let with_dropout = model(&ModelConfig::Mlp(dropped), &input, 0);
    let without = model(&mlp(&[32]), &input, 0);
    let inputs = batch(&input, 4, 1);
    let trained = |step| with_dropout.forward(&inputs, train_mode(step)).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(trained(7), trained(7));
    assert_ne!(trained(7), trained(8));
    assert_eq!(crate::cases::logits(&with_dropout, &inputs), crate::cases::logits(&without, &inputs));
}

#[test]
fn max_norm_bounds_hidden_units_and_leaves_the_head_alone() {
    let bounded = MlpConfig { widths: vec![8, 8], dropout: 0.0, input_dropout: 0.0, max_norm: Some(0.5) };
    let input = InputShape::Features { n_features: 12 };
    let model = model(&ModelConfig::Mlp(bounded), &input, 0);
    let (head, before) = (values(&model, "head.weight"), values(&model, "layers.0.weight"));
    model.apply_max_norm().unwrap();
    let after = values(&model, "layers.0.weight");
    for (old, new) in before.chunks(12).zip(after.chunks(12)) {
        let norm = |row: &[f32]| row.iter().map(|weight| weight * weight).sum::<f32>().sqrt();
        let scale = (0.5 / norm(old)).min(1.0);
        let expected: Vec<f32> = old.iter().map(|weight| weight * scale).collect();
        crate::cases::assert_close(new, &expected, 1e-5);
    }
    assert_ne!(before, after);
    assert_eq!(head, values(&model, "head.weight"));
}
