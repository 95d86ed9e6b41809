//! The config of an experiment: a composition of structs that each crate owns, and its way into a checked [`Experiment`].
//!
//! Raw text -> TOML -> checked against the JSON schema (all unknown keys, missing keys and wrong types at once, each
//! with its path) -> typed -> ranges checked -> [`Experiment`]. Derived values are never written back.

mod check;
mod data_fit;
mod experiment;
mod load;
mod problems;
mod schema;
mod soft_targets;

pub use crate::external::{Classes, ExternalTeacherConfig, Space};
pub use check::Checked;
pub(crate) use data_fit::DataFacts;
pub use experiment::{
    Baseline, DustbinBias, EvaluationConfig, ExperimentConfig, GeneralistConfig, KeepSpecialists, SpecialistBody,
    SpecialistHead, SpecialistInit, SpecialistsConfig, StudentConfig,
};
pub use load::{ConfigSource, Experiment, QUICKSTART, load_sweep_axes};
pub use problems::{ConfigProblem, ConfigProblems};
pub use schema::config_schema;
pub use soft_targets::{LayoutConfig, SoftTargetsConfig, SparseConfig};
