//! Whole trainings of small networks: what their settings change, and what must not change.

mod imbalance;
mod steps;

use crate::{
    Device, FitJob, FitSummary, LabelView, Monitor, Objective, Sampler, TrainError, TrainingConfig, Validation,
    ViewPolicy, fit,
};
use serde_json::{Value, json};
use std::path::Path;
use stillhouse_core::{InputShape, Seed};
use stillhouse_data::{DataConfig, Dataset, LoadContext, NoProgress, Split};
use stillhouse_models::Model;

fn dataset(config: Value) -> Dataset {
    let config: DataConfig = serde_json::from_value(config).unwrap();
    config.load(&LoadContext::new(Seed(0), &NoProgress)).unwrap()
}

/// Ten characters, 18 training examples of each.
fn glyphs() -> Dataset {
    dataset(json!({
        "kind": "glyphs", "n_classes": 10, "train_per_class": 20, "test_per_class": 1,
        "augment": { "kind": "shift", "max_pixels": 2 },
    }))
}

/// Settings of a training: two epochs in batches of 16, and these.
fn training(others: &Value) -> TrainingConfig {
    let mut config = json!({ "n_epochs": 2, "batch_size": 16 });
    let table = config.as_object_mut().unwrap();
    table.extend(others.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

fn model(config: &Value, input: &InputShape, n_classes: usize) -> Model {
    Model::new(&serde_json::from_value(config.clone()).unwrap(), input, n_classes, Seed(1), &Device::Cpu).unwrap()
}

/// A training on labels.
struct Case<'a> {
    config: &'a TrainingConfig,
    split: &'a Split,
    validation: Option<&'a Validation>,
    checkpoint: Option<&'a Path>,
}

impl Case<'_> {
    fn train(&self, model: &Model, monitor: &dyn Monitor) -> Result<FitSummary, TrainError> {
        let sampler = match self.config.imbalance {
            Some(crate::ImbalanceConfig::BalancedSampling {}) => Sampler::balanced(self.split),
            _ => Sampler::All,
        };
        let job = FitJob {
            name: "model",
            key: "key",
            config: self.config,
            split: self.split,
            sampler: &sampler,
            views: ViewPolicy::Fresh,
            objective: &Objective::HardLabels(LabelView::Global),
            bits: None,
            validation: self.validation,
            seed: Seed(2),
            checkpoint: self.checkpoint,
        };
        fit(model, &job, monitor)
    }
}

/// All parameters and buffers, by name.
fn weights(model: &Model) -> Vec<(String, Vec<f32>)> {
    model.weights().unwrap().into_iter().collect()
}

/// The largest difference between the weights of two networks of one architecture.
fn distance(a: &Model, b: &Model) -> f32 {
    let (a, b) = (weights(a), weights(b));
    let pairs = a.iter().zip(&b).flat_map(|((_, a), (_, b))| a.iter().zip(b));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
