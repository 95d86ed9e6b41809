//! The `[card]` table: what only the author knows of a model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the cards of the student's folder and of exports say for model hubs, besides what the run knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CardConfig {
    /// Licence of the model, by the name that hubs have for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["apache-2.0"]))]
    pub license: Option<String>,
    /// Languages of the texts, as codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("examples" = [["en"]]))]
    pub languages: Vec<String>,
    /// Repositories of the data on a hub, `owner/name`; that of `[data]` is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<String>,
    /// Words that the model is found by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl CardConfig {
    /// Whether nothing is said.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
