//! Names, types and shapes of the tensors in a file of safetensors, from the file's head alone.

use crate::folder::{SCALES, open_file};
use crate::folder_error::io_error;
use crate::kernel_order::KernelOrder;
use crate::outline::ModelOutline;
use crate::published::weight_files;
use crate::quantised::stored_lens;
use crate::{FolderError, WeightBits};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Type and shape of each tensor, by its name.
#[derive(Clone, Default)]
pub(crate) struct Shapes(BTreeMap<String, TensorHead>);

/// What a head says of a tensor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TensorHead {
    /// for example `f32`
    pub(crate) dtype: String,
    pub(crate) shape: Vec<usize>,
}

/// No head of a network is nearly as long.
const MAX_HEAD_BYTES: u64 = 100 << 20;
/// Types that are read as weights.
const FLOATS: [&str; 4] = ["f16", "bf16", "f32", "f64"];

impl fmt::Display for TensorHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.dtype, self.shape)
    }
}

impl TensorHead {
    /// Whether the numbers are floats that can be made `f32`.
    pub(crate) fn is_float(&self) -> bool {
        FLOATS.contains(&self.dtype.as_str())
    }
}

impl Shapes {
    /// The tensors of one file.
    pub(crate) fn of_file(folder: &Path, file: &str) -> Result<Self, FolderError> {
        let path = folder.join(file);
        let damaged = |message: String| FolderError::weights(&path, message);
        let mut reader = open_file(folder, file)?;
        let n_file_bytes = reader.metadata().map_err(|source| io_error(&path, source))?.len();
        let mut length = [0; 8];
        reader.read_exact(&mut length).map_err(|source| match source.kind() {
            ErrorKind::UnexpectedEof => damaged(format!("it has {n_file_bytes} bytes")),
            _ => io_error(&path, source),
        })?;
        let n_bytes = u64::from_le_bytes(length);
        if n_bytes > MAX_HEAD_BYTES.min(n_file_bytes) {
            return Err(damaged(format!("a header of {n_bytes} bytes in a file of {n_file_bytes}")));
        }
        let mut head = Vec::new();
        reader.take(n_bytes).read_to_end(&mut head).map_err(|source| io_error(&path, source))?;
        // entries map a tensor's name to its type, shape and position; one more is the writer's metadata
        let entries: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&head).map_err(|error| damaged(error.to_string()))?;
        Ok(Self(entries.into_iter().filter_map(|(name, entry)| Some((name, tensor_head(&entry)?))).collect()))
    }

    /// The same with weights in a few bits as the `f32` that they are made into.
    ///
    /// # Errors
    /// Codes or scales that are not what the model's shapes ask for.
    pub(crate) fn rounded_as_f32(
        mut self,
        outline: &ModelOutline,
        bits: &WeightBits,
        order: KernelOrder,
    ) -> Result<Self, String> {
        for (name, shape) in outline.shapes() {
            let Some(bits) = bits.of(name) else { continue };
            let scales = format!("{name}{SCALES}");
            let expected = expected_heads(shape, bits);
            for (name, expected) in [name, &scales].into_iter().zip(expected) {
                if self.0.get(name) != Some(&expected) {
                    let found = self.0.get(name).map_or("none".to_owned(), TensorHead::to_string);
                    return Err(format!(
                        "tensor {name}: found {found}, expected {expected} of a weight in {bits} bits"
                    ));
                }
            }
            self.0.remove(&scales);
            self.0.insert(name.to_owned(), TensorHead { dtype: "f32".into(), shape: order.shape(shape) });
        }
        Ok(self)
    }

    /// The tensors of all files of a published network.
    pub(crate) fn read(folder: &Path) -> Result<Self, FolderError> {
        let mut all = Self::default();
        for file in weight_files(folder)? {
            all.0.append(&mut Self::of_file(folder, &file)?.0);
        }
        Ok(all)
    }

    /// What stands before the first of these names that is found, alone or behind a prefix that ends with a dot: the name
    /// of the whole network, or of a wrapper around it. Nothing where none of them is found.
    pub(crate) fn prefix(&self, anchors: &[&str]) -> String {
        let of_anchor = |anchor: &&str| {
            let prefixes = self.names().filter_map(|name| name.strip_suffix(*anchor));
            prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.')).min_by_key(|prefix| prefix.len())
        };
        anchors.iter().find_map(of_anchor).unwrap_or_default().to_owned()
    }

    /// The same tensors with this taken off their names, where they have it.
    pub(crate) fn without(self, prefix: &str) -> Self {
        let bare = |name: String| name.strip_prefix(prefix).map(str::to_owned).unwrap_or(name);
        Self(self.0.into_iter().map(|(name, head)| (bare(name), head)).collect())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str, &[usize])> {
        self.0.iter().map(|(name, head)| (name.as_str(), head.dtype.as_str(), &head.shape[..]))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&TensorHead> {
        self.0.get(name)
    }

    /// Whether there is a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The shape of a tensor that has so many axes.
    pub(crate) fn axes<const N: usize>(&self, name: &str) -> Result<[usize; N], String> {
        let shape = self.get(name).map(|head| &head.shape);
        let axes = shape.and_then(|shape| <[usize; N]>::try_from(&shape[..]).ok());
        axes.filter(|axes| axes.iter().all(|len| *len > 0))
            .ok_or_else(|| format!("{name} has the shape {shape:?}, expected {N} axes"))
    }
}

/// Codes and scales of a weight of this shape.
fn expected_heads(shape: &[usize], bits: u8) -> [TensorHead; 2] {
    let [n_codes, n_scales] = stored_lens(shape, bits);
    [("u8", n_codes), ("f16", n_scales)].map(|(dtype, len)| TensorHead { dtype: dtype.into(), shape: vec![len] })
}

fn tensor_head(entry: &serde_json::Value) -> Option<TensorHead> {
    let axes = entry.get("shape")?.as_array()?.iter().map(|len| usize::try_from(len.as_u64()?).ok());
    let dtype = entry.get("dtype")?.as_str()?.to_lowercase();
    Some(TensorHead { dtype, shape: axes.collect::<Option<_>>()? })
}
