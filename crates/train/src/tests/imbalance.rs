//! What a network predicts after a training with class weights, balanced sampling, logit adjustment or smoothed labels, where
//! the right answer is known.

use super::{Case, glyphs, model, training};
use crate::{Silent, predict_proba};
use serde_json::{Value, json};
use stillhouse_core::InputShape;
use stillhouse_data::Split;

/// Two classes of 18 and 2 examples, whose features say nothing of the class.
fn uninformative() -> Split {
    let rows = [rows_of(0), rows_of(1)[..2].to_vec()].concat();
    let split = glyphs().train.select(&rows);
    // both values in each class, as often
    let values = (0..rows.len()).map(|row| if row % 2 == 0 { 1.0 } else { -1.0 }).collect();
    split.with_features(values, 1)
}

fn rows_of(class: usize) -> Vec<usize> {
    let train = glyphs().train;
    (0..train.len()).filter(|row| train.label(*row).index() == class).collect()
}

/// Mean predictions of a linear classifier after a long training on a split of features.
fn predictions(split: &Split, others: &Value) -> Vec<f64> {
    let mut settings = json!({
        "n_epochs": 400, "batch_size": 20, "optimizer": { "kind": "adamw", "weight_decay": 0.0 },
        "schedule": { "kind": "cosine", "peak_learning_rate": 0.05 },
    });
    settings.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    let config = training(&settings);
    let InputShape::Features { n_features } = split.input().shape else { panic!("features") };
    let model = model(&json!({ "kind": "mlp", "widths": [] }), &InputShape::Features { n_features }, 10);
    Case { config: &config, split, validation: None, checkpoint: None }.train(&model, &Silent).unwrap();
    let probs = predict_proba(&model, split, None).unwrap();
    (0..10)
        .map(|class| probs.iter().skip(class).step_by(10).map(|p| f64::from(*p)).sum::<f64>() / split.len() as f64)
        .collect()
}

#[test]
fn each_way_takes_the_frequencies_out_of_the_predictions() {
    let split = uninformative();
    let share_of_rare = |others: &Value| {
        let probs = predictions(&split, others);
        probs[1] / (probs[0] + probs[1])
    };
    let plain = share_of_rare(&json!({}));
    assert!((plain - 0.1).abs() < 0.01, "the class's own frequency: {plain}");
    for way in ["class_weights", "balanced_sampling", "logit_adjustment"] {
        let share = share_of_rare(&json!({ "imbalance": { "kind": way } }));
        assert!((share - 0.5).abs() < 0.02, "{way}: {share}");
    }
    // odds of 1 to 9 times 9 to the power of the strength
    let half = share_of_rare(&json!({ "imbalance": { "kind": "logit_adjustment", "strength": 0.5 } }));
    assert!((half - 0.25).abs() < 0.01, "{half}");
    // weights (1 - 0.5) / (1 - 0.5^n): 0.5 and 2/3, so odds of 2 * 2/3 to 18 * 0.5
    let effective = share_of_rare(&json!({ "imbalance": { "kind": "class_weights", "beta": 0.5 } }));
    assert!((effective - (4.0 / 3.0) / (4.0 / 3.0 + 9.0)).abs() < 0.01, "{effective}");
}

#[test]
fn smoothed_labels_give_each_class_its_part() {
    // features name the class
    let train = glyphs().train;
    let values = (0..train.len() * 10).map(|at| f32::from(u8::from(train.label(at / 10).index() == at % 10)) * 4.0);
    let split = train.with_features(values.collect(), 10);
    let config = training(&json!({
        "n_epochs": 150, "batch_size": 90, "label_smoothing": 0.2,
        "optimizer": { "kind": "adamw", "weight_decay": 0.0 },
        "schedule": { "kind": "cosine", "peak_learning_rate": 0.05 },
    }));
    let model = model(&json!({ "kind": "mlp", "widths": [] }), &InputShape::Features { n_features: 10 }, 10);
    Case { config: &config, split: &split, validation: None, checkpoint: None }.train(&model, &Silent).unwrap();
    let probs = predict_proba(&model, &split, None).unwrap();
    for (row, probs) in probs.chunks_exact(10).enumerate() {
        let of_label = probs[split.label(row).index()];
        assert!((of_label - 0.82).abs() < 0.01, "0.8 and a tenth of 0.2, found {of_label}");
    }
}
