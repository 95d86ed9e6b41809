//! `evaluate`: a model folder on any data: on the test split, or on all rows of what is handed over alone.

use crate::error::{ExperimentError, Result, unreadable_model};
use crate::load_progress::PlainProgress;
use crate::observer::{Interrupt, Observer};
use crate::renormalise::renormalise;
use crate::report::without_middle;
use serde::Serialize;
use std::fmt;
use std::path::Path;
use stillhouse_core::{ClassId, InputSpec, Seed, in_words};
use stillhouse_data::{ClassNames, DataConfig, LoadContext, Measured, Split};
use stillhouse_models::{Model, ModelCard, load_model};
use stillhouse_train::{
    ClassMetrics, Device, balanced_accuracy, macro_f1, metrics_by_class, metrics_of, predict_proba, predict_values,
    records,
};

/// A model's metrics on some examples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluateOutcome {
    /// name of the data
    pub dataset: String,
    /// examples that were measured
    pub n_examples: usize,
    /// which of the data's rows these are, in words
    pub rows: String,
    /// share of examples whose label is the most probable class
    pub top1: f64,
    /// share of examples whose label is among the five most probable classes
    pub top5: f64,
    /// mean negative log likelihood, in nats
    pub nll: f64,
    /// expected calibration error
    pub ece: f64,
    /// mean recall over the classes that have examples; none without examples
    pub balanced_accuracy: Option<f64>,
    /// mean F1 over the classes that have examples
    pub macro_f1: Option<f64>,
    /// the classes that have examples, in the model's order
    pub classes: Vec<EvaluatedClass>,
}

/// A model's metrics of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluatedClass {
    /// label of the class
    pub label: String,
    /// its examples
    pub n_examples: u64,
    /// share of them that are predicted to be of the class
    pub recall: Option<f64>,
    /// share of the predictions of the class that are right; none where it is never predicted
    pub precision: Option<f64>,
    /// harmonic mean of the two; 0 where the class is never predicted
    pub f1: Option<f64>,
}

impl fmt::Display for EvaluateOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dataset, n_examples, rows, top1, top5, nll, ece, balanced_accuracy, macro_f1, classes } = self;
        writeln!(f, "{dataset}, {n_examples} examples: {rows}")?;
        write!(f, "top-1 {:.2} %   top-5 {:.2} %   nll {nll:.4}   ece {ece:.4}", 100.0 * top1, 100.0 * top5)?;
        let Some((balanced_accuracy, macro_f1)) = balanced_accuracy.zip(*macro_f1) else { return Ok(()) };
        let noun = if classes.len() == 1 { "class" } else { "classes" };
        let means =
            format!("balanced accuracy {:.2} %   macro F1 {:.2} %", 100.0 * balanced_accuracy, 100.0 * macro_f1);
        write!(f, "\n{means}   ({} {noun} with examples)", classes.len())
    }
}

/// Evaluates a model folder on data given as `key=value` pairs of a `[data]` table: on its test split, or on all rows of data
/// without splits. Labels are matched by name, so the data may list its classes in another order and need not have all of them;
/// inputs are normalised as the model was trained.
///
/// # Errors
/// A damaged model folder, data that cannot be loaded, another input shape, or labels that the model does not know.
pub fn evaluate_model(
    model_dir: &Path,
    data: &[String],
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<EvaluateOutcome> {
    let (model, card) = load_model(model_dir, &Device::Cpu).map_err(|error| unreadable_model(model_dir, &error))?;
    let (config, given) = parse_data(data)?;
    let progress = PlainProgress { observer, interrupt };
    let Measured { name, labels, split, rows } =
        config.load_measured(&LoadContext::new(Seed(0).derive("data", 0), &progress))?;
    check_fit(&card, split.input())?;
    let outputs = outputs_by_label(&card, &labels).map_err(|error| error.context(&name))?;
    let positions: Vec<usize> = (0..split.len()).collect();
    let mut probs = Vec::with_capacity(split.len() * card.labels.len());
    for piece in positions.chunks(ROWS_AT_ONCE) {
        if interrupt.is_requested() {
            return Err(ExperimentError::Interrupted);
        }
        let piece = split.select(piece);
        probs.extend(match split.is_text() {
            true => predict_proba(&model, &piece, None)?,
            false => predict_renormalised(&model, &piece, split.input(), &card.input)?,
        });
        observer.progress("evaluate", (probs.len() / card.labels.len()) as u64, split.len() as u64);
    }
    let labels: Vec<ClassId> = split.labels().iter().map(|class| outputs[class.index()]).collect();
    let records = records(&probs, &labels, card.labels.len());
    let stillhouse_train::Metrics { top1, top5, nll, ece } = metrics_of(&records);
    let by_class = metrics_by_class(&records, &labels, card.labels.len());
    let rows = match given {
        Given::Alone(file) => format!("all rows of {file}"),
        Given::Test(file) => format!("{rows}, {file}"),
        Given::Other => rows,
    };
    Ok(EvaluateOutcome {
        dataset: name,
        n_examples: labels.len(),
        rows,
        top1,
        top5,
        nll,
        ece,
        balanced_accuracy: balanced_accuracy(&by_class),
        macro_f1: macro_f1(&by_class),
        classes: evaluated_classes(&card.labels, &by_class),
    })
}

/// The classes that have examples.
fn evaluated_classes(labels: &[String], by_class: &[ClassMetrics]) -> Vec<EvaluatedClass> {
    let class = |(label, metrics): (&String, &ClassMetrics)| EvaluatedClass {
        label: label.clone(),
        n_examples: metrics.n_examples,
        recall: metrics.recall(),
        precision: metrics.precision(),
        f1: metrics.f1(),
    };
    labels.iter().zip(by_class).filter(|(_, metrics)| metrics.n_examples > 0).map(class).collect()
}

/// How the test examples were given.
enum Given {
    /// As the only split, where the kind of data needs two; by its file.
    Alone(String),
    /// As a file of their own.
    Test(String),
    /// In any other way, of which the data says what it is.
    Other,
}

/// The `[data]` table, and how its test examples were given.
fn parse_data(pairs: &[String]) -> Result<(DataConfig, Given)> {
    let mut table = toml::Table::new();
    for pair in pairs {
        let usage =
            || ExperimentError::Usage(format!("--data {pair}: must have the form key=value, for example kind=idx"));
        let (key, value) = pair.split_once('=').ok_or_else(usage)?;
        let parsed = format!("value = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
        table.insert(key.to_owned(), parsed.unwrap_or_else(|| toml::Value::String(value.to_owned())));
    }
    let given = complete(&mut table);
    let config: DataConfig = toml::Value::Table(table)
        .try_into()
        .map_err(|error: toml::de::Error| ExperimentError::Usage(format!("--data: {}", error.message())))?;
    match config.validate().as_slice() {
        [] => Ok((config, given)),
        problems => Err(ExperimentError::Usage(format!("--data: {}", in_words(problems)))),
    }
}

/// Completes a table in which one split is given alone, as nobody has to have training examples to measure a model.
fn complete(table: &mut toml::Table) -> Given {
    let text = |table: &toml::Table, key: &str| table.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    match text(table, "kind").as_deref() {
        Some("table") if !["path", "train", "repo"].iter().any(|key| table.contains_key(*key)) => {
            if let Some(file) = table.remove("test").or_else(|| table.remove("valid")) {
                table.insert("path".to_owned(), file);
            }
        }
        Some("features") => {
            let is_given = |split: &str| table.contains_key(split) || table.contains_key(&format!("{split}_labels"));
            let (given, other) = match (is_given("train"), is_given("test")) {
                (true, false) => ("train", "test"),
                (false, true) => ("test", "train"),
                _ => return text(table, "test").map_or(Given::Other, Given::Test),
            };
            for ending in ["", "_labels"] {
                if let Some(value) = table.get(&format!("{given}{ending}")).cloned() {
                    table.insert(format!("{other}{ending}"), value);
                }
            }
            return text(table, given).map_or(Given::Other, Given::Alone);
        }
        _ => {}
    }
    text(table, "test").map_or(Given::Other, Given::Test)
}

fn check_fit(card: &ModelCard, input: &InputSpec) -> Result<()> {
    if input.shape == card.input.shape || (input.shape.is_text() && card.input.shape.is_text()) {
        return Ok(());
    }
    Err(ExperimentError::BadData(anyhow::anyhow!(
        "the data's examples are {:?}, the model takes {:?}",
        input.shape,
        card.input.shape
    )))
}

/// The model's output for each class of the data.
fn outputs_by_label(card: &ModelCard, labels: &[String]) -> Result<Vec<ClassId>> {
    const MAX_NAMED: usize = 5;
    let known = ClassNames::given(card.labels.clone());
    let outputs: Vec<Option<ClassId>> = labels.iter().map(|label| known.class(label)).collect();
    let is_unknown = |(_, output): &(&String, &Option<ClassId>)| output.is_none();
    let unknown: Vec<&str> = labels.iter().zip(&outputs).filter(is_unknown).map(|(label, _)| label.as_str()).collect();
    if unknown.is_empty() {
        return Ok(outputs.into_iter().flatten().collect());
    }
    let quoted = |labels: &[&str]| {
        let named: Vec<String> =
            labels.iter().take(MAX_NAMED).map(|label| format!("`{}`", without_middle(label, 60))).collect();
        let rest = labels.len().saturating_sub(MAX_NAMED);
        named.join(", ") + &if rest > 0 { format!(" and {rest} more") } else { String::new() }
    };
    let known: Vec<&str> = card.labels.iter().map(String::as_str).collect();
    Err(ExperimentError::BadData(anyhow::anyhow!(
        "labels that the model does not know: found {}, expected labels such as {}\n  hint: labels are matched by \
         name; the model's are in its labels.txt",
        quoted(&unknown),
        quoted(&known)
    )))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(pairs: &[&str]) -> (String, String) {
        let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        let (config, given) = parse_data(&pairs).unwrap();
        let given = match given {
            Given::Alone(file) => format!("alone {file}"),
            Given::Test(file) => format!("test {file}"),
            Given::Other => String::new(),
        };
        (serde_json::to_string(&config).unwrap(), given)
    }

    #[test]
    fn a_split_that_is_given_alone_is_enough() {
        let path = completed(&["kind=table", "path=a.csv"]);
        for key in ["test=a.csv", "valid=a.csv"] {
            assert_eq!(completed(&["kind=table", key]), path);
        }
        let (_, given) = completed(&["kind=table", "train=a.csv", "test=b.csv"]);
        assert_eq!(given, "test b.csv");
        let both = ["kind=features", "train=x.npy", "train_labels=y.npy", "test=x.npy", "test_labels=y.npy"];
        let (config, _) = completed(&both);
        assert_eq!(completed(&both[..3]), (config.clone(), "alone x.npy".to_owned()));
        assert_eq!(completed(&[both[0], both[3], both[4]]), (config, "alone x.npy".to_owned()));
        assert!(parse_data(&["kind=features".to_owned()]).is_err());
    }
}
