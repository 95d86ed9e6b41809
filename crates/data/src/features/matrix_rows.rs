//! Matrices too large for memory: read and written row by row.
//!
//! Shapes: `[N, W]`, row by row, in `.npy` or (reading only) safetensors files; numbers are `f32` or `f64` in the file
//! and `f64` in memory.

use super::matrix::{broken, extension, scalar, shape_error, type_error, unknown_extension};
use crate::DataError;
use npyz::{NpyFile, NpyWriter, Order, TypeChar, WriterBuilder};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Longer headers are no headers.
const MAX_HEADER_BYTES: u64 = 100 << 20;

/// Reads a matrix from its first row to its last.
pub struct MatrixRows {
    path: PathBuf,
    n_rows: usize,
    n_columns: usize,
    n_read: usize,
    values: Box<dyn Iterator<Item = std::io::Result<f64>> + Send>,
}

impl MatrixRows {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// A file that cannot be read, is no matrix of `f32` or `f64`, or is shorter than its header says.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        match extension(path) {
            "npy" => Self::open_npy(path),
            "safetensors" => Self::open_safetensors(path),
            _ => Err(unknown_extension(path, "a matrix in `.npy` or `.safetensors`")),
        }
    }

    fn open_npy(path: &Path) -> Result<Self, DataError> {
        let file = NpyFile::new(open(path)?).map_err(|error| broken(path, &error))?;
        let [n_rows, n_columns] = matrix_shape(path, &file.shape().iter().map(|n| *n as usize).collect::<Vec<_>>())?;
        if file.order() == Order::Fortran && n_rows > 1 && n_columns > 1 {
            return Err(DataError::invalid(path, "a matrix stored column by column", "one stored row by row")
                .hint("write it with numpy.ascontiguousarray"));
        }
        let dtype = file.dtype();
        let values: Box<dyn Iterator<Item = _> + Send> = match scalar(&dtype) {
            Some((TypeChar::Float, 4)) => {
                let values = file.data::<f32>().map_err(|error| broken(path, &error))?;
                Box::new(values.map(|value| value.map(f64::from)))
            }
            Some((TypeChar::Float, 8)) => Box::new(file.data::<f64>().map_err(|error| broken(path, &error))?),
            _ => return Err(type_error(path, &dtype.descr(), "f32 or f64")),
        };
        Ok(Self { path: path.to_owned(), n_rows, n_columns, n_read: 0, values })
    }

    fn open_safetensors(path: &Path) -> Result<Self, DataError> {
        let mut file = open(path)?;
        let io = || DataError::io(path, "read");
        let n_bytes = file.get_ref().metadata().map_err(io())?.len();
        let mut header = vec![0; 8];
        file.read_exact(&mut header).map_err(|error| broken(path, &error))?;
        let n_header = u64::from_le_bytes(*header.first_chunk().expect("eight bytes"));
        if n_header > MAX_HEADER_BYTES.min(n_bytes) {
            return Err(broken(path, &"its header is longer than the file"));
        }
        header.resize(8 + n_header as usize, 0);
        file.read_exact(&mut header[8..]).map_err(|error| broken(path, &error))?;
        let metadata: Metadata = serde_json::from_slice(&header[8..]).map_err(|error| broken(path, &error))?;
        let tensors = metadata.tensors();
        let mut matrices = tensors.values().filter(|tensor| tensor.shape.len() == 2);
        let (Some(tensor), None) = (matrices.next(), matrices.next()) else {
            let mut names: Vec<&String> = tensors.keys().collect();
            names.sort();
            return Err(DataError::invalid(path, format!("tensors {names:?}"), "exactly one matrix"));
        };
        let [n_rows, n_columns] = matrix_shape(path, &tensor.shape)?;
        let start = header.len() as u64 + tensor.data_offsets.0 as u64;
        if header.len() as u64 + tensor.data_offsets.1 as u64 > n_bytes {
            return Err(broken(path, &"it ends before its last number"));
        }
        file.seek(SeekFrom::Start(start)).map_err(io())?;
        let n_values = n_rows * n_columns;
        let values: Box<dyn Iterator<Item = _> + Send> = match tensor.dtype {
            Dtype::F32 => Box::new(numbers(file, n_values, |bytes| f64::from(f32::from_le_bytes(bytes)))),
            Dtype::F64 => Box::new(numbers(file, n_values, f64::from_le_bytes)),
            other => return Err(type_error(path, &format!("{other:?}"), "F32 or F64")),
        };
        Ok(Self { path: path.to_owned(), n_rows, n_columns, n_read: 0, values })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
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

    /// The next rows, as many as asked for or as are left, one after the other.
    ///
    /// # Errors
    /// A file that ends too early, with the row.
    pub fn read(&mut self, n_rows: usize) -> Result<Vec<f64>, DataError> {
        let n_rows = n_rows.min(self.n_rows - self.n_read);
        let mut rows = Vec::with_capacity(n_rows * self.n_columns);
        for row in self.n_read..self.n_read + n_rows {
            for _ in 0..self.n_columns {
                let value = self.values.next().and_then(Result::ok).ok_or_else(|| self.ends_early(row))?;
                rows.push(value);
            }
        }
        self.n_read += n_rows;
        Ok(rows)
    }

    fn ends_early(&self, row: usize) -> DataError {
        DataError::invalid(&self.path, format!("the end of the file in row {row}"), format!("{} rows", self.n_rows))
            .hint("the file may be cut off: write it again")
    }
}

fn open(path: &Path) -> Result<BufReader<File>, DataError> {
    Ok(BufReader::with_capacity(1 << 20, File::open(path).map_err(DataError::io(path, "read"))?))
}

fn matrix_shape(path: &Path, shape: &[usize]) -> Result<[usize; 2], DataError> {
    match *shape {
        [n_rows, n_columns] if n_rows > 0 && n_columns > 0 => Ok([n_rows, n_columns]),
        _ => Err(shape_error(path, &shape)),
    }
}

fn numbers<const BYTES: usize>(
    mut file: impl Read,
    n_values: usize,
    decode: impl Fn([u8; BYTES]) -> f64,
) -> impl Iterator<Item = std::io::Result<f64>> {
    (0..n_values).map(move |_| {
        let mut bytes = [0; BYTES];
        file.read_exact(&mut bytes).map(|()| decode(bytes))
    })
}

/// Writes a `.npy` matrix of `f64` row by row.
pub struct MatrixWriter<W: Write> {
    writer: NpyWriter<f64, BufWriter<W>>,
}

impl<W: Write> MatrixWriter<W> {
    /// Writes the header of a matrix `[n_rows, n_columns]`.
    ///
    /// # Errors
    /// Whatever the writer answers.
    pub fn new(writer: W, n_rows: usize, n_columns: usize) -> std::io::Result<Self> {
        let options = npyz::WriteOptions::new().default_dtype().shape(&[n_rows as u64, n_columns as u64]);
        Ok(Self { writer: options.writer(BufWriter::with_capacity(1 << 20, writer)).begin_nd()? })
    }

    /// Appends numbers, one row after the other.
    ///
    /// # Errors
    /// Whatever the writer answers.
    pub fn write(&mut self, values: &[f64]) -> std::io::Result<()> {
        values.iter().try_for_each(|value| self.writer.push(value))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Fewer or more numbers than the header says, or whatever the writer answers.
    pub fn finish(self) -> std::io::Result<()> {
        self.writer.finish()
    }
}
