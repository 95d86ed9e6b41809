//! The config of a training: the `training` table of generalist, specialists and student.

use crate::{ImbalanceConfig, OptimizerConfig, ScheduleConfig};
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
    /// Examples of each optimizer step, unless `accumulate_batches` is set.
    #[serde(default = "default_batch_size")]
    #[schemars(range(min = 2, max = MAX_BATCH_SIZE))]
    pub batch_size: usize,
    /// Batches whose gradients are added up before one optimizer step, 1 by default. A step then sees `batch_size` times as many
    /// examples, with the memory of one batch and one more copy of the gradients; an epoch has so many fewer steps. The step is that
    /// of one large batch, but for batch norms, which see each batch by itself, and for dropout, whose masks are others.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = MAX_ACCUMULATED), extend("default" = 1))]
    pub accumulate_batches: usize,
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
    /// What is done about classes that are rarer than others; nothing by default. Not for specialists, which draw half of their
    /// examples from their own classes and are brought back to the frequencies of the data, and not for a generalist of specialists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imbalance: Option<ImbalanceConfig>,
    /// Part of a hard label that is spread evenly over all classes (Szegedy et al. 2016, arXiv:1512.00567); 0 by default. Soft targets
    /// are never smoothed: of a student's loss only the hard-label part changes. A teacher that was trained so tells its students
    /// less of which classes are alike (Müller et al. 2019, arXiv:1906.02629).
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1, "default" = 0.0))]
    pub label_smoothing: f64,
    /// Decay, in each step, of an exponential moving average of the weights and of the running statistics of batch norms (Tarvainen and
    /// Valpola 2017, arXiv:1703.01780); none by default. The averaged weights are validated, chosen by `keep`, and saved in place of
    /// the last ones. In step t the decay is at most (1 + t) / (10 + t), so that little is left of the initial weights. It takes the
    /// memory of one more copy of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub ema_decay: Option<f64>,
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

fn one() -> usize {
    1
}

fn is_one(number: &usize) -> bool {
    *number == 1
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

fn default_batch_size() -> usize {
    128
}

/// A typing error beyond this; epochs are multiplied by examples, so larger numbers would overflow.
const MAX_EPOCHS: usize = 1_000_000;
/// A typing error beyond this: a batch is held in memory.
const MAX_BATCH_SIZE: usize = 1 << 24;
/// A typing error beyond this: no epoch has as many batches.
const MAX_ACCUMULATED: usize = 1 << 16;

impl TrainingConfig {
    /// Optimizer steps of each epoch over `n_rows` rows. What is left over for an incomplete last step is left
    /// out, so that every step weighs its examples alike.
    pub fn steps_per_epoch(&self, n_rows: usize) -> usize {
        (n_rows / self.examples_per_step()).max(1)
    }

    /// Examples that one optimizer step learns from.
    pub fn examples_per_step(&self) -> usize {
        self.batch_size * self.accumulate_batches
    }

    /// Examples that an epoch over `n_rows` rows learns from.
    pub(crate) fn examples_per_epoch(&self, n_rows: usize) -> usize {
        n_rows.min(self.steps_per_epoch(n_rows) * self.examples_per_step())
    }

    /// Examples seen in all epochs over `n_rows` rows, unless the training stops early.
    pub fn n_examples_seen(&self, n_rows: usize) -> usize {
        self.n_epochs * self.examples_per_epoch(n_rows)
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
