//! Matrices and label vectors in `.npy` and safetensors files.
//!
//! Shapes: `N` examples, `F` features; a matrix is `[N, F]`, row by row once it is read.

use crate::DataError;
use crate::labels::{LabelColumn, RawLabels, read_text_labels};
use crate::places::Places;
use npyz::{DType, NpyFile, Order, TypeChar};
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// `[N, F]` numbers, all finite.
pub(crate) struct Matrix {
    pub(crate) values: Vec<f32>,
    pub(crate) n_features: usize,
}

impl Matrix {
    pub(crate) fn n_rows(&self) -> usize {
        self.values.len() / self.n_features
    }
}

/// Reads a matrix of `f32` or `f64`. A number that is not finite is refused with its row and column.
pub(crate) fn read_matrix(path: &Path) -> Result<Matrix, DataError> {
    let bytes = std::fs::read(path).map_err(DataError::io(path, "read"))?;
    let matrix = match extension(path) {
        "npy" => read_npy_matrix(path, &bytes)?,
        "safetensors" => read_safetensors_matrix(path, &bytes)?,
        _ => return Err(unknown_extension(path, "a matrix in `.npy` or `.safetensors`")),
    };
    match matrix.values.iter().position(|value| !value.is_finite()) {
        Some(position) => {
            let (row, column) = (position / matrix.n_features, position % matrix.n_features);
            let found = format!("{} in row {row}, column {column}", matrix.values[position]);
            Err(DataError::invalid(path, found, "finite numbers (of f32's range)"))
        }
        None => Ok(matrix),
    }
}

/// Reads labels: whole numbers from `.npy`, or one number or name per line from any other file.
pub(crate) fn read_labels(path: &Path) -> Result<LabelColumn, DataError> {
    if extension(path) == "safetensors" {
        return Err(unknown_extension(path, "labels in `.npy` or in a text file"));
    }
    if extension(path) != "npy" {
        return read_text_labels(path);
    }
    let bytes = std::fs::read(path).map_err(DataError::io(path, "read"))?;
    let file = NpyFile::new(&bytes[..]).map_err(|error| broken(path, &error))?;
    if file.shape().len() != 1 || file.shape()[0] == 0 {
        return Err(DataError::invalid(path, format!("an array of shape {:?}", file.shape()), "a vector of labels"));
    }
    let labels = read_npy_integers(path, file)?;
    Ok(LabelColumn { labels: RawLabels::Numbers(labels), places: Places::of_file(path, "item", 0) })
}

pub(crate) fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or("")
}

pub(crate) fn unknown_extension(path: &Path, expected: &str) -> DataError {
    DataError::invalid(path, format!("a file named `.{}`", extension(path)), expected)
}

pub(crate) fn broken(path: &Path, error: &dyn std::fmt::Display) -> DataError {
    DataError::invalid(path, format!("content that cannot be read ({error})"), "a whole file of its format")
        .hint("the file may be cut off: write it again")
}

pub(crate) fn shape_error(path: &Path, shape: &dyn std::fmt::Debug) -> DataError {
    let found = format!("an array of shape {shape:?}");
    DataError::invalid(path, found, "a matrix [examples, features] with at least one of each")
}

fn read_npy_matrix(path: &Path, bytes: &[u8]) -> Result<Matrix, DataError> {
    let file = NpyFile::new(bytes).map_err(|error| broken(path, &error))?;
    let [n_rows, n_features] = npy_shape(path, &file)?;
    let order = file.order();
    let values: Vec<f32> = match scalar(&file.dtype()) {
        Some((TypeChar::Float, 4)) => file.into_vec::<f32>().map_err(|error| broken(path, &error))?,
        Some((TypeChar::Float, 8)) => narrow(&file.into_vec::<f64>().map_err(|error| broken(path, &error))?),
        _ => return Err(type_error(path, &file.dtype().descr(), "f32 or f64")),
    };
    let values = if order == Order::Fortran { to_row_order(&values, n_rows, n_features) } else { values };
    Ok(Matrix { values, n_features })
}

fn npy_shape<R: std::io::Read>(path: &Path, file: &NpyFile<R>) -> Result<[usize; 2], DataError> {
    match file.shape()[..] {
        [n_rows, n_features] if n_rows > 0 && n_features > 0 => Ok([n_rows as usize, n_features as usize]),
        _ => Err(shape_error(path, &file.shape())),
    }
}

/// Columns of a matrix that [`read_matrix`] reads; of a `.npy` file only the header is looked at.
pub(crate) fn read_n_features(path: &Path) -> Result<usize, DataError> {
    if extension(path) != "npy" {
        return read_matrix(path).map(|matrix| matrix.n_features);
    }
    let file = std::fs::File::open(path).map_err(DataError::io(path, "read"))?;
    let file = NpyFile::new(std::io::BufReader::new(file)).map_err(|error| broken(path, &error))?;
    npy_shape(path, &file).map(|[_, n_features]| n_features)
}

fn read_npy_integers<R: std::io::Read>(path: &Path, file: NpyFile<R>) -> Result<Vec<i64>, DataError> {
    macro_rules! read {
        ($type:ty) => {
            file.into_vec::<$type>()
                .map_err(|error| broken(path, &error))?
                .into_iter()
                // A number beyond i64 is no label; the largest i64 is refused by the range check with its place.
                .map(|label| i64::try_from(label).unwrap_or(i64::MAX))
                .collect()
        };
    }
    Ok(match scalar(&file.dtype()) {
        Some((TypeChar::Int, 1)) => read!(i8),
        Some((TypeChar::Int, 2)) => read!(i16),
        Some((TypeChar::Int, 4)) => read!(i32),
        Some((TypeChar::Int, 8)) => read!(i64),
        Some((TypeChar::Uint, 1)) => read!(u8),
        Some((TypeChar::Uint, 2)) => read!(u16),
        Some((TypeChar::Uint, 4)) => read!(u32),
        Some((TypeChar::Uint, 8)) => read!(u64),
        _ => return Err(type_error(path, &file.dtype().descr(), "whole numbers")),
    })
}

pub(crate) fn scalar(dtype: &DType) -> Option<(TypeChar, u64)> {
    match dtype {
        DType::Plain(plain) => Some((plain.type_char(), plain.size_field())),
        _ => None,
    }
}

pub(crate) fn type_error(path: &Path, found: &str, expected: &str) -> DataError {
    DataError::invalid(path, format!("numbers of type {found}"), expected)
}

fn read_safetensors_matrix(path: &Path, bytes: &[u8]) -> Result<Matrix, DataError> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| broken(path, &error))?;
    let mut matrices = tensors.tensors().into_iter().filter(|(_, tensor)| tensor.shape().len() == 2);
    let (Some((_, tensor)), None) = (matrices.next(), matrices.next()) else {
        let mut names = tensors.names();
        names.sort();
        return Err(DataError::invalid(path, format!("tensors {names:?}"), "exactly one matrix [examples, features]"));
    };
    let n_features = tensor.shape()[1];
    if tensor.shape().contains(&0) {
        return Err(shape_error(path, &tensor.shape()));
    }
    let data = tensor.data();
    let values = match tensor.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect(),
        // The upper half of an f32.
        Dtype::BF16 => data.as_chunks().0.iter().map(|[low, high]| f32::from_le_bytes([0, 0, *low, *high])).collect(),
        other => return Err(type_error(path, &format!("{other:?}"), "F32, F64 or BF16")),
    };
    Ok(Matrix { values, n_features })
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// From columns one after the other to rows one after the other.
fn to_row_order(values: &[f32], n_rows: usize, n_features: usize) -> Vec<f32> {
    (0..n_rows * n_features).map(|i| values[(i % n_features) * n_rows + i / n_features]).collect()
}
