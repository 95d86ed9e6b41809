//! ONNX files: opset 17 and IR 8, which onnxruntime reads since 1.12 (2022), also on phones and in browsers.
//!
//! Softmax is not in the file: its output is `logits [batch, n_outputs]`. Inputs have the names of the transformers
//! libraries: `pixel_values [batch, 3, H, W]`, `features [batch, F]`, or `input_ids` or `ngram_ids` with `attention_mask`,
//! both `[batch, sequence]` integers.

mod operators;
mod proto;
mod quantise;
mod writer;

pub use quantise::{Precision, Ranges, TableBits};

use crate::graph::{Graph, GraphInput};
use operators::{Operators, input_names};
use prost::Message;
use proto::{ElementType, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, ValueInfoProto};
use writer::Axis::{Named, Sized};
use writer::value_info;

/// Version of the operators.
pub const OPSET: i64 = 17;
/// Version of the file format.
const IR_VERSION: i64 = 8;
const BATCH: &str = "batch";
const SEQUENCE: &str = "sequence";
const LOGITS: &str = "logits";

/// The bytes of an ONNX file, with lines of metadata that onnxruntime shows. [`Precision::Static`] is for graphs of
/// convolutional networks alone.
pub fn onnx_file(graph: &Graph, precision: &Precision, metadata: &[(&str, String)]) -> Vec<u8> {
    let (input, mask) = input_names(graph.input());
    let written = Operators::new(graph, precision, input, mask).write(LOGITS);
    let logits = value_info(LOGITS, ElementType::F32, &[Named(BATCH), Sized(graph.n_outputs())]);
    let graph = GraphProto {
        node: written.nodes,
        name: Some("stillhouse".into()),
        initializer: written.initializers,
        input: inputs(graph.input()),
        output: vec![logits],
    };
    let line = |(key, value): &(&str, String)| StringStringEntryProto {
        key: Some((*key).to_owned()),
        value: Some(value.clone()),
    };
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("stillhouse".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
        metadata_props: metadata.iter().map(line).collect(),
    };
    model.encode_to_vec()
}

fn inputs(input: GraphInput) -> Vec<ValueInfoProto> {
    let (name, mask) = input_names(input);
    match input {
        GraphInput::Image { channels, height, width } => {
            let axes = [Named(BATCH), Sized(channels), Sized(height), Sized(width)];
            vec![value_info(name, ElementType::F32, &axes)]
        }
        GraphInput::Features { n_features } => {
            vec![value_info(name, ElementType::F32, &[Named(BATCH), Sized(n_features)])]
        }
        GraphInput::Tokens { .. } | GraphInput::Ngrams { .. } => {
            let names = [Some(name), mask].into_iter().flatten();
            names.map(|name| value_info(name, ElementType::I64, &[Named(BATCH), Named(SEQUENCE)])).collect()
        }
    }
}
