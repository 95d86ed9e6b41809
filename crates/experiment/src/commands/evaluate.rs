//! `evaluate`: a model folder on the test split of any data.

use crate::error::{ExperimentError, Result, file_error};
use crate::observer::{Interrupt, Observer};
use serde::Serialize;
use std::fmt;
use std::path::Path;
use stillhouse_core::{ClassId, InputSpec, Seed, in_words};
use stillhouse_data::{DataConfig, DataProgress, Dataset, LoadContext, Split};
use stillhouse_models::{Model, ModelCard, load_model};
use stillhouse_train::{Device, evaluate, predict_proba, predict_values};

/// A model's metrics on a test split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluateOutcome {
    /// name of the data
    pub dataset: String,
    /// test examples
    pub n_examples: usize,
    /// share of examples whose label is the most probable class
    pub top1: f64,
    /// share of examples whose label is among the five most probable classes
    pub top5: f64,
    /// mean negative log likelihood, in nats
    pub nll: f64,
    /// expected calibration error
    pub ece: f64,
}

impl fmt::Display for EvaluateOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dataset, n_examples, top1, top5, nll, ece } = self;
        writeln!(f, "{dataset}, {n_examples} test examples")?;
        write!(f, "top-1 {:.2} %   top-5 {:.2} %   nll {nll:.4}   ece {ece:.4}", 100.0 * top1, 100.0 * top5)
    }
}

/// Evaluates a model folder on data given as `key=value` pairs of a `[data]` table. Labels are matched by name, so
/// the data may list its classes in another order; inputs are normalised as the model was trained.
///
/// # Errors
/// A damaged model folder, data that cannot be loaded, another input shape, or labels that the model does not know.
pub fn evaluate_model(
    model_dir: &Path,
    data: &[String],
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<EvaluateOutcome> {
    let (model, card) = load_model(model_dir, &Device::Cpu)
        .map_err(|error| file_error(model_dir, "the model cannot be read", error))?;
    let config = parse_data(data)?;
    let progress = Progress { observer, interrupt };
    let dataset = config.load(&LoadContext::new(Seed(0).derive("data", 0), &progress))?;
    check_fit(&card, &dataset)?;
    let outputs = outputs_by_label(&card, &dataset)?;
    let test = dataset.test.unseal();
    let rows: Vec<usize> = (0..test.len()).collect();
    let mut probs = Vec::with_capacity(test.len() * card.labels.len());
    for piece in rows.chunks(ROWS_AT_ONCE) {
        if interrupt.is_requested() {
            return Err(ExperimentError::Interrupted);
        }
        let piece = test.select(piece);
        probs.extend(match test.is_text() {
            true => predict_proba(&model, &piece, None)?,
            false => predict_renormalised(&model, &piece, &dataset.input, &card.input)?,
        });
        observer.progress("evaluate", (probs.len() / card.labels.len()) as u64, test.len() as u64);
    }
    let labels: Vec<ClassId> = test.labels().iter().map(|class| outputs[class.index()]).collect();
    let metrics = evaluate(&probs, &labels, card.labels.len());
    let stillhouse_train::Metrics { top1, top5, nll, ece } = metrics;
    Ok(EvaluateOutcome { dataset: dataset.name, n_examples: labels.len(), top1, top5, nll, ece })
}

fn parse_data(pairs: &[String]) -> Result<DataConfig> {
    let mut table = toml::Table::new();
    for pair in pairs {
        let usage =
            || ExperimentError::Usage(format!("--data {pair}: must have the form key=value, for example kind=idx"));
        let (key, value) = pair.split_once('=').ok_or_else(usage)?;
        let parsed = format!("value = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
        table.insert(key.to_owned(), parsed.unwrap_or_else(|| toml::Value::String(value.to_owned())));
    }
    let config: DataConfig = toml::Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| ExperimentError::Usage(format!("--data: {}", error.message())))?;
    match config.validate().as_slice() {
        [] => Ok(config),
        problems => Err(ExperimentError::Usage(format!("--data: {}", in_words(problems)))),
    }
}

fn check_fit(card: &ModelCard, dataset: &Dataset) -> Result<()> {
    if dataset.input.shape == card.input.shape || (dataset.input.shape.is_text() && card.input.shape.is_text()) {
        return Ok(());
    }
    Err(ExperimentError::BadData(anyhow::anyhow!(
        "the data's examples are {:?}, the model takes {:?}",
        dataset.input.shape,
        card.input.shape
    )))
}

/// The model's output for each class of the data.
fn outputs_by_label(card: &ModelCard, dataset: &Dataset) -> Result<Vec<ClassId>> {
    let output = |label: &String| {
        let position = card.labels.iter().position(|known| known == label);
        position.map(|output| ClassId(output as u32)).ok_or_else(|| {
            ExperimentError::BadData(anyhow::anyhow!(
                "class \"{label}\" of the data is none of the model's {}",
                card.labels.len()
            ))
        })
    };
    dataset.labels.iter().map(output).collect()
}

/// Examples between two looks at the interruption.
const ROWS_AT_ONCE: usize = 1024;

/// Probabilities of examples that come with another normalisation than the model's.
fn predict_renormalised(model: &Model, split: &Split, from: &InputSpec, to: &InputSpec) -> Result<Vec<f32>> {
    let mut values = vec![0.0; split.len() * to.shape.n_values()];
    for (row, out) in values.chunks_exact_mut(to.shape.n_values()).enumerate() {
        split.read(row, None, out)?;
    }
    renormalise(from, to, &mut values);
    Ok(predict_values(model, values, split.len())?)
}

/// From the data's own normalisation to the model's.
fn renormalise(from: &InputSpec, to: &InputSpec, values: &mut [f32]) {
    for example in values.chunks_exact_mut(to.shape.n_channels()) {
        for (channel, value) in example.iter_mut().enumerate() {
            let raw = *value * from.std[channel] + from.mean[channel];
            let raw = match from.offset_of(channel) - to.offset_of(channel) {
                0.0 => raw,
                distance => (f64::from(raw) + distance) as f32,
            };
            *value = (raw - to.mean[channel]) / to.std[channel];
        }
    }
}

struct Progress<'a> {
    observer: &'a dyn Observer,
    interrupt: &'a Interrupt,
}

impl DataProgress for Progress<'_> {
    fn message(&self, text: &str) {
        self.observer.event(&crate::RunEvent::Note { stage: "data".into(), text: text.to_owned() });
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_requested()
    }
}
