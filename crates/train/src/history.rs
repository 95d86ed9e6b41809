//! The history of a training, epoch by epoch, and its summary.

use serde::{Deserialize, Serialize};

/// One epoch of one training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean total loss over the epoch's steps, while the weights moved.
    pub train_loss: f64,
    /// Mean of the hard-label part, unweighted; absent where it has no weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_loss: Option<f64>,
    /// Mean of the distillation part, unweighted; absent where it has no weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distill_loss: Option<f64>,
    /// Hard-label loss on the validation split at the end of the epoch.
    pub valid_loss: Option<f64>,
    /// Accuracy on the validation split at the end of the epoch.
    pub valid_top1: Option<f64>,
    /// Rate of the last step.
    pub learning_rate: f64,
    /// Wall time of the epoch.
    pub elapsed_s: f64,
    /// Optimizer steps so far; 0 in records of older versions.
    #[serde(default)]
    pub step: u64,
    /// Examples seen so far, repeated ones included; 0 in records of older versions.
    #[serde(default)]
    pub n_examples: u64,
    /// Training examples a second in this epoch; after an interruption too high, since what was seen before it took no time.
    #[serde(default)]
    pub examples_per_s: f64,
}

/// All epochs so far and which of them was best on the validation split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// In order.
    pub epochs: Vec<EpochRecord>,
    /// The epoch (from 1) with the lowest validation loss.
    pub best_epoch: Option<usize>,
}

impl History {
    /// Adds an epoch; returns whether it is the best one so far.
    pub fn push(&mut self, record: EpochRecord) -> bool {
        let best_loss = self.best().and_then(|best| best.valid_loss);
        let improves = match (record.valid_loss, best_loss) {
            (Some(loss), Some(best)) => loss < best,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if improves {
            self.best_epoch = Some(record.epoch);
        }
        self.epochs.push(record);
        improves
    }

    /// The best epoch on the validation split.
    pub fn best(&self) -> Option<&EpochRecord> {
        self.best_epoch.map(|epoch| &self.epochs[epoch - 1])
    }

    /// Epochs since the best one.
    pub fn epochs_since_best(&self) -> usize {
        self.epochs.len() - self.best_epoch.unwrap_or(0)
    }
}

/// The summary of a training, as [`fit`](crate::fit) returns it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FitSummary {
    /// Epoch by epoch.
    pub history: History,
    /// Examples that went through forward and backward.
    pub n_examples_seen: u64,
    /// Floating-point operations of training, head included: 3 forward passes' worth for each example seen.
    pub train_flops: f64,
    /// Wall time of training, summed over interruptions.
    pub train_seconds: f64,
    /// Epoch (from 1) whose weights the model has now.
    pub kept_epoch: usize,
    /// Whether patience ran out before the epochs did.
    pub stopped_early: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: usize, valid_loss: f64, valid_top1: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            train_loss: 1.0,
            task_loss: None,
            distill_loss: None,
            valid_loss: Some(valid_loss),
            valid_top1: Some(valid_top1),
            learning_rate: 0.1,
            elapsed_s: 1.0,
            step: 0,
            n_examples: 0,
            examples_per_s: 0.0,
        }
    }

    #[test]
    fn best_epoch_is_the_first_with_the_lowest_loss() {
        let mut history = History::default();
        let improvements: Vec<bool> = [(1, 0.9), (2, 0.5), (3, 0.5), (4, 0.7)]
            .into_iter()
            .map(|(epoch, loss)| history.push(record(epoch, loss, 0.5)))
            .collect();
        assert_eq!(improvements, [true, true, false, false]);
        assert_eq!(history.best_epoch, Some(2));
        assert_eq!(history.epochs_since_best(), 2);
    }
}
