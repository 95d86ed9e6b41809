//! The file format: a `safetensors` file with a description in its metadata.
//!
//! N rows, C classes. All numbers are little-endian.
//!
//! ```text
//! u64                      length of the header
//! JSON, padded by blanks   __metadata__ { format, description }, and the tensors below
//! u64  [N]                 example_ids, ascending
//! i64  [N]                 view_ids, -1 for the example as it is; ascending within an example
//! f32  [N, C]              probs
//! ```
//!
//! The description holds [`TargetsInfo`], the format's version and a BLAKE3 checksum over the whole file with the
//! checksum's own 64 digits taken as zeros. Any tool that reads safetensors can read the tensors.

use crate::error::TargetsError;
use crate::info::TargetsInfo;
use crate::soft_targets::SoftTargets;
use crate::writer::check_row;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use stillhouse_core::{ExampleId, ExampleView, ViewId};

/// Bytes of one row's key.
pub(crate) const KEY_BYTES: usize = 16;

const FORMAT: &str = "stillhouse-soft-targets";
const VERSION: u32 = 1;
const NO_VIEW: i64 = -1;
/// What stands in the checksum's place while the checksum is taken.
const BLANK_CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// A header is mostly class names; a larger one is no header but the middle of some other file.
const MAX_HEADER_BYTES: u64 = 64 << 20;
/// Numbers that are converted at once.
const CHUNK: usize = 1 << 14;

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Metadata,
    example_ids: TensorInfo,
    view_ids: TensorInfo,
    probs: TensorInfo,
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
    checksum: String,
    info: TargetsInfo,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TensorInfo {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl Header {
    fn new(info: &TargetsInfo, n_rows: usize) -> Self {
        let description = Description { version: VERSION, checksum: BLANK_CHECKSUM.into(), info: info.clone() };
        let description = serde_json::to_string(&description).expect("a description is plain data");
        let metadata = Metadata { format: FORMAT.into(), description };
        let [example_ids, view_ids, probs] = tensors(n_rows as u64, info.n_classes() as u64);
        Self { metadata, example_ids, view_ids, probs }
    }

    /// JSON padded with blanks, so that the tensors begin at a multiple of 8 bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a header is plain data");
        bytes.resize(bytes.len().next_multiple_of(8), b' ');
        bytes
    }
}

fn tensors(n_rows: u64, n_classes: u64) -> [TensorInfo; 3] {
    let ids = n_rows.saturating_mul(8);
    let probs = n_rows.saturating_mul(n_classes).saturating_mul(4);
    let tensor = |dtype: &str, shape: Vec<u64>, start: u64, bytes: u64| TensorInfo {
        dtype: dtype.into(),
        shape,
        data_offsets: [start, start.saturating_add(bytes)],
    };
    [
        tensor("U64", vec![n_rows], 0, ids),
        tensor("I64", vec![n_rows], ids, ids),
        tensor("F32", vec![n_rows, n_classes], ids.saturating_mul(2), probs),
    ]
}

/// Writes to a temporary name in the same folder, then renames.
pub(crate) fn write(targets: &SoftTargets, path: &Path) -> Result<(), TargetsError> {
    let io = |source| TargetsError::Io { path: path.into(), source };
    let mut header = Header::new(targets.info(), targets.n_rows()).to_bytes();
    let mut hasher = blake3::Hasher::new();
    write_all(&mut hasher, &header, targets).map_err(io)?;
    let place = checksum_place(&header).expect("a header of our own has a place for the checksum");
    header[place..place + BLANK_CHECKSUM.len()].copy_from_slice(hasher.finalize().to_hex().as_bytes());

    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    write_all(&mut out, &header, targets).map_err(io)?;
    let file = out.into_inner().map_err(|error| io(error.into_error()))?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

fn write_all(out: &mut impl Write, header: &[u8], targets: &SoftTargets) -> std::io::Result<()> {
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header)?;
    for key in targets.keys() {
        out.write_all(&key.example.0.to_le_bytes())?;
    }
    for key in targets.keys() {
        out.write_all(&key.view.map_or(NO_VIEW, |view| i64::from(view.0)).to_le_bytes())?;
    }
    let mut bytes = Vec::with_capacity(CHUNK * size_of::<f32>());
    for chunk in targets.probs().chunks(CHUNK) {
        bytes.clear();
        chunk.iter().for_each(|prob| bytes.extend_from_slice(&prob.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Position of the checksum's digits in a header.
fn checksum_place(header: &[u8]) -> Option<usize> {
    // The description is a string inside JSON, so its quotes are escaped. It comes before anything that a user wrote.
    let before = br#"\"checksum\":\""#;
    let start = header.windows(before.len()).position(|window| window == before)? + before.len();
    (header.len() >= start + BLANK_CHECKSUM.len()).then_some(start)
}

/// Reads and checks a file.
pub(crate) fn read(path: &Path) -> Result<SoftTargets, TargetsError> {
    let io = |source| TargetsError::Io { path: path.into(), source };
    let format =
        |what, found: String, expected: String| TargetsError::Format { path: path.into(), what, found, expected };
    let file = File::open(path).map_err(io)?;
    let n_bytes = file.metadata().map_err(io)?.len();
    let mut source = Hashed { inner: BufReader::with_capacity(1 << 20, file), hasher: blake3::Hasher::new() };

    let header_bytes = read_header(&mut source.inner, n_bytes, path)?;
    let (header, description) = parse_header(&header_bytes, path)?;
    let n_rows = header.example_ids.shape.first().copied().unwrap_or_default();
    let n_classes = description.info.n_classes() as u64;
    let expected = tensors(n_rows, n_classes);
    if [&header.example_ids, &header.view_ids, &header.probs] != expected.each_ref() {
        return Err(format("tensors", format!("{:?}", header.probs), format!("{:?}", expected[2])));
    }
    let expected_bytes = expected[2].data_offsets[1].saturating_add(8 + header_bytes.len() as u64);
    if n_bytes != expected_bytes {
        return Err(format("length", format!("{n_bytes} bytes"), format!("{expected_bytes}")));
    }

    source.hasher.update(&(header_bytes.len() as u64).to_le_bytes());
    source.hasher.update(&with_blank_checksum(&header_bytes));
    let example_ids = read_numbers(&mut source, n_rows, u64::from_le_bytes).map_err(io)?;
    let view_ids = read_numbers(&mut source, n_rows, i64::from_le_bytes).map_err(io)?;
    let probs = read_numbers(&mut source, n_rows * n_classes, f32::from_le_bytes).map_err(io)?;
    let found = source.hasher.finalize().to_hex().to_string();
    if found != description.checksum {
        return Err(TargetsError::Checksum { path: path.into(), found, expected: description.checksum });
    }
    let keys = keys(&example_ids, &view_ids).ok_or_else(|| {
        format("keys", "rows out of order or bad views".into(), "ascending examples and views".into())
    })?;
    for (key, row) in keys.iter().zip(probs.chunks_exact(n_classes as usize)) {
        check_row(*key, row, n_classes as usize)?;
    }
    Ok(SoftTargets::from_sorted(description.info, keys, probs))
}

/// Reads through to a checksum.
struct Hashed<R> {
    inner: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        Ok(n)
    }
}

fn read_header(source: &mut impl Read, n_bytes: u64, path: &Path) -> Result<Vec<u8>, TargetsError> {
    let format = |found: String| TargetsError::Format {
        path: path.into(),
        what: "header",
        found,
        expected: "a file of soft targets".into(),
    };
    let io = |source| TargetsError::Io { path: path.into(), source };
    let mut length = [0; 8];
    if n_bytes < length.len() as u64 {
        return Err(format(format!("{n_bytes} bytes")));
    }
    source.read_exact(&mut length).map_err(io)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES || length > n_bytes - 8 {
        return Err(format(format!("a header of {length} bytes in a file of {n_bytes}")));
    }
    let mut header = vec![0; length as usize];
    source.read_exact(&mut header).map_err(io)?;
    Ok(header)
}

fn parse_header(bytes: &[u8], path: &Path) -> Result<(Header, Description), TargetsError> {
    let format = |what, found: String, expected: &str| TargetsError::Format {
        path: path.into(),
        what,
        found,
        expected: expected.into(),
    };
    let header: Header =
        serde_json::from_slice(bytes).map_err(|error| format("header", error.to_string(), "soft targets"))?;
    if header.metadata.format != FORMAT {
        return Err(format("format", header.metadata.format, FORMAT));
    }
    /// The version alone, as another version may have another description.
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let bad = |error: serde_json::Error| format("description", error.to_string(), "a description of soft targets");
    let Version { version } = serde_json::from_str(&header.metadata.description).map_err(bad)?;
    if version != VERSION {
        return Err(format("version", version.to_string(), &VERSION.to_string()));
    }
    let description = serde_json::from_str(&header.metadata.description).map_err(bad)?;
    Ok((header, description))
}

fn with_blank_checksum(header: &[u8]) -> Vec<u8> {
    let mut blank = header.to_vec();
    if let Some(place) = checksum_place(header) {
        blank[place..place + BLANK_CHECKSUM.len()].copy_from_slice(BLANK_CHECKSUM.as_bytes());
    }
    blank
}

fn read_numbers<const WIDTH: usize, T>(
    source: &mut impl Read,
    n: u64,
    number: impl Fn([u8; WIDTH]) -> T,
) -> std::io::Result<Vec<T>> {
    let mut numbers = Vec::with_capacity(n as usize);
    let mut bytes = vec![0; CHUNK * WIDTH];
    let mut left = n as usize;
    while left > 0 {
        let bytes = &mut bytes[..left.min(CHUNK) * WIDTH];
        source.read_exact(bytes)?;
        numbers.extend(bytes.as_chunks::<WIDTH>().0.iter().map(|bytes| number(*bytes)));
        left -= bytes.len() / WIDTH;
    }
    Ok(numbers)
}

fn keys(example_ids: &[u64], view_ids: &[i64]) -> Option<Vec<ExampleView>> {
    let view = |id: i64| if id == NO_VIEW { Some(None) } else { Some(Some(ViewId(u32::try_from(id).ok()?))) };
    let key = |(example, id): (&u64, &i64)| Some(ExampleView { example: ExampleId(*example), view: view(*id)? });
    let keys: Vec<ExampleView> = example_ids.iter().zip(view_ids).map(key).collect::<Option<_>>()?;
    (!keys.is_empty() && keys.is_sorted_by(|a, b| a < b)).then_some(keys)
}
