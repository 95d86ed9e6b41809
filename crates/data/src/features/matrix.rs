//! Matrices of features, whole in memory, and label vectors.
//!
//! Shapes: `N` examples, `F` features; a matrix is `[N, F]`, row by row once it is read.

use super::array::{ArrayFile, Format, format_of, refused};
use super::columns::{Column, columns_of};
use super::matrix_rows::{MatrixRows, matrix_shape};
use super::tensors::TensorChoice;
use crate::DataError;
use crate::labels::{LabelColumn, RawLabels, read_text_labels};
use crate::places::Places;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use stillhouse_core::ClassId;

/// Distances between two numbers then stay within f32.
const LARGEST: f64 = f32::MAX as f64 / 2.0;

/// `[N, F]` numbers, all finite, each column less its offset.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) values: Vec<f32>,
    /// `[F]`: what was subtracted from each column; empty where nothing was
    pub(crate) offset: Vec<f64>,
    /// `[F]`
    pub(crate) columns: Vec<Column>,
}

impl Matrix {
    pub(crate) fn n_features(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.values.len() / self.columns.len()
    }
}

/// Reads a matrix. A number that is not finite is refused with its row and column.
///
/// Columns whose numbers f32 would round together are moved before they are narrowed: by `offset`, that of the training
/// matrix, or by their own least number. All others stay as they are: a matrix of f32 keeps its bits.
pub(crate) fn read_matrix(path: &Path, tensor: Option<&str>, offset: Option<&[f64]>) -> Result<Matrix, DataError> {
    let mut rows = MatrixRows::open(path, tensor)?;
    let columns = columns_of(&mut rows, |row, column, value| {
        (value.is_nan() || value.abs() > LARGEST).then(|| {
            let found = format!("{value:?} in row {row}, column {column}");
            DataError::invalid(path, found, format!("finite numbers up to {LARGEST:.1e}"))
        })
    })?;
    Column::check_units(path, &columns)?;
    let offset = match offset {
        Some(offset) if offset.len() == columns.len() => offset.to_vec(),
        Some(_) => Vec::new(),
        None => Column::offsets(&columns),
    };
    let mut values = Vec::with_capacity(rows.n_rows() * rows.n_columns());
    rows.rewind();
    rows.for_each_piece(|_, piece| {
        if offset.is_empty() {
            values.extend(piece.iter().map(|value| *value as f32));
        } else {
            values.extend(piece.iter().zip(offset.iter().cycle()).map(|(value, offset)| (value - offset) as f32));
        }
        Ok(())
    })?;
    Ok(Matrix { values, offset, columns })
}

/// Columns of a matrix that [`read_matrix`] reads; only the header is looked at.
pub(crate) fn read_n_features(path: &Path, tensor: Option<&str>) -> Result<usize, DataError> {
    let choice = TensorChoice { name: tensor, key: "tensor" };
    matrix_shape(&ArrayFile::open(path, choice, "a matrix")?).map(|[_, n_features]| n_features)
}

/// Reads labels: whole numbers, truth values or texts from `.npy` or safetensors, or one number or name per line from any
/// other file.
pub(crate) fn read_labels(path: &Path, tensor: Option<&str>) -> Result<LabelColumn, DataError> {
    match format_of(path)? {
        (Format::Npy | Format::Safetensors, _) => read_array_labels(path, tensor),
        (format @ Format::Other(..), first) => Err(refused(path, format, &first, "labels in a text file,")),
        (Format::Unknown, _) => read_text_labels(path),
    }
}

/// Class numbers of examples, `[N]`: whole numbers from `.npy` or safetensors, or one number per line from any other file.
///
/// # Errors
/// A file that cannot be read, labels that are names, or a number that no class has.
pub fn read_class_numbers(path: &Path, n_classes: usize) -> Result<Vec<ClassId>, DataError> {
    let column = read_labels(path, None)?;
    let expected = format!("class numbers from 0 to {}", n_classes.saturating_sub(1));
    let RawLabels::Numbers(numbers) = column.labels else {
        return Err(DataError::invalid(path, "labels that are names", expected));
    };
    let class = |(row, number): (usize, &i64)| match u32::try_from(*number) {
        Ok(class) if (class as usize) < n_classes => Ok(ClassId(class)),
        _ => {
            let (path, place) = column.places.find(row);
            Err(DataError::invalid(path, format!("class {number} in {place}"), expected.clone()))
        }
    };
    numbers.iter().enumerate().map(class).collect()
}

fn read_array_labels(path: &Path, tensor: Option<&str>) -> Result<LabelColumn, DataError> {
    let choice = TensorChoice { name: tensor, key: "label_tensor" };
    let array = ArrayFile::open(path, choice, "labels")?;
    check_label_shape(&array)?;
    let mut bytes = Vec::new();
    let mut file = array.content()?;
    file.seek(SeekFrom::Start(array.start)).map_err(DataError::io(path, "read"))?;
    file.take(array.n_bytes).read_to_end(&mut bytes).map_err(DataError::io(path, "read"))?;
    Ok(LabelColumn { labels: labels_of(&array, &bytes)?, places: Places::of_file(path, "item", 0) })
}

/// Refuses what is no vector: `[N]`, `[N, 1]` and `[1, N]` are one.
fn check_label_shape(array: &ArrayFile) -> Result<(), DataError> {
    let error =
        || DataError::invalid(&array.path, format!("an array of shape {:?}", array.shape), "a vector of labels");
    match array.shape[..] {
        [n] | [n, 1] | [1, n] if n > 0 => Ok(()),
        [_, _] if !array.shape.contains(&0) => Err(error()
            .hint("if it has a column for each class, save the classes: numpy.save(\"y.npy\", y.argmax(axis=1))")),
        _ => Err(error()),
    }
}

fn labels_of(array: &ArrayFile, bytes: &[u8]) -> Result<RawLabels, DataError> {
    let element = array.element;
    if element.is_whole() {
        return Ok(RawLabels::Numbers(element.whole_numbers(bytes)));
    }
    if element.is_text() {
        let names = element.texts(bytes).map_err(|item| {
            DataError::invalid(&array.path, format!("bytes that are no UTF-8 in item {item}"), "names of classes")
        })?;
        return match names.iter().position(|name| name.trim().is_empty()) {
            Some(item) => {
                Err(DataError::invalid(&array.path, format!("an empty name in item {item}"), "a name for each"))
            }
            None => Ok(RawLabels::Names(names)),
        };
    }
    let mut numbers = Vec::new();
    element.numbers(bytes, &mut numbers);
    if element.kind == super::element::Kind::Bool {
        let name = |value: &f64| if *value == 0.0 { "False" } else { "True" };
        return Ok(RawLabels::Names(numbers.iter().map(|value| name(value).to_owned()).collect()));
    }
    // what table libraries make of whole numbers where a value is missing, or of any column of a matrix
    let is_whole = |value: &f64| value.fract() == 0.0 && value.abs() < 2f64.powi(53);
    match numbers.iter().position(|value| !is_whole(value)) {
        Some(item) => Err(DataError::invalid(
            &array.path,
            format!("{} in item {item}", numbers[item]),
            "whole numbers, one for each class",
        )),
        None => Ok(RawLabels::Numbers(numbers.iter().map(|value| *value as i64).collect())),
    }
}
