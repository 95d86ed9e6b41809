//! Where an array lies in a `.npy` or safetensors file, what its items are, and that all of them are there: the one way by
//! which features, labels and predictions are opened.
//!
//! A file's first bytes say what it is, not its name. Gzipped files are unzipped into a temporary file.

use super::element::Element;
use super::head::{Head, Unzipped, broken, read_error};
use super::npy::{self, NpyError};
use super::tensors::{self, TensorChoice};
use crate::{DataError, bytes};
use std::fs::File;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};
use stillhouse_core::values_within;

/// What stands at the start of a file and says which format it has.
const N_FIRST: u64 = 512;

/// An array in a file, of which nothing but the header has been read.
pub(crate) struct ArrayFile {
    pub(crate) path: PathBuf,
    pub(crate) element: Element,
    pub(crate) shape: Vec<usize>,
    /// whether the first axis runs fastest in the file
    pub(crate) is_by_columns: bool,
    /// bytes before the first item, in the unzipped file
    pub(crate) start: u64,
    pub(crate) n_bytes: u64,
    is_zipped: bool,
}

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Npy,
    Safetensors,
    /// A format that is known and not read: what it is, and how the arrays in it are read nevertheless.
    Other(&'static str, &'static str),
    /// Text, or nothing that is known.
    Unknown,
}

/// Formats by their first bytes; of archives, the name says who wrote them.
const OTHER_FORMATS: [(&[u8], &str, &str); 9] = [
    (b"PK\x03\x04", "a zip archive, as numpy.savez (.npz) and torch.save (.pt) write", AS_NPY),
    (b"PK\x05\x06", "an empty zip archive", AS_NPY),
    (b"\x80\x02", "a pickle of Python (.pkl, or .pt of an old torch)", AS_NPY),
    (b"\x80\x03", "a pickle of Python (.pkl)", AS_NPY),
    (b"\x80\x04", "a pickle of Python (.pkl)", AS_NPY),
    (b"\x80\x05", "a pickle of Python (.pkl)", AS_NPY),
    (b"\x89HDF", "an HDF5 file (.h5)", AS_NPY),
    (b"PAR1", "a parquet file", AS_NPY),
    (b"MATLAB 5.0", "a MATLAB file (.mat)", AS_NPY),
];
const AS_NPY: &str = "load it in Python and save the array alone: numpy.save(\"x.npy\", numpy.asarray(x))";

impl ArrayFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// A file that is neither `.npy` nor safetensors, several tensors of which none is chosen, items that are neither numbers
    /// nor texts, or fewer of them than the header says; `expected` says what the file is for.
    pub(crate) fn open(path: &Path, choice: TensorChoice<'_>, expected: &str) -> Result<Self, DataError> {
        let (format, first) = format_of(path)?;
        let mut file = Unzipped::open(path)?;
        let head = match format {
            Format::Npy => read_npy_head(path, &mut file)?,
            Format::Safetensors => tensors::read_head(path, &mut file, choice)?,
            other => return Err(refused(path, other, &first, expected)),
        };
        let Head { element, shape, is_by_columns, start, has_more } = head;
        let limit = file.max_bytes.saturating_sub(start);
        let n_items = values_within(&shape, element.n_bytes(), limit).map_err(|error| too_short(path, &error))?;
        let n_bytes = (n_items * element.n_bytes()) as u64;
        if !has_more && !file.is_zipped && (1..limit).contains(&n_bytes) {
            let found = format!("{} bytes behind the array of shape {shape:?}", limit - n_bytes);
            return Err(DataError::invalid(path, found, "one array and nothing else")
                .hint("save each array into a file of its own"));
        }
        Ok(Self { path: path.to_owned(), element, shape, is_by_columns, start, n_bytes, is_zipped: file.is_zipped })
    }

    /// The file with the bytes of the array from [`ArrayFile::start`] on, unzipped where it is zipped.
    ///
    /// # Errors
    /// A file that has changed since it was opened; a gzip stream that breaks; no room for a temporary file.
    pub(crate) fn content(&self) -> Result<File, DataError> {
        let path = &self.path;
        if !self.is_zipped {
            return stillhouse_files::open(path).map_err(DataError::io(path, "read"));
        }
        let end = self.start + self.n_bytes;
        let mut file = tempfile::tempfile().map_err(DataError::io(&std::env::temp_dir(), "write to"))?;
        let mut input = bytes::open(path)?.take(end);
        let mut n_copied = 0;
        loop {
            let piece = input.fill_buf().map_err(|error| read_error(path, error))?;
            if piece.is_empty() {
                break;
            }
            file.write_all(piece).map_err(DataError::io(&std::env::temp_dir(), "write to"))?;
            let n_piece = piece.len();
            n_copied += n_piece as u64;
            input.consume(n_piece);
        }
        match n_copied == end {
            true => Ok(file),
            false => Err(too_short(path, &format!("{end} bytes, which is more than {n_copied} bytes"))),
        }
    }

    /// Refuses this array for its type.
    pub(crate) fn type_error(&self, expected: &str) -> DataError {
        let Element { kind, .. } = self.element;
        let found = if self.element.is_text() { "texts".to_owned() } else { format!("numbers of type {kind:?}") };
        DataError::invalid(&self.path, found, expected)
    }
}

/// What a file is, and its first bytes.
///
/// # Errors
/// A file that cannot be read, or a gzip stream that breaks.
pub(crate) fn format_of(path: &Path) -> Result<(Format, Vec<u8>), DataError> {
    let first = bytes::read_at_most(path, N_FIRST)?;
    let format = match &first[..] {
        first if first.starts_with(npy::MAGIC) => Format::Npy,
        // the last byte of a length, which no text has
        [_, _, _, _, _, _, _, last, b'{', ..] if !(b' '..0x7f).contains(last) => Format::Safetensors,
        first => OTHER_FORMATS
            .iter()
            .find(|(magic, ..)| first.starts_with(magic))
            .map_or(Format::Unknown, |(_, what, hint)| Format::Other(what, hint)),
    };
    Ok((format, first))
}

/// Refuses a file that is no array, by what it is.
pub(crate) fn refused(path: &Path, format: Format, first: &[u8], expected: &str) -> DataError {
    let is_text = |first: &[u8]| first.iter().all(|byte| *byte >= b' ' || b"\t\r\n".contains(byte));
    let (found, hint) = match format {
        Format::Other(what, hint) => (what, hint),
        _ if first.is_empty() => ("an empty file", "write it again"),
        _ if is_text(first) => {
            let hint = "in Python: numpy.save(\"x.npy\", numpy.loadtxt(\"x.csv\", delimiter=\",\"))";
            ("a text file", hint)
        }
        _ => ("content of no format that is known here", AS_NPY),
    };
    DataError::invalid(path, found, format!("{expected} in `.npy` or `.safetensors`")).hint(hint)
}

fn read_npy_head(path: &Path, file: &mut Unzipped) -> Result<Head, DataError> {
    let refused = |error| match error {
        NpyError::Broken(what) => broken(path, &what),
        NpyError::Other { found, hint } => DataError::invalid(path, found, "numbers or texts").hint(hint),
    };
    let mut first = file.read(path, 12)?;
    let range = npy::header_range(&first).map_err(refused)?;
    first.extend(file.read(path, (range.end as u64).saturating_sub(12))?);
    let text = first.get(range.clone()).ok_or_else(|| broken(path, &"a header that is longer than the file"))?;
    let npy::NpyHead { element, shape, is_by_columns } = npy::parse(text).map_err(refused)?;
    Ok(Head { element, shape, is_by_columns, start: range.end as u64, has_more: false })
}

fn too_short(path: &Path, error: &dyn std::fmt::Display) -> DataError {
    DataError::invalid(path, format!("a header of {error} behind it"), "an array as large as its header says")
        .hint("the file is cut off or its header damaged: write it again")
}
