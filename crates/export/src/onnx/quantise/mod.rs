//! Layers with weights, in 32-bit floats or in signed bytes.
//!
//! Two ways to eight bits. *Dynamic*: weights and tables are bytes, activations are quantised where a matrix product reads
//! them, by the range that they have there; softmax, norms and masks stay in floats. *Static*, for convolutional networks:
//! every activation has a range that was measured on examples before, so a runtime can compute in integers from one layer
//! to the next.
//!
//! Shapes: `O` outputs, `I` inputs, `V` rows of a table, `D` its width.

mod dynamic;
mod numbers;
mod ranges;
mod with_ranges;

pub use ranges::Ranges;

use super::operators::Operators;
use super::writer::Attribute::{Int, Ints};
use super::writer::Writer;
use crate::graph::{ConstantId, Graph, Node, Operator, ValueId};

/// Bits of the numbers of tables of n-grams and tokens in a network of eight bits. A table that is rounded to four or two already has
/// these anyway; one so small that it would not become smaller has eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableBits {
    /// two numbers a byte
    Four,
    /// a number a byte
    Eight,
}

/// How the numbers of a network are written.
#[derive(Clone, Debug, PartialEq)]
pub enum Precision {
    /// all of them as 32-bit floats
    F32,
    /// weights as signed bytes, activations as unsigned bytes by the range that they have when the network runs
    Dynamic(TableBits),
    /// weights as signed bytes, activations as unsigned bytes by these ranges
    Static(Ranges),
}

impl Precision {
    /// Whether eight bits of this graph need ranges that were measured before: convolutions have no dynamic form that is
    /// fast everywhere. The one convolution of a vision transformer is left in floats instead.
    pub fn needs_ranges(graph: &Graph) -> bool {
        let has = |wanted: fn(&Operator) -> bool| graph.nodes().iter().any(|node| wanted(&node.operator));
        has(|operator| matches!(operator, Operator::Conv { .. }))
            && !has(|operator| matches!(operator, Operator::Attention { .. }))
    }

    /// The recipe in words, for the file's metadata and the card.
    pub fn recipe(&self) -> String {
        match self {
            Self::F32 => "none: 32-bit floats".into(),
            Self::Dynamic(bits) => {
                let tables = match bits {
                    TableBits::Four => "4 bits (of 2 where they had no more, small ones of 8)",
                    TableBits::Eight => "8 bits (of 4 or 2 where they had no more)",
                };
                format!(
                    "dynamic: int8 weights with a scale for each output, tables of {tables} with a scale for each row, \
                     activations of matrix products as uint8 by their range at run time"
                )
            }
            Self::Static(ranges) => format!(
                "static: int8 weights with a scale for each output channel, uint8 activations by their smallest and \
                 largest value on {} examples",
                ranges.n_examples()
            ),
        }
    }
}

impl Operators<'_> {
    pub(super) fn conv(&mut self, node: &Node, x: &str) -> String {
        let Operator::Conv { weight, bias, stride, padding, groups } = node.operator else { unreachable!("a conv") };
        let (weight, bias) = match self.precision {
            Precision::Static(ranges) => self.static_weights(ranges, node.inputs[0], weight, bias),
            Precision::F32 | Precision::Dynamic(_) => (self.weights(weight), self.weights(bias)),
        };
        let (strides, pads) = ([stride as i64; 2], [padding as i64; 4]);
        // rten 0.27 has no default for dilations
        let dilations = Ints("dilations", &[1, 1]);
        let attributes = [Ints("strides", &strides), Ints("pads", &pads), dilations, Int("group", groups as i64)];
        let n_attributes = if groups == 1 { 3 } else { 4 };
        self.writer.node("Conv", &[x, &weight, &bias], &attributes[..n_attributes])
    }

    pub(super) fn linear(&mut self, node: &Node, x: &str) -> String {
        let Operator::Linear { weight, bias } = node.operator else { unreachable!("a linear layer") };
        let (weight, bias) = match self.precision {
            Precision::Dynamic(_) => return self.dynamic_linear(x, weight, bias),
            Precision::Static(ranges) => self.static_weights(ranges, node.inputs[0], weight, bias),
            // of a text's tokens: Gemm takes matrices only
            Precision::F32 if node.dims.len() > 1 => return self.float_product(x, weight, bias),
            Precision::F32 => (self.weights(weight), self.weights(bias)),
        };
        self.writer.node("Gemm", &[x, &weight, &bias], &[Int("transB", 1)])
    }

    fn float_product(&mut self, x: &str, weight: ConstantId, bias: ConstantId) -> String {
        let constant = self.graph.constant(weight);
        let (n_out, n_in) = (constant.dims[0], constant.dims[1]);
        let transposed = numbers::transposed(&constant.values, n_in);
        let (weight, bias) = (self.writer.f32s(&[n_in, n_out], &transposed), self.weights(bias));
        let product = self.writer.node("MatMul", &[x, &weight], &[]);
        self.writer.node("Add", &[&product, &bias], &[])
    }

    /// Rows of a table `[V, D]`, which `choose` takes out of the table that it is given, as floats.
    pub(super) fn table_rows(&mut self, table: ConstantId, choose: impl Fn(&mut Writer, &str) -> String) -> String {
        match self.precision {
            Precision::F32 | Precision::Static(_) => {
                let table = self.weights(table);
                choose(&mut self.writer, &table)
            }
            Precision::Dynamic(bits) => self.rounded_rows(table, *bits, choose),
        }
    }

    /// Rounds the input, where activations have ranges.
    pub(super) fn quantise_input(&mut self) {
        if let Precision::Static(ranges) = self.precision {
            let name = self.name(ValueId::INPUT).to_owned();
            let rounded = self.round_activation(ranges, ValueId::INPUT, &name);
            self.rename(ValueId::INPUT, rounded);
        }
    }

    /// Rounds the output of node `index`, where activations have ranges.
    pub(super) fn quantise_output(&mut self, index: usize, name: String) -> String {
        let value = self.graph.output_of(index);
        match self.precision {
            Precision::Static(ranges) if with_ranges::is_rounded(self.graph, value) => {
                self.round_activation(ranges, value, &name)
            }
            _ => name,
        }
    }
}
