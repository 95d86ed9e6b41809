//! Reads a published network from disk: `config.json`, and `model.safetensors` in one file or in shards.

use crate::FolderError;
use crate::error::StateMismatch;
use crate::folder::{CONFIG, WEIGHTS, read_file};
use crate::weights_head::Shapes;
use candle_core::{DType, Device, Result as TensorResult, Tensor};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

const INDEX: &str = "model.safetensors.index.json";
/// How images were normalised in pretraining, where the transformers library published the network.
pub(crate) const PREPROCESSOR: &str = "preprocessor_config.json";

/// The files of a repository that a pretrained network is read from.
///
/// # Errors
/// What is missing, as a sentence.
pub fn published_files(repo: &str, listing: &[String]) -> Result<Vec<String>, String> {
    let has = |file: &str| listing.iter().any(|listed| listed == file);
    if !has(CONFIG) {
        return Err(format!("no {CONFIG} among its files"));
    }
    let mut files = vec![CONFIG.to_owned()];
    files.extend(has(PREPROCESSOR).then(|| PREPROCESSOR.to_owned()));
    if has(WEIGHTS) {
        files.push(WEIGHTS.to_owned());
    } else if has(INDEX) {
        files.push(INDEX.to_owned());
        let is_shard = |file: &&String| file.ends_with(".safetensors") && !file.contains('/');
        files.extend(listing.iter().filter(is_shard).cloned());
    } else {
        return Err(no_weights(listing, repo, "FOLDER"));
    }
    Ok(files)
}

/// A JSON file of a folder.
pub(crate) fn read_json<T: DeserializeOwned>(folder: &Path, file: &str) -> Result<T, FolderError> {
    let bytes = read_file(folder, file)?;
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    serde_json::from_slice(bytes).map_err(|error| FolderError::config(&folder.join(file), &error))
}

/// The keys that tell the two kinds of `config.json` apart: `model_type` is in the transformers library's,
/// `architecture` in timm's.
#[derive(Deserialize)]
struct Family {
    model_type: Option<String>,
    architecture: Option<String>,
}

/// The sizes of a network of images: from its `config.json` if it is of the transformers library and of this
/// `model_type`, from its name and the shapes of its tensors if it is timm's.
pub(crate) fn published_size<C: DeserializeOwned, S>(
    folder: &Path,
    model_type: &str,
    of_transformers: impl Fn(C) -> Result<S, String>,
    of_timm: impl Fn(&str, &Shapes) -> Result<S, String>,
) -> Result<S, FolderError> {
    let family: Family = read_json(folder, CONFIG)?;
    let size = match (family.model_type.as_deref(), family.architecture.as_deref()) {
        (Some(found), _) if found == model_type => of_transformers(read_json(folder, CONFIG)?),
        (None, Some(architecture)) => of_timm(architecture, &Shapes::read(folder)?),
        (found, _) => {
            let found = found.unwrap_or("missing");
            Err(format!("model_type is {found}, expected \"{model_type}\", or an architecture of timm's"))
        }
    };
    size.map_err(|problem| FolderError::folder(folder, format!("{CONFIG}: {problem}")))
}

/// A parameter or buffer of a body, and how it is made of published tensors.
pub(crate) struct Part {
    pub(crate) name: String,
    /// published names, and the shapes that they must have
    pub(crate) sources: Vec<(String, Vec<usize>)>,
    pub(crate) combine: Combine,
}

/// Makes a parameter of the tensors of its sources, given as `f32`.
pub(crate) type Combine = Box<dyn Fn(&[Tensor]) -> TensorResult<Tensor>>;

impl Part {
    /// Tensors of equal shapes, one below the other; `shape` is that of the whole.
    pub(crate) fn stacked(name: String, sources: Vec<String>, shape: &[usize]) -> Self {
        let mut own = shape.to_vec();
        own[0] /= sources.len();
        let sources = sources.into_iter().map(|source| (source, own.clone())).collect();
        Self { name, sources, combine: Box::new(|tensors| Tensor::cat(tensors, 0)) }
    }
}

/// The tensors of a folder by their names, without the prefix of the whole network.
pub(crate) struct Published {
    tensors: HashMap<String, Tensor>,
}

impl Published {
    /// Reads all weights; this prefix is taken off their names, where they have it.
    pub(crate) fn read(folder: &Path, prefix: &str) -> Result<Self, FolderError> {
        let mut tensors = HashMap::new();
        for file in weight_files(folder)? {
            let bytes = read_file(folder, &file)?;
            let read = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
            for (name, tensor) in read.map_err(|error| FolderError::weights(&folder.join(&file), error))? {
                let bare = name.strip_prefix(prefix).map_or(name.clone(), str::to_owned);
                tensors.insert(bare, tensor);
            }
        }
        Ok(Self { tensors })
    }

    /// One parameter of tensors that have the shapes of the part; a value that is not finite goes to `mismatch`, and the
    /// parameter is then none.
    pub(crate) fn part(&self, part: &Part, mismatch: &mut StateMismatch) -> TensorResult<Option<Tensor>> {
        let mut found = Vec::with_capacity(part.sources.len());
        for (source, _) in &part.sources {
            let Some(tensor) = names_of(source).iter().find_map(|name| self.tensors.get(name)) else { continue };
            let tensor = tensor.to_dtype(DType::F32)?;
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            match values.iter().find(|value| !value.is_finite()) {
                Some(value) => mismatch.misshapen.push(format!("{source} (holds {value})")),
                None => found.push(tensor),
            }
        }
        if found.len() < part.sources.len() { Ok(None) } else { (part.combine)(&found).map(Some) }
    }
}

/// How the tensors of a folder, by the heads of its files, differ from those that the parts are made of.
pub(crate) fn parts_mismatch(parts: &[Part], shapes: &Shapes) -> StateMismatch {
    let mut mismatch = StateMismatch::default();
    for (source, shape) in parts.iter().flat_map(|part| &part.sources) {
        match names_of(source).iter().find_map(|name| shapes.get(name)) {
            None => mismatch.missing.push(source.clone()),
            Some(found) if found.shape != *shape || !found.is_float() => {
                let (dtype, got) = (&found.dtype, &found.shape);
                mismatch.misshapen.push(format!("{source} ({dtype} {got:?}, expected floats {shape:?})"));
            }
            Some(_) => {}
        }
    }
    mismatch
}

/// The names of a tensor, that of today and its first one: scale and shift of a norm were once `gamma` and `beta`.
fn names_of(name: &str) -> [String; 2] {
    let first = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
    [name.to_owned(), first]
}

/// `model.safetensors`, or the shards that its index names.
pub(crate) fn weight_files(folder: &Path) -> Result<Vec<String>, FolderError> {
    if folder.join(WEIGHTS).exists() {
        return Ok(vec![WEIGHTS.to_owned()]);
    }
    if !folder.join(INDEX).exists() {
        let listing = stillhouse_files::entries(folder).unwrap_or_default();
        let listing: Vec<String> =
            listing.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
        let name = folder.to_string_lossy();
        return Err(FolderError::folder(folder, no_weights(&listing, &name, &name)));
    }
    #[derive(Deserialize)]
    struct Index {
        weight_map: HashMap<String, String>,
    }
    let index: Index = read_json(folder, INDEX)?;
    let files: BTreeSet<String> = index.weight_map.into_values().collect();
    let is_outside = |file: &&String| Path::new(file.as_str()).components().count() != 1 || file.contains("..");
    match files.iter().find(is_outside) {
        Some(file) => {
            Err(FolderError::folder(folder, format!("{INDEX} names \"{file}\", expected files of the same folder")))
        }
        None if files.is_empty() => Err(FolderError::folder(folder, format!("{INDEX} names no file of weights"))),
        None => Ok(files.into_iter().collect()),
    }
}

/// Endings of files that other programs keep weights in.
const OTHER_WEIGHTS: [&str; 9] = [".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".npz", ".onnx", ".gguf"];

/// What to do about a folder or a repository without weights in safetensors, `from` its name and `to` where they may go.
fn no_weights(listing: &[String], from: &str, to: &str) -> String {
    let missing = format!("no {WEIGHTS} and no {INDEX} among its files");
    let is_other = |file: &&String| OTHER_WEIGHTS.iter().any(|ending| file.ends_with(ending));
    if let Some(file) = listing.iter().find(|file| file.ends_with(".safetensors")) {
        return format!("{missing}\n  hint: if the weights are in {file}, name it {WEIGHTS}");
    }
    match listing.iter().find(is_other) {
        Some(file) => format!(
            "{missing}, but {file}, which this program does not read\n  \
             hint: write the weights as safetensors, in Python:\n    \
             from transformers import AutoModel\n    \
             AutoModel.from_pretrained({from:?}).save_pretrained({to:?})"
        ),
        None => format!("{missing}, expected weights in safetensors"),
    }
}
