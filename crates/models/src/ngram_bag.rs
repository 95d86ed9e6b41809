//! Text classifier in the manner of fastText (Joulin et al. 2017, arXiv:1607.01759): the mean of the embeddings of
//! hashed n-grams, then fully connected layers. Its cost is linear in the length of a text, and it needs no tokenizer.
//!
//! Shapes: `B` batch, `W` width of an embedding, `F` features.

use crate::ModelError;
use crate::config::MAX_WIDTH;
use crate::input::TextInput;
use crate::layers::{HEAD, Linear, Mode, dropout};
use crate::mlp::reader;
use crate::param::Registry;
use crate::units::InnerWidth;
use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{Ngrams, Problem};
use stillhouse_ops::{TokenRows, embedding_bag};

/// Hashed n-grams of characters and words, the mean of their embeddings, fully connected layers with ReLU; texts only.
///
/// Its size on disk is nearly all table: `n_buckets * width` numbers of 4 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NgramBagConfig {
    /// rows of the table; n-grams that fall on the same row share their embedding
    #[schemars(range(min = 1, max = MAX_BUCKETS))]
    #[schemars(extend("examples" = [65536]))]
    pub n_buckets: usize,
    /// width of an embedding
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    #[schemars(extend("examples" = [64]))]
    pub width: usize,
    /// units of each hidden layer; none makes a linear classifier of the mean embedding
    #[serde(default)]
    #[schemars(inner(range(min = 1, max = MAX_WIDTH)))]
    pub hidden: Vec<usize>,
    /// probability of dropping a hidden unit
    #[serde(default)]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// probability of dropping a number of the mean embedding
    #[serde(default)]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub embedding_dropout: f64,
    /// which n-grams are counted
    #[serde(default)]
    pub ngrams: Ngrams,
}

impl NgramBagConfig {
    /// A table of this size over the usual n-grams, and no hidden layer.
    pub fn new(n_buckets: usize, width: usize) -> Self {
        let ngrams = Ngrams::default();
        Self { n_buckets, width, hidden: Vec::new(), dropout: 0.0, embedding_dropout: 0.0, ngrams }
    }

    pub(crate) fn contradictions(&self) -> Vec<Problem> {
        self.ngrams.problems().into_iter().map(|problem| problem.within("ngrams")).collect()
    }

    pub(crate) fn text_input(&self) -> TextInput {
        TextInput::Ngrams { ngrams: self.ngrams, n_buckets: self.n_buckets }
    }
}

/// A typing error beyond this: 64 GiB at a width of 64.
const MAX_BUCKETS: usize = 1 << 28;
/// N-grams of a text, for the count of operations; the true number is that of the text.
const N_TYPICAL_NGRAMS: usize = 128;

/// The table and the hidden layers.
pub(crate) struct NgramBag {
    /// `[n_buckets, W]`
    table: Var,
    layers: Vec<Linear>,
    dropout: f64,
    embedding_dropout: f64,
    n_features: usize,
}

impl NgramBag {
    pub(crate) fn build(config: &NgramBagConfig, registry: &mut Registry) -> Result<Self, ModelError> {
        // a mean over n rows shrinks the spread by sqrt(n), so rows of unit variance are not too large
        let first = if config.hidden.is_empty() { HEAD } else { "layers.0" };
        let numbers = InnerWidth { is_linear: true, ..InnerWidth::of_layer("embedding", config.width, first) };
        let mut n_features = registry.inner_width(numbers);
        let table = registry.table("embedding.weight".into(), config.n_buckets, n_features, 1.0)?;
        registry.count_multiply_adds(&[N_TYPICAL_NGRAMS, n_features]);
        registry.count_activations(&[n_features]);
        let mut layers = Vec::with_capacity(config.hidden.len());
        for (index, &width) in config.hidden.iter().enumerate() {
            let name = format!("layers.{index}");
            let width = registry.inner_width(InnerWidth::of_layer(&name, width, &reader(index, config.hidden.len())));
            layers.push(Linear::hidden(&name, n_features, width, registry)?);
            n_features = width;
        }
        let NgramBagConfig { dropout, embedding_dropout, .. } = *config;
        Ok(Self { table, layers, dropout, embedding_dropout, n_features })
    }

    pub(crate) fn n_features(&self) -> usize {
        self.n_features
    }

    /// Bags to `[B, F]`, where `F` is the last width.
    pub(crate) fn forward(&self, bags: &TokenRows, mode: Mode) -> Result<Tensor, ModelError> {
        let mean = embedding_bag(&mode.read(&self.table), bags)?;
        let mut hidden = dropout(&mean, self.embedding_dropout, mode, 0)?;
        for (index, layer) in self.layers.iter().enumerate() {
            hidden = layer.forward_dropout(&hidden, self.dropout, mode, index as u64 + 1)?;
        }
        Ok(hidden)
    }
}
