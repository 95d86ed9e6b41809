//! The experiment that every step is given: config, data, device, seed. The test split is not in here: only the evaluation
//! is given it.

use crate::config::ExperimentConfig;
use crate::context::RunContext;
use crate::external::External;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use stillhouse_core::Seed;
use stillhouse_data::TrainingData;
use stillhouse_models::Tokenizer;
use stillhouse_train::{Device, ViewPolicy};

/// One run of one config on loaded data.
#[derive(Clone)]
pub(crate) struct Session<'a> {
    pub config: &'a ExperimentConfig,
    pub data: Arc<TrainingData>,
    /// Teachers that were trained elsewhere, known by their predictions.
    pub external: Arc<[External]>,
    pub context: &'a RunContext<'a>,
    pub device: Device,
    pub seed: Seed,
    pub tokenizers: Arc<Tokenizers>,
}

impl Session<'_> {
    /// Whether examples are augmented in training.
    pub fn is_augmented(&self) -> bool {
        self.config.data.is_augmented()
    }

    /// Views of a training on hard labels: a new one in each epoch.
    pub fn fresh_views(&self) -> ViewPolicy {
        if self.is_augmented() { ViewPolicy::Fresh } else { ViewPolicy::Plain }
    }

    /// Views of a training on soft targets: those for which soft targets are stored.
    pub fn stored_views(&self) -> ViewPolicy {
        if self.is_augmented() { ViewPolicy::Stored { n_views: self.config.student.views } } else { ViewPolicy::Plain }
    }
}

/// The tokenizers of a run that were made or read so far, by the keys of their stages.
#[derive(Default)]
pub(crate) struct Tokenizers(pub Mutex<HashMap<String, Arc<Tokenizer>>>);
