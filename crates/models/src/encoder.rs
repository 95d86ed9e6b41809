//! The layer of a transformer encoder (Vaswani et al. 2017, arXiv:1706.03762), which all architectures of tokens or
//! patches share, and the settings that their configs have in common.
//!
//! Shapes: `N` tokens of all texts of a batch, `W` width, `H` heads, `U` units of the feed-forward part.

use crate::ModelError;
use crate::layers::{Activation, Linear, Mode, dropout};
use crate::param::Registry;
use crate::units::InnerWidth;
use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_ops::{AttentionConfig, Gelu, TokenPooling, TokenRows, add, gelu, layer_norm, relu, self_attention};

/// The position of a part's norm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NormPlace {
    /// in front of the part, so that the residual stream itself is never normalised (Xiong et al. 2020)
    Before,
    /// after the sum of input and part, as in BERT
    After,
}

/// The activation between the two linear layers of the feed-forward part, as an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Gelu(Gelu),
    Relu,
}

/// The activation between the linear layers of an encoder's feed-forward part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncoderActivation {
    /// `x P(x)` with the standard normal's distribution function
    Gelu,
    /// its approximation by a hyperbolic tangent
    GeluTanh,
    /// `max(0, x)`
    Relu,
}

/// Pooling: how the vectors of all tokens, or of all patches, become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncoderPooling {
    /// the mean over all of them, special ones included
    #[default]
    Mean,
    /// the first one, `[CLS]`
    Cls,
}

impl From<EncoderPooling> for TokenPooling {
    fn from(pooling: EncoderPooling) -> Self {
        match pooling {
            EncoderPooling::Mean => Self::Mean,
            EncoderPooling::Cls => Self::First,
        }
    }
}

impl From<EncoderActivation> for Unit {
    fn from(activation: EncoderActivation) -> Self {
        match activation {
            EncoderActivation::Gelu => Self::Gelu(Gelu::Exact),
            EncoderActivation::GeluTanh => Self::Gelu(Gelu::Tanh),
            EncoderActivation::Relu => Self::Relu,
        }
    }
}

/// Share of the head's learning rate for the embeddings (depth 0) or a layer (from 1): 0 where it is frozen.
pub(crate) fn learning_rate_factor(n_frozen: Option<usize>, decay: f64, depth: usize, n_layers: usize) -> f64 {
    if n_frozen.is_some_and(|n_frozen| depth <= n_frozen) {
        return 0.0;
    }
    decay.powf((n_layers + 1 - depth) as f64)
}

/// Sizes and choices that all layers of an encoder share.
#[derive(Clone, Copy)]
pub(crate) struct EncoderSettings {
    pub(crate) n_layers: usize,
    /// before any of them goes
    pub(crate) n_heads: usize,
    pub(crate) width: usize,
    pub(crate) feed_forward_width: usize,
    pub(crate) unit: Unit,
    pub(crate) norm_place: NormPlace,
    pub(crate) norm_eps: f64,
    pub(crate) rotary: bool,
    /// of embeddings, of attention weights, and of what each part adds to the residual stream
    pub(crate) dropout: f64,
}

/// Scale and shift of a layer norm.
pub(crate) struct LayerNorm {
    scale: Var,
    shift: Var,
    eps: f64,
}

impl LayerNorm {
    pub(crate) fn build(name: &str, width: usize, eps: f64, registry: &mut Registry) -> Result<Self, ModelError> {
        let scale = registry.vector(format!("{name}.weight"), width, 1.0)?;
        Ok(Self { scale, shift: registry.vector(format!("{name}.bias"), width, 0.0)?, eps })
    }

    pub(crate) fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        Ok(layer_norm(input, &mode.read(&self.scale), &mode.read(&self.shift), self.eps)?)
    }
}

/// All layers of an encoder, one after the other.
pub(crate) struct Encoder {
    settings: EncoderSettings,
    /// None where a layer is left out
    layers: Vec<Option<EncoderLayer>>,
}

struct EncoderLayer {
    n_heads: usize,
    /// queries, keys and values in one, `[3 W, W]`
    projections: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    feed_forward_norm: LayerNorm,
}

/// Dropouts of one layer: attention weights, the attention's output, the feed-forward part's output.
const DROPOUTS_PER_LAYER: u64 = 3;

impl Encoder {
    /// `name` is the first part of the parameters' names, followed by the layer's number; each layer's parameters learn
    /// at its factor of the learning rate.
    pub(crate) fn build(
        name: &str,
        settings: EncoderSettings,
        learning_rate_factor: impl Fn(usize) -> f64,
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        let mut layers = Vec::with_capacity(settings.n_layers);
        for index in 0..settings.n_layers {
            registry.learning_rate_factor = learning_rate_factor(index);
            let name = format!("{name}.{index}");
            let has_layer = registry.has_block(&name);
            layers.push(has_layer.then(|| EncoderLayer::build(&name, &settings, registry)).transpose()?);
        }
        Ok(Self { settings, layers })
    }

    /// `[N, W]` to `[N, W]`; dropouts are numbered from `first_dropout`, and no gradient goes into the first `n_frozen`
    /// layers or below.
    pub(crate) fn forward(
        &self,
        tokens: &Tensor,
        rows: &TokenRows,
        mode: Mode,
        first_dropout: u64,
        n_frozen: usize,
    ) -> Result<Tensor, ModelError> {
        let mut hidden = tokens.clone();
        for (index, layer) in (0..).zip(&self.layers) {
            let dropout = first_dropout + index * DROPOUTS_PER_LAYER;
            if let Some(layer) = layer {
                hidden = layer.forward(&hidden, rows, &self.settings, mode, dropout)?;
            }
            if index + 1 == n_frozen as u64 {
                hidden = hidden.detach();
            }
        }
        Ok(hidden)
    }
}

impl EncoderLayer {
    fn build(name: &str, settings: &EncoderSettings, registry: &mut Registry) -> Result<Self, ModelError> {
        let EncoderSettings { width, feed_forward_width, norm_eps, n_layers, .. } = *settings;
        let std = |n_in: usize| (1.0 / n_in as f64).sqrt();
        // both parts of every layer add to the residual stream, which keeps its scale this way (Radford et al. 2019)
        let residual = (1.0 / (2 * n_layers) as f64).sqrt();
        let layer = name;
        let name = |part: &str| format!("{layer}.{part}");
        let head_width = width / settings.n_heads;
        let n_heads = registry.inner_width(InnerWidth {
            name: name("attention"),
            n_units: settings.n_heads,
            unit_size: head_width,
            writers: vec![name("attention.projections")],
            reader: name("attention.output"),
            is_linear: false,
        });
        let mixed = n_heads * head_width;
        let units = InnerWidth::of_layer(&name("feed_forward.up"), feed_forward_width, &name("feed_forward.down"));
        let feed_forward_width = registry.inner_width(units);
        count(registry, [width, mixed, feed_forward_width], n_heads);
        Ok(Self {
            n_heads,
            projections: Linear::with_std(&name("attention.projections"), [width, 3 * mixed], std(width), registry)?,
            output: Linear::with_std(&name("attention.output"), [mixed, width], residual * std(mixed), registry)?,
            attention_norm: LayerNorm::build(&name("attention.norm"), width, norm_eps, registry)?,
            up: Linear::with_std(&name("feed_forward.up"), [width, feed_forward_width], std(width), registry)?,
            down: Linear::with_std(
                &name("feed_forward.down"),
                [feed_forward_width, width],
                residual * std(feed_forward_width),
                registry,
            )?,
            feed_forward_norm: LayerNorm::build(&name("feed_forward.norm"), width, norm_eps, registry)?,
        })
    }

    fn forward(
        &self,
        input: &Tensor,
        rows: &TokenRows,
        settings: &EncoderSettings,
        mode: Mode,
        first_dropout: u64,
    ) -> Result<Tensor, ModelError> {
        let attention = |hidden: &Tensor| self.attend(hidden, rows, settings, mode, first_dropout);
        let hidden = residual(input, &self.attention_norm, settings, mode, first_dropout + 1, attention)?;
        let feed_forward = |hidden: &Tensor| self.feed_forward(hidden, settings.unit, mode);
        residual(&hidden, &self.feed_forward_norm, settings, mode, first_dropout + 2, feed_forward)
    }

    fn attend(
        &self,
        hidden: &Tensor,
        rows: &TokenRows,
        settings: &EncoderSettings,
        mode: Mode,
        dropout: u64,
    ) -> Result<Tensor, ModelError> {
        let dropout = match mode {
            Mode::Train { dropout: key } => Some((settings.dropout, key.derive(dropout, 0))),
            Mode::Eval => None,
        };
        let config = AttentionConfig { n_heads: self.n_heads, rotary: settings.rotary, dropout };
        let projections = self.projections.forward(hidden, Activation::None, mode)?;
        self.output.forward(&self_attention(&projections, rows, config)?, Activation::None, mode)
    }

    fn feed_forward(&self, hidden: &Tensor, unit: Unit, mode: Mode) -> Result<Tensor, ModelError> {
        let units = match unit {
            Unit::Gelu(formula) => gelu(&self.up.forward(hidden, Activation::None, mode)?, formula)?,
            Unit::Relu => relu(&self.up.forward(hidden, Activation::None, mode)?)?,
        };
        self.down.forward(&units, Activation::None, mode)
    }
}

/// Counts, for one text, the multiply-adds of attention weights and their use, and the numbers that are kept for the backward
/// pass in addition to the outputs of linear layers: those of two norms, a sum, the activation, and the attention weights.
fn count(registry: &mut Registry, [width, mixed, feed_forward_width]: [usize; 3], n_heads: usize) {
    let n_tokens = registry.n_tokens;
    registry.count_multiply_adds(&[2, n_tokens, n_tokens, mixed]);
    registry.count_activations(&[n_tokens, 3 * width + feed_forward_width + n_heads * n_tokens]);
}

/// `input + part(norm(input))`, or `norm(input + part(input))`.
fn residual(
    input: &Tensor,
    norm: &LayerNorm,
    settings: &EncoderSettings,
    mode: Mode,
    dropout_idx: u64,
    part: impl Fn(&Tensor) -> Result<Tensor, ModelError>,
) -> Result<Tensor, ModelError> {
    match settings.norm_place {
        NormPlace::Before => {
            let added = dropout(&part(&norm.forward(input, mode)?)?, settings.dropout, mode, dropout_idx)?;
            Ok(add(input, &added)?)
        }
        NormPlace::After => {
            let added = dropout(&part(input)?, settings.dropout, mode, dropout_idx)?;
            norm.forward(&add(input, &added)?, mode)
        }
    }
}
