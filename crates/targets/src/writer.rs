//! Writes a store chunk by chunk, from any thread, in any order, in one go or after an interruption.
//!
//! C classes.

use crate::error::{TargetsError, name};
use crate::frame::{CHECKSUM_BYTES, Frame};
use crate::info::TargetsInfo;
use crate::layout::Layout;
use crate::mapping::map_file;
use crate::sparse::{EncodedRows, Encoder};
use rayon::prelude::*;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use stillhouse_core::{ExampleView, ViewId};
use stillhouse_files::put_in_place;

/// How far a row's sum may be from 1: more than single-precision rounding over 20000 classes, less than a mistake.
const SUM_TOLERANCE: f64 = 1e-3;
/// The view id of an example without augmentation.
pub(crate) const NO_VIEW: i64 = -1;

/// Writes soft targets for keys that are known beforehand.
///
/// Everything goes to `<path>.partial`, which takes its place under `path` when all chunks are there. Equal rows give
/// equal bytes, whatever the order of the chunks and the number of interruptions.
pub struct TargetsWriter {
    info: TargetsInfo,
    keys: Vec<ExampleView>,
    path: PathBuf,
    partial: PathBuf,
    frame: Frame,
    state: Mutex<State>,
    /// Whether an unfinished file stays for the next attempt.
    is_resumable: bool,
}

struct State {
    file: File,
    /// One for each chunk that is written.
    checksums: Vec<Option<blake3::Hash>>,
    is_finished: bool,
}

impl TargetsWriter {
    /// Begins a store anew. An unfinished file is taken away when the writer is dropped.
    ///
    /// # Errors
    /// Keys that do not ascend strictly, or none; a layout that does not fit the classes; a file that cannot be
    /// written, or is being written by another program.
    pub fn create(path: &Path, info: TargetsInfo, keys: Vec<ExampleView>) -> Result<Self, TargetsError> {
        Self::begin(path, info, keys, false)
    }

    /// Goes on with a store that an earlier writer left unfinished, if it was for the same keys and information;
    /// begins it anew otherwise. Chunks that are there are checked, and written again where they are not whole. An
    /// unfinished file stays.
    ///
    /// # Errors
    /// As [`TargetsWriter::create`].
    pub fn resume(path: &Path, info: TargetsInfo, keys: Vec<ExampleView>) -> Result<Self, TargetsError> {
        Self::begin(path, info, keys, true)
    }

    fn begin(path: &Path, info: TargetsInfo, keys: Vec<ExampleView>, is_resumable: bool) -> Result<Self, TargetsError> {
        check_keys(&keys, &info)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let io = |source| TargetsError::Io { path: partial.clone(), source };
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&partial);
        let mut file = open.map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = partial.display();
                return Err(TargetsError::Invalid(format!("{path}: is being written by another program")));
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let frame = Frame::new(&info, keys.len());
        let is_known = is_resumable && has_header(&mut file, &frame).map_err(io)?;
        if !is_known {
            file.set_len(0).map_err(io)?;
            file.set_len(frame.n_bytes()).map_err(io)?;
            file.write_all(&frame.header).map_err(io)?;
        }
        let checksums = vec![None; frame.n_chunks()];
        let state = Mutex::new(State { file, checksums, is_finished: false });
        let writer = Self { info, keys, path: path.into(), partial, frame, state, is_resumable };
        if is_known {
            writer.find_done()?;
        }
        Ok(writer)
    }

    /// Keeps the chunks of an earlier writer whose content matches their checksum.
    fn find_done(&self) -> Result<(), TargetsError> {
        let mut state = self.state.lock().expect("no holder panics");
        let map = map_file(&state.file).map_err(|source| self.io(source))?;
        let check = |chunk_idx: usize| {
            let found = self.frame.checksum_of_chunk(&map, chunk_idx);
            let keys = key_bytes(&self.keys[self.frame.chunk_rows(chunk_idx)]);
            let is_ours = (0..keys.len())
                .all(|column| map[self.frame.bytes_of(column, self.frame.chunk_rows(chunk_idx))] == keys[column]);
            (is_ours && map[self.frame.checksum_bytes(chunk_idx)] == *found.as_bytes()).then_some(found)
        };
        state.checksums = (0..self.frame.n_chunks()).into_par_iter().map(check).collect();
        Ok(())
    }

    /// Number of classes, `C`.
    pub fn n_classes(&self) -> usize {
        self.info.n_classes()
    }

    /// Number of chunks.
    pub fn n_chunks(&self) -> usize {
        self.frame.n_chunks()
    }

    /// Rows of a chunk.
    ///
    /// # Panics
    /// If there are not so many chunks.
    pub fn chunk_rows(&self, chunk_idx: usize) -> Range<usize> {
        assert!(chunk_idx < self.n_chunks(), "a chunk of the store");
        self.frame.chunk_rows(chunk_idx)
    }

    /// Keys of a chunk's rows.
    pub fn chunk_keys(&self, chunk_idx: usize) -> &[ExampleView] {
        &self.keys[self.chunk_rows(chunk_idx)]
    }

    /// Chunks that are still to be written.
    pub fn missing_chunks(&self) -> Vec<usize> {
        let state = self.state.lock().expect("no holder panics");
        let chunks = state.checksums.iter().enumerate();
        chunks.filter(|(_, checksum)| checksum.is_none()).map(|(chunk_idx, _)| chunk_idx).collect()
    }

    /// Writes the rows of a chunk, distributions `[rows, C]` in the order of [`TargetsWriter::chunk_keys`].
    ///
    /// # Errors
    /// A row that is not a distribution over the classes; what the operating system says.
    ///
    /// # Panics
    /// If these are not as many numbers as the chunk has: a bug in this program.
    pub fn write_chunk(&self, chunk_idx: usize, probs: &[f32]) -> Result<(), TargetsError> {
        let keys = self.chunk_keys(chunk_idx);
        let n_classes = self.info.n_classes();
        assert_eq!(probs.len(), keys.len() * n_classes, "one row for each key of the chunk");
        let rows = || probs.chunks_exact(n_classes);
        for (key, row) in keys.iter().zip(rows()) {
            check_row(*key, row)?;
        }
        let [example_ids, view_ids] = key_bytes(keys);
        let mut columns = vec![example_ids, view_ids];
        match &self.info.layout {
            Layout::Dense {} => {
                let mut bytes = vec![0; size_of_val(probs)];
                let places = bytes.as_chunks_mut().0.iter_mut();
                places.zip(probs).for_each(|(place, prob)| *place = prob.to_le_bytes());
                columns.push(bytes);
            }
            Layout::Sparse(layout) => {
                let mut encoder = Encoder::default();
                let mut encoded = EncodedRows::default();
                rows().for_each(|row| encoder.push(row, layout, &mut encoded));
                let EncodedRows { tail_masses, log_ranges, classes, codes } = encoded;
                columns.extend([tail_masses, log_ranges, classes, codes]);
            }
        }
        let mut hasher = blake3::Hasher::new();
        for bytes in &columns {
            hasher.update(bytes);
        }
        let checksum = hasher.finalize();

        let mut state = self.state.lock().expect("no holder panics");
        let mut put = |start: usize, bytes: &[u8]| -> std::io::Result<()> {
            state.file.seek(SeekFrom::Start(start as u64))?;
            state.file.write_all(bytes)
        };
        for (column_idx, bytes) in columns.iter().enumerate() {
            let place = self.frame.bytes_of(column_idx, self.frame.chunk_rows(chunk_idx));
            debug_assert_eq!(place.len(), bytes.len());
            put(place.start, bytes).map_err(|source| self.io(source))?;
        }
        // last, so that a chunk that was cut off does not look whole
        let written = put(self.frame.checksum_bytes(chunk_idx).start, checksum.as_bytes());
        written.map_err(|source| self.io(source))?;
        state.checksums[chunk_idx] = Some(checksum);
        Ok(())
    }

    /// Seals the store and puts it in its place.
    ///
    /// # Errors
    /// Chunks that are missing; what the operating system says.
    pub fn finish(self) -> Result<(), TargetsError> {
        let mut guard = self.state.lock().expect("no holder panics");
        let state = &mut *guard;
        let n_missing = state.checksums.iter().filter(|checksum| checksum.is_none()).count();
        if n_missing > 0 {
            let (path, n_chunks) = (self.path.display(), self.n_chunks());
            return Err(TargetsError::Invalid(format!("{path}: {n_missing} of {n_chunks} chunks are missing")));
        }
        let of_chunks: Vec<u8> = state.checksums.iter().flatten().flat_map(|checksum| *checksum.as_bytes()).collect();
        debug_assert_eq!(of_chunks.len(), self.n_chunks() * CHECKSUM_BYTES);
        let seal = self.frame.checksum_of_file(&of_chunks);
        let place = self.frame.checksum_bytes(self.n_chunks()).start as u64;
        let file = &mut state.file;
        let sealed = file.seek(SeekFrom::Start(place)).and_then(|_| file.write_all(seal.as_bytes()));
        let kept = sealed.and_then(|()| put_in_place(file, &self.partial, &self.path));
        kept.map_err(|source| TargetsError::Io { path: self.path.clone(), source })?;
        state.is_finished = true;
        Ok(())
    }

    fn io(&self, source: std::io::Error) -> TargetsError {
        TargetsError::Io { path: self.partial.clone(), source }
    }
}

impl Drop for TargetsWriter {
    fn drop(&mut self) {
        let is_finished = self.state.get_mut().is_ok_and(|state| state.is_finished);
        if !is_finished && !self.is_resumable {
            // the error that ended the writing was returned already; an unfinished file would only confuse
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// Whether an earlier writer began this very store.
fn has_header(file: &mut File, frame: &Frame) -> std::io::Result<bool> {
    if file.metadata()?.len() != frame.n_bytes() {
        return Ok(false);
    }
    let mut header = vec![0; frame.header.len()];
    file.read_exact(&mut header)?;
    file.rewind()?;
    Ok(header == frame.header)
}

/// The bytes of `example_ids` and `view_ids`.
fn key_bytes(keys: &[ExampleView]) -> [Vec<u8>; 2] {
    let view = |view: Option<ViewId>| view.map_or(NO_VIEW, |view| i64::from(view.0));
    [
        keys.iter().flat_map(|key| key.example.0.to_le_bytes()).collect(),
        keys.iter().flat_map(|key| view(key.view).to_le_bytes()).collect(),
    ]
}

fn check_keys(keys: &[ExampleView], info: &TargetsInfo) -> Result<(), TargetsError> {
    let n_classes = info.n_classes();
    if keys.is_empty() || n_classes == 0 {
        let n_rows = keys.len();
        return Err(TargetsError::Invalid(format!(
            "soft targets need at least one class and one row, found {n_classes} and {n_rows}"
        )));
    }
    if let Layout::Sparse(layout) = &info.layout
        && !(1..=n_classes).contains(&layout.k)
    {
        let k = layout.k;
        return Err(TargetsError::Invalid(format!(
            "a sparse store keeps {k} classes of a row, expected 1 to {n_classes}"
        )));
    }
    match keys.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) if pair[0] == pair[1] => Err(TargetsError::Invalid(format!("{} has two rows", name(&pair[0])))),
        Some(pair) => Err(TargetsError::Invalid(format!(
            "{} stands after a later one, expected ascending examples and views",
            name(&pair[1])
        ))),
        None => Ok(()),
    }
}

/// Refuses what is not a distribution.
fn check_row(key: ExampleView, probs: &[f32]) -> Result<(), TargetsError> {
    let (lanes, rest) = probs.as_chunks::<8>();
    let mut sums = [0.0; 8];
    let mut is_positive = true;
    for lane in lanes.iter().map(<[f32; 8]>::as_slice).chain([rest]) {
        for (sum, prob) in sums.iter_mut().zip(lane) {
            *sum += f64::from(*prob);
            is_positive &= *prob >= 0.0;
        }
    }
    let sum: f64 = sums.iter().sum();
    if !is_positive || !sum.is_finite() {
        let is_wrong = |prob: &f32| !prob.is_finite() || *prob < 0.0;
        let class = probs.iter().position(is_wrong).expect("a sum of finite numbers is finite");
        let (name, value) = (name(&key), probs[class]);
        return Err(TargetsError::Invalid(format!("{name}: class {class} has probability {value}, expected 0 to 1")));
    }
    if (sum - 1.0).abs() <= SUM_TOLERANCE {
        return Ok(());
    }
    Err(TargetsError::Invalid(format!(
        "{}: probabilities sum to {sum}, expected 1\nhint: targets are probabilities, not logits",
        name(&key)
    )))
}
