//! A published encoder of the BERT family on disk: `config.json`, and `model.safetensors` in one file or in shards.
//!
//! Names are those of the transformers library, with or without the prefix `bert.`, and with the scale and shift of a
//! norm called `weight` and `bias` or, as they were at first, `gamma` and `beta`.

use crate::folder::{CONFIG, WEIGHTS, read_file};
use crate::{BertActivation, BertConfig, BertSize, FolderError, Model, ModelConfig, ModelError, StateMismatch};
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// The keys of a published `config.json` that matter here.
#[derive(Deserialize)]
struct PublishedConfig {
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
}

const INDEX: &str = "model.safetensors.index.json";

/// The files of a repository that an encoder is read from.
///
/// # Errors
/// What is missing, as a sentence.
pub fn published_files(listing: &[String]) -> Result<Vec<String>, String> {
    let has = |file: &str| listing.iter().any(|listed| listed == file);
    if !has(CONFIG) {
        return Err(format!("no {CONFIG} among its files"));
    }
    let mut files = vec![CONFIG.to_owned()];
    if has(WEIGHTS) {
        files.push(WEIGHTS.to_owned());
    } else if has(INDEX) {
        files.push(INDEX.to_owned());
        let is_shard = |file: &&String| file.ends_with(".safetensors") && !file.contains('/');
        files.extend(listing.iter().filter(is_shard).cloned());
    } else {
        return Err(format!("neither {WEIGHTS} nor {INDEX} among its files, expected weights in safetensors"));
    }
    Ok(files)
}

impl BertConfig {
    /// This config with the sizes of the encoder in `folder`.
    ///
    /// # Errors
    /// A folder without a readable `config.json`, or one of another family.
    pub fn resolved(&self, folder: &Path) -> Result<Self, FolderError> {
        let path = folder.join(CONFIG);
        let bytes = read_file(folder, CONFIG)?;
        let published: PublishedConfig =
            serde_json::from_slice(&bytes).map_err(|source| FolderError::Config { path, source })?;
        let size = published.size().map_err(|problem| inconsistent(folder, format!("{CONFIG}: {problem}")))?;
        Ok(Self { size: Some(size), ..self.clone() })
    }
}

impl ModelConfig {
    /// The folder that sizes and first weights come from, if the config names one.
    pub fn pretrained(&self) -> Option<&Path> {
        match self {
            Self::Bert(config) => config.pretrained.as_deref().map(Path::new),
            _ => None,
        }
    }

    /// The hub repository that stands in place of such a folder, and its revision.
    pub fn repository(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Self::Bert(config) => Some((config.repo.as_deref()?, config.revision.as_deref())),
            _ => None,
        }
    }

    /// What is wrong with where its weights come from, as a sentence.
    pub fn place_problem(&self) -> Option<&'static str> {
        match self {
            Self::Bert(config) => config.place_problem(),
            _ => None,
        }
    }

    /// This config with a folder in place of the repository.
    pub fn in_folder(&self, folder: &Path) -> Self {
        match self {
            Self::Bert(config) => Self::Bert(BertConfig {
                pretrained: Some(folder.to_string_lossy().into_owned()),
                repo: None,
                revision: None,
                ..config.clone()
            }),
            other => other.clone(),
        }
    }

    /// This config with the sizes of its pretrained encoder, where it names one.
    ///
    /// # Errors
    /// As [`BertConfig::resolved`].
    pub fn resolved(&self) -> Result<Cow<'_, Self>, FolderError> {
        match (self, self.pretrained()) {
            (Self::Bert(config), Some(folder)) => Ok(Cow::Owned(Self::Bert(config.resolved(folder)?))),
            _ => Ok(Cow::Borrowed(self)),
        }
    }
}

impl PublishedConfig {
    fn size(&self) -> Result<BertSize, String> {
        if let Some(other) = self.model_type.as_deref().filter(|family| *family != "bert") {
            return Err(format!("model_type is \"{other}\", expected \"bert\""));
        }
        if let Some(other) = self.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
            return Err(format!("position_embedding_type is \"{other}\", expected \"absolute\""));
        }
        let activation = match self.hidden_act.as_str() {
            "gelu" => BertActivation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" => BertActivation::GeluTanh,
            "relu" => BertActivation::Relu,
            other => return Err(format!("hidden_act is \"{other}\", expected gelu, gelu_new or relu")),
        };
        Ok(BertSize {
            vocabulary_size: self.vocab_size,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            width: self.hidden_size,
            feed_forward_width: self.intermediate_size,
            n_positions: self.max_position_embeddings,
            n_token_types: self.type_vocab_size,
            activation,
            norm_eps: self.layer_norm_eps,
        })
    }
}

impl Model {
    /// Fills the body of a `bert` with the published weights of `folder`; the head stays as it is. Tensors that the body
    /// has no place for, such as the pooler and the heads of pretraining, are left alone.
    ///
    /// # Errors
    /// A model of another architecture, files that are missing or damaged, and missing or misshapen tensors, all named.
    pub fn load_pretrained(&self, folder: &Path) -> Result<(), FolderError> {
        let as_model = |source| FolderError::Model { folder: folder.to_owned(), source };
        let ModelConfig::Bert(BertConfig { size: Some(size), .. }) = self.config() else {
            let problem =
                format!("kind = \"{}\" has no pretrained weights; hint: kind = \"bert\"", self.config().kind());
            return Err(as_model(ModelError::Config(vec![problem])));
        };
        let published = Published::read(folder)?;
        let mut mismatch = StateMismatch::default();
        let mut state: BTreeMap<String, Tensor> = self.state_dict().map_err(as_model)?.into_iter().collect();
        for part in parts(size.n_layers) {
            let expected = state[&part.name].dims().to_vec();
            if let Some(tensor) = published.part(&part, &expected, &mut mismatch).map_err(|e| as_model(e.into()))? {
                state.insert(part.name, tensor);
            }
        }
        if !mismatch.is_empty() {
            return Err(as_model(ModelError::State(mismatch)));
        }
        self.load_state(state).map_err(as_model)
    }
}

/// A parameter of the body and the published tensors that it is made of, one below the other.
struct Part {
    name: String,
    sources: Vec<String>,
}

/// All parameters of a body.
fn parts(n_layers: usize) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut push = |name: String, sources: &[String]| parts.push(Part { name, sources: sources.to_vec() });
    for (name, source) in [
        ("embedding", "word_embeddings"),
        ("positions", "position_embeddings"),
        ("token_types", "token_type_embeddings"),
    ] {
        push(format!("{name}.weight"), &[format!("embeddings.{source}.weight")]);
    }
    for end in ["weight", "bias"] {
        push(format!("embedding_norm.{end}"), &[format!("embeddings.LayerNorm.{end}")]);
        for layer in 0..n_layers {
            let (own, published) = (format!("layers.{layer}"), format!("encoder.layer.{layer}"));
            let projections = ["query", "key", "value"].map(|part| format!("{published}.attention.self.{part}.{end}"));
            push(format!("{own}.attention.projections.{end}"), &projections);
            for (name, source) in [
                ("attention.output", "attention.output.dense"),
                ("attention.norm", "attention.output.LayerNorm"),
                ("feed_forward.up", "intermediate.dense"),
                ("feed_forward.down", "output.dense"),
                ("feed_forward.norm", "output.LayerNorm"),
            ] {
                push(format!("{own}.{name}.{end}"), &[format!("{published}.{source}.{end}")]);
            }
        }
    }
    parts
}

/// The tensors of a folder by their names, without the prefix.
struct Published {
    tensors: HashMap<String, Tensor>,
}

impl Published {
    fn read(folder: &Path) -> Result<Self, FolderError> {
        let mut tensors = HashMap::new();
        for file in weight_files(folder)? {
            let bytes = read_file(folder, &file)?;
            let damaged = |message: String| FolderError::Weights { path: folder.join(&file), message };
            let read = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
            for (name, tensor) in read.map_err(|error| damaged(error.to_string()))? {
                let name = name.strip_prefix("bert.").unwrap_or(&name).to_owned();
                tensors.insert(name, tensor);
            }
        }
        Ok(Self { tensors })
    }

    /// One parameter as `f32`; problems go to `mismatch`, and the parameter is then none.
    fn part(
        &self,
        part: &Part,
        expected: &[usize],
        mismatch: &mut StateMismatch,
    ) -> candle_core::Result<Option<Tensor>> {
        let expected: Vec<usize> =
            std::iter::once(expected[0] / part.sources.len()).chain(expected[1..].iter().copied()).collect();
        let mut found = Vec::with_capacity(part.sources.len());
        for source in &part.sources {
            match self.get(source) {
                None => mismatch.missing.push(source.clone()),
                Some(tensor) if tensor.dims() != expected || !tensor.dtype().is_float() => {
                    let (dtype, got) = (tensor.dtype().as_str(), tensor.dims());
                    mismatch.misshapen.push(format!("{source} ({dtype} {got:?}, expected floats {expected:?})"));
                }
                Some(tensor) => found.push(tensor.to_dtype(DType::F32)?),
            }
        }
        if found.len() < part.sources.len() { Ok(None) } else { Tensor::cat(&found, 0).map(Some) }
    }

    /// A tensor by its name of today or by its first one.
    fn get(&self, name: &str) -> Option<&Tensor> {
        let first_name =
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        self.tensors.get(name).or_else(|| self.tensors.get(&first_name))
    }
}

/// `model.safetensors`, or the shards that its index names.
fn weight_files(folder: &Path) -> Result<Vec<String>, FolderError> {
    let path = folder.join(INDEX);
    if folder.join(WEIGHTS).exists() || !path.exists() {
        return Ok(vec![WEIGHTS.to_owned()]);
    }
    #[derive(Deserialize)]
    struct Index {
        weight_map: HashMap<String, String>,
    }
    let index: Index = serde_json::from_slice(&read_file(folder, INDEX)?)
        .map_err(|source| FolderError::Config { path: path.clone(), source })?;
    let files: BTreeSet<String> = index.weight_map.into_values().collect();
    match files.iter().find(|file| Path::new(file).components().count() != 1 || file.contains("..")) {
        Some(file) => Err(inconsistent(folder, format!("{INDEX} names \"{file}\", expected files of the same folder"))),
        None => Ok(files.into_iter().collect()),
    }
}

fn inconsistent(folder: &Path, problem: String) -> FolderError {
    FolderError::Inconsistent { folder: folder.to_owned(), problem }
}
