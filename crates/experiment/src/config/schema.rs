//! The config's JSON schema, generated from the types.

use super::{ExperimentConfig, SweepSearch};
use schemars::generate::SchemaSettings;
use serde_json::{Value as Json, json};

/// What an editor may know of `[sweep]`; its other keys are those of the config, which no schema can list with lists as values.
fn sweep_schema() -> Json {
    let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    let mut search = settings.into_generator().into_root_schema_for::<SweepSearch>().to_value();
    search["default"] = json!({ "kind": "grid" });
    search["description"] = "How combinations are chosen.".into();
    json!({
        "type": "object",
        "description": "Only for `stillhouse sweep`: keys of this config, each with the list of values to run, or for a search that draws \
            them with a range, `{ from = 1e-4, to = 1e-1, scale = \"log\" }`.",
        "properties": {
            "search": search,
            "zip": { "type": "array", "description": "Tables of keys that move together: lists of one length." },
            "when": {
                "type": "array",
                "description": "Tables of axes that exist only where other axes have one of the values that the key `if` lists."
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
