//! A network as a list of operators: the source of every export format.
//!
//! A graph computes the logits of **one example**; a format that takes batches adds the axis (and the mask that padded
//! texts then need) itself. A graph has one input, and each node gives out one value: value 0 is the input, value `i + 1`
//! the output of node `i`, and the last node's output is the logits `[n_outputs]`. Nodes come in the order of computation.
//!
//! Images are `[C, H, W]`, normalised: `(pixel / 255 - mean) / std`. Texts are ids of tokens or of hashed n-grams, `[S]`,
//! where `S` differs from text to text. Batch norm and dropout are gone: the first is folded into the convolutions.
//!
//! ```
//! use candle_core::Device;
//! use stillhouse_core::{InputShape, Seed};
//! use stillhouse_export::graph::{Example, Graph, Operator};
//! use stillhouse_models::{Model, ModelConfig, ResNetConfig};
//!
//! let input = InputShape::Image { channels: 1, height: 28, width: 28 };
//! let config = ModelConfig::ResNet(ResNetConfig::new(8, 4));
//! let model = Model::new(&config, &input, 10, Seed(0), &Device::Cpu)?;
//! let graph = Graph::of(&model)?;
//! assert!(matches!(graph.nodes()[0].operator, Operator::Conv { stride: 1, padding: 1, .. }));
//! assert_eq!(graph.logits(&Example::Values(vec![0.0; 28 * 28])).len(), 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Absent on purpose:** tensors of candle, batches, masks, softmax, and everything that ONNX alone needs.

mod builder;
mod colour;
mod kernels;
mod lower;
mod operator;
mod rounded;
mod run;
mod shape;

pub use colour::LUMA;
pub use operator::{ConstantId, Operator, Rotary};
pub use run::Example;

use crate::ExportError;
use stillhouse_models::Model;

/// A value of a graph: the input, or the output of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(usize);

impl ValueId {
    /// The graph's input.
    pub const INPUT: Self = Self(0);

    /// 0 for the input, `i + 1` for the output of node `i`.
    pub fn index(self) -> usize {
        self.0
    }
}

/// An axis of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// as long for every example
    Fixed(usize),
    /// tokens or n-grams of the text
    Text,
}

/// What a graph takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphInput {
    /// normalised pixels `[C, H, W]`
    Image {
        /// 1 (grey) or 3 (RGB)
        channels: usize,
        /// pixels
        height: usize,
        /// pixels
        width: usize,
    },
    /// normalised numbers `[n_features]`
    Features {
        /// numbers per example
        n_features: usize,
    },
    /// ids of tokens, `[S]`
    Tokens {
        /// ids are below this
        vocabulary_size: usize,
        /// longer texts are cut, special tokens included
        max_len: usize,
    },
    /// ids of hashed n-grams, `[S]`, in any order
    Ngrams {
        /// ids are below this
        n_buckets: usize,
    },
}

impl GraphInput {
    /// Shape of the input.
    pub fn dims(&self) -> Vec<Dim> {
        match *self {
            Self::Image { channels, height, width } => [channels, height, width].map(Dim::Fixed).to_vec(),
            Self::Features { n_features } => vec![Dim::Fixed(n_features)],
            Self::Tokens { .. } | Self::Ngrams { .. } => vec![Dim::Text],
        }
    }
}

/// Weights, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// unique in the graph; the name of the model's parameter, or of the layer that it was computed from
    pub name: String,
    /// sizes of all axes
    pub dims: Vec<usize>,
    /// `f32`, as many as the product of `dims`
    pub values: Vec<f32>,
}

/// An operator with what it reads and gives out.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// unique in the graph, for example `stages.0.blocks.1.conv1`
    pub name: String,
    /// what is computed
    pub operator: Operator,
    /// one value, or the two of [`Operator::Add`]; all of them come before this node
    pub inputs: Vec<ValueId>,
    /// shape of the output
    pub dims: Vec<Dim>,
}

/// A network as a list of operators.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    input: GraphInput,
    input_dims: Vec<Dim>,
    constants: Vec<Constant>,
    nodes: Vec<Node>,
}

impl Graph {
    /// The graph of a model in evaluation: no dropout, batch norm by its running statistics.
    ///
    /// # Errors
    /// Weights that cannot be read from the model's device.
    pub fn of(model: &Model) -> Result<Self, ExportError> {
        lower::lower(model)
    }

    /// What the graph takes.
    pub fn input(&self) -> GraphInput {
        self.input
    }

    /// All nodes, in the order of computation.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// All constants; [`ConstantId::index`] is a place in this list.
    pub fn constants(&self) -> &[Constant] {
        &self.constants
    }

    /// A constant.
    pub fn constant(&self, id: ConstantId) -> &Constant {
        &self.constants[id.index()]
    }

    /// Shape of a value.
    pub fn dims(&self, value: ValueId) -> &[Dim] {
        match value.0 {
            0 => &self.input_dims,
            index => &self.nodes[index - 1].dims,
        }
    }

    /// The value that node `index` gives out.
    pub fn output_of(&self, index: usize) -> ValueId {
        ValueId(index + 1)
    }

    /// The logits, `[n_outputs]`.
    pub fn output(&self) -> ValueId {
        ValueId(self.nodes.len())
    }

    /// Number of logits.
    pub fn n_outputs(&self) -> usize {
        match self.dims(self.output()) {
            [Dim::Fixed(n_outputs)] => *n_outputs,
            dims => unreachable!("logits are a vector, not {dims:?}"),
        }
    }

    /// Numbers in all constants.
    pub fn n_weights(&self) -> usize {
        self.constants.iter().map(|constant| constant.values.len()).sum()
    }
}
