//! `predict`: the most probable classes of an input, by the model of a folder.

use crate::error::{ExperimentError, Result, unreadable_model};
use serde::Serialize;
use std::path::Path;
use stillhouse_data::{GivenContent, given_examples};
use stillhouse_models::{Model, ModelCard, load_model};
use stillhouse_train::{Device, predict_texts, predict_values};

/// A loaded model that predicts classes of inputs.
pub struct Predictor {
    model: Model,
    card: ModelCard,
}

/// The most probable classes of one input.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// the file, the numbers or the text, as given
    pub input: String,
    /// most probable classes, descending
    pub top: Vec<(String, f64)>,
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
        Ok(Self { model, card })
    }

    /// Predicts one image file, all images of a folder (not of folders inside it), one row of numbers with commas or
    /// spaces between them, or one text; the `top_k` most probable classes of each.
    ///
    /// # Errors
    /// An input of another kind or size than the model takes, or a file that cannot be read.
    pub fn predict(&self, input: &str, top_k: usize) -> Result<Vec<Prediction>> {
        let examples = given_examples(&self.card.input, input)?.map(|example| {
            let example = example?;
            let probs = match example.content {
                GivenContent::Values(values) => predict_values(&self.model, values, 1)?,
                GivenContent::Text(text) => predict_texts(&self.model, &[&text])?,
            };
            Ok(self.answer(example.name, &probs, top_k))
        });
        examples.collect()
    }

    /// Whether inputs are texts.
    pub fn takes_texts(&self) -> bool {
        self.card.input.shape.is_text()
    }

    /// Predicts texts, in the thread pool of the caller; the `top_k` most probable classes of each.
    ///
    /// # Errors
    /// A model that takes no texts, or a text that its vocabulary cannot express.
    pub fn predict_texts(&self, texts: &[&str], top_k: usize) -> Result<Vec<Prediction>> {
        let probs = predict_texts(&self.model, texts)?;
        let rows = probs.chunks_exact(self.model.n_outputs());
        Ok(texts.iter().zip(rows).map(|(text, probs)| self.answer((*text).to_owned(), probs, top_k)).collect())
    }

    fn answer(&self, input: String, probs: &[f32], top_k: usize) -> Prediction {
        let mut classes: Vec<usize> = (0..probs.len()).collect();
        classes.sort_by(|a, b| probs[*b].total_cmp(&probs[*a]).then(a.cmp(b)));
        let top =
            classes.into_iter().take(top_k).map(|class| (self.card.labels[class].clone(), f64::from(probs[class])));
        Prediction { input, top: top.collect() }
    }
}
