//! Matrices too large for memory: read and written row by row.
//!
//! Shapes: `[N, W]` in `.npy` or (reading only) safetensors files, by rows or by columns; numbers of any type in the file and
//! `f64` in memory.

use super::array::ArrayFile;
use super::element::Element;
use super::npy;
use super::tensors::TensorChoice;
use crate::DataError;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Numbers that are read at once; more of a matrix by columns, where each column is a place of its own in the file.
const VALUES_AT_ONCE: usize = 1 << 18;
const VALUES_AT_ONCE_BY_COLUMNS: usize = 1 << 24;

/// Reads a matrix from its first row to its last.
pub struct MatrixRows {
    array: ArrayFile,
    file: File,
    n_rows: usize,
    n_columns: usize,
    n_read: usize,
}

impl MatrixRows {
    /// Opens a file and reads its header; `tensor` names the one to read of a safetensors file with several.
    ///
    /// # Errors
    /// A file that cannot be read, is no matrix of numbers, or is shorter than its header says.
    pub fn open(path: &Path, tensor: Option<&str>) -> Result<Self, DataError> {
        let choice = TensorChoice { name: tensor, key: "tensor" };
        let array = ArrayFile::open(path, choice, "a matrix")?;
        let [n_rows, n_columns] = matrix_shape(&array)?;
        Ok(Self { file: array.content()?, array, n_rows, n_columns, n_read: 0 })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.array.path
    }

    /// Rows of the whole file, `N`.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Numbers in a row, `W`.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Number of the next row.
    pub fn n_read(&self) -> usize {
        self.n_read
    }

    /// Begins again with the first row.
    pub fn rewind(&mut self) {
        self.n_read = 0;
    }

    /// Type of the numbers in the file.
    pub(crate) fn element(&self) -> Element {
        self.array.element
    }

    /// The next rows, as many as asked for or as are left, one after the other.
    ///
    /// # Errors
    /// A file that ends too early, with the row.
    pub fn read(&mut self, n_rows: usize) -> Result<Vec<f64>, DataError> {
        let n_rows = n_rows.min(self.n_rows - self.n_read);
        let rows = match self.array.is_by_columns {
            true => self.read_columns(n_rows),
            false => self.read_items(self.n_read * self.n_columns, n_rows * self.n_columns),
        };
        let rows = rows.map_err(|error| self.ends_early(error))?;
        self.n_read += n_rows;
        Ok(rows)
    }

    /// Reads all rows from the next one on, in pieces of whole rows, each with the number of its first row.
    pub(super) fn for_each_piece(
        &mut self,
        mut visit: impl FnMut(usize, &[f64]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let at_once = if self.array.is_by_columns { VALUES_AT_ONCE_BY_COLUMNS } else { VALUES_AT_ONCE };
        let n_rows = (at_once / self.n_columns).max(1);
        while self.n_read < self.n_rows {
            let first = self.n_read;
            let piece = self.read(n_rows)?;
            visit(first, &piece)?;
        }
        Ok(())
    }

    /// These rows of a matrix that is stored column by column.
    fn read_columns(&mut self, n_rows: usize) -> std::io::Result<Vec<f64>> {
        let mut rows = vec![0.0; n_rows * self.n_columns];
        for column in 0..self.n_columns {
            let values = self.read_items(column * self.n_rows + self.n_read, n_rows)?;
            rows.iter_mut().skip(column).step_by(self.n_columns).zip(values).for_each(|(out, value)| *out = value);
        }
        Ok(rows)
    }

    fn read_items(&mut self, first: usize, n_items: usize) -> std::io::Result<Vec<f64>> {
        let element = self.array.element;
        let mut bytes = vec![0; n_items * element.n_bytes()];
        self.file.seek(SeekFrom::Start(self.array.start + (first * element.n_bytes()) as u64))?;
        self.file.read_exact(&mut bytes)?;
        let mut items = Vec::with_capacity(n_items);
        element.numbers(&bytes, &mut items);
        Ok(items)
    }

    fn ends_early(&self, error: std::io::Error) -> DataError {
        if error.kind() != ErrorKind::UnexpectedEof {
            return DataError::io(self.path(), "read")(error);
        }
        let found = format!("the end of the file behind row {}", self.n_read);
        DataError::invalid(self.path(), found, format!("{} rows", self.n_rows))
            .hint("the file has changed while it was read: start again")
    }
}

/// The shape of a matrix of numbers, `[N, W]`.
pub(crate) fn matrix_shape(array: &ArrayFile) -> Result<[usize; 2], DataError> {
    if array.element.is_text() {
        return Err(array.type_error("numbers"));
    }
    let shape = &array.shape;
    let error = || {
        let expected = "a matrix [examples, numbers] with at least one of each";
        DataError::invalid(&array.path, format!("an array of shape {shape:?}"), expected)
    };
    match shape[..] {
        [n_rows, n_columns] if n_rows > 0 && n_columns > 0 => Ok([n_rows, n_columns]),
        [n] if n > 0 => Err(error().hint("for one number an example, save x.reshape(-1, 1)")),
        [_, _, _, ..] if !shape.contains(&0) => Err(error().hint("for one row an example, save x.reshape(len(x), -1)")),
        _ => Err(error()),
    }
}

/// Writes a `.npy` matrix of `f64` row by row.
pub struct MatrixWriter<W: Write> {
    writer: BufWriter<W>,
    n_missing: usize,
}

impl<W: Write> MatrixWriter<W> {
    /// Writes the header of a matrix `[n_rows, n_columns]`.
    ///
    /// # Errors
    /// Whatever the writer answers.
    pub fn new(writer: W, n_rows: usize, n_columns: usize) -> std::io::Result<Self> {
        let mut writer = BufWriter::with_capacity(1 << 20, writer);
        writer.write_all(&npy::head("<f8", &[n_rows, n_columns]))?;
        Ok(Self { writer, n_missing: n_rows * n_columns })
    }

    /// Appends numbers, one row after the other.
    ///
    /// # Errors
    /// More numbers than the header says, or whatever the writer answers.
    pub fn write(&mut self, values: &[f64]) -> std::io::Result<()> {
        let too_many = || std::io::Error::new(ErrorKind::InvalidInput, "more numbers than the header says");
        self.n_missing = self.n_missing.checked_sub(values.len()).ok_or_else(too_many)?;
        values.iter().try_for_each(|value| self.writer.write_all(&value.to_le_bytes()))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Fewer numbers than the header says, or whatever the writer answers.
    pub fn finish(mut self) -> std::io::Result<()> {
        match self.n_missing {
            0 => self.writer.flush(),
            n => Err(std::io::Error::new(ErrorKind::InvalidInput, format!("{n} numbers fewer than the header says"))),
        }
    }
}
