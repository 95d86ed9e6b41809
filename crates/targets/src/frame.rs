//! The file format: a `safetensors` file with a description in its metadata.
//!
//! N rows, C classes, k classes kept of a row, D declared temperatures. All numbers are little-endian.
//!
//! ```text
//! u64                      length of the header
//! JSON, padded by blanks   __metadata__ { format, description }, and the tensors below
//! u64  [N]                 example_ids, ascending
//! i64  [N]                 view_ids, -1 for the example as it is; ascending within an example
//!                          dense:
//! f32  [N, C]              probs
//!                          sparse:
//! f32  [N, D]              tail_masses, of the classes that are not kept, one for each declared temperature
//! f32  [N]                 log_ranges, ln(largest / smallest) of the kept probabilities above 0
//! u16 or u32 [N, k]        classes, ascending
//! u16  [N, k]              codes: ln(largest / p) in steps of log_range / 65534; 65535 for p = 0
//!                          both:
//! u8   [chunks + 1, 32]    checksums: BLAKE3 of each chunk of rows (its part of every tensor, one after the other), and
//!                          last that of the header and all these checksums
//! ```
//!
//! The description holds [`TargetsInfo`], the format's version and the rows of a chunk. Any tool that reads safetensors
//! can read the tensors.

use crate::error::TargetsError;
use crate::info::TargetsInfo;
use crate::layout::{Column, Layout};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

const FORMAT: &str = "stillhouse-soft-targets";
const VERSION: u32 = 2;
/// A header is mostly class names; a larger one is no header but the middle of some other file.
const MAX_HEADER_BYTES: u64 = 64 << 20;
/// Bytes of a checksum.
pub(crate) const CHECKSUM_BYTES: usize = blake3::OUT_LEN;

/// Dense probabilities of a chunk's rows: enough to keep a core busy, few enough for each core to have its own.
const CHUNK_PROBS: usize = 1 << 20;
/// A chunk's rows are a multiple of this, as are the batches that teachers predict.
const ROW_MULTIPLE: usize = 128;
const MAX_CHUNK_ROWS: usize = 8192;

/// The header of a file and the positions of its parts.
pub(crate) struct Frame {
    /// Length and JSON, as in the file.
    pub header: Vec<u8>,
    pub n_rows: usize,
    pub rows_per_chunk: usize,
    pub columns: Vec<Column>,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    format: String,
    /// JSON of a [`Description`]: safetensors allows only strings here
    description: String,
}

#[derive(Serialize, Deserialize)]
struct Description {
    version: u32,
    rows_per_chunk: usize,
    info: TargetsInfo,
}

#[derive(Serialize)]
struct TensorInfo {
    dtype: &'static str,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// The error of a file that is not one of soft targets.
pub(crate) fn bad_format(path: &Path, what: &str, found: &str, expected: &str) -> TargetsError {
    TargetsError::Invalid(format!("{}: {what}: found {found}, expected {expected}", path.display()))
}

impl Metadata {
    fn description(self, path: &Path) -> Result<Description, TargetsError> {
        let format = |what, found: String, expected: &str| bad_format(path, what, &found, expected);
        if self.format != FORMAT {
            return Err(format("format", self.format, FORMAT));
        }
        /// The version alone, as another version may have another description.
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let bad = |error: serde_json::Error| format("description", error.to_string(), "a description of soft targets");
        let Version { version } = serde_json::from_str(&self.description).map_err(bad)?;
        if version != VERSION {
            return Err(format("version", version.to_string(), &VERSION.to_string()));
        }
        serde_json::from_str(&self.description).map_err(bad)
    }
}

impl Frame {
    pub fn new(info: &TargetsInfo, n_rows: usize) -> Self {
        let rows = (CHUNK_PROBS / info.n_classes().max(1)) / ROW_MULTIPLE * ROW_MULTIPLE;
        Self::with_chunks(info, n_rows, rows.clamp(ROW_MULTIPLE, MAX_CHUNK_ROWS))
    }

    fn with_chunks(info: &TargetsInfo, n_rows: usize, rows_per_chunk: usize) -> Self {
        let columns = info.layout.columns(info.n_classes());
        let mut frame = Self { header: Vec::new(), n_rows, rows_per_chunk, columns };
        let description = Description { version: VERSION, rows_per_chunk, info: info.clone() };
        let description = serde_json::to_string(&description).expect("a description is plain data");
        frame.header = frame.encode(&Metadata { format: FORMAT.into(), description });
        frame
    }

    /// Length and JSON, padded with blanks, so that the tensors begin at a multiple of 8 bytes.
    fn encode(&self, metadata: &Metadata) -> Vec<u8> {
        let mut tensors: Vec<(&str, TensorInfo)> = Vec::new();
        let mut start = 0;
        let mut add = |name, dtype, shape: Vec<u64>, n_bytes: u64| {
            tensors.push((name, TensorInfo { dtype, shape, data_offsets: [start, start.saturating_add(n_bytes)] }));
            start = start.saturating_add(n_bytes);
        };
        for column in &self.columns {
            let shape = std::iter::once(self.n_rows).chain(column.per_row).map(|n| n as u64).collect();
            add(column.name, column.dtype, shape, (self.n_rows as u64).saturating_mul(column.row_bytes() as u64));
        }
        let n_checksums = self.n_chunks() as u64 + 1;
        add("checksums", "U8", vec![n_checksums, CHECKSUM_BYTES as u64], n_checksums * CHECKSUM_BYTES as u64);
        let metadata = serde_json::to_string(metadata).expect("metadata is plain data");
        let mut text = format!("{{\"__metadata__\":{metadata}");
        for (name, tensor) in tensors {
            let tensor = serde_json::to_string(&tensor).expect("a tensor's place is plain data");
            text.push_str(&format!(",\"{name}\":{tensor}"));
        }
        text.push('}');
        let n_bytes = text.len().next_multiple_of(8);
        let mut header = (n_bytes as u64).to_le_bytes().to_vec();
        header.extend(text.into_bytes());
        header.resize(8 + n_bytes, b' ');
        header
    }

    /// Reads the header of a file and checks that the whole file is there.
    ///
    /// # Errors
    /// A file that is not one of soft targets, of another version, or of another length than its header says.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<(Self, TargetsInfo), TargetsError> {
        let format = |what, found: String, expected: &str| bad_format(path, what, &found, expected);
        let n_bytes = bytes.len();
        let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
            return Err(format("header", format!("{n_bytes} bytes"), "a file of soft targets"));
        };
        let length = u64::from_le_bytes(*length);
        if length > MAX_HEADER_BYTES || length > rest.len() as u64 {
            let found = format!("a header of {length} bytes in a file of {n_bytes}");
            return Err(format("header", found, "a file of soft targets"));
        }
        let header: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&rest[..length as usize])
            .map_err(|error| format("header", error.to_string(), "soft targets"))?;
        let metadata = header.get("__metadata__").cloned().unwrap_or_default();
        let metadata: Metadata = serde_json::from_value(metadata)
            .map_err(|error| format("header", error.to_string(), "metadata of soft targets"))?;
        let Description { rows_per_chunk, info, .. } = metadata.description(path)?;
        let n_rows = header.get("example_ids").and_then(|tensor| tensor["shape"][0].as_u64()).unwrap_or_default();
        let n_classes = info.n_classes();
        if n_rows == 0 || n_classes == 0 || rows_per_chunk == 0 {
            let found = format!("{n_rows} rows, {n_classes} classes, chunks of {rows_per_chunk}");
            return Err(format("header", found, "at least 1 of each"));
        }
        if let Layout::Sparse(layout) = &info.layout
            && !(1..=n_classes).contains(&layout.k)
        {
            return Err(format("layout", format!("{} classes of a row", layout.k), &format!("1 to {n_classes}")));
        }
        let needed = info.layout.row_bytes(n_classes).saturating_mul(n_rows);
        if needed > n_bytes as u64 {
            return Err(format("length", format!("{n_bytes} bytes"), &format!("at least {needed}")));
        }
        let frame = Self::with_chunks(&info, n_rows as usize, rows_per_chunk);
        if frame.header != bytes[..8 + length as usize] {
            return Err(format(
                "tensors",
                "another order, shape or spelling".into(),
                "the ones that the description implies",
            ));
        }
        if frame.n_bytes() != n_bytes as u64 {
            return Err(format("length", format!("{n_bytes} bytes"), &frame.n_bytes().to_string()));
        }
        Ok((frame, info))
    }

    pub fn n_chunks(&self) -> usize {
        self.n_rows.div_ceil(self.rows_per_chunk)
    }

    pub fn chunk_rows(&self, chunk_idx: usize) -> Range<usize> {
        let start = chunk_idx * self.rows_per_chunk;
        start..(start + self.rows_per_chunk).min(self.n_rows)
    }

    /// Bytes of some rows of a tensor in the file.
    pub fn bytes_of(&self, column_idx: usize, rows: Range<usize>) -> Range<usize> {
        let before: usize = self.columns[..column_idx].iter().map(|column| column.row_bytes() * self.n_rows).sum();
        let start = self.header.len() + before;
        let row_bytes = self.columns[column_idx].row_bytes();
        start + rows.start * row_bytes..start + rows.end * row_bytes
    }

    /// Bytes of a chunk's checksum; that of the whole file comes after the last chunk's.
    pub fn checksum_bytes(&self, chunk_idx: usize) -> Range<usize> {
        let data: usize = self.columns.iter().map(|column| column.row_bytes() * self.n_rows).sum();
        let start = self.header.len() + data + chunk_idx * CHECKSUM_BYTES;
        start..start + CHECKSUM_BYTES
    }

    /// Length of the file.
    pub fn n_bytes(&self) -> u64 {
        self.checksum_bytes(self.n_chunks()).end as u64
    }

    /// Checksum of a chunk in a file's bytes.
    pub fn checksum_of_chunk(&self, bytes: &[u8], chunk_idx: usize) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for column_idx in 0..self.columns.len() {
            hasher.update(&bytes[self.bytes_of(column_idx, self.chunk_rows(chunk_idx))]);
        }
        hasher.finalize()
    }

    /// The last checksum, over the header and the checksums of all chunks.
    pub fn checksum_of_file(&self, of_chunks: &[u8]) -> blake3::Hash {
        blake3::Hasher::new().update(&self.header).update(of_chunks).finalize()
    }
}
