//! Training: one loop for generalist, specialist and student.
//!
//! The three roles differ in the rows that they see ([`Sampler`]), the weights that they start from and the loss
//! ([`Objective`]); [`fit`] is the same for all. The crate also has the learning rate schedules, the optimizer with its
//! resumable state, predictions of whole splits and metrics.
//!
//! **Absent on purpose:** a generic trainer; stages, run directories and terminals. Progress goes to a [`Monitor`],
//! checkpoints to the one path that the caller names.

#![forbid(unsafe_code)]

mod accumulate;
mod average;
mod checkpoint;
mod class_metrics;
mod config;
mod distillation;
mod distillation_loss;
mod error;
mod fit;
mod full_softmax;
mod hard_loss;
mod history;
mod imbalance;
mod inputs;
mod metrics;
mod monitor;
mod objective;
mod optimizer;
mod predict;
mod probe;
mod reach;
mod sampler;
mod schedule;
#[cfg(test)]
mod tests;
mod weights;

pub use checkpoint::remove_checkpoint;
pub use class_metrics::{ClassMetrics, balanced_accuracy, macro_f1, metrics_by_class};
pub use config::{EarlyStopping, Keep, TrainingConfig};
pub use distillation::{DistillationConfig, DistillationLoss};
pub use error::TrainError;
pub use fit::{BATCHES_IN_FLIGHT, FORWARD_PASSES_PER_STEP, FitJob, Validation, fit};
pub use hard_loss::HardLoss;
pub use history::{EpochRecord, FitSummary, History};
pub use imbalance::{ClassWeightsConfig, ImbalanceConfig, LogitAdjustmentConfig};
pub use metrics::{Metrics, PredictionRecord, agreement, evaluate, metrics_of, rank_of_label, records};
pub use monitor::{Monitor, Silent, StepInfo};
pub use objective::{EpochObjective, LabelView, LossParts, Objective};
pub use optimizer::OptimizerConfig;
pub use predict::{
    PREDICTION_BATCH, predict_features, predict_proba, predict_records, predict_texts, predict_together,
    predict_values, visit_layer_inputs,
};
pub use probe::seconds_per_example;
pub use sampler::{Sampler, ViewPolicy};
pub use schedule::ScheduleConfig;
pub use weights::{load_weights, save_weights};

/// The device of tensors, re-exported so that other crates need not depend on the tensor library.
pub use candle_core::Device;
/// Keeps freed tensors in the process, so that their pages are not faulted in again at each step.
pub use stillhouse_ops::{WIDEST_VECTOR_UNIT, keep_freed_memory, vector_unit};
