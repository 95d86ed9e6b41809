//! Encoders of the BERT family (Devlin et al. 2019, arXiv:1810.04805), trainable, usually started from published
//! weights.
//!
//! A config in a file of the user names no sizes: [`BertConfig::resolved`] reads them from the folder with the weights,
//! and [`Model::load_pretrained`](crate::Model::load_pretrained) the weights themselves. The resolved config is what a
//! model folder keeps, so a saved model does not need the published one.
//!
//! Shapes: `B` batch, `N` tokens of all texts, `W` width.

use crate::ModelError;
use crate::config::{MAX_WIDTH, one};
use crate::encoder::{
    Encoder, EncoderActivation, EncoderPooling, EncoderSettings, LayerNorm, NormPlace, learning_rate_factor,
};
use crate::input::TextInput;
use crate::layers::{Mode, dropout};
use crate::param::Registry;
use crate::pretrained::unknown_sizes;
use crate::transformer::{EMBEDDING_STD, MAX_LAYERS, MAX_MAX_LEN, N_TYPICAL_TOKENS, frozen_problem, heads_problem};
use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Problem;
use stillhouse_ops::{TokenRows, add, embedding, pool_tokens};

/// A pretrained encoder of the BERT family, all of it trainable; texts only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BertConfig {
    /// where sizes and first weights come from: a folder with `config.json` and `model.safetensors`, as hubs have it
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub pretrained: Option<String>,
    /// the same from a model repository of the hub, for example `sentence-transformers/all-MiniLM-L6-v2`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// branch, tag or commit of `repo`; a run pins it to a commit
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// the sizes; taken from `pretrained` where they are not given
    #[serde(default)]
    pub size: Option<BertSize>,
    /// how the vectors of a text's tokens become one
    #[serde(default)]
    pub pooling: EncoderPooling,
    /// probability of dropping a number of the embeddings, an attention weight, or a number of what a part adds
    #[serde(default = "default_dropout")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// tokens of the longest text; longer ones are cut
    #[serde(default = "default_max_len")]
    #[schemars(range(min = 1, max = MAX_MAX_LEN))]
    pub max_len: usize,
    /// keep the embeddings and this many of the first layers as they are; 0 keeps the embeddings alone, none trains all
    #[serde(default)]
    pub n_frozen_layers: Option<usize>,
    /// each layer learns this much slower than the one above it: the last layer at this share of the head's learning
    /// rate, the one below at its square, the embeddings slowest
    #[serde(default = "one")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub learning_rate_decay: f64,
}

/// Sizes of an encoder, under this program's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BertSize {
    /// rows of the table of tokens
    #[schemars(range(min = 1))]
    pub vocabulary_size: usize,
    /// layers of attention and feed-forward part
    #[schemars(range(min = 1, max = MAX_LAYERS))]
    pub n_layers: usize,
    /// attention heads of a layer, a divisor of the width
    #[schemars(range(min = 1))]
    pub n_heads: usize,
    /// width of a token's vector
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    pub width: usize,
    /// units of the feed-forward part
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    pub feed_forward_width: usize,
    /// rows of the table of positions
    pub n_positions: usize,
    /// the row of a text's first token; from there on no text can be longer than the table
    #[serde(default)]
    pub first_position: usize,
    /// rows of the table of token types, of which the first is used; without any there is no table
    pub n_token_types: usize,
    /// what stands between the linear layers of the feed-forward part
    pub activation: EncoderActivation,
    /// added to the variance in each layer norm
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub norm_eps: f64,
}

fn default_dropout() -> f64 {
    0.1
}

fn default_max_len() -> usize {
    128
}

impl BertConfig {
    /// An encoder of the given size, with everything else as usual.
    pub fn new(size: BertSize) -> Self {
        Self {
            pretrained: None,
            repo: None,
            revision: None,
            max_len: default_max_len().min(size.n_positions.saturating_sub(size.first_position)),
            size: Some(size),
            pooling: EncoderPooling::default(),
            dropout: default_dropout(),
            n_frozen_layers: None,
            learning_rate_decay: 1.0,
        }
    }

    pub(crate) fn contradictions(&self) -> Vec<Problem> {
        let origin = self.origin().problem();
        let Some(size) = &self.size else { return origin.into_iter().collect() };
        let n_positions = size.n_positions.saturating_sub(size.first_position);
        let too_long = (self.max_len > n_positions).then(|| {
            let text = format!("must be at most {n_positions}, the encoder's positions, found {}", self.max_len);
            Problem::new("max_len", text)
        });
        let heads = heads_problem("size.n_heads", size.n_heads, size.width);
        let frozen = frozen_problem(self.n_frozen_layers, size.n_layers);
        [origin, heads, too_long, frozen].into_iter().flatten().collect()
    }

    pub(crate) fn text_input(&self) -> TextInput {
        TextInput::Tokens { max_len: self.max_len }
    }

    fn learning_rate_factor(&self, depth: usize, n_layers: usize) -> f64 {
        learning_rate_factor(self.n_frozen_layers, self.learning_rate_decay, depth, n_layers)
    }

    fn settings(&self, size: &BertSize) -> EncoderSettings {
        EncoderSettings {
            n_layers: size.n_layers,
            n_heads: size.n_heads,
            width: size.width,
            feed_forward_width: size.feed_forward_width,
            unit: size.activation.into(),
            norm_place: NormPlace::After,
            norm_eps: size.norm_eps,
            rotary: false,
            dropout: self.dropout,
        }
    }
}

/// Embeddings and layers.
pub(crate) struct Bert {
    /// `[vocabulary, W]`
    table: Var,
    /// `[n_positions, W]`
    places: Var,
    /// `[n_token_types, W]`, where there are any
    token_types: Option<Var>,
    first_position: usize,
    embedding_norm: LayerNorm,
    encoder: Encoder,
    config: BertConfig,
    width: usize,
}

/// The dropout of the pooled vector, and that of the embeddings; those of the layers follow.
const POOLED_DROPOUT: u64 = 0;
const EMBEDDING_DROPOUT: u64 = 1;
const FIRST_LAYER_DROPOUT: u64 = 2;

impl Bert {
    /// The config has passed its checks.
    pub(crate) fn build(
        config: &BertConfig,
        vocabulary_size: usize,
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        let size = config.size.as_ref().ok_or_else(unknown_sizes)?;
        if vocabulary_size > size.vocabulary_size {
            let rows = size.vocabulary_size;
            let text = format!("the tokenizer knows {vocabulary_size} tokens, the encoder {rows}");
            return Err(ModelError::Config(vec![Problem::new("", text)]));
        }
        let (width, n_layers) = (size.width, size.n_layers);
        let n_tokens = N_TYPICAL_TOKENS.min(config.max_len);
        registry.n_tokens = n_tokens;
        registry.learning_rate_factor = config.learning_rate_factor(0, n_layers);
        let mut table = |name: &str, n_rows| registry.table(format!("{name}.weight"), n_rows, width, EMBEDDING_STD);
        let (words, places) = (table("embedding", size.vocabulary_size)?, table("positions", size.n_positions)?);
        let token_types = match size.n_token_types {
            0 => None,
            n_token_types => Some(table("token_types", n_token_types)?),
        };
        let embedding_norm = LayerNorm::build("embedding_norm", width, size.norm_eps, registry)?;
        let factor = |layer: usize| config.learning_rate_factor(layer + 1, n_layers);
        let encoder = Encoder::build("layers", config.settings(size), factor, registry)?;
        registry.n_tokens = 1;
        registry.learning_rate_factor = 1.0;
        let (config, first_position) = (config.clone(), size.first_position);
        Ok(Self { table: words, places, token_types, first_position, embedding_norm, encoder, config, width })
    }

    pub(crate) fn n_features(&self) -> usize {
        self.width
    }

    /// Tokens to `[B, W]`.
    pub(crate) fn forward(&self, rows: &TokenRows, mode: Mode) -> Result<Tensor, ModelError> {
        let mut hidden = self.embed(rows, mode)?;
        if self.config.n_frozen_layers == Some(0) {
            hidden = hidden.detach();
        }
        let n_frozen = self.config.n_frozen_layers.unwrap_or(0);
        hidden = self.encoder.forward(&hidden, rows, mode, FIRST_LAYER_DROPOUT, n_frozen)?;
        dropout(&pool_tokens(&hidden, rows, self.config.pooling.into())?, self.config.dropout, mode, POOLED_DROPOUT)
    }

    fn embed(&self, rows: &TokenRows, mode: Mode) -> Result<Tensor, ModelError> {
        let mut sum = embedding(&mode.read(&self.table), rows.ids())?;
        if let Some(token_types) = &self.token_types {
            sum = add(&sum, &embedding(&mode.read(token_types), &vec![0; rows.ids().len()])?)?;
        }
        let places: Vec<u32> = rows.positions().iter().map(|place| place + self.first_position as u32).collect();
        sum = add(&sum, &embedding(&mode.read(&self.places), &places)?)?;
        dropout(&self.embedding_norm.forward(&sum, mode)?, self.config.dropout, mode, EMBEDDING_DROPOUT)
    }
}
