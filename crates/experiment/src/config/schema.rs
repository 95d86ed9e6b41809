//! The config's JSON schema, generated from the types.

use super::ExperimentConfig;
use serde_json::{Value as Json, json};

/// What an editor may know of `[sweep]`; its other keys are those of the config, which no schema can list with lists as values.
fn sweep_schema() -> Json {
    let random = json!({
        "type": "object",
        "properties": {
            "kind": { "const": "random", "description": "Combinations that are drawn at random." },
            "n_trials": { "type": "integer", "minimum": 1, "description": "Combinations; each is run with every value of the axis `seed`." },
            "seed": { "type": "integer", "minimum": 0, "default": 0, "description": "Seed of the draws." }
        },
        "required": ["kind", "n_trials"],
        "additionalProperties": false
    });
    let grid = json!({
        "type": "object",
        "properties": { "kind": { "const": "grid", "description": "Every combination." } },
        "required": ["kind"],
        "additionalProperties": false
    });
    json!({
        "type": "object",
        "description": "Only for `stillhouse sweep`: keys of this config, each with the list of values to run, or for random search with \
            a range `{ from = 1e-4, to = 1e-1, scale = \"log\" }`.",
        "properties": {
            "search": { "description": "How combinations are chosen; every one by default.", "oneOf": [grid, random] },
            "zip": {
                "type": "array",
                "items": { "type": "object" },
                "description": "Tables of keys that move together: lists of one length."
            },
            "when": {
                "type": "array",
                "items": { "type": "object", "required": ["if"] },
                "description": "Tables of axes that exist only where other axes have the values of `if`."
            }
        }
    })
}

/// JSON schema of an experiment's config, for editors.
pub fn config_schema() -> Json {
    let mut schema = schemars::schema_for!(ExperimentConfig).to_value();
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        properties.insert("sweep".into(), sweep_schema());
    }
    schema
}
