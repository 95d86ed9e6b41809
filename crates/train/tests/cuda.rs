//! Short trainings on a GPU: the course of the same training on the CPU, and a resume that changes nothing.
#![cfg(feature = "cuda")]

use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use stillhouse_core::{InputShape, Seed};
use stillhouse_data::{DataConfig, Dataset, LoadContext, NoProgress};
use stillhouse_models::Model;
use stillhouse_train::{
    Device, EpochRecord, FitJob, FitSummary, LabelView, Monitor, Objective, Sampler, Silent, StepInfo, TrainError,
    TrainingConfig, Validation, ViewPolicy, fit, predict_proba,
};

fn glyphs() -> Dataset {
    let config = json!({ "kind": "glyphs", "n_classes": 20, "train_per_class": 40, "test_per_class": 1 });
    dataset(config)
}

fn languages() -> Dataset {
    let config = json!({
        "kind": "table",
        "train": "builtin:languages/train.tsv",
        "test": "builtin:languages/test.tsv",
        "label": "language",
        "windows": { "length": 20, "train_stride": 60, "test_stride": 60 },
    });
    dataset(config)
}

fn dataset(config: serde_json::Value) -> Dataset {
    let config: DataConfig = serde_json::from_value(config).unwrap();
    config.load(&LoadContext::new(Seed(0), &NoProgress)).unwrap()
}

fn training() -> TrainingConfig {
    let schedule = json!({ "kind": "one_cycle", "peak_learning_rate": 3e-3 });
    serde_json::from_value(json!({ "n_epochs": 3, "batch_size": 32, "schedule": schedule, "clip_norm": 5.0 })).unwrap()
}

fn new_model(config: &serde_json::Value, dataset: &Dataset, device: &Device) -> Model {
    let config = serde_json::from_value(config.clone()).unwrap();
    let shape = if dataset.train.is_text() { InputShape::Text {} } else { dataset.input.shape };
    Model::new(&config, &shape, dataset.labels.len(), Seed(1), device).unwrap()
}

fn train(
    model: &Model,
    dataset: &Dataset,
    checkpoint: Option<&Path>,
    monitor: &dyn Monitor,
) -> Result<FitSummary, TrainError> {
    let config = training();
    let validation = Validation { split: dataset.valid.clone(), labels: LabelView::Global };
    let job = FitJob {
        name: "model",
        key: "key",
        config: &config,
        split: &dataset.train,
        sampler: &Sampler::All,
        views: ViewPolicy::Plain,
        objective: &Objective::HardLabels(LabelView::Global),
        bits: None,
        validation: Some(&validation),
        seed: Seed(2),
        checkpoint,
    };
    fit(model, &job, monitor)
}

fn gpu() -> Device {
    Device::new_cuda(0).expect("a GPU")
}

fn cases() -> Vec<(serde_json::Value, Dataset)> {
    vec![
        (json!({ "kind": "mlp", "widths": [64], "dropout": 0.2 }), glyphs()),
        (json!({ "kind": "resnet", "depth": 8, "width": 8 }), glyphs()),
        (json!({ "kind": "ngram_bag", "n_buckets": 4096, "width": 16, "hidden": [32] }), languages()),
    ]
}

/// Rounding differs, and grows over some hundred steps of AdamW, whose first steps are as long for a small gradient as for a
/// large one. Losses stay within a few percent, which a wrong gradient or a wrong step would not.
#[test]
fn a_training_takes_the_course_of_the_cpu() {
    for (config, dataset) in cases() {
        let [expected, got] = [Device::Cpu, gpu()].map(|device| {
            let model = new_model(&config, &dataset, &device);
            let start = std::time::Instant::now();
            let summary = train(&model, &dataset, None, &Silent).unwrap();
            let name = if device.is_cpu() { "cpu" } else { "gpu" };
            println!("{} on {name}: {:.2} s", config["kind"], start.elapsed().as_secs_f64());
            summary
        });
        for (got, expected) in got.history.epochs.iter().zip(&expected.history.epochs) {
            println!("{got:?}\n{expected:?}");
            let loss = (got.train_loss, expected.train_loss);
            assert!((loss.0 / loss.1 - 1.0).abs() < 0.05, "{config}: train losses {loss:?}");
            let top1 = (got.valid_top1.unwrap(), expected.valid_top1.unwrap());
            assert!((top1.0 - top1.1).abs() < 0.05, "{config}: validation accuracies {top1:?}");
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
        self.n_steps.load(Ordering::Relaxed) == 37
    }
}

#[test]
fn a_resumed_training_ends_as_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    let device = gpu();
    for (nth, (config, dataset)) in cases().into_iter().enumerate() {
        let undisturbed = new_model(&config, &dataset, &device);
        train(&undisturbed, &dataset, None, &Silent).unwrap();
        let path = folder.path().join(format!("{nth}.safetensors"));
        let monitor = Interrupting { n_steps: AtomicUsize::new(0) };
        let interrupted = train(&new_model(&config, &dataset, &device), &dataset, Some(&path), &monitor);
        assert!(matches!(interrupted, Err(TrainError::Interrupted)));
        let resumed = new_model(&config, &dataset, &device);
        train(&resumed, &dataset, Some(&path), &Silent).unwrap();
        let [a, b] = [&undisturbed, &resumed].map(|model| predict_proba(model, &dataset.valid, None).unwrap());
        let n_different = a.iter().zip(&b).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        let distance = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{}: {n_different} of {} numbers differ, by {distance} at most", config["kind"], a.len());
        assert!(distance < 1e-3, "{config}: {distance}");
    }
}
