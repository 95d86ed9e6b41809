//! A small transformer encoder, trained from scratch.
//!
//! Shapes: `B` batch, `N` tokens of all texts, `W` width.

use crate::ModelError;
use crate::config::MAX_WIDTH;
use crate::encoder::{Encoder, EncoderSettings, LayerNorm, NormPlace, Unit};
use crate::input::TextInput;
use crate::layers::{Mode, dropout};
use crate::param::Registry;
use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Problem;
use stillhouse_ops::{Gelu, TokenPooling, TokenRows, add, embedding, pool_tokens};

/// Small transformer encoder with its norms in front (Xiong et al. 2020, arXiv:2002.04745) and the mean over all tokens
/// at the end; texts only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformerConfig {
    /// layers of attention and feed-forward part
    #[schemars(range(min = 1, max = MAX_LAYERS))]
    #[schemars(extend("examples" = [2]))]
    pub n_layers: usize,
    /// attention heads of a layer, a divisor of the width
    #[schemars(range(min = 1))]
    #[schemars(extend("examples" = [4]))]
    pub n_heads: usize,
    /// width of a token's vector
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    #[schemars(extend("examples" = [128]))]
    pub width: usize,
    /// units of the feed-forward part, in widths
    #[serde(default = "default_feed_forward")]
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    pub feed_forward: usize,
    /// probability of dropping a number of the embeddings, an attention weight, or a number of what a part adds
    #[serde(default)]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// encoding of a token's position in the text
    #[serde(default)]
    pub positions: Positions,
    /// tokens of the longest text; longer ones are cut
    #[serde(default = "default_max_len")]
    #[schemars(range(min = 1, max = MAX_MAX_LEN))]
    pub max_len: usize,
}

/// The encoding of positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// a vector for each position, learned and added to the token's
    #[default]
    Learned,
    /// queries and keys turn with their position (Su et al. 2021, arXiv:2104.09864)
    Rotary,
}

fn default_feed_forward() -> usize {
    4
}

fn default_max_len() -> usize {
    128
}

/// A typing error beyond this.
pub(crate) const MAX_LAYERS: usize = 200;
/// Texts of this length are a transformer's quadratic cost away from any use of this program.
pub(crate) const MAX_MAX_LEN: usize = 8192;
/// The spread of embeddings at the start (Devlin et al. 2019).
pub(crate) const EMBEDDING_STD: f64 = 0.02;
/// Tokens of a text, for the count of operations; the true number is that of the text.
pub(crate) const N_TYPICAL_TOKENS: usize = 32;

impl TransformerConfig {
    /// Added to the variance in each layer norm.
    pub const NORM_EPS: f64 = 1e-5;

    /// A net of this many layers, heads and numbers for a token, with everything else as usual.
    pub fn new(n_layers: usize, n_heads: usize, width: usize) -> Self {
        Self {
            n_layers,
            n_heads,
            width,
            feed_forward: default_feed_forward(),
            dropout: 0.0,
            positions: Positions::default(),
            max_len: default_max_len(),
        }
    }

    pub(crate) fn contradictions(&self) -> Vec<Problem> {
        let head_width = self.width / self.n_heads.max(1);
        let odd = (self.positions == Positions::Rotary && !head_width.is_multiple_of(2)).then(|| {
            let text = format!("\"rotary\" needs heads of even width, found width / n_heads = {head_width}");
            Problem::new("positions", text)
        });
        heads_problem("n_heads", self.n_heads, self.width).into_iter().chain(odd).collect()
    }

    pub(crate) fn text_input(&self) -> TextInput {
        TextInput::Tokens { max_len: self.max_len }
    }

    fn settings(&self) -> EncoderSettings {
        EncoderSettings {
            n_layers: self.n_layers,
            n_heads: self.n_heads,
            width: self.width,
            feed_forward_width: self.feed_forward * self.width,
            unit: Unit::Gelu(Gelu::Exact),
            norm_place: NormPlace::Before,
            norm_eps: Self::NORM_EPS,
            rotary: self.positions == Positions::Rotary,
            dropout: self.dropout,
        }
    }
}

/// Heads that do not share the width evenly.
pub(crate) fn heads_problem(key: &str, n_heads: usize, width: usize) -> Option<Problem> {
    let is_uneven = n_heads > 0 && !width.is_multiple_of(n_heads);
    is_uneven.then(|| Problem::new(key, format!("must be a divisor of width = {width}, found {n_heads}")))
}

/// More frozen layers than there are.
pub(crate) fn frozen_problem(n_frozen: Option<usize>, n_layers: usize) -> Option<Problem> {
    let n_frozen = n_frozen.filter(|n_frozen| *n_frozen > n_layers)?;
    Some(Problem::new("n_frozen_layers", format!("must be at most {n_layers}, found {n_frozen}")))
}

/// Embeddings, layers and the last norm.
pub(crate) struct Transformer {
    /// `[vocabulary, W]`
    table: Var,
    /// `[max_len, W]`, where positions are learned
    places: Option<Var>,
    encoder: Encoder,
    norm: LayerNorm,
    width: usize,
    dropout: f64,
}

impl Transformer {
    pub(crate) fn build(
        config: &TransformerConfig,
        vocabulary_size: usize,
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        let TransformerConfig { width, dropout, max_len, .. } = *config;
        let n_tokens = N_TYPICAL_TOKENS.min(max_len);
        registry.n_tokens = n_tokens;
        let table = registry.table("embedding.weight".into(), vocabulary_size, width, EMBEDDING_STD)?;
        let mut places = None;
        if config.positions == Positions::Learned {
            places = Some(registry.table("positions.weight".into(), max_len, width, EMBEDDING_STD)?);
        }
        let encoder = Encoder::build("layers", config.settings(), |_| 1.0, registry)?;
        let norm = LayerNorm::build("norm", width, TransformerConfig::NORM_EPS, registry)?;
        registry.n_tokens = 1;
        Ok(Self { table, places, encoder, norm, width, dropout })
    }

    pub(crate) fn n_features(&self) -> usize {
        self.width
    }

    /// Tokens to `[B, W]`.
    pub(crate) fn forward(&self, rows: &TokenRows, mode: Mode) -> Result<Tensor, ModelError> {
        let mut hidden = embedding(&mode.read(&self.table), rows.ids())?;
        if let Some(places) = &self.places {
            hidden = add(&hidden, &embedding(&mode.read(places), &rows.positions())?)?;
        }
        hidden = dropout(&hidden, self.dropout, mode, 0)?;
        hidden = self.encoder.forward(&hidden, rows, mode, 1, 0)?;
        Ok(pool_tokens(&self.norm.forward(&hidden, mode)?, rows, TokenPooling::Mean)?)
    }
}
