//! The config of a training: the `training` table of generalist, specialists and student.

use crate::{OptimizerConfig, ScheduleConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of one training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Passes over the training rows.
    pub n_epochs: usize,
    /// Examples a step.
    #[serde(default = "default_batch_size")]
    pub batch_size: usize,
    /// Update rule.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// Learning rate over time.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// Largest norm of the whole gradient; larger ones are scaled down to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Stop before `n_epochs` when the validation loss has stopped falling; the best weights are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Weights at the end: of the last epoch, or of the best one on the validation split.
    #[serde(default)]
    pub keep: Keep,
}

/// Patience of early stopping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a lower validation loss after which training stops.
    pub patience: usize,
}

/// Which epoch's weights a training returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The last epoch's.
    #[default]
    Last,
    /// The epoch's with the lowest validation loss.
    Best,
}

fn default_batch_size() -> usize {
    128
}

/// A typing error beyond this; epochs are multiplied by examples, so larger numbers would overflow.
const MAX_EPOCHS: usize = 1_000_000;
/// A typing error beyond this: a batch is held in memory.
const MAX_BATCH_SIZE: usize = 1 << 24;

impl TrainingConfig {
    /// Optimizer steps of each epoch over `n_rows` rows. An incomplete last batch is left out, so that every step
    /// weighs its examples alike.
    pub fn steps_per_epoch(&self, n_rows: usize) -> usize {
        (n_rows / self.batch_size).max(1)
    }

    /// Examples seen in all epochs over `n_rows` rows, unless the training stops early.
    pub fn n_examples_seen(&self, n_rows: usize) -> usize {
        self.n_epochs * n_rows.min(self.steps_per_epoch(n_rows) * self.batch_size)
    }

    /// Everything out of range, one sentence each, beginning with the key.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(1..=MAX_EPOCHS).contains(&self.n_epochs) {
            problems.push(format!("n_epochs: must be between 1 and {MAX_EPOCHS}, found {}", self.n_epochs));
        }
        if !(2..=MAX_BATCH_SIZE).contains(&self.batch_size) {
            problems.push(format!("batch_size: must be between 2 and {MAX_BATCH_SIZE}, found {}", self.batch_size));
        }
        if let Some(norm) = self.clip_norm.filter(|norm| !(norm.is_finite() && *norm > 0.0)) {
            problems.push(format!("clip_norm: must be above 0, found {norm}"));
        }
        if self.early_stopping.as_ref().is_some_and(|stopping| stopping.patience == 0) {
            problems.push("early_stopping.patience: must be at least 1, found 0".into());
        }
        problems.extend(self.optimizer.validate().into_iter().map(|problem| format!("optimizer.{problem}")));
        problems.extend(self.schedule.validate(self.n_epochs).into_iter().map(|problem| format!("schedule.{problem}")));
        problems
    }

    /// Whether the best epoch's weights are returned.
    pub fn keeps_best(&self) -> bool {
        self.keep == Keep::Best || self.early_stopping.is_some()
    }
}
