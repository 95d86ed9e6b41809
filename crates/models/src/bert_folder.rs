//! Published encoders of the BERT family: sizes and names.
//!
//! Names are those of the transformers library, with or without the prefix of the family, and with the scale and shift
//! of a norm called `weight` and `bias` or, as they were at first, `gamma` and `beta`. RoBERTa and XLM-RoBERTa are BERT
//! with the first positions of their table unused; DistilBERT has names of its own and no token types.

use crate::folder::CONFIG;
use crate::pretrained::Origin;
use crate::published::{Part, read_json};
use crate::weights_head::Shapes;
use crate::{BertConfig, BertSize, EncoderActivation, FolderError};
use serde::Deserialize;
use serde::de::Error;
use std::path::Path;

/// A `config.json` of the family.
enum PublishedConfig {
    Bert(PublishedBert),
    DistilBert(PublishedDistilBert),
}

/// The keys that matter here.
#[derive(Deserialize)]
struct PublishedBert {
    model_type: Option<String>,
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    position_embedding_type: Option<String>,
    pad_token_id: Option<usize>,
}

/// The keys that matter here.
#[derive(Deserialize)]
struct PublishedDistilBert {
    vocab_size: usize,
    dim: usize,
    n_layers: usize,
    n_heads: usize,
    hidden_dim: usize,
    activation: String,
    max_position_embeddings: usize,
}

const DISTILBERT_NORM_EPS: f64 = 1e-12;
/// RoBERTa's tokens are numbered from behind the padding's number on, which is this unless the config says otherwise.
const ROBERTA_PADDING: usize = 1;

impl<'de> Deserialize<'de> for PublishedConfig {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let parsed = match value["model_type"].as_str() {
            Some("distilbert") => PublishedDistilBert::deserialize(value).map(Self::DistilBert),
            None => PublishedBert::deserialize(value).map(Self::Bert),
            Some(model_type) => {
                // another family is named, rather than the first of our keys that it does not have
                first_position_of(model_type, None).map_err(D::Error::custom)?;
                PublishedBert::deserialize(value).map(Self::Bert)
            }
        };
        parsed.map_err(D::Error::custom)
    }
}

impl PublishedConfig {
    fn size(&self) -> Result<BertSize, String> {
        match self {
            Self::Bert(config) => config.size(),
            Self::DistilBert(config) => config.size(),
        }
    }
}

impl PublishedBert {
    fn size(&self) -> Result<BertSize, String> {
        let first_position = first_position_of(self.model_type.as_deref().unwrap_or(BERT), self.pad_token_id)?;
        if let Some(other) = self.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
            return Err(format!("position_embedding_type is \"{other}\", expected \"absolute\""));
        }
        Ok(BertSize {
            vocabulary_size: self.vocab_size,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            width: self.hidden_size,
            feed_forward_width: self.intermediate_size,
            n_positions: self.max_position_embeddings,
            first_position,
            n_token_types: self.type_vocab_size,
            activation: EncoderActivation::published(&self.hidden_act)?,
            norm_eps: self.layer_norm_eps,
        })
    }
}

/// The row of the table of positions that a text's first token has, in a family of this name.
fn first_position_of(model_type: &str, padding: Option<usize>) -> Result<usize, String> {
    match model_type {
        BERT => Ok(0),
        "roberta" | "xlm-roberta" => Ok(padding.unwrap_or(ROBERTA_PADDING).saturating_add(1)),
        other => {
            Err(format!("model_type is \"{other}\", expected \"bert\", \"distilbert\", \"roberta\" or \"xlm-roberta\""))
        }
    }
}

const BERT: &str = "bert";

impl PublishedDistilBert {
    fn size(&self) -> Result<BertSize, String> {
        Ok(BertSize {
            vocabulary_size: self.vocab_size,
            n_layers: self.n_layers,
            n_heads: self.n_heads,
            width: self.dim,
            feed_forward_width: self.hidden_dim,
            n_positions: self.max_position_embeddings,
            first_position: 0,
            n_token_types: 0,
            activation: EncoderActivation::published(&self.activation)?,
            norm_eps: DISTILBERT_NORM_EPS,
        })
    }
}

impl EncoderActivation {
    /// The activation of this name in the transformers library.
    pub(crate) fn published(name: &str) -> Result<Self, String> {
        match name {
            "gelu" => Ok(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Ok(Self::GeluTanh),
            "relu" => Ok(Self::Relu),
            other => Err(format!("the activation is \"{other}\", expected gelu, gelu_new or relu")),
        }
    }
}

impl BertConfig {
    pub(crate) fn origin(&self) -> Origin<'_> {
        let (pretrained, repo, revision) = (&self.pretrained, &self.repo, &self.revision);
        Origin::new([pretrained, repo, revision], self.size.is_some())
    }

    /// This config with the sizes of the encoder in `folder`.
    ///
    /// # Errors
    /// A folder without a readable `config.json`, or one of another family.
    pub fn resolved(&self, folder: &Path) -> Result<Self, FolderError> {
        let published: PublishedConfig = read_json(folder, CONFIG)?;
        let size = published.size().map_err(|problem| FolderError::folder(folder, format!("{CONFIG}: {problem}")))?;
        Ok(Self { size: Some(size), ..self.clone() })
    }

    /// How the body's parameters, whose shapes are given, are made of published tensors; none for a network without sizes.
    pub(crate) fn parts(&self, shapes: &Shapes, shape: impl Fn(&str) -> Vec<usize>) -> Vec<Part> {
        let Some(size) = &self.size else { return Vec::new() };
        let is_distilbert = shapes.names().any(|name| name.starts_with("transformer.layer."));
        parts(size, if is_distilbert { &DISTILBERT_NAMES } else { &BERT_NAMES }, shape)
    }
}

/// What a layer's parts are called.
struct LayerNames {
    layers: &'static str,
    projections: [&'static str; 3],
    others: [(&'static str, &'static str); 5],
}

/// A tensor that every encoder of the family has; what stands before its name is the prefix of all names.
pub(crate) const ANCHORS: &[&str] = &["embeddings.word_embeddings.weight"];

const BERT_NAMES: LayerNames = LayerNames {
    layers: "encoder.layer",
    projections: ["attention.self.query", "attention.self.key", "attention.self.value"],
    others: [
        ("attention.output", "attention.output.dense"),
        ("attention.norm", "attention.output.LayerNorm"),
        ("feed_forward.up", "intermediate.dense"),
        ("feed_forward.down", "output.dense"),
        ("feed_forward.norm", "output.LayerNorm"),
    ],
};

const DISTILBERT_NAMES: LayerNames = LayerNames {
    layers: "transformer.layer",
    projections: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    others: [
        ("attention.output", "attention.out_lin"),
        ("attention.norm", "sa_layer_norm"),
        ("feed_forward.up", "ffn.lin1"),
        ("feed_forward.down", "ffn.lin2"),
        ("feed_forward.norm", "output_layer_norm"),
    ],
};

/// All parameters of a body.
fn parts(size: &BertSize, names: &LayerNames, shape: impl Fn(&str) -> Vec<usize>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut push = |name: String, sources: Vec<String>| {
        let shape = shape(&name);
        parts.push(Part::stacked(name, sources, &shape));
    };
    push("embedding.weight".into(), vec!["embeddings.word_embeddings.weight".into()]);
    push("positions.weight".into(), vec!["embeddings.position_embeddings.weight".into()]);
    if size.n_token_types > 0 {
        push("token_types.weight".into(), vec!["embeddings.token_type_embeddings.weight".into()]);
    }
    for end in ["weight", "bias"] {
        push(format!("embedding_norm.{end}"), vec![format!("embeddings.LayerNorm.{end}")]);
        for layer in 0..size.n_layers {
            let (own, published) = (format!("layers.{layer}"), format!("{}.{layer}", names.layers));
            let projections = names.projections.map(|part| format!("{published}.{part}.{end}"));
            push(format!("{own}.attention.projections.{end}"), projections.to_vec());
            for (name, source) in names.others {
                push(format!("{own}.{name}.{end}"), vec![format!("{published}.{source}.{end}")]);
            }
        }
    }
    parts
}
