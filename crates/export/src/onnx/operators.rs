//! Each operator of a graph as nodes of ONNX, on batches.
//!
//! Shapes: `B` examples, `S` tokens of the longest text, `C` channels, `H`, `W` height and width, `D` width of a vector,
//! `N` heads of width `E`. Texts are padded; `attention_mask [B, S]` is 1 where a token is.

use super::proto::ElementType;
use super::quantise::Precision;
use super::writer::Attribute::{Float, Int, Ints};
use super::writer::Writer;
use crate::graph::{ConstantId, Dim, Graph, GraphInput, Node, Operator, Rotary, ValueId};

/// Added to the scores of padding: its exponential is 0, and scores stay finite where a whole text is padding.
const MASKED: f32 = -1e9;

/// Writes a graph's nodes one after the other.
pub(super) struct Operators<'a> {
    pub(super) graph: &'a Graph,
    pub(super) writer: Writer,
    pub(super) precision: &'a Precision,
    /// name of each value of the graph
    names: Vec<String>,
    mask: Option<Mask>,
    /// cosines and sines `[S, E]`, made where the first layer asks
    angles: Option<[String; 2]>,
}

/// The mask in the forms that operators need, made where the first of them asks.
struct Mask {
    /// `[B, S]`, the input
    ids: String,
    /// `[B, S]`, f32
    floats: Option<String>,
    /// `[B, 1, 1, S]`: 0, or [`MASKED`]
    scores: Option<String>,
}

impl<'a> Operators<'a> {
    /// `mask` is the name of the second input of models of texts.
    pub(super) fn new(graph: &'a Graph, precision: &'a Precision, input: &str, mask: Option<&str>) -> Self {
        let mask = mask.map(|name| Mask { ids: name.into(), floats: None, scores: None });
        Self { graph, writer: Writer::default(), precision, names: vec![input.into()], mask, angles: None }
    }

    /// Writes all nodes; the last output is called `output`.
    pub(super) fn write(mut self, output: &str) -> Writer {
        self.quantise_input();
        for index in 0..self.graph.nodes().len() {
            let name = self.node(&self.graph.nodes()[index]);
            let name = self.quantise_output(index, name);
            self.names.push(name);
        }
        self.writer.name_output(output);
        self.writer
    }

    pub(super) fn name(&self, value: ValueId) -> &str {
        &self.names[value.index()]
    }

    pub(super) fn rename(&mut self, value: ValueId, name: String) {
        self.names[value.index()] = name;
    }

    fn node(&mut self, node: &Node) -> String {
        let input = self.name(node.inputs[0]).to_owned();
        let x = input.as_str();
        match node.operator {
            Operator::Conv { .. } => self.conv(node, x),
            Operator::Linear { .. } => self.linear(node, x),
            Operator::Relu => self.writer.node("Relu", &[x], &[]),
            Operator::GeluErf => self.gelu_erf(x),
            Operator::GeluTanh => self.gelu_tanh(x),
            Operator::Add => {
                let other = self.name(node.inputs[1]).to_owned();
                self.writer.node("Add", &[x, &other], &[])
            }
            Operator::MaxPool { kernel, stride, padding } => {
                let (kernel, stride, pads) = ([kernel as i64; 2], [stride as i64; 2], [padding as i64; 4]);
                let attributes = [Ints("kernel_shape", &kernel), Ints("strides", &stride), Ints("pads", &pads)];
                self.writer.node("MaxPool", &[x], &attributes)
            }
            Operator::GlobalAveragePool => {
                let pooled = self.writer.node("GlobalAveragePool", &[x], &[]);
                self.writer.node("Flatten", &[&pooled], &[])
            }
            Operator::Flatten => self.writer.node("Flatten", &[x], &[]),
            Operator::Embedding { table } => self.table_rows(table, |w, rows| w.node("Gather", &[rows, x], &[])),
            Operator::EmbeddingMean { table } => {
                let rows = self.table_rows(table, |w, rows| w.node("Gather", &[rows, x], &[]));
                self.masked_mean(&rows)
            }
            Operator::AddPositions { table } => self.add_positions(node, table, x),
            Operator::LayerNorm { scale, shift, eps } => {
                let (scale, shift) = (self.weights(scale), self.weights(shift));
                self.writer.node("LayerNormalization", &[x, &scale, &shift], &[Int("axis", -1), Float("epsilon", eps)])
            }
            Operator::Attention { n_heads, rotary } => self.attention(node, n_heads, rotary, x),
            Operator::PixelTokens { class_token } => self.pixel_tokens(node, class_token, x),
            Operator::MeanTokens if self.mask.is_none() => {
                self.writer.node("ReduceMean", &[x], &[Ints("axes", &[1]), Int("keepdims", 0)])
            }
            Operator::MeanTokens => self.masked_mean(x),
            Operator::FirstToken => {
                let first = self.writer.constant(ElementType::I64, &[], 0_i64.to_le_bytes().to_vec());
                self.writer.node("Gather", &[x, &first], &[Int("axis", 1)])
            }
        }
    }

    /// A constant as it is.
    pub(super) fn weights(&mut self, id: ConstantId) -> String {
        let constant = self.graph.constant(id);
        self.writer.f32s(&constant.dims, &constant.values)
    }

    fn gelu_erf(&mut self, x: &str) -> String {
        let (root, one, half) = (self.writer.f32(std::f32::consts::SQRT_2), self.writer.f32(1.0), self.writer.f32(0.5));
        let scaled = self.writer.node("Div", &[x, &root], &[]);
        let erf = self.writer.node("Erf", &[&scaled], &[]);
        let sum = self.writer.node("Add", &[&erf, &one], &[]);
        let product = self.writer.node("Mul", &[x, &sum], &[]);
        self.writer.node("Mul", &[&product, &half], &[])
    }

    fn gelu_tanh(&mut self, x: &str) -> String {
        let slope = (2.0 / std::f32::consts::PI).sqrt();
        let [cubic, slope, one, half] = [0.044_715, slope, 1.0, 0.5].map(|value| self.writer.f32(value));
        let square = self.writer.node("Mul", &[x, x], &[]);
        let cube = self.writer.node("Mul", &[&square, x], &[]);
        let bend = self.writer.node("Mul", &[&cube, &cubic], &[]);
        let inner = self.writer.node("Add", &[x, &bend], &[]);
        let scaled = self.writer.node("Mul", &[&inner, &slope], &[]);
        let tanh = self.writer.node("Tanh", &[&scaled], &[]);
        let sum = self.writer.node("Add", &[&tanh, &one], &[]);
        let product = self.writer.node("Mul", &[x, &sum], &[]);
        self.writer.node("Mul", &[&product, &half], &[])
    }

    /// `[B, S, D]` plus the first `S` rows of a table.
    fn add_positions(&mut self, node: &Node, table: ConstantId, x: &str) -> String {
        let rows = match node.dims[0] {
            Dim::Fixed(_) => self.table_rows(table, |_, rows| rows.to_owned()),
            Dim::Text => {
                let length = self.text_length();
                self.table_rows(table, |writer, rows| first_rows(writer, rows, &length))
            }
        };
        self.writer.node("Add", &[x, &rows], &[])
    }

    /// `S` as a list of one number. From the shape of an input and not by `Range`, which onnxruntime cannot fuse with
    /// scalar inputs.
    fn text_length(&mut self) -> String {
        let ids = self.name(ValueId::INPUT).to_owned();
        self.writer.node("Shape", &[&ids], &[Int("start", 1), Int("end", 2)])
    }

    /// `[B, S, 3 D]` to `[B, S, D]`.
    fn attention(&mut self, node: &Node, n_heads: usize, rotary: Option<Rotary>, x: &str) -> String {
        let Dim::Fixed(width) = node.dims[1] else { unreachable!("a token has a fixed width") };
        let head_width = width / n_heads;
        let scale = self.writer.f32(1.0 / (head_width as f32).sqrt());
        let heads = self.writer.i64s(&[0, 0, n_heads as i64, head_width as i64]);
        let parts: [String; 3] = self.writer.node_of("Split", &[x], &[Int("axis", 2)]);
        let by_head = parts.map(|part| {
            let part = self.writer.node("Reshape", &[&part, &heads], &[]);
            self.writer.node("Transpose", &[&part], &[Ints("perm", &[0, 2, 1, 3])])
        });
        let [mut queries, mut keys, values] = by_head;
        if let Some(rotary) = rotary {
            [queries, keys] = self.turn(rotary, [queries, keys], head_width);
        }
        let keys = self.writer.node("Transpose", &[&keys], &[Ints("perm", &[0, 1, 3, 2])]);
        let products = self.writer.node("MatMul", &[&queries, &keys], &[]);
        let mut scores = self.writer.node("Mul", &[&products, &scale], &[]);
        if let Some(mask) = self.score_mask() {
            scores = self.writer.node("Add", &[&scores, &mask], &[]);
        }
        let shares = self.writer.node("Softmax", &[&scores], &[Int("axis", -1)]);
        let mixed = self.writer.node("MatMul", &[&shares, &values], &[]);
        let by_token = self.writer.node("Transpose", &[&mixed], &[Ints("perm", &[0, 2, 1, 3])]);
        let joined = self.writer.i64s(&[0, 0, width as i64]);
        self.writer.node("Reshape", &[&by_token, &joined], &[])
    }

    /// Turns queries and keys `[B, N, S, E]` by their positions: `x cos + (-second half, first half) sin`.
    fn turn(&mut self, rotary: Rotary, vectors: [String; 2], head_width: usize) -> [String; 2] {
        let [cosines, sines] = match self.angles.clone() {
            Some(angles) => angles,
            None => self.angles(rotary, head_width),
        };
        vectors.map(|x| {
            let [first, second]: [String; 2] = self.writer.node_of("Split", &[&x], &[Int("axis", 3)]);
            let negative = self.writer.node("Neg", &[&second], &[]);
            let swapped = self.writer.node("Concat", &[&negative, &first], &[Int("axis", 3)]);
            let along = self.writer.node("Mul", &[&x, &cosines], &[]);
            let across = self.writer.node("Mul", &[&swapped, &sines], &[]);
            self.writer.node("Add", &[&along, &across], &[])
        })
    }

    /// Cosines and sines of the batch's positions, each twice in a row: for both halves of a head.
    fn angles(&mut self, rotary: Rotary, head_width: usize) -> [String; 2] {
        let length = self.text_length();
        let angles = [rotary.cosines, rotary.sines].map(|id| {
            let table = self.graph.constant(id);
            let twice: Vec<f32> = table.values.chunks_exact(head_width / 2).flat_map(|row| row.repeat(2)).collect();
            let table = self.writer.f32s(&[table.dims[0], head_width], &twice);
            first_rows(&mut self.writer, &table, &length)
        });
        self.angles = Some(angles.clone());
        angles
    }

    /// `[B, D, H, W]` to `[B, 1 + H W, D]`.
    fn pixel_tokens(&mut self, node: &Node, class_token: ConstantId, x: &str) -> String {
        let Dim::Fixed(width) = node.dims[1] else { unreachable!("a token has a fixed width") };
        let flat = self.writer.i64s(&[0, width as i64, -1]);
        let pixels = self.writer.node("Reshape", &[x, &flat], &[]);
        let pixels = self.writer.node("Transpose", &[&pixels], &[Ints("perm", &[0, 2, 1])]);
        let class_token = self.graph.constant(class_token).values.clone();
        let class_token = self.writer.f32s(&[1, 1, width], &class_token);
        let n_images = self.writer.node("Shape", &[x], &[Int("start", 0), Int("end", 1)]);
        let one_token = self.writer.i64s(&[1, width as i64]);
        let shape = self.writer.node("Concat", &[&n_images, &one_token], &[Int("axis", 0)]);
        let class_tokens = self.writer.node("Expand", &[&class_token, &shape], &[]);
        self.writer.node("Concat", &[&class_tokens, &pixels], &[Int("axis", 1)])
    }

    /// `[B, S, D]` to `[B, D]`: the mean over the tokens that are there, as a product with the mask. Without any it is 0.
    fn masked_mean(&mut self, x: &str) -> String {
        let mask = self.float_mask();
        let (axis, one) = (self.writer.i64s(&[1]), self.writer.f32(1.0));
        let row = self.writer.node("Unsqueeze", &[&mask, &axis], &[]);
        let sum = self.writer.node("MatMul", &[&row, x], &[]);
        let sum = self.writer.node("Squeeze", &[&sum, &axis], &[]);
        let count = self.writer.node("ReduceSum", &[&mask, &axis], &[Int("keepdims", 1)]);
        let count = self.writer.node("Max", &[&count, &one], &[]);
        self.writer.node("Div", &[&sum, &count], &[])
    }

    fn float_mask(&mut self) -> String {
        let mask = self.mask.as_mut().expect("models of texts have a mask");
        let to_float = Int("to", ElementType::F32 as i64);
        mask.floats.get_or_insert_with(|| self.writer.node("Cast", &[&mask.ids], &[to_float])).clone()
    }

    fn score_mask(&mut self) -> Option<String> {
        if let Some(scores) = self.mask.as_ref()?.scores.clone() {
            return Some(scores);
        }
        let mask = self.float_mask();
        let (one, masked, axes) = (self.writer.f32(1.0), self.writer.f32(MASKED), self.writer.i64s(&[1, 2]));
        let padding = self.writer.node("Sub", &[&one, &mask], &[]);
        let added = self.writer.node("Mul", &[&padding, &masked], &[]);
        let scores = self.writer.node("Unsqueeze", &[&added, &axes], &[]);
        self.mask.as_mut()?.scores = Some(scores.clone());
        Some(scores)
    }
}

/// The first rows of a table, as many as `length [1]` says.
fn first_rows(writer: &mut Writer, table: &str, length: &str) -> String {
    let zero = writer.i64s(&[0]);
    writer.node("Slice", &[table, &zero, length, &zero], &[])
}

/// Names of the inputs, as the transformers libraries have them: the input, and the mask of texts.
pub(super) fn input_names(input: GraphInput) -> (&'static str, Option<&'static str>) {
    match input {
        GraphInput::Image { .. } => ("pixel_values", None),
        GraphInput::Features { .. } => ("features", None),
        GraphInput::Tokens { .. } => ("input_ids", Some("attention_mask")),
        GraphInput::Ngrams { .. } => ("ngram_ids", Some("attention_mask")),
    }
}
