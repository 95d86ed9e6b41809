//! What the page's scripts know of a model, as JSON.

use super::{PageExample, tokens};
use crate::ExportError;
use crate::graph::{ConstantId, GraphInput, Node, Operator, Rotary};
use crate::packed::{PackedConstant, PackedGraph};
use crate::samples::{Raw, Sample};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use stillhouse_models::{Model, ModelCard, TextInput};

/// White, as everywhere where no background was chosen.
const GROUND: [u8; 3] = [255; 3];

/// Labels, input, weights' shapes, nodes, examples and checks.
pub(super) fn manifest(
    model: &Model,
    card: &ModelCard,
    packed: &PackedGraph,
    samples: &[Sample],
    examples: &[PageExample],
) -> Result<Value, ExportError> {
    let constants: Vec<Value> = packed
        .constants()
        .map(|(constant, packed)| match packed {
            PackedConstant::Plain => json!({ "dims": constant.dims }),
            PackedConstant::Rows(rows) => {
                json!({ "dims": constant.dims, "bits": rows.bits(), "halves": rows.half_scales().is_some() })
            }
        })
        .collect();
    Ok(json!({
        "labels": card.labels,
        "input": input(model, card, packed.graph().input())?,
        "constants": constants,
        "nodes": packed.graph().nodes().iter().map(node).collect::<Vec<_>>(),
        "examples": examples.iter().map(example).collect::<Vec<_>>(),
        "check": samples.iter().map(check).collect::<Vec<_>>(),
    }))
}

fn input(model: &Model, card: &ModelCard, input: GraphInput) -> Result<Value, ExportError> {
    let (mean, std) = (&card.input.mean, &card.input.std);
    Ok(match (input, model.config().text_input()) {
        (GraphInput::Image { channels, height, width }, _) => {
            let ground = card.input.background.unwrap_or(GROUND);
            json!({ "channels": channels, "height": height, "width": width, "mean": mean, "std": std, "ground": ground })
        }
        (GraphInput::Features { n_features }, _) => {
            json!({ "n_features": n_features, "mean": mean, "std": std, "offset": card.input.offset })
        }
        (_, Some(TextInput::Ngrams { ngrams, n_buckets })) => json!({
            "n_buckets": n_buckets,
            "characters": ngrams.characters,
            "words": ngrams.words,
            "lowercase": ngrams.lowercase,
            "marked_ends": ngrams.marked_ends,
        }),
        (_, Some(TextInput::Tokens { max_len })) => {
            let tokenizer = model.tokenizer().expect("a loaded model of tokens has a tokenizer");
            tokens::tokenizer(tokenizer, max_len)?
        }
        (input, None) => unreachable!("{input:?} is no text"),
    })
}

/// An operator with its inputs, constants and settings by the names that the scripts use: those of [`Operator`].
fn node(node: &Node) -> Value {
    let (mut constants, mut settings) = (Map::new(), Map::new());
    let mut constant = |name: &str, id: ConstantId| drop(constants.insert(name.into(), id.index().into()));
    let mut setting = |name: &str, value: Value| drop(settings.insert(name.into(), value));
    match node.operator {
        Operator::Conv { weight, bias, stride, padding, groups } => {
            constant("weight", weight);
            constant("bias", bias);
            setting("stride", stride.into());
            setting("padding", padding.into());
            setting("groups", groups.into());
        }
        Operator::Linear { weight, bias } => {
            constant("weight", weight);
            constant("bias", bias);
        }
        Operator::MaxPool { kernel, stride, padding } => {
            setting("kernel", kernel.into());
            setting("stride", stride.into());
            setting("padding", padding.into());
        }
        Operator::Embedding { table } | Operator::EmbeddingMean { table } | Operator::AddPositions { table } => {
            constant("table", table);
        }
        Operator::LayerNorm { scale, shift, eps } => {
            constant("scale", scale);
            constant("shift", shift);
            setting("eps", eps.into());
        }
        Operator::Attention { n_heads, rotary } => {
            setting("n_heads", n_heads.into());
            if let Some(Rotary { cosines, sines }) = rotary {
                constant("cosines", cosines);
                constant("sines", sines);
            }
        }
        Operator::PixelTokens { class_token } => constant("class_token", class_token),
        Operator::Relu
        | Operator::GeluErf
        | Operator::GeluTanh
        | Operator::Add
        | Operator::GlobalAveragePool
        | Operator::Flatten
        | Operator::MeanTokens
        | Operator::FirstToken => {}
    }
    let inputs: Vec<usize> = node.inputs.iter().map(|input| input.index()).collect();
    settings.insert("operator".into(), node.operator.name().into());
    settings.insert("inputs".into(), inputs.into());
    settings.insert("constants".into(), constants.into());
    settings.into()
}

fn example(example: &PageExample) -> Value {
    match example {
        PageExample::Text(text) => json!(text),
        PageExample::Picture { name, media_type, bytes } => {
            json!({ "name": name, "src": format!("data:{media_type};base64,{}", STANDARD.encode(bytes)) })
        }
    }
}

/// An input as `distance` of `page.js` takes it (a seed stands for pixels), and the logits.
fn check(sample: &Sample) -> Value {
    let given = match &sample.raw {
        Raw::Text(text) => json!(text),
        Raw::Numbers(numbers) => json!(numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")),
        Raw::Pixels(seed) => json!(seed),
    };
    json!({ "given": given, "logits": sample.logits })
}
