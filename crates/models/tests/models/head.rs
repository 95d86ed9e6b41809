//! Heads of specialists, cut from a generalist's.

use crate::cases::{N_OUTPUTS, assert_close, batch, bits, every_case, labels, logits, mlp, model, sgd_step, values};
use stillhouse_core::{ClassId, ClassSubset, InputShape, Seed};
use stillhouse_models::{HeadInit, Mode, Model};

const FEATURES: InputShape = InputShape::Features { n_features: 7 };

fn subset(classes: &[u32]) -> ClassSubset {
    ClassSubset::new(N_OUTPUTS, classes.iter().copied().map(ClassId)).unwrap()
}

/// A net that has been trained a little, so that biases and running statistics are not what they started as.
fn trained(config: &stillhouse_models::ModelConfig, input: &InputShape) -> Model {
    let model = model(config, input, 2);
    for step in 0..3 {
        sgd_step(&model, &batch(input, 10, step), &labels(10), 0.1, step);
    }
    model
}

#[test]
fn the_dustbin_starts_as_the_mean_of_the_others_and_the_log_of_their_number() {
    for (config, input) in every_case() {
        let generalist = trained(&config, &input);
        let subset = subset(&[3, 1]);
        let specialist = generalist.with_head(HeadInit::Dustbin { subset: &subset }).unwrap();
        assert_eq!(specialist.n_outputs(), 3);
        let inputs = batch(&input, 4, 9);
        for (full, local) in logits(&generalist, &inputs).iter().zip(logits(&specialist, &inputs)) {
            // members keep their logits, in ascending order; the others are classes 0, 2 and 4
            let dustbin = (full[0] + full[2] + full[4]) / 3.0 + 3f32.ln();
            assert_close(&local, &[full[1], full[3], dustbin], 1e-5);
        }
    }
}

#[test]
fn a_dustbin_of_one_class_is_that_class() {
    let generalist = trained(&mlp(&[6]), &FEATURES);
    let specialist = generalist.with_head(HeadInit::Dustbin { subset: &subset(&[0, 1, 2, 3]) }).unwrap();
    assert_eq!(values(&specialist, "head.weight"), values(&generalist, "head.weight"));
    assert_eq!(values(&specialist, "head.bias"), values(&generalist, "head.bias"));
}

#[test]
fn a_subset_head_keeps_the_logits_of_its_classes() {
    let generalist = trained(&mlp(&[6]), &FEATURES);
    let specialist = generalist.with_head(HeadInit::Subset { subset: &subset(&[4, 0]) }).unwrap();
    let inputs = batch(&FEATURES, 3, 9);
    for (full, local) in logits(&generalist, &inputs).iter().zip(logits(&specialist, &inputs)) {
        assert_close(&local, &[full[0], full[4]], 1e-6);
    }
}

#[test]
fn a_fresh_head_is_the_one_of_a_fresh_model_on_the_old_body() {
    let generalist = trained(&mlp(&[6]), &FEATURES);
    let new = generalist.with_head(HeadInit::Fresh { n_outputs: 9, seed: Seed(8) }).unwrap();
    let fresh = Model::new(generalist.config(), &FEATURES, 9, Seed(8), generalist.device()).unwrap();
    assert_eq!(values(&new, "head.weight"), values(&fresh, "head.weight"));
    assert_eq!(values(&new, "layers.0.weight"), values(&generalist, "layers.0.weight"));
    let error = generalist.with_head(HeadInit::Fresh { n_outputs: 0, seed: Seed(8) }).unwrap_err().to_string();
    assert!(error.contains("at least one output"), "{error}");
}

#[test]
fn training_a_copy_never_touches_the_original_nor_the_other_way() {
    for (config, input) in every_case() {
        let original = trained(&config, &input);
        let copy = original.with_head(HeadInit::Same).unwrap();
        assert_eq!(bits(&copy), bits(&original));
        let before = bits(&original);
        sgd_step(&copy, &batch(&input, 10, 5), &labels(10), 0.1, 5);
        assert_eq!(bits(&original), before);
        let after = bits(&copy);
        assert_ne!(after, before);
        sgd_step(&original, &batch(&input, 10, 6), &labels(10), 0.1, 6);
        assert_eq!(bits(&copy), after);
    }
}

#[test]
fn surgery_that_makes_no_sense_is_refused() {
    let generalist = model(&mlp(&[6]), &FEATURES, 0);
    let other = ClassSubset::new(6, [ClassId(0)]).unwrap();
    let error = generalist.with_head(HeadInit::Dustbin { subset: &other }).err().unwrap().to_string();
    assert_eq!(error, "the subset is taken from 6 classes, the model has 5 outputs");
    let everything = subset(&[0, 1, 2, 3, 4]);
    let error = generalist.with_head(HeadInit::Dustbin { subset: &everything }).err().unwrap().to_string();
    assert_eq!(error, "the subset holds all 5 classes, a dustbin would stand for nothing");
    assert_eq!(generalist.with_head(HeadInit::Subset { subset: &everything }).unwrap().n_outputs(), 5);
}

#[test]
fn the_prior_correction_moves_one_logit() {
    let model = trained(&mlp(&[6]), &FEATURES);
    let inputs = batch(&FEATURES, 3, 9);
    let before = logits(&model, &inputs);
    model.add_to_output_bias(2, 1.5).unwrap();
    for (old, new) in before.iter().zip(logits(&model, &inputs)) {
        assert_close(&new, &[old[0], old[1], old[2] + 1.5, old[3], old[4]], 1e-6);
    }
    assert_eq!(model.add_to_output_bias(5, 1.0).unwrap_err().to_string(), "output 5 does not exist, the model has 5");
    assert!(model.add_to_output_bias(0, f64::NEG_INFINITY).unwrap_err().to_string().contains("must be finite"));
}

#[test]
fn a_head_alone_on_the_bodys_features_is_the_whole_model() {
    for (config, input) in every_case() {
        let whole = trained(&config, &input);
        let head = whole.head_alone().unwrap();
        let inputs = batch(&input, 5, 4);
        let features = whole.features(&inputs, Mode::Eval).unwrap();
        let of_head = head.forward(&features.into(), Mode::Eval).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(of_head, logits(&whole, &inputs), "{config:?}");
        let n_head_flops = 2 * (whole.n_features() * whole.n_outputs()) as u64;
        assert_eq!(whole.body_flops_per_example() + n_head_flops, whole.flops_per_example());
    }
}

#[test]
fn a_head_trained_alone_goes_back_onto_the_body() {
    let generalist = trained(&mlp(&[6]), &FEATURES);
    let subset = subset(&[3, 1]);
    let head = generalist.with_head(HeadInit::Dustbin { subset: &subset }).unwrap().head_alone().unwrap();
    head.add_to_output_bias(2, 1.5).unwrap();
    let specialist = generalist.with_head(HeadInit::Of(&head)).unwrap();
    assert_eq!(specialist.n_outputs(), 3);
    assert_eq!(values(&specialist, "head.bias"), values(&head, "head.bias"));
    assert_eq!(values(&specialist, "layers.0.weight"), values(&generalist, "layers.0.weight"));
    let other = trained(&mlp(&[5]), &FEATURES);
    let error = other.with_head(HeadInit::Of(&head)).unwrap_err();
    assert_eq!(error.to_string(), "the head reads 6 features, the body gives 5");
}
