//! A model's files on disk: enough to predict without the run that made it.
//!
//! | file | holds |
//! |---|---|
//! | `model.safetensors` | parameters and buffers by name, in sorted order: equal models give equal bytes; weights in a few bits as `u8` codes and `f16` scales (`quantised.rs`) |
//! | `config.json` | format version, architecture, number of outputs, input, numbers of the card, the temperature of the logits |
//! | `labels.txt` | one label a line, in the order of the outputs |
//! | `README.md` | the card, for people |
//!
//! A folder appears whole or not at all (`stillhouse-files`). Where an older folder is replaced and the program is killed
//! meanwhile, [`load_model`] reads the older folder.

use crate::card::{card_text, check_card, labels_text};
use crate::hub_card::HubCard;
use crate::kernel_order::KernelOrder;
use crate::outline::ModelOutline;
use crate::quantised::QuantisedTensor;
use crate::rounded_rows::Codes;
use crate::weights_head::Shapes;
use crate::{FolderError, Model, ModelCard, ModelConfig, ModelError, Reductions, Sizes, Tokenizer, WeightBits};
use candle_core::{Device, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use stillhouse_core::{InputShape, InputSpec, Temperature};
use stillhouse_files::{NewFolder, readable_folder};

/// Version of the folder's layout, in `config.json`. Older ones are still read: version 2 has other codes of 2 bits, version 1 also kernels
/// in the order of memory.
pub const FORMAT_VERSION: u32 = 3;
const OLDEST_VERSION: u32 = 1;

pub(crate) const WEIGHTS: &str = "model.safetensors";
pub(crate) const CONFIG: &str = "config.json";
const LABELS: &str = "labels.txt";
const TOKENIZER: &str = "tokenizer.json";
const README: &str = "README.md";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    format_version: u32,
    name: String,
    architecture: ModelConfig,
    n_outputs: usize,
    input: InputSpec,
    numbers: Vec<(String, String)>,
    /// what model hubs want to know
    #[serde(default, skip_serializing_if = "HubCard::is_empty")]
    hub: HubCard,
    /// the labels under the keys that other programs look for; `labels.txt` is what counts here
    #[serde(default)]
    id2label: Labels,
    /// the same the other way round
    #[serde(default)]
    label2id: LabelNumbers,
    /// of linear layers that are not whole
    #[serde(default, skip_serializing_if = "Sizes::is_empty")]
    ranks: Sizes,
    /// of inner widths that are not whole
    #[serde(default, skip_serializing_if = "Sizes::is_empty")]
    units: Sizes,
    /// blocks that are left out
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    left_out: BTreeSet<String>,
    /// of weights that are not `f32`
    #[serde(default, skip_serializing_if = "WeightBits::is_empty")]
    bits: WeightBits,
    /// what the logits are divided by
    #[serde(default = "as_trained", skip_serializing_if = "is_as_trained")]
    temperature: Temperature,
}

/// Labels by their numbers, in order.
#[derive(Default)]
struct Labels(Vec<String>);

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().enumerate())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self::default())
    }
}

impl<'de> Deserialize<'de> for LabelNumbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self::default())
    }
}

/// Numbers by their labels, in order.
#[derive(Default)]
struct LabelNumbers(Vec<String>);

impl Serialize for LabelNumbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().enumerate().map(|(number, label)| (label, number)))
    }
}

fn as_trained() -> Temperature {
    Temperature::ONE
}

fn is_as_trained(temperature: &Temperature) -> bool {
    *temperature == Temperature::ONE
}

/// Writes a model folder, whole or not at all. An older model folder at the same place is replaced.
///
/// # Errors
/// A card that does not fit, a place that holds something else, or a disk that refuses; the place is then as it was.
pub fn save_model(folder: &Path, model: &Model, card: &ModelCard) -> Result<(), FolderError> {
    save_rounded_model(folder, model, card, &WeightBits::default())
}

/// The same with weights in a few bits: what is read back is [`WeightBits::round`] of the model.
///
/// # Errors
/// As [`save_model`].
pub fn save_rounded_model(
    folder: &Path,
    model: &Model,
    card: &ModelCard,
    bits: &WeightBits,
) -> Result<(), FolderError> {
    check_card(card, model)?;
    check_tokenizer(folder, model)?;
    if folder.file_name().is_none() {
        return Err(FolderError::Unnamed(folder.to_owned()));
    }
    let new = NewFolder::create(folder)?;
    check_place(folder)?;
    new.write(WEIGHTS, &weights_bytes(model, bits)?)?;
    new.write(CONFIG, &config_bytes(model, card, bits)?)?;
    new.write(LABELS, labels_text(&card.labels).as_bytes())?;
    if let Some(tokenizer) = model.tokenizer() {
        let json = tokenizer.to_json().map_err(FolderError::encode)?;
        new.write(TOKENIZER, json.as_bytes())?;
    }
    new.write(README, card_text(card, model, bits).as_bytes())?;
    Ok(new.keep()?)
}

/// Refuses to replace anything but a model folder or an empty folder; a place where nothing is will do.
///
/// # Errors
/// [`FolderError::Occupied`].
pub fn check_place(folder: &Path) -> Result<(), FolderError> {
    let is_empty_folder = || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if !folder.exists() || folder.join(CONFIG).is_file() || is_empty_folder() {
        return Ok(());
    }
    Err(FolderError::Occupied(folder.to_owned()))
}

/// A folder without the tokenizer that the model needs could not be read back.
fn check_tokenizer(folder: &Path, model: &Model) -> Result<(), FolderError> {
    if model.tokenizer().is_some() || !matches!(model.input(), InputShape::Tokens { .. }) {
        return Ok(());
    }
    let problem = "the model takes tokens and has no tokenizer\n  hint: `Model::with_tokenizer`";
    Err(FolderError::folder(folder, problem))
}

/// Reads a model folder.
///
/// # Errors
/// Missing or damaged files, another format version, or files that do not fit together.
pub fn load_model(folder: &Path, device: &Device) -> Result<(Model, ModelCard), FolderError> {
    let folder = &readable_folder(folder);
    let config = read_config(folder)?;
    let labels = read_labels(folder)?;
    if labels.len() != config.n_outputs {
        // before the model is built, since a wrong number of outputs could ask for any amount of memory
        let problem = format!("{LABELS} holds {} labels, {CONFIG} says n_outputs = {}", labels.len(), config.n_outputs);
        return Err(FolderError::folder(folder, problem));
    }
    let order = kernel_order(config.format_version);
    let as_model = FolderError::model(folder);
    let reductions = Reductions { ranks: config.ranks, units: config.units, left_out: config.left_out };
    // the file's head is compared before memory is asked for: a config may claim any sizes
    let outline = config.architecture.outline_reduced(&config.input.shape, config.n_outputs, &reductions);
    let outline = outline.map_err(&as_model)?;
    if let Some(problem) = config.bits.problem(&outline) {
        return Err(FolderError::folder(folder, format!("{CONFIG}: {problem}")));
    }
    let shapes = Shapes::of_file(folder, WEIGHTS)?.rounded_as_f32(&outline, &config.bits, order);
    let shapes = shapes.map_err(|problem| FolderError::folder(folder, format!("{WEIGHTS}: {problem}")))?;
    let mismatch = outline.in_order(order).mismatch(&shapes);
    if !mismatch.is_empty() {
        return Err(as_model(ModelError::weights(&mismatch)));
    }
    let blank = (&reductions, None);
    let model = Model::reduced(&config.architecture, &config.input.shape, config.n_outputs, blank, device);
    let model = model.map_err(&as_model)?;
    model
        .load_state(read_weights(folder, &outline, (&config.bits, config.format_version), device)?)
        .map_err(&as_model)?;
    let input = *model.input();
    let model = match input {
        InputShape::Tokens { .. } => {
            let tokenizer = Tokenizer::from_json(&read_file(folder, TOKENIZER)?);
            let tokenizer = tokenizer.map_err(|error| {
                FolderError::folder(folder, format!("{}: {error}", folder.join(TOKENIZER).display()))
            })?;
            model.with_tokenizer(&tokenizer).map_err(&as_model)?
        }
        _ => model,
    };
    let model = model.with_temperature(config.temperature);
    let card = ModelCard { name: config.name, input: config.input, labels, numbers: config.numbers, hub: config.hub };
    check_card(&card, &model)?;
    Ok((model, card))
}

/// In the files that this program writes.
const ORDER: KernelOrder = KernelOrder::OutputsFirst;

fn kernel_order(format_version: u32) -> KernelOrder {
    if format_version == OLDEST_VERSION { KernelOrder::AsInMemory } else { ORDER }
}

/// The first version in which two bits have four codes.
const FOUR_CODES: u32 = 3;

fn codes(format_version: u32, bits: u8) -> Codes {
    if format_version < FOUR_CODES { Codes::with_zero(bits) } else { Codes::of(bits) }
}

/// What a weight in a few bits has besides its codes.
pub(crate) const SCALES: &str = ".scales";

/// Parameters and buffers in safetensors' own order, by name.
fn weights_bytes(model: &Model, bits: &WeightBits) -> Result<Vec<u8>, FolderError> {
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, var) in model.variables() {
        let values = var.as_detached_tensor().flatten_all().and_then(|flat| flat.to_vec1::<f32>());
        let values = values.map_err(FolderError::encode)?;
        let Some(bits) = bits.of(name) else {
            let values = ORDER.write(&values, var.dims());
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            tensors.push((name.to_owned(), Dtype::F32, ORDER.shape(var.dims()), bytes));
            continue;
        };
        let [codes, scales] = QuantisedTensor::new(&values, var.dims(), bits).to_bytes();
        tensors.push((name.to_owned(), Dtype::U8, vec![codes.len()], codes));
        tensors.push((format!("{name}{SCALES}"), Dtype::F16, vec![scales.len() / 2], scales));
    }
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name, view)));
    let views = views.collect::<Result<Vec<_>, _>>().map_err(FolderError::encode)?;
    // transformers refuses files that do not name a framework
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(FolderError::encode)
}

fn config_bytes(model: &Model, card: &ModelCard, bits: &WeightBits) -> Result<Vec<u8>, FolderError> {
    let config = ConfigFile {
        format_version: FORMAT_VERSION,
        name: card.name.clone(),
        architecture: model.config().clone(),
        n_outputs: model.n_outputs(),
        input: card.input.clone(),
        numbers: card.numbers.clone(),
        hub: card.hub.clone(),
        id2label: Labels(card.labels.clone()),
        label2id: LabelNumbers(card.labels.clone()),
        ranks: model.reductions().ranks.clone(),
        units: model.reductions().units.clone(),
        left_out: model.reductions().left_out.clone(),
        bits: bits.clone(),
        temperature: model.temperature(),
    };
    let mut bytes = serde_json::to_vec_pretty(&config).map_err(FolderError::encode)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// A file that a model folder has, open.
pub(crate) fn open_file(folder: &Path, file: &str) -> Result<fs::File, FolderError> {
    let path = folder.join(file);
    stillhouse_files::open(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => {
            FolderError::Invalid(format!("{} is not a model folder: it has no {file}", folder.display()))
        }
        _ => FolderError::Io { path, source },
    })
}

/// Bytes of a file that a model folder has.
pub(crate) fn read_file(folder: &Path, file: &str) -> Result<Vec<u8>, FolderError> {
    let mut bytes = Vec::new();
    let read = open_file(folder, file)?.read_to_end(&mut bytes);
    read.map_err(|source| FolderError::Io { path: folder.join(file), source })?;
    Ok(bytes)
}

fn read_config(folder: &Path) -> Result<ConfigFile, FolderError> {
    let path = folder.join(CONFIG);
    let bytes = read_file(folder, CONFIG)?;
    let as_config = |error: serde_json::Error| FolderError::config(&path, &error);
    // the version is read by itself first: another version may have other keys
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(as_config)?;
    let version = &value["format_version"];
    if !(OLDEST_VERSION..=FORMAT_VERSION).any(|known| *version == known) {
        let got = if version.is_null() { "none".to_owned() } else { version.to_string() };
        let path = path.display();
        let message = format!(
            "{path} has format version {got}, this program reads versions {OLDEST_VERSION} to {FORMAT_VERSION}"
        );
        return Err(FolderError::Invalid(message));
    }
    serde_json::from_slice(&bytes).map_err(as_config)
}

fn read_labels(folder: &Path) -> Result<Vec<String>, FolderError> {
    let text = String::from_utf8(read_file(folder, LABELS)?).map_err(|error| {
        let problem = format!("{LABELS} is not UTF-8 after byte {}", error.utf8_error().valid_up_to());
        FolderError::folder(folder, problem)
    })?;
    Ok(text.split_terminator('\n').map(str::to_owned).collect())
}

/// The weights, which have the types and sizes that were looked for in the file's head.
fn read_weights(
    folder: &Path,
    outline: &ModelOutline,
    (bits, format_version): (&WeightBits, u32),
    device: &Device,
) -> Result<Vec<(String, Tensor)>, FolderError> {
    let bytes = read_file(folder, WEIGHTS)?;
    let order = kernel_order(format_version);
    let damaged = |message: String| FolderError::weights(&folder.join(WEIGHTS), message);
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let mut tensors = Vec::new();
    for (name, shape) in outline.shapes() {
        let view = file.tensor(name).map_err(|error| damaged(error.to_string()))?;
        let values: Vec<f32> = match bits.of(name) {
            None => {
                let stored: Vec<f32> = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
                order.read(stored.into(), shape).into_owned()
            }
            Some(bits) => {
                let scales = file.tensor(&format!("{name}{SCALES}")).map_err(|error| damaged(error.to_string()))?;
                let weight =
                    QuantisedTensor::from_bytes(shape, codes(format_version, bits), view.data(), scales.data());
                weight
                    .map_err(|problem| damaged(format!("tensor {name}, format version {format_version}: {problem}")))?
                    .values()
            }
        };
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(damaged(format!("tensor {name} holds {value}")));
        }
        let tensor = Tensor::from_vec(values, shape, device).map_err(|error| damaged(error.to_string()))?;
        tensors.push((name.to_owned(), tensor));
    }
    Ok(tensors)
}
