//! The config's JSON schema, generated from the types.

use super::ExperimentConfig;
use serde_json::{Value as Json, json};

/// JSON schema of an experiment's config, for editors.
pub fn config_schema() -> Json {
    let mut schema = schemars::schema_for!(ExperimentConfig).to_value();
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        let sweep = json!({
            "type": "object",
            "description": "Only for `stillhouse sweep`: keys of this config, each with the list of values to run."
        });
        properties.insert("sweep".into(), sweep);
    }
    schema
}
