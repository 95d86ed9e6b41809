//! A folder with an ONNX model, as the transformers libraries load it: Python with `optimum.onnxruntime`, browsers and node
//! with transformers.js.
//!
//! | file | holds |
//! |---|---|
//! | `README.md` | the card: numbers, parity, how to load the folder |
//! | `config.json` | a model type that both libraries know, labels; our own block under `stillhouse` |
//! | `preprocessor_config.json` | images: size and normalisation |
//! | `tokenizer.json`, `tokenizer_config.json` | tokens |
//! | `ngrams.json`, `ngrams.mjs`, `ngrams.py` | hashed n-grams: settings, and the hash for JavaScript and Python |
//! | `onnx/model.onnx`, `onnx/model_quantized.onnx` | the network, in floats and in eight bits, tables in eight or four |
//! | `labels.txt` | one label a line, in the order of the outputs |
//! | `parity.json` | some inputs and the logits that this program computes of them |
//!
//! The folder appears whole or not at all.

mod card;
mod config;
mod ngrams;
mod parity;
mod tokenizer;

use crate::ExportError;
use crate::graph::{Example, Graph, Operator};
use crate::onnx::{Precision, Ranges, TableBits, onnx_file};
use crate::place::{ExportKind, OURS, check_place, write_folder};
use parity::Parity;
use serde::Serialize;
use std::path::Path;
use stillhouse_core::InputShape;
use stillhouse_models::{Model, ModelCard};

const CONFIG: &str = "config.json";
const FLOATS: &str = "onnx/model.onnx";
const BYTES: &str = "onnx/model_quantized.onnx";

/// What is written besides the network in floats.
#[derive(Clone, Debug, Default)]
pub struct OnnxOptions {
    /// a second file in eight bits, whose tables have so many
    pub quantised: Option<TableBits>,
    /// examples without labels by which activations get their ranges, as the model's graph takes them; needed for
    /// [`Precision::needs_ranges`] alone
    pub calibration: Vec<Example>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OnnxSummary {
    /// each file with its bytes
    pub files: Vec<(String, u64)>,
    /// how the second file was rounded; none without one
    pub quantisation: Option<String>,
    /// inputs in `parity.json`
    pub n_parity: usize,
    /// largest difference of a probability between the exported graph in floats and this program on these inputs
    pub parity_distance: f64,
}

/// Writes a model as a folder with ONNX files. An older exported folder at the same place is replaced.
///
/// # Errors
/// A place that holds something else, a model without the calibration examples that its eight bits need, a graph that does
/// not give the model's own probabilities, or a disk that refuses. The place is then as it was.
pub fn write_onnx_folder(
    folder: &Path,
    model: &Model,
    card: &ModelCard,
    options: &OnnxOptions,
) -> Result<OnnxSummary, ExportError> {
    check_place(folder, ExportKind::Onnx)?;
    let graph = Graph::of(model)?;
    let precision = options.quantised.map(|bits| quantised(&graph, bits, &options.calibration)).transpose()?;
    let parity = Parity::of(model, card, &graph)?;
    parity.check()?;
    let graph = graph.with_rgb_input();
    let mut files = vec![(FLOATS.to_owned(), network(&graph, &Precision::F32, model, card)?)];
    if let Some(precision) = &precision {
        files.push((BYTES.to_owned(), network(&graph, precision, model, card)?));
    }
    files.push((CONFIG.to_owned(), config::config_file(model, card, precision.as_ref())?));
    files.extend(input_files(model, card)?);
    let labels: String = card.labels.iter().map(|label| format!("{label}\n")).collect();
    files.push(("labels.txt".to_owned(), labels.into_bytes()));
    files.push(("parity.json".to_owned(), parity.file()?));
    let quantisation = precision.as_ref().map(Precision::recipe);
    let written = |files: &[(String, Vec<u8>)]| -> Vec<(String, u64)> {
        files.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect()
    };
    let (n_parity, parity_distance) = (parity.n_examples(), parity.distance());
    let mut summary = OnnxSummary { files: written(&files), quantisation, n_parity, parity_distance };
    files.push(("README.md".to_owned(), card::card(model, card, graph.input(), &summary).into_bytes()));
    summary.files = write_folder(folder, ExportKind::Onnx, &files)?;
    Ok(summary)
}

/// The second file's precision.
fn quantised(graph: &Graph, bits: TableBits, calibration: &[Example]) -> Result<Precision, ExportError> {
    let is_table =
        |operator: &Operator| matches!(operator, Operator::Embedding { .. } | Operator::EmbeddingMean { .. });
    if bits == TableBits::Four && !graph.nodes().iter().any(|node| is_table(&node.operator)) {
        let text = "fewer than eight bits are for tables of n-grams or tokens, of which this network has none; \
                    expected 8 bits";
        return Err(ExportError::Unfit(text.into()));
    }
    match (Precision::needs_ranges(graph), calibration) {
        (false, _) => Ok(Precision::Dynamic(bits)),
        (true, []) => {
            let text =
                "eight bits of a convolutional network need examples to measure the ranges of its activations on";
            Err(ExportError::Unfit(text.into()))
        }
        (true, examples) => Ok(Precision::Static(Ranges::measure(graph, examples))),
    }
}

/// A network's bytes, with metadata that says what it is without the other files.
fn network(graph: &Graph, precision: &Precision, model: &Model, card: &ModelCard) -> Result<Vec<u8>, ExportError> {
    let mut metadata = vec![
        ("stillhouse_version", env!("CARGO_PKG_VERSION").to_owned()),
        ("architecture", json(model.config())?),
        ("input", json(&card.input)?),
        ("labels", json(&card.labels)?),
        ("quantisation", precision.recipe()),
    ];
    metadata.extend((!card.numbers.is_empty()).then(|| json(&card.numbers)).transpose()?.map(|text| ("numbers", text)));
    Ok(onnx_file(graph, precision, &metadata))
}

/// The files that say how an input becomes numbers.
fn input_files(model: &Model, card: &ModelCard) -> Result<Vec<(String, Vec<u8>)>, ExportError> {
    let named = |files: Vec<(&str, Vec<u8>)>| files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    Ok(match *model.input() {
        InputShape::Image { height, width, .. } => {
            named(vec![("preprocessor_config.json", config::preprocessor_file(card, height, width)?)])
        }
        InputShape::Features { .. } => Vec::new(),
        InputShape::Text {} => named(ngrams::files(model)?),
        InputShape::Tokens { .. } => named(tokenizer::files(model)?),
    })
}

fn json(value: &impl Serialize) -> Result<String, ExportError> {
    serde_json::to_string(value).map_err(|error| ExportError::Unfit(format!("the card cannot be written: {error}")))
}

/// A JSON file for people and programs.
fn json_file(value: &impl Serialize) -> Result<Vec<u8>, ExportError> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|error| ExportError::Unfit(format!("the card cannot be written: {error}")))?;
    Ok((text + "\n").into_bytes())
}
