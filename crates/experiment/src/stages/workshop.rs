//! What every stage works with. The test split is not in here: only the evaluation is given it.

use crate::config::ExperimentConfig;
use crate::context::RunContext;
use stillhouse_core::{InputSpec, Seed};
use stillhouse_data::Split;
use stillhouse_train::{Device, ViewPolicy};

/// Config, data for training and validation, and the run's context.
pub(crate) struct Workshop<'a> {
    pub config: &'a ExperimentConfig,
    pub context: &'a RunContext<'a>,
    pub device: Device,
    pub seed: Seed,
    pub labels: Vec<String>,
    pub input: InputSpec,
    pub train: Split,
    pub valid: Split,
    /// Hash of the data and the split decision.
    pub fingerprint: String,
    /// Whether examples are augmented in training.
    pub augmented: bool,
}

impl Workshop<'_> {
    pub fn n_classes(&self) -> usize {
        self.labels.len()
    }

    /// Views of a training on hard labels: a new one in each epoch.
    pub fn fresh_views(&self) -> ViewPolicy {
        if self.augmented { ViewPolicy::Fresh } else { ViewPolicy::Plain }
    }

    /// Views of a training on soft targets: those that were stored.
    pub fn stored_views(&self) -> ViewPolicy {
        if self.augmented { ViewPolicy::Stored { n_views: self.config.student.views } } else { ViewPolicy::Plain }
    }
}
