//! `predict`: the most probable classes of inputs, by the model of a folder.
//!
//! | file | subject |
//! |---|---|
//! | `reader.rs` | inputs come from a thread of their own, a bounded number ahead |
//! | `job.rs` | pieces of inputs are decoded and predicted on all threads, in the order of the inputs |
//! | `rows.rs`, `matrix.rs` | predictions as CSV, JSON lines or parquet; all probabilities as a matrix |
//! | `file.rs` | a file of them |
//!
//! N inputs, C classes.

mod file;
mod job;
mod matrix;
mod reader;
mod rows;

pub use file::{PredictionFile, is_matrix};
pub use job::{PredictJob, PredictSummary, PredictedPiece, SkippedInput};
pub use rows::{JsonRow, PredictionRows, RowFormat};

use crate::error::{ExperimentError, Result, unreadable_model};
use std::path::Path;
use std::sync::Arc;
use stillhouse_data::{GivenContent, GivenPlace, GivenSource};
use stillhouse_models::{Model, ModelCard, load_model};
use stillhouse_train::{Device, predict_texts, predict_values};

/// A loaded model that predicts classes of inputs.
pub struct Predictor {
    model: Model,
    card: ModelCard,
    labels: Vec<Arc<str>>,
}

/// What to predict, and how.
#[derive(Clone, Debug)]
pub struct PredictOptions {
    /// Where the inputs are.
    pub inputs: Vec<GivenPlace>,
    /// Column of tables with the texts; the obvious one where it is not given.
    pub column: Option<String>,
    /// Most probable classes of each input.
    pub top_k: usize,
    /// Probability below which an input gets no label.
    pub threshold: Option<f64>,
    /// Whether the probabilities of all classes are kept, for a matrix of them.
    pub all_classes: bool,
    /// Whether inputs that cannot be read are left out and listed; the first of them is an error otherwise.
    pub skip_bad: bool,
}

/// Classes with their probabilities, descending.
pub type TopClasses = Vec<(Arc<str>, f32)>;

/// The most probable classes of one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// where the input comes from
    pub source: GivenSource,
    /// the text, where the input is one
    pub text: Option<String>,
    /// most probable classes, descending; none for an empty text
    pub top: TopClasses,
    /// `[C]` probabilities of all classes in the model's order, where they are kept; none for an empty text
    pub probs: Vec<f32>,
    /// whether the first class is at least as probable as the threshold
    pub is_sure: bool,
}

impl Prediction {
    /// The answer: the most probable class, if there is one and it is at least as probable as the threshold.
    pub fn label(&self) -> Option<&Arc<str>> {
        self.top.first().filter(|_| self.is_sure).map(|(label, _)| label)
    }

    /// The probability of the most probable class.
    pub fn confidence(&self) -> Option<f32> {
        self.top.first().map(|(_, prob)| *prob)
    }

    /// The input as people know it: the text, or where it comes from.
    pub fn input(&self) -> String {
        self.text.clone().unwrap_or_else(|| self.source.to_string())
    }
}

impl Predictor {
    /// Reads a model folder.
    ///
    /// # Errors
    /// A folder that is not a model's, or is damaged.
    pub fn load(model_dir: &Path) -> Result<Self> {
        if !model_dir.is_dir() {
            let hint = "give a model folder, for example runs/quickstart/student";
            return Err(ExperimentError::Usage(format!("{}: no such folder\n  hint: {hint}", model_dir.display())));
        }
        let (model, card) = load_model(model_dir, &Device::Cpu).map_err(|error| unreadable_model(model_dir, &error))?;
        let labels = card.labels.iter().map(|label| Arc::from(label.as_str())).collect();
        Ok(Self { model, card, labels })
    }

    /// Number of classes, `C`.
    pub fn n_classes(&self) -> usize {
        self.labels.len()
    }

    /// Whether inputs are texts.
    pub fn takes_texts(&self) -> bool {
        self.card.input.shape.is_text()
    }

    /// Probabilities `[N, C]` of inputs of one kind: the only place in `predict` where logits become probabilities.
    fn probs(&self, inputs: &[&GivenContent]) -> Result<Vec<f32>> {
        let texts: Option<Vec<&str>> = inputs.iter().map(|input| text_of(input)).collect();
        if let Some(texts) = texts {
            return Ok(predict_texts(&self.model, &texts)?);
        }
        let values = inputs.iter().flat_map(|input| match input {
            GivenContent::Values(values) => values.as_slice(),
            GivenContent::Text(_) => &[],
        });
        Ok(predict_values(&self.model, values.copied().collect(), inputs.len())?)
    }

    /// The most probable classes of a row `[C]`, descending; equal ones in the order of their numbers.
    fn top(&self, probs: &[f32], top_k: usize) -> TopClasses {
        let descending = |a: &usize, b: &usize| probs[*b].total_cmp(&probs[*a]).then(a.cmp(b));
        let mut classes: Vec<usize> = (0..probs.len()).collect();
        if top_k < classes.len() {
            classes.select_nth_unstable_by(top_k, descending);
            classes.truncate(top_k);
        }
        classes.sort_unstable_by(descending);
        classes.into_iter().map(|class| (self.labels[class].clone(), probs[class])).collect()
    }
}

fn text_of(input: &GivenContent) -> Option<&str> {
    if let GivenContent::Text(text) = input { Some(text) } else { None }
}
