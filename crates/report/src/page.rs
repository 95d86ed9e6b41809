//! What the HTML page shows beyond `report.json`: curves, pictures, soft targets, provenance.

use crate::contract::Report;
use crate::numbers::null_as_nan;
use serde::{Deserialize, Serialize};

/// The data of `report.html`. Labels and texts are plain; the page escapes them.
#[derive(Clone, Debug)]
pub struct ReportPage<'a> {
    /// the numbers
    pub report: &'a Report,
    /// training histories, one per trained model, in the order in which they should be shown
    pub curves: Vec<Curve>,
    /// example images of clusters; may be empty, or lack some clusters
    pub cluster_galleries: Vec<Gallery>,
    /// a few test examples with what the models believe about them
    pub soft_target_samples: Vec<SoftTargetSample>,
    /// one example of each of the report's confused pairs, in their order; may be empty
    pub confused_examples: Vec<Tile>,
    /// how the run was made: pairs of name and value
    pub provenance: Vec<(String, String)>,
    /// the resolved config
    pub config_toml: String,
}

impl<'a> ReportPage<'a> {
    /// A page of the numbers alone.
    pub fn of(report: &'a Report) -> Self {
        Self {
            report,
            curves: Vec::new(),
            cluster_galleries: Vec::new(),
            soft_target_samples: Vec::new(),
            confused_examples: Vec::new(),
            provenance: Vec::new(),
            config_toml: String::new(),
        }
    }
}

/// The training history of one model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Curve {
    /// name as in the report
    pub model: String,
    /// one point per epoch, ascending
    #[serde(deserialize_with = "null_as_nan")]
    pub epochs: Vec<EpochPoint>,
}

/// One epoch of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochPoint {
    /// counted from 1
    pub epoch: u64,
    /// mean training loss of the epoch
    pub train_loss: f64,
    /// validation loss after the epoch, where it was measured
    pub valid_loss: Option<f64>,
    /// validation top-1 after the epoch, where it was measured
    pub valid_top1: Option<f64>,
    /// learning rate at the end of the epoch
    pub learning_rate: f64,
}

/// Example images of one cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gallery {
    /// position in the report's `clusters`
    pub cluster_idx: usize,
    /// its examples; the page shows the first few
    pub tiles: Vec<Tile>,
}

/// One example.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tile {
    /// label of its class
    pub label: String,
    /// the image as a PNG file; data without pictures have none
    #[serde(with = "crate::png_text", default)]
    pub png: Option<Vec<u8>>,
    /// the text, where examples are texts
    #[serde(default)]
    pub text: Option<String>,
}

/// What several models believe about one test example.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SoftTargetSample {
    /// the image as a PNG file; data without pictures have none
    #[serde(with = "crate::png_text", default)]
    pub png: Option<Vec<u8>>,
    /// the text, where examples are texts
    #[serde(default)]
    pub text: Option<String>,
    /// label of the true class
    pub true_label: String,
    /// its row in the test split, counted from 0
    #[serde(alias = "example_id")]
    pub test_row: u64,
    /// distributions, one column of the picture each, in this order
    #[serde(deserialize_with = "null_as_nan")]
    pub rows: Vec<SoftTargetRow>,
}

/// One distribution over classes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SoftTargetRow {
    /// `merged`, `generalist`, `student` or another model's name
    pub source: String,
    /// temperature at which it was softened
    pub temperature: f64,
    /// the most probable classes, descending; the page shows the first few
    pub top: Vec<(String, f64)>,
}
