//! Weights in few bits, for formats that carry their own interpreter: the page and the C source.
//!
//! Kernels, matrices and tables are rounded to `scale * code` with one scale for each row, which is an output channel, an
//! output unit or an id. Vectors (biases, norms) stay `f32`: they are a few hundredths of the bytes.
//!
//! | `--bits` | matrices | rows shorter than 16 numbers, or matrices below 4096 |
//! |---|---|---|
//! | 4 | 4 bits, clip of least squared error | 8 bits |
//! | 8 | 8 bits | 8 bits |
//! | 32 | `f32` | `f32` |
//!
//! Scales are bfloat16, the upper half of an `f32`, so that a reader needs a shift and no conversion. Codes are chosen for
//! the rounded scale, so this rounding adds no error of its own.

mod model;
mod rows;

pub use rows::PackedRows;

use crate::graph::{Constant, ConstantId, Graph};
use std::collections::BTreeSet;

/// How many bits a weight takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bits {
    /// 4 bits in large matrices, 8 in small ones
    Four,
    /// 8 bits
    #[default]
    Eight,
    /// 32 bits: nothing is rounded
    ThirtyTwo,
}

impl Bits {
    /// 4, 8 or 32.
    pub fn count(self) -> u32 {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
            Self::ThirtyTwo => 32,
        }
    }
}

/// The numbers of a constant as a file holds them.
#[derive(Clone, Debug, PartialEq)]
pub enum PackedConstant {
    /// `f32`, as the graph has them
    Plain,
    /// rounded row by row
    Rows(PackedRows),
}

/// A graph whose weights are rounded, with their codes.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedGraph {
    graph: Graph,
    constants: Vec<PackedConstant>,
}

/// Shorter rows, such as 3x3 kernels on one channel, would save a few bytes each. Chosen by bytes; the accuracy was not compared.
const SHORTEST_FOUR_BIT_ROW: usize = 16;
/// 4 bits in a smaller matrix, such as the head of a small student, would save at most 2 kB. Chosen by bytes as well.
const SMALLEST_FOUR_BIT_MATRIX: usize = 4096;
/// A scale for fewer numbers would cost as much as it saves.
const SHORTEST_ROW: usize = 4;

impl PackedGraph {
    /// Rounds the weights of a graph.
    pub fn of(graph: Graph, bits: Bits) -> Self {
        let matrices: BTreeSet<usize> =
            graph.nodes().iter().filter_map(|node| node.operator.matrix()).map(ConstantId::index).collect();
        let pack = |(index, constant): (usize, &Constant)| {
            let bits = if matrices.contains(&index) { bits_of(constant, bits) } else { Bits::ThirtyTwo };
            match bits {
                Bits::ThirtyTwo => PackedConstant::Plain,
                Bits::Eight | Bits::Four => PackedConstant::Rows(PackedRows::of(constant, bits.count())),
            }
        };
        let constants: Vec<PackedConstant> = graph.constants().iter().enumerate().map(pack).collect();
        let graph = graph.with_values(|id, _| match &constants[id.index()] {
            PackedConstant::Plain => None,
            PackedConstant::Rows(rows) => Some(rows.values()),
        });
        Self { graph, constants }
    }

    /// The graph of the rounded weights: what a reader of the packed form computes.
    pub fn graph(&self) -> &Graph {
        &self.graph
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
            PackedConstant::Plain => constant.values.len() * size_of::<f32>(),
            PackedConstant::Rows(rows) => rows.n_bytes(),
        };
        self.constants().map(of_constant).sum()
    }
}

fn bits_of(constant: &Constant, bits: Bits) -> Bits {
    let row = constant.dims[1..].iter().product::<usize>();
    let is_small = row < SHORTEST_FOUR_BIT_ROW || constant.values.len() < SMALLEST_FOUR_BIT_MATRIX;
    match bits {
        _ if row < SHORTEST_ROW => Bits::ThirtyTwo,
        Bits::Four if is_small => Bits::Eight,
        bits => bits,
    }
}
