//! Reads a published network from disk: `config.json`, and `model.safetensors` in one file or in shards.

use crate::FolderError;
use crate::error::StateMismatch;
use crate::folder::{CONFIG, WEIGHTS, read_file};
use crate::folder_error::io_error;
use candle_core::{DType, Device, Result as TensorResult, Tensor};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

const INDEX: &str = "model.safetensors.index.json";
/// How images were normalised in pretraining, where the transformers library published the network.
pub(crate) const PREPROCESSOR: &str = "preprocessor_config.json";

/// The files of a repository that a pretrained network is read from.
///
/// # Errors
/// What is missing, as a sentence.
pub fn published_files(listing: &[String]) -> Result<Vec<String>, String> {
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
        return Err(format!("neither {WEIGHTS} nor {INDEX} among its files, expected weights in safetensors"));
    }
    Ok(files)
}

/// A JSON file of a folder.
pub(crate) fn read_json<T: DeserializeOwned>(folder: &Path, file: &str) -> Result<T, FolderError> {
    let bytes = read_file(folder, file)?;
    serde_json::from_slice(&bytes).map_err(|error| FolderError::config(&folder.join(file), &error))
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

/// Shapes of all tensors of a folder by their names, from the files' heads alone.
pub(crate) struct Shapes(HashMap<String, Vec<usize>>);

/// No header of a published network is nearly as long.
const MAX_HEADER_BYTES: u64 = 100 << 20;

impl Shapes {
    pub(crate) fn read(folder: &Path) -> Result<Self, FolderError> {
        let mut shapes = HashMap::new();
        for file in weight_files(folder)? {
            let path = folder.join(&file);
            let damaged = |message: String| FolderError::weights(&path, message);
            let mut reader = File::open(&path).map_err(|source| io_error(&path, source))?;
            let mut length = [0; 8];
            reader.read_exact(&mut length).map_err(|source| io_error(&path, source))?;
            let n_bytes = u64::from_le_bytes(length);
            if n_bytes > MAX_HEADER_BYTES {
                return Err(damaged(format!("a header of {n_bytes} bytes")));
            }
            let mut header = Vec::new();
            reader.take(n_bytes).read_to_end(&mut header).map_err(|source| io_error(&path, source))?;
            // entries map a tensor's name to its type, shape and position; one more is the writer's metadata
            let entries: HashMap<String, serde_json::Value> =
                serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
            shapes.extend(entries.into_iter().filter_map(|(name, entry)| {
                let axes = entry.get("shape")?.as_array()?.iter().map(|len| Some(len.as_u64()? as usize));
                Some((name, axes.collect::<Option<_>>()?))
            }));
        }
        Ok(Self(shapes))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The shape of a tensor that has so many axes.
    pub(crate) fn axes<const N: usize>(&self, name: &str) -> Result<[usize; N], String> {
        let shape = self.0.get(name);
        let axes = shape.and_then(|shape| <[usize; N]>::try_from(&shape[..]).ok());
        axes.filter(|axes| axes.iter().all(|len| *len > 0))
            .ok_or_else(|| format!("{name} has the shape {shape:?}, expected {N} axes"))
    }

    /// Whether there is a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// The tensors of a folder by their names, without the prefix of the whole network.
pub(crate) struct Published {
    tensors: HashMap<String, Tensor>,
}

impl Published {
    /// Reads all weights; of their names the first of these prefixes is taken off.
    pub(crate) fn read(folder: &Path, prefixes: &[&str]) -> Result<Self, FolderError> {
        let mut tensors = HashMap::new();
        for file in weight_files(folder)? {
            let bytes = read_file(folder, &file)?;
            let read = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
            for (name, tensor) in read.map_err(|error| FolderError::weights(&folder.join(&file), error))? {
                let bare = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(&name);
                tensors.insert(bare.to_owned(), tensor);
            }
        }
        Ok(Self { tensors })
    }

    /// Names of all tensors.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Whether there is a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// One parameter; problems go to `mismatch`, and the parameter is then none.
    pub(crate) fn part(&self, part: &Part, mismatch: &mut StateMismatch) -> TensorResult<Option<Tensor>> {
        let mut found = Vec::with_capacity(part.sources.len());
        for (source, shape) in &part.sources {
            match self.get(source) {
                None => mismatch.missing.push(source.clone()),
                Some(tensor) if tensor.dims() != shape || !tensor.dtype().is_float() => {
                    let (dtype, got) = (tensor.dtype().as_str(), tensor.dims());
                    mismatch.misshapen.push(format!("{source} ({dtype} {got:?}, expected floats {shape:?})"));
                }
                Some(tensor) => {
                    let tensor = tensor.to_dtype(DType::F32)?;
                    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
                    match values.iter().find(|value| !value.is_finite()) {
                        Some(value) => mismatch.misshapen.push(format!("{source} (holds {value})")),
                        None => found.push(tensor),
                    }
                }
            }
        }
        if found.len() < part.sources.len() { Ok(None) } else { (part.combine)(&found).map(Some) }
    }

    /// A tensor by its name of today or by its first one: scale and shift of a norm were once `gamma` and `beta`.
    fn get(&self, name: &str) -> Option<&Tensor> {
        let first_name =
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        self.tensors.get(name).or_else(|| self.tensors.get(&first_name))
    }
}

/// `model.safetensors`, or the shards that its index names.
fn weight_files(folder: &Path) -> Result<Vec<String>, FolderError> {
    if folder.join(WEIGHTS).exists() || !folder.join(INDEX).exists() {
        return Ok(vec![WEIGHTS.to_owned()]);
    }
    #[derive(Deserialize)]
    struct Index {
        weight_map: HashMap<String, String>,
    }
    let index: Index = read_json(folder, INDEX)?;
    let files: BTreeSet<String> = index.weight_map.into_values().collect();
    match files.iter().find(|file| Path::new(file).components().count() != 1 || file.contains("..")) {
        Some(file) => {
            Err(FolderError::folder(folder, format!("{INDEX} names \"{file}\", expected files of the same folder")))
        }
        None => Ok(files.into_iter().collect()),
    }
}
