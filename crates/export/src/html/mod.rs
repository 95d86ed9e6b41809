//! A model as one HTML file that opens by double click: weights, an interpreter of the graph in plain JavaScript, and controls
//! to try it. It loads nothing.
//!
//! | file | part of the page |
//! |---|---|
//! | `network.js` | weights, operators that all networks have, softmax |
//! | `convolutions.js`, `encoder.js` | operators of images and of transformers, where the graph has them |
//! | `../ngrams.js`, `tokens.js` | texts to ids |
//! | `text_input.js`, `number_input.js`, `image_input.js` | preparation of an input, and its controls |
//! | `page.js` | bars, curves, sentences |
//!
//! The scripts are concatenated. Nothing but controls needs a document, so that `experiments/ship/check_page.mjs` runs a page in node.

mod manifest;
mod tokens;

use crate::ExportError;
use crate::graph::{Graph, GraphInput, Operator};
use crate::packed::{PackedConstant, PackedGraph};
use crate::place::{ExportKind, check_place, write_folder};
use crate::samples::samples;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;
use std::path::Path;
use stillhouse_models::{Model, ModelCard};

/// The file of an exported folder.
const PAGE: &str = "index.html";

/// How a page is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageOptions {
    /// bits of a weight at most, 2 to 8; without a number, as the model has them
    pub bits: Option<u8>,
    /// title of the page; the card's name by default
    pub title: Option<String>,
    /// buttons under the input
    pub examples: Vec<PageExample>,
}

/// An input that the page offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageExample {
    /// a text, or a row of numbers
    Text(String),
    /// an image file
    Picture {
        /// its name, for those who do not see it
        name: String,
        /// for example `image/png`
        media_type: String,
        /// the file
        bytes: Vec<u8>,
    },
}

/// Writes a folder with the page `index.html`, and returns its files with their bytes. An older exported folder is replaced.
///
/// # Errors
/// As [`page`]; a place that holds something else, or a disk that refuses.
pub fn write_page_folder(
    folder: &Path,
    model: &Model,
    card: &ModelCard,
    options: &PageOptions,
) -> Result<Vec<(String, u64)>, ExportError> {
    check_place(folder, ExportKind::Page)?;
    write_folder(folder, ExportKind::Page, &[(PAGE, page(model, card, options)?)])
}

/// The page of a model.
///
/// # Errors
/// A tokenizer that the page cannot run, examples of another kind than the model's input, or weights that cannot be read.
pub fn page(model: &Model, card: &ModelCard, options: &PageOptions) -> Result<String, ExportError> {
    check_examples(model, options)?;
    let packed = PackedGraph::of(model, options.bits)?;
    let samples = samples(model, card, packed.graph())?;
    let manifest = manifest::manifest(model, card, &packed, &samples, &options.examples)?;
    let parts = [
        ("title", escaped(options.title.as_ref().unwrap_or(&card.name))),
        ("style", include_str!("page.css").to_owned()),
        ("facts", facts(model, card, &packed)),
        ("input", input_controls(packed.graph().input())),
        ("numbers", numbers(card)),
        ("note", note(&packed)),
        // `<` ends a script of data too early only as `</script`, and may open a comment
        ("model", manifest.to_string().replace('<', "\\u003c")),
        ("weights", STANDARD.encode(weight_bytes(&packed))),
        ("program", program(packed.graph())),
    ];
    Ok(filled(include_str!("page.html"), &parts))
}

fn check_examples(model: &Model, options: &PageOptions) -> Result<(), ExportError> {
    let takes_pictures = matches!(model.input(), stillhouse_core::InputShape::Image { .. });
    let fits = |example: &PageExample| matches!(example, PageExample::Picture { .. }) == takes_pictures;
    if options.examples.iter().all(fits) {
        return Ok(());
    }
    let (expected, found) = if takes_pictures { ("image files", "texts") } else { ("lines of text", "image files") };
    Err(ExportError::Unfit(format!("the examples are {found}, expected {expected}, which the model takes")))
}

/// Scales and codes, or numbers, of all constants, as `unpack` of `network.js` reads them.
fn weight_bytes(packed: &PackedGraph) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(packed.n_bytes());
    for (constant, packed) in packed.constants() {
        match packed {
            PackedConstant::Plain => bytes.extend(constant.values.iter().flat_map(|value| value.to_le_bytes())),
            PackedConstant::Rows(rows) => {
                match rows.half_scales() {
                    Some(scales) => bytes.extend(scales.iter().flat_map(|scale| scale.to_le_bytes())),
                    None => bytes.extend(rows.scales().iter().flat_map(|scale| scale.to_le_bytes())),
                }
                bytes.extend(rows.packed_codes());
            }
        }
    }
    bytes
}

/// The scripts that a graph needs.
fn program(graph: &Graph) -> String {
    let has = |names: fn(&Operator) -> bool| graph.nodes().iter().any(|node| names(&node.operator));
    let is_of_images = |operator: &Operator| {
        matches!(operator, Operator::Conv { .. } | Operator::MaxPool { .. } | Operator::GlobalAveragePool)
    };
    let is_of_encoders = |operator: &Operator| {
        matches!(operator, Operator::Attention { .. } | Operator::LayerNorm { .. } | Operator::Embedding { .. })
    };
    let mut program = include_str!("network.js").to_owned();
    if has(is_of_images) {
        program += include_str!("convolutions.js");
    }
    if has(is_of_encoders) {
        program += include_str!("encoder.js");
    }
    program += match graph.input() {
        GraphInput::Image { .. } => include_str!("image_input.js"),
        GraphInput::Features { .. } => include_str!("number_input.js"),
        GraphInput::Tokens { .. } => concat!(include_str!("tokens.js"), include_str!("text_input.js")),
        GraphInput::Ngrams { .. } => concat!(include_str!("../ngrams.js"), include_str!("text_input.js")),
    };
    program + include_str!("page.js")
}

fn input_controls(input: GraphInput) -> String {
    let (template, parts) = match input {
        GraphInput::Image { channels, height, width } => {
            let template = if channels == 1 { include_str!("pad.html") } else { include_str!("image.html") };
            (template, vec![("height", height.to_string()), ("width", width.to_string())])
        }
        GraphInput::Features { n_features } => {
            (include_str!("numbers.html"), vec![("n_features", n_features.to_string())])
        }
        GraphInput::Tokens { .. } | GraphInput::Ngrams { .. } => (include_str!("text.html"), Vec::new()),
    };
    filled(template, &parts)
}

/// The line under the title: classes, parameters, bytes, accuracy.
fn facts(model: &Model, card: &ModelCard, packed: &PackedGraph) -> String {
    let mut facts =
        vec![format!("{} classes", model.n_outputs()), format!("{} parameters", thousands(model.n_parameters()))];
    facts.push(format!("{} kB of weights", thousands(packed.n_bytes().div_ceil(1000))));
    facts.extend(card.numbers.iter().find(|(name, _)| name == "top-1 accuracy, test").map(|(_, value)| {
        // the parts of a number and its unit stay on one line
        format!("{} of test examples right", value.replace(' ', "\u{a0}"))
    }));
    facts.iter().map(|fact| format!("<span>{}</span>", escaped(fact))).collect()
}

fn numbers(card: &ModelCard) -> String {
    card.numbers.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = write!(text, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value));
        text
    })
}

fn note(packed: &PackedGraph) -> String {
    let rounded = packed.rounded_to().map_or_else(String::new, |bits| {
        format!(" The numbers are those of the model before its weights were rounded to {bits} bits.")
    });
    format!("This page holds the whole network. It loads nothing, and what you enter stays in it.{rounded}")
}

/// 12 345 with thin spaces between thousands.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A template with all its `{{name}}` filled, in one pass: what is filled in may hold braces.
fn filled(template: &str, parts: &[(&str, String)]) -> String {
    let mut pieces = template.split("{{");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").expect("a template's braces are closed");
        let (_, part) = parts.iter().find(|(known, _)| *known == name).expect("a part for each name of a template");
        text += part.trim_end_matches('\n');
        text += rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_once() {
        assert_eq!(filled("a {{x}} {{y}}!", &[("x", "{{y}}".into()), ("y", "b\n".into())]), "a {{y}} b!");
    }

    /// Without controls, which are as long again.
    #[test]
    fn the_interpreter_is_small() {
        let operators = [include_str!("network.js"), include_str!("convolutions.js"), include_str!("encoder.js")];
        let n_bytes: usize = operators.iter().map(|script| script.len()).sum();
        assert!(n_bytes + include_str!("../ngrams.js").len() < 12_000, "{n_bytes}");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([7, 1234, 1_234_567].map(thousands), ["7", "1\u{202f}234", "1\u{202f}234\u{202f}567"]);
    }
}
