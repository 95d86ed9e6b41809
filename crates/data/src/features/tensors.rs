//! The head of a safetensors file: names, types, shapes and places of its tensors.

use super::element::{Element, Kind};
use super::head::{Head, Unzipped, broken};
use crate::DataError;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::path::Path;

/// Longer headers are no headers: the format's own bound.
const MAX_HEADER_BYTES: u64 = 100_000_000;
/// Tensors that a message lists; a network's weights are hundreds.
const MAX_LISTED: usize = 12;

/// Which tensor of a file is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TensorChoice<'a> {
    /// its name; without one, the file has a single tensor
    pub(crate) name: Option<&'a str>,
    /// the key of the config by which one is chosen, for messages
    pub(crate) key: &'static str,
}

/// Reads the head of a file and finds the wanted tensor.
///
/// # Errors
/// A header that is damaged; several tensors and no name, or a name that is none of theirs; a type that is not read.
pub(super) fn read_head(path: &Path, file: &mut Unzipped, choice: TensorChoice<'_>) -> Result<Head, DataError> {
    let length = file.read(path, 8)?;
    let n_header = length.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let n_header = n_header.filter(|n| *n <= MAX_HEADER_BYTES);
    let n_header = n_header.ok_or_else(|| broken(path, &"a header of more than 100 MB"))?;
    let header = file.read(path, n_header)?;
    if (header.len() as u64) < n_header {
        return Err(broken(path, &"a header that is longer than the file"));
    }
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| broken(path, &error))?;
    let tensors = metadata.tensors();
    let (name, tensor) = chosen(path, tensors.iter().map(|(name, tensor)| (&name[..], *tensor)).collect(), choice)?;
    let (start, end) = tensor.data_offsets;
    let Some(kind) = kind_of(tensor.dtype) else {
        let found = format!("tensor \"{name}\" of type {:?}", tensor.dtype);
        return Err(DataError::invalid(path, found, "numbers of 8 to 64 bits")
            .hint("convert it, as in x.to(torch.float32), and write the file again"));
    };
    let element = Element { kind, is_big_endian: false };
    let n_bytes = tensor.shape.iter().try_fold(element.n_bytes(), |product, size| product.checked_mul(*size));
    if n_bytes.is_none() || n_bytes != end.checked_sub(start) {
        return Err(broken(path, &format!("tensor \"{name}\" has another size than its place")));
    }
    let start = (8 + n_header).saturating_add(start as u64);
    Ok(Head { element, shape: tensor.shape.clone(), is_by_columns: false, start, has_more: true })
}

fn chosen<'a>(
    path: &Path,
    mut tensors: Vec<(&'a str, &'a TensorInfo)>,
    choice: TensorChoice<'_>,
) -> Result<(&'a str, &'a TensorInfo), DataError> {
    tensors.sort_by_key(|(name, _)| *name);
    match (choice.name, &tensors[..]) {
        (None, [one]) => Ok(*one),
        (None, []) => Err(DataError::invalid(path, "no tensor", "one tensor")),
        (None, _) => {
            let hint = match choice.key {
                "" => "write a file with the one tensor".to_owned(),
                key => format!("name the one to read: `{key} = \"NAME\"`"),
            };
            Err(DataError::invalid(path, listed(&tensors), "one tensor, or the name of one").hint(hint))
        }
        (Some(wanted), _) => match tensors.iter().find(|(name, _)| *name == wanted) {
            Some(tensor) => Ok(*tensor),
            None => Err(DataError::invalid(path, listed(&tensors), format!("a tensor named \"{wanted}\""))),
        },
    }
}

/// `tensors "a" (F32 [100, 8]) and "b" (F32 [100, 5])`
fn listed(tensors: &[(&str, &TensorInfo)]) -> String {
    let one = |(name, tensor): &(&str, &TensorInfo)| format!("{name:?} ({:?} {:?})", tensor.dtype, tensor.shape);
    let names: Vec<String> = tensors.iter().take(MAX_LISTED).map(one).collect();
    let more = match tensors.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!("{} tensors, {}{more}", tensors.len(), names.join(", "))
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::Bf16,
        Dtype::F32 => Kind::F32,
        Dtype::F64 => Kind::F64,
        Dtype::I8 => Kind::I8,
        Dtype::I16 => Kind::I16,
        Dtype::I32 => Kind::I32,
        Dtype::I64 => Kind::I64,
        Dtype::U8 => Kind::U8,
        Dtype::U16 => Kind::U16,
        Dtype::U32 => Kind::U32,
        Dtype::U64 => Kind::U64,
        Dtype::BOOL => Kind::Bool,
        _ => return None,
    })
}
