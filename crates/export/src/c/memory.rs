//! Places of a graph's values in one scratch buffer, whose size is known when the source is written.
//!
//! Values share memory when their lives do not overlap. Operators that change each number by itself work in place where their
//! input is not read again.

use crate::graph::{Dim, Graph, Node, Operator, ValueId};

/// Where values lie, in floats.
pub(super) struct Memory {
    /// of each value by its index; none of ids, which are the caller's, and of the logits
    offsets: Vec<Option<usize>>,
    /// floats in front of the room for rows
    n_values: usize,
    n_row: usize,
}

/// A piece of the buffer that one value has.
#[derive(Clone, Copy)]
struct Piece {
    offset: usize,
    size: usize,
    /// the last node that reads it
    last_reader: usize,
}

impl Memory {
    /// Lays out the values of a graph whose texts have up to `longest` tokens.
    pub(super) fn of(graph: &Graph, longest: usize) -> Self {
        let size = |dims: &[Dim]| dims.iter().map(|dim| fixed(*dim, longest)).product::<usize>();
        let mut pieces: Vec<Option<Piece>> = Vec::with_capacity(graph.nodes().len() + 1);
        let takes_ids = matches!(graph.dims(ValueId::INPUT), [Dim::Text]);
        pieces.push((!takes_ids).then(|| Piece {
            offset: 0,
            size: size(graph.dims(ValueId::INPUT)),
            last_reader: last_reader(graph, ValueId::INPUT),
        }));
        for (index, node) in graph.nodes().iter().enumerate() {
            let value = graph.output_of(index);
            let last_reader = last_reader(graph, value);
            let piece = match in_place(graph, index) {
                _ if value == graph.output() => None,
                Some(input) => pieces[input.index()].map(|piece| Piece { last_reader, ..piece }),
                None => {
                    let living = pieces.iter().flatten().filter(|piece| piece.last_reader >= index);
                    let size = size(&node.dims);
                    Some(Piece { offset: first_gap(living.copied().collect(), size), size, last_reader })
                }
            };
            pieces.push(piece);
        }
        let n_values = pieces.iter().flatten().map(|piece| piece.offset + piece.size).max().unwrap_or(0);
        let offsets = pieces.iter().map(|piece| piece.map(|piece| piece.offset)).collect();
        Self { offsets, n_values, n_row: row_size(graph, longest) }
    }

    /// Place of a value.
    pub(super) fn offset(&self, value: ValueId) -> Option<usize> {
        self.offsets[value.index()]
    }

    /// Place of the room for one row of weights, or one row of attention.
    pub(super) fn row(&self) -> usize {
        self.n_values
    }

    /// Floats in all.
    pub(super) fn size(&self) -> usize {
        self.n_values + self.n_row
    }
}

/// The input whose place the output of a node takes; none where it needs its own.
pub(super) fn in_place(graph: &Graph, index: usize) -> Option<ValueId> {
    let node = &graph.nodes()[index];
    let dies_here = |value: &&ValueId| last_reader(graph, **value) == index;
    changes_in_place(node).then(|| node.inputs.iter().find(dies_here).copied()).flatten()
}

/// Whether the operator changes each number, or each row, by itself.
fn changes_in_place(node: &Node) -> bool {
    match node.operator {
        // a layer norm is no sum: its only input is the first
        Operator::Relu
        | Operator::GeluErf
        | Operator::GeluTanh
        | Operator::Add
        | Operator::Flatten
        | Operator::AddPositions { .. }
        | Operator::LayerNorm { .. } => true,
        Operator::Conv { .. }
        | Operator::Linear { .. }
        | Operator::MaxPool { .. }
        | Operator::GlobalAveragePool
        | Operator::Embedding { .. }
        | Operator::EmbeddingMean { .. }
        | Operator::Attention { .. }
        | Operator::PixelTokens { .. }
        | Operator::MeanTokens
        | Operator::FirstToken => false,
    }
}

fn last_reader(graph: &Graph, value: ValueId) -> usize {
    graph.nodes().iter().rposition(|node| node.inputs.contains(&value)).unwrap_or(0)
}

/// The first place where `size` floats overlap no piece.
fn first_gap(mut pieces: Vec<Piece>, size: usize) -> usize {
    pieces.sort_unstable_by_key(|piece| piece.offset);
    let mut offset = 0;
    for piece in pieces {
        if offset + size <= piece.offset {
            break;
        }
        offset = offset.max(piece.offset + piece.size);
    }
    offset
}

/// The longest row of weights, or the scores of one token in attention.
fn row_size(graph: &Graph, longest: usize) -> usize {
    let of_node = |node: &Node| {
        let row = node.operator.matrix().map(|id| graph.constant(id).dims[1..].iter().product());
        let scores = matches!(node.operator, Operator::Attention { .. }).then(|| fixed(node.dims[0], longest));
        row.max(scores).unwrap_or(0)
    };
    graph.nodes().iter().map(of_node).max().unwrap_or(0)
}

fn fixed(dim: Dim, longest: usize) -> usize {
    match dim {
        Dim::Fixed(size) => size,
        Dim::Text => longest,
    }
}
