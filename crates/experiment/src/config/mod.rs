//! The config of an experiment: a composition of structs that each crate owns, and its way into a checked [`Experiment`].
//!
//! Raw text -> TOML -> checked against the JSON schema (unknown keys, missing keys, wrong types and numbers out of range)
//! -> typed -> checked for settings that contradict each other -> [`Experiment`]. All problems are reported at once, each with
//! its key path. Derived values are never written back.

mod card;
mod check;
mod contradictions;
mod data_fit;
mod experiment;
mod export;
mod external;
mod load;
mod origin;
mod overrides;
mod paths;
mod problems;
mod reference;
mod schema;
mod source;
mod sweep;
mod type_schema;

pub use card::CardConfig;
pub use check::Checked;
pub(crate) use data_fit::DataFacts;
pub use experiment::{
    Baseline, DustbinBias, EvaluationConfig, ExperimentConfig, GeneralistConfig, KeepSpecialists, ShipConfig,
    SpecialistBody, SpecialistHead, SpecialistInit, SpecialistsConfig, StudentConfig,
};
pub(crate) use export::{ALL_BITS, BITS_OF_TABLES, DEFAULT_BITS, MAX_EXAMPLES};
pub use export::{ExportConfig, ExportForm};
pub use external::{Classes, ExternalTeacherConfig, Space};
pub use load::Experiment;
pub use origin::{Line, Place};
pub(crate) use paths::paths_for_folder;
pub use problems::{ConfigProblems, PlacedProblem};
pub use reference::{ChoiceReference, FormReference, KeyReference, describe_key, keys_page};
pub use schema::config_schema;
pub use source::{ConfigSource, QUICKSTART};
pub use sweep::{AxisRange, AxisValue, AxisValues, ConditionalAxes, Halving, SweepAxis, SweepSearch, SweepSpace};
