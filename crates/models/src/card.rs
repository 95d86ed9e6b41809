//! The card of a model folder: name, classes, input, and numbers for its README.

use crate::hub_card::{HubCard, pipeline_tag};
use crate::{FolderError, Model, WeightBits};
use std::fmt::Write;
use stillhouse_core::InputSpec;

/// The card of a model: everything in a model folder but the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCard {
    /// title of the card, for example `student`
    pub name: String,
    /// shape and normalisation of one input
    pub input: InputSpec,
    /// one label for each output, in order
    pub labels: Vec<String>,
    /// rows of the card's table, for example `("top-1 accuracy, test", "71.3 %")`
    pub numbers: Vec<(String, String)>,
    /// what model hubs want to know
    pub hub: HubCard,
}

/// Checks that labels can be written to `labels.txt`, one a line: any UTF-8 but carriage returns and newlines. They are
/// refused rather than escaped, so that every other reader of the file sees the labels as they are.
///
/// # Errors
/// The first label that does not fit on a line.
pub fn check_labels(labels: &[String]) -> Result<(), FolderError> {
    match labels.iter().position(|label| label.contains(['\n', '\r'])) {
        Some(index) => {
            let label = &labels[index];
            let message = format!("label {index}, {label:?}, contains a line break; hint: rename the class");
            Err(FolderError::Invalid(message))
        }
        None => Ok(()),
    }
}

/// Checks that a card fits the model.
pub(crate) fn check_card(card: &ModelCard, model: &Model) -> Result<(), FolderError> {
    check_labels(&card.labels)?;
    let InputSpec { shape, mean, std, offset, .. } = &card.input;
    let mut problems = Vec::new();
    if card.labels.len() != model.n_outputs() {
        problems.push(format!("{} labels for {} outputs", card.labels.len(), model.n_outputs()));
    }
    if shape != model.input() {
        problems.push(format!("an input of {shape:?} for a model of {:?}", model.input()));
    }
    for (key, values) in [("means", mean), ("standard deviations", std)] {
        if values.len() != shape.n_channels() || values.iter().any(|value| !value.is_finite()) {
            problems.push(format!("{} {key}, expected {} finite numbers", values.len(), shape.n_channels()));
        }
    }
    if std.iter().any(|&value| value <= 0.0) {
        problems.push("a standard deviation that is not above 0".into());
    }
    if !offset.is_empty() && (offset.len() != shape.n_channels() || offset.iter().any(|value| !value.is_finite())) {
        problems.push(format!("{} offsets, expected none or {} finite numbers", offset.len(), shape.n_channels()));
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(FolderError::Invalid(format!("the model's card does not fit the model: {}", problems.join("; "))))
}

/// The labels as `labels.txt` holds them.
pub(crate) fn labels_text(labels: &[String]) -> String {
    labels.iter().map(|label| format!("{label}\n")).collect()
}

/// The card's `README.md`.
pub(crate) fn card_text(card: &ModelCard, model: &Model, bits: &WeightBits) -> String {
    let task = pipeline_tag(&card.input.shape);
    let tags = ["stillhouse", "knowledge-distillation"];
    let mut text = card.hub.front_matter(&one_line(&card.name), "stillhouse", Some(task), &tags);
    let _ = writeln!(text, "# {}\n", one_line(&card.name));
    let _ = writeln!(
        text,
        "A `{}` with {} outputs and {} parameters, trained with stillhouse.\n",
        model.config().kind(),
        model.n_outputs(),
        model.n_parameters()
    );
    text.push_str("| | |\n|---|---|\n");
    for (name, value) in &card.numbers {
        let _ = writeln!(text, "| {} | {} |", cell(name), cell(value));
    }
    text.push_str(FILES);
    if !bits.is_empty() {
        text.push_str(FEW_BITS);
    }
    text.push_str(COMMAND);
    text
}

const FILES: &str = "
## Files

- `model.safetensors`: the weights; convolutions are `[out, in, kh, kw]`, depthwise ones `[out, 1, kh, kw]`, linear
  layers `[out, in]`, as in PyTorch; images are `[height, width, channels]`
- `config.json`: the architecture, the number of outputs, the input's shape and normalisation, the
  numbers above, `id2label` and `label2id`; `temperature`, if it is there, divides the logits before the softmax
- `labels.txt`: the outputs' labels, one a line
- `tokenizer.json`: how texts become tokens, for models of tokens
";

const FEW_BITS: &str = "
Weights that `config.json` lists under `bits` are not floats: a number is `code * scale`, with a scale for each row of a table, output
of a linear layer, or output channel of a convolution (`NAME.scales`, f16). `NAME` holds for each row how many codes lie below each of its
numbers, low bits first, from a byte of its own; a channel's numbers are in the order `[height, width, in]`. Codes of `b` bits are the whole numbers from
`-(2^(b-1) - 1)` on; of 2 bits -3, -1, 1, 3.
";

const COMMAND: &str = "
`stillhouse predict FOLDER INPUT` reads this folder and nothing else.
";

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}
