//! The operators of a graph.
//!
//! Shapes are those of one example. `C` input channels, `O` output channels or units, `H`, `W` height and width of an
//! image, `I` input units, `S` tokens or n-grams of a text, `D` width of a vector, `V` rows of a table.

/// A constant of a graph, by its place in [`Graph::constants`](super::Graph::constants).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConstantId(pub(super) usize);

impl ConstantId {
    /// Place in the graph's list of constants.
    pub fn index(self) -> usize {
        self.0
    }
}

/// What a node computes. Everything is `f32` but the ids of tokens and n-grams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operator {
    /// Convolution (cross-correlation, as everywhere in the field) with zero padding: `[C, H, W]` to `[O, H', W']`,
    /// where `H' = (H + 2 padding - kh) / stride + 1`, rounded down. Batch norm is already in weight and bias.
    Conv {
        /// `[O, C / groups, kh, kw]`
        weight: ConstantId,
        /// `[O]`
        bias: ConstantId,
        /// step of the window in both directions
        stride: usize,
        /// rows and columns of zeros on each side
        padding: usize,
        /// 1, or `C` for a depthwise convolution: output channel `o` reads the `o / (O / groups)`-th group of channels
        groups: usize,
    },
    /// `x W^T + b` on the last axis: `[I]` to `[O]`, or `[S, I]` to `[S, O]`.
    Linear {
        /// `[O, I]`
        weight: ConstantId,
        /// `[O]`
        bias: ConstantId,
    },
    /// `max(0, x)`, any shape.
    Relu,
    /// `x P(x)` with the distribution function `P` of the standard normal: `x / 2 (1 + erf(x / sqrt(2)))`, any shape.
    GeluErf,
    /// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, any shape.
    GeluTanh,
    /// The sum of two values of the same shape.
    Add,
    /// Largest value of each window: `[C, H, W]` to `[C, H', W']`, with `H'` as in [`Operator::Conv`]. Padding is never
    /// the largest.
    MaxPool {
        /// height and width of the window
        kernel: usize,
        /// step of the window in both directions
        stride: usize,
        /// rows and columns around the image
        padding: usize,
    },
    /// Mean over all pixels: `[C, H, W]` to `[C]`.
    GlobalAveragePool,
    /// `[C, H, W]` to `[C H W]`, in this order; a vector stays as it is.
    Flatten,
    /// Rows of a table by their ids: ids `[S]` to `[S, D]`.
    Embedding {
        /// `[V, D]`
        table: ConstantId,
    },
    /// Mean of the rows of a table: ids `[S]` to `[D]`. An id that occurs twice counts twice; without ids, zeros.
    EmbeddingMean {
        /// `[V, D]`
        table: ConstantId,
    },
    /// Adds row `i` of a table to row `i` of `[S, D]`; the table has at least `S` rows.
    AddPositions {
        /// `[positions, D]`
        table: ConstantId,
    },
    /// `(x - mean) / sqrt(variance + eps) * scale + shift` over the last axis of `[S, D]`; the variance divides by `D`.
    LayerNorm {
        /// `[D]`
        scale: ConstantId,
        /// `[D]`
        shift: ConstantId,
        /// added to the variance
        eps: f32,
    },
    /// `softmax(Q K^T / sqrt(E)) V` for each head of width `E = D / n_heads`: `[S, 3 D]` to `[S, D]`. A row of the input
    /// is the query, the key and the value of one token; each of them is `n_heads` heads, one behind the other.
    Attention {
        /// a divisor of `D`
        n_heads: usize,
        /// turns queries and keys by their position before the product
        rotary: Option<Rotary>,
    },
    /// Pixels as tokens behind a constant class token: `[D, H, W]` to `[1 + H W, D]`, row by row of the image.
    PixelTokens {
        /// `[D]`, the first row
        class_token: ConstantId,
    },
    /// Mean over all tokens: `[S, D]` to `[D]`; without tokens, zeros.
    MeanTokens,
    /// The first token: `[S, D]` to `[D]`; without tokens, zeros.
    FirstToken,
}

/// Rotary positions: with `c` and `s` from row `i` of the tables, elements `j` and `j + E / 2` of each head of token `i`,
/// `(a, b)`, become `(a c[j] - b s[j], a s[j] + b c[j])`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotary {
    /// `[positions, E / 2]`
    pub cosines: ConstantId,
    /// `[positions, E / 2]`
    pub sines: ConstantId,
}

impl Operator {
    /// The name of the operator, for messages and for backends that dispatch by name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conv { .. } => "conv",
            Self::Linear { .. } => "linear",
            Self::Relu => "relu",
            Self::GeluErf => "gelu_erf",
            Self::GeluTanh => "gelu_tanh",
            Self::Add => "add",
            Self::MaxPool { .. } => "max_pool",
            Self::GlobalAveragePool => "global_average_pool",
            Self::Flatten => "flatten",
            Self::Embedding { .. } => "embedding",
            Self::EmbeddingMean { .. } => "embedding_mean",
            Self::AddPositions { .. } => "add_positions",
            Self::LayerNorm { .. } => "layer_norm",
            Self::Attention { .. } => "attention",
            Self::PixelTokens { .. } => "pixel_tokens",
            Self::MeanTokens => "mean_tokens",
            Self::FirstToken => "first_token",
        }
    }

    /// The constants that the operator reads.
    pub fn constants(&self) -> Vec<ConstantId> {
        match *self {
            Self::Conv { weight, bias, .. } | Self::Linear { weight, bias } => vec![weight, bias],
            Self::Embedding { table } | Self::EmbeddingMean { table } | Self::AddPositions { table } => vec![table],
            Self::LayerNorm { scale, shift, .. } => vec![scale, shift],
            Self::Attention { rotary: Some(Rotary { cosines, sines }), .. } => vec![cosines, sines],
            Self::PixelTokens { class_token } => vec![class_token],
            _ => Vec::new(),
        }
    }
}
