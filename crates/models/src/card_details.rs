//! What a card says to hubs: licence, data, origin, results.

use serde::{Deserialize, Serialize};

/// What hubs read of a card. All of it may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardDetails {
    /// identifier of the licence, for example `apache-2.0`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// name of a licence without an identifier
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_name: Option<String>,
    /// file or address of that licence
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_link: Option<String>,
    /// codes of languages, for example `en`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub language: Vec<String>,
    /// words to be found by
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// dataset repositories of the hub that were learned from
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<String>,
    /// model repositories of the hub whose weights training began with
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base_model: Vec<String>,
    /// measured with this model's very weights
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<TestResult>,
}

/// Accuracy on a test split, as a share of its examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestResult {
    /// name of the dataset
    pub dataset: String,
    /// examples of the split
    pub n_examples: u64,
    /// top-1 accuracy
    pub top1: f64,
    /// its 95 % interval
    pub interval: [f64; 2],
    /// accuracy of the same network, trained on hard labels alone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin_on_labels: Option<f64>,
}

impl CardDetails {
    /// The same without results, which were measured before the weights were changed.
    pub fn of_other_weights(self) -> Self {
        Self { results: Vec::new(), ..self }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
