//! Experiments: config, stages, pipeline, run directory, sweep.
//!
//! Start with `pipeline.rs`: it is the whole method on one page. Each call in it is a step (`steps/`). A step makes
//! *stages*: artifacts that are kept under a key that hashes everything it depends on (`store.rs`); resuming, sharing a generalist
//! across a sweep and splitting work over processes are that one rule. [`run()`] puts a run directory around it.
//!
//! **Absent on purpose:** terminals and argument parsing (the program's), pages and tables ([`report`]), tensors (below
//! [`stillhouse_train`]), and any way to the test split but through the evaluation stage.

#![forbid(unsafe_code)]

mod card;
mod commands;
pub mod config;
mod context;
mod error;
mod example_row;
mod export;
mod external;
mod files;
mod load_progress;
mod loading;
mod networks;
mod observer;
mod options;
mod outputs;
pub mod parallel;
mod pictures;
mod pipeline;
mod planning;
mod preflight;
mod pretrained;
mod renormalise;
mod run;
mod run_dir;
mod run_log;
mod seal;
mod session;
mod stage;
mod stage_lock;
mod steps;
mod store;
mod student_examples;

pub use stillhouse_report as report;
pub(crate) use stillhouse_report::{role, statistics};

pub use commands::budget::{Budget, BudgetCandidate, BudgetPlan, plan_budget};
pub use commands::cluster::{ClusterOptions, ClusterOutcome, cluster};
pub use commands::compress::{CompressLimits, CompressOutcome, compress};
pub use commands::evaluate::{EvaluateOutcome, EvaluatedClass, evaluate_model};
pub use commands::export::{ExportOptions, ExportOutcome, export_onnx};
pub use commands::export_packed::{PackedForm, PackedOptions, PackedOutcome, export_packed};
pub use commands::init::{config_for_folder, init_config};
pub use commands::merge::{MergeFormat, MergeOutcome, merge_teachers};
pub use commands::plan::{Plan, PlannedStage, plan};
pub use commands::predict::{
    JsonRow, PredictJob, PredictOptions, PredictSummary, PredictedPiece, Prediction, PredictionFile, PredictionRows,
    Predictor, RowFormat, SkippedInput, TopClasses, is_matrix,
};
pub use commands::preview::preview;
pub use commands::push::{PushOptions, PushOutcome, push};
pub use commands::round::{RoundLoss, RoundOptions, RoundOutcome, round_model};
pub use commands::status::{RunStatus, status};
pub use commands::sweep::{
    CellStatus, DroppedCell, SweepCellSpec, SweepRecord, SweepSpec, SweepStatus, SweepTrial, SweepTrials,
    cells_without_score, check_sweep_outputs, collect_sweep, drop_the_worst, is_sweep, load_sweep, lock_sweep,
    render_sweep, sweep_status, sweep_trials, tell_trial,
};
pub use commands::targets::{
    Recomputed, TargetsSummary, TargetsVerified, VerifyAgainst, targets_stats, verify_targets,
};
pub use commands::targets_export::{TargetsExportOptions, TargetsExported, export_targets};
pub use error::{ExperimentError, Result};
pub use observer::{Interrupt, Observer, PlannedWork, RunEvent, Silent, StopAt};
pub use options::RunOptions;
pub use parallel::start_threads;
pub use run::{RunOutcome, render_report, run};
pub use stillhouse_data::GivenPlace;
pub use stillhouse_ensemble::{AffinityKind, Gate, MergeConfig, MergeRule, TopN};
pub use stillhouse_files::{is_guarded, write_absent};
pub use stillhouse_train::{EpochRecord, keep_freed_memory};
