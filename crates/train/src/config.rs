//! The config of a training: the `training` table of generalist, specialists and student.

use crate::{OptimizerConfig, ScheduleConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{Problem, check_values};

/// Settings of one training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Epochs: passes over all training examples.
    #[schemars(range(min = 1, max = MAX_EPOCHS))]
    #[schemars(extend("examples" = [30]))]
    pub n_epochs: usize,
    /// Examples of each optimizer step.
    #[serde(default = "default_batch_size")]
    #[schemars(range(min = 2, max = MAX_BATCH_SIZE))]
    pub batch_size: usize,
    /// Update rule of the weights.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// Learning rate over the steps of the training.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// Largest norm of the whole gradient; larger ones are scaled down to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
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
    #[schemars(range(min = 1))]
    #[schemars(extend("examples" = [5]))]
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

    /// Everything that is wrong with the values: numbers out of range, settings that contradict each other.
    pub fn validate(&self) -> Vec<Problem> {
        let contradictions = [self.optimizer.contradiction(), self.schedule.contradiction(self.n_epochs)];
        check_values(self).into_iter().chain(contradictions.into_iter().flatten()).collect()
    }

    /// Whether the best epoch's weights are returned.
    pub fn keeps_best(&self) -> bool {
        self.keep == Keep::Best || self.early_stopping.is_some()
    }
}
