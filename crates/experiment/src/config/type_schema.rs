//! The schema by which configs are checked, overridden and searched for paths.

use super::ExperimentConfig;
use std::sync::LazyLock;
use stillhouse_core::ConfigSchema;

/// The schema of the config's types, made once: a sweep checks thousands of configs.
pub(super) fn type_schema() -> &'static ConfigSchema {
    static SCHEMA: LazyLock<ConfigSchema> = LazyLock::new(ConfigSchema::of::<ExperimentConfig>);
    &SCHEMA
}
