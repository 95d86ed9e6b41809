//! Averaged weights, accumulated batches, and trainings that resume.

use super::{Case, distance, glyphs, model, training, weights};
use crate::{EpochRecord, LabelView, Monitor, Silent, StepInfo, TrainError, Validation, evaluate, predict_proba};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use stillhouse_models::Model;

fn networks() -> [Value; 2] {
    [json!({ "kind": "mlp", "widths": [24], "dropout": 0.2 }), json!({ "kind": "resnet", "depth": 8, "width": 8 })]
}

fn fresh(config: &Value) -> Model {
    model(config, &glyphs().input.shape, 10)
}

fn trained(network: &Value, others: &Value) -> Model {
    let (data, config) = (glyphs(), training(others));
    let model = fresh(network);
    let case = Case { config: &config, split: &data.train, validation: None, checkpoint: None };
    case.train(&model, &Silent).unwrap();
    model
}

#[test]
fn batches_add_up_to_the_step_of_a_large_batch() {
    // without dropout and batch norm; clipped, so that the whole sum is, and not each batch
    let network = json!({ "kind": "mlp", "widths": [24] });
    let sgd = json!({ "kind": "sgd", "momentum": 0.9 });
    let settings = |batch_size: usize, n_batches: usize| {
        json!({
            "batch_size": batch_size, "accumulate_batches": n_batches, "clip_norm": 0.5, "optimizer": sgd,
            "schedule": { "kind": "constant", "learning_rate": 0.1 }, "label_smoothing": 0.1,
            "imbalance": { "kind": "class_weights" },
        })
    };
    let large = trained(&network, &settings(60, 1));
    for (batch_size, n_batches) in [(15, 4), (20, 3), (2, 30)] {
        let same = trained(&network, &settings(batch_size, n_batches));
        assert!(distance(&same, &large) < 2e-6, "{batch_size} x {n_batches}: {}", distance(&same, &large));
    }
    assert!(distance(&large, &fresh(&network)) > 0.01);
    assert!(distance(&large, &trained(&network, &settings(60, 2))) > 1e-3, "another number of steps");
}

#[test]
fn an_epoch_smaller_than_a_step_is_one_step() {
    // 180 examples, 12 batches of 16 at most: the last one has 4
    let network = json!({ "kind": "mlp", "widths": [24] });
    let settings = |batch_size: usize, n: usize| json!({ "batch_size": batch_size, "accumulate_batches": n });
    let one = trained(&network, &settings(180, 1));
    let same = trained(&network, &settings(16, 100));
    assert!(distance(&one, &same) < 1e-4, "{}", distance(&one, &same));
}

#[test]
fn the_average_is_saved_in_place_of_the_last_weights() {
    let one_step = |others: Value| {
        let mut settings = json!({ "n_epochs": 1, "batch_size": 180 });
        settings.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        settings
    };
    for network in networks() {
        let last = weights(&trained(&network, &one_step(json!({}))));
        let average = weights(&trained(&network, &one_step(json!({ "ema_decay": 0.9 }))));
        // after one step the decay is (1 + 1) / (10 + 1)
        for (((name, average), (_, last)), (_, first)) in average.iter().zip(&last).zip(&weights(&fresh(&network))) {
            for ((average, last), first) in average.iter().zip(last).zip(first) {
                let expected = first + (1.0 - 2.0 / 11.0) * (last - first);
                assert!((average - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{name}: {average}, {expected}");
            }
        }
    }
}

#[test]
fn the_average_is_what_is_validated_and_kept() {
    let data = glyphs();
    let validation = Validation { split: data.valid.clone(), labels: LabelView::Global };
    for network in networks() {
        for keep in ["last", "best"] {
            let config = training(&json!({ "n_epochs": 4, "ema_decay": 0.8, "keep": keep }));
            let model = fresh(&network);
            let case = Case { config: &config, split: &data.train, validation: Some(&validation), checkpoint: None };
            let summary = case.train(&model, &Silent).unwrap();
            let kept = &summary.history.epochs[summary.kept_epoch - 1];
            let probs = predict_proba(&model, &data.valid, None).unwrap();
            let found = evaluate(&probs, data.valid.labels(), 10).nll;
            assert!((found - kept.valid_loss.unwrap()).abs() < 1e-9, "{network} {keep}: {found} {kept:?}");
        }
    }
}

struct Interrupting {
    n_steps: AtomicUsize,
}

impl Monitor for Interrupting {
    fn step(&self, _: &StepInfo) {
        self.n_steps.fetch_add(1, Ordering::Relaxed);
    }
    fn epoch(&self, _: &EpochRecord, _: usize) {}
    fn note(&self, _: &str) {}
    fn is_interrupted(&self) -> bool {
        self.n_steps.load(Ordering::Relaxed) == 4
    }
}

fn kinds() -> [Value; 4] {
    [
        json!({ "ema_decay": 0.9, "accumulate_batches": 2, "keep": "best" }),
        json!({ "imbalance": { "kind": "balanced_sampling" }, "ema_decay": 0.9 }),
        json!({ "imbalance": { "kind": "class_weights", "beta": 0.9 }, "label_smoothing": 0.1 }),
        json!({ "imbalance": { "kind": "logit_adjustment", "strength": 1.5 }, "accumulate_batches": 2 }),
    ]
}

#[test]
fn a_training_that_resumes_ends_with_the_same_bits() {
    let (data, folder) = (glyphs(), tempfile::tempdir().unwrap());
    let validation = Validation { split: data.valid.clone(), labels: LabelView::Global };
    // classes of 18, 17, ... examples
    let rows: Vec<usize> = (0..data.train.len()).filter(|row| row % 18 >= data.train.label(*row).index()).collect();
    let split = data.train.select(&rows);
    for (nth, others) in kinds().iter().enumerate() {
        let config = training(others);
        for (network, path) in networks().iter().zip(["a", "b"]) {
            let path = folder.path().join(format!("{nth}{path}"));
            let case = |checkpoint| Case { config: &config, split: &split, validation: Some(&validation), checkpoint };
            let undisturbed = fresh(network);
            case(None).train(&undisturbed, &Silent).unwrap();
            let monitor = Interrupting { n_steps: AtomicUsize::new(0) };
            let interrupted = case(Some(&path)).train(&fresh(network), &monitor);
            assert!(matches!(interrupted, Err(TrainError::Interrupted)), "{others}");
            let resumed = fresh(network);
            case(Some(&path)).train(&resumed, &Silent).unwrap();
            assert!(weights(&resumed) == weights(&undisturbed), "{others} {network}");
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let train = |n_threads: usize, others: &Value| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| networks().map(|network| weights(&trained(&network, others))))
    };
    for others in kinds() {
        assert!(train(1, &others) == train(3, &others), "{others}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    for (others, key) in [
        (json!({ "ema_decay": 1.0 }), "ema_decay"),
        (json!({ "label_smoothing": 1.0 }), "label_smoothing"),
        (json!({ "accumulate_batches": 0 }), "accumulate_batches"),
        (json!({ "imbalance": { "kind": "class_weights", "beta": 1.5 } }), "imbalance.beta"),
        (json!({ "imbalance": { "kind": "logit_adjustment", "strength": 0.0 } }), "imbalance.strength"),
    ] {
        let problems = training(&others).validate();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), [key]);
    }
    let plain = serde_json::to_value(training(&json!({}))).unwrap();
    for key in ["ema_decay", "label_smoothing", "accumulate_batches", "imbalance"] {
        assert!(plain.get(key).is_none(), "{key} would change the keys of finished stages");
    }
}
