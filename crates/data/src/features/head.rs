//! The start of a file with arrays: its bytes, unzipped where they are zipped, and what a header says of an array.

use super::element::Element;
use crate::{DataError, bytes};
use std::io::{BufRead, Read};
use std::path::Path;

/// Deflate makes no more than so many bytes of one (RFC 1951: 258 bytes of two bits).
const MAX_GZIP_RATIO: u64 = 1032;
const GZIP: &[u8] = b"\x1f\x8b";

/// Where an array lies, as a header says it.
pub(super) struct Head {
    pub(super) element: Element,
    pub(super) shape: Vec<usize>,
    pub(super) is_by_columns: bool,
    pub(super) start: u64,
    /// bytes of the file that come behind the array and belong to something else
    pub(super) has_more: bool,
}

/// A file as a stream, unzipped where it is zipped.
pub(super) struct Unzipped {
    pub(super) input: Box<dyn BufRead>,
    /// bytes that the unzipped file has, or can have at most
    pub(super) max_bytes: u64,
    pub(super) is_zipped: bool,
}

impl Unzipped {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let file = stillhouse_files::open(path).map_err(DataError::io(path, "read"))?;
        let n_bytes = file.metadata().map_err(DataError::io(path, "read"))?.len();
        let mut first = Vec::new();
        file.take(GZIP.len() as u64).read_to_end(&mut first).map_err(DataError::io(path, "read"))?;
        let is_zipped = first == GZIP;
        let max_bytes = if is_zipped { n_bytes.saturating_mul(MAX_GZIP_RATIO) } else { n_bytes };
        Ok(Self { input: bytes::open(path)?, max_bytes, is_zipped })
    }

    /// The next bytes: so many, or as many as there are.
    pub(super) fn read(&mut self, path: &Path, n_bytes: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        self.input.by_ref().take(n_bytes).read_to_end(&mut bytes).map_err(|error| read_error(path, error))?;
        Ok(bytes)
    }
}

/// A file that is damaged.
pub(crate) fn broken(path: &Path, error: &dyn std::fmt::Display) -> DataError {
    DataError::invalid(path, format!("content that cannot be read ({error})"), "a whole file of its format")
        .hint("the file may be cut off: write it again")
}

/// What went wrong in reading a file or its gzip stream.
pub(super) fn read_error(path: &Path, error: std::io::Error) -> DataError {
    match bytes::is_of_gzip(&error) {
        true => bytes::broken_gzip(path, &error),
        false => DataError::io(path, "read")(error),
    }
}
