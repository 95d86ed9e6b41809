//! Weights in few bits, for formats that carry their own interpreter: the page and the C source.
//!
//! The model is rounded first, as `stillhouse-models` rounds it; then the codes of its kernels, matrices and tables are found again
//! in the graph, so a model that was rounded before is packed as it is: a page computes what `predict` says of the folder. Rows are
//! output channels, output units or ids. Vectors (biases, norms) stay `f32`: they are a few hundredths of the bytes.
//!
//! Scales are `f16`, as a model folder has them. A kernel that a batch norm is folded into has `f32` scales, since the folded ones
//! are no `f16`; it has few rows. Codes, counted from the lowest one, are packed low bits first, each row from a byte of its own.

use crate::ExportError;
use crate::graph::{Constant, ConstantId, Graph};
use std::collections::BTreeSet;
use stillhouse_models::{Model, RoundedRows, WeightBits};

/// The numbers of a constant as a file holds them.
#[derive(Clone, Debug, PartialEq)]
pub enum PackedConstant {
    /// `f32`, as the graph has them
    Plain,
    /// rounded row by row
    Rows(RoundedRows),
}

/// A graph with the codes of its rounded weights.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedGraph {
    graph: Graph,
    constants: Vec<PackedConstant>,
    rounded_to: Option<u8>,
}

impl PackedGraph {
    /// The graph of a model with so many bits a weight at most (2 to 8, and 8 for the head and for small weights); without a number, as the model has
    /// them.
    ///
    /// # Errors
    /// Weights that cannot be read from the model's device.
    pub fn of(model: &Model, bits: Option<u8>) -> Result<Self, ExportError> {
        let Some(bits) = bits else { return Ok(Self::of_graph(Graph::of(model)?, None)) };
        let rounded = WeightBits::at_most(model, bits)?.rounded(model)?;
        let rounded_to = (!rounded.is_same(model)?).then_some(bits);
        Ok(Self::of_graph(Graph::of(&rounded)?, rounded_to))
    }

    fn of_graph(graph: Graph, rounded_to: Option<u8>) -> Self {
        let matrices: BTreeSet<usize> =
            graph.nodes().iter().filter_map(|node| node.operator.matrix()).map(ConstantId::index).collect();
        let pack = |(index, constant): (usize, &Constant)| {
            let width: usize = constant.dims[1..].iter().product();
            let rows = matrices.contains(&index).then(|| RoundedRows::exact(&constant.values, width)).flatten();
            rows.filter(|rows| n_bytes(rows) < size_of_val(&constant.values[..]))
                .map_or(PackedConstant::Plain, PackedConstant::Rows)
        };
        let constants: Vec<PackedConstant> = graph.constants().iter().enumerate().map(pack).collect();
        // the same numbers, but for the last bit of those that a batch norm was folded into
        let graph = graph.with_values(|id, _| match &constants[id.index()] {
            PackedConstant::Plain => None,
            PackedConstant::Rows(rows) => Some(rows.values()),
        });
        Self { graph, constants, rounded_to }
    }

    /// The graph of the rounded weights: what a reader of the packed form computes.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Bits that the model was rounded to; none where its weights are as they were.
    pub fn rounded_to(&self) -> Option<u8> {
        self.rounded_to
    }

    /// The numbers of a constant.
    pub fn constant(&self, id: ConstantId) -> &PackedConstant {
        &self.constants[id.index()]
    }

    /// All constants with their packed form, in the graph's order.
    pub fn constants(&self) -> impl Iterator<Item = (&Constant, &PackedConstant)> {
        self.graph.constants().iter().zip(&self.constants)
    }

    /// Bytes of all weights, scales included.
    pub fn n_bytes(&self) -> usize {
        let of_constant = |(constant, packed): (&Constant, &PackedConstant)| match packed {
            PackedConstant::Plain => size_of_val(&constant.values[..]),
            PackedConstant::Rows(rows) => n_bytes(rows),
        };
        self.constants().map(of_constant).sum()
    }

    /// For example `4 and 8 bits`.
    pub fn bits_in_words(&self) -> String {
        let of_constant = |packed: &PackedConstant| match packed {
            PackedConstant::Plain => None,
            PackedConstant::Rows(rows) => Some(rows.bits()),
        };
        let bits: BTreeSet<u8> = self.constants.iter().filter_map(of_constant).collect();
        match bits.iter().map(u8::to_string).collect::<Vec<_>>().as_slice() {
            [] => "32-bit floats".to_owned(),
            [bits] => format!("{bits} bits"),
            [others @ .., last] => format!("{} and {last} bits", others.join(", ")),
        }
    }
}

/// Bytes of codes and scales.
fn n_bytes(rows: &RoundedRows) -> usize {
    let of_scale = if rows.half_scales().is_some() { 2 } else { 4 };
    let of_row = (rows.width() * usize::from(rows.bits())).div_ceil(8);
    rows.scales().len() * (of_scale + of_row)
}
