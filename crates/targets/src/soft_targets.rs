//! Reads a store of soft targets: softened rows of a batch, by example and view.
//!
//! N rows, C classes, k classes kept of a row, B rows of a batch.

use crate::error::TargetsError;
use crate::frame::{Frame, bad_format};
use crate::info::TargetsInfo;
use crate::layout::{Layout, SparseLayout};
use crate::mapping::map_file;
use crate::soften::soften;
use crate::sparse::EncodedRow;
use crate::writer::NO_VIEW;
use memmap2::Mmap;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use stillhouse_core::{ClassId, ExampleId, ExampleView, Temperature, ViewId};

/// Soft targets in a file that is mapped into memory: rows ascend by example and view.
pub struct SoftTargets {
    path: PathBuf,
    info: TargetsInfo,
    keys: Vec<ExampleView>,
    frame: Frame,
    map: Mmap,
}

impl std::fmt::Debug for SoftTargets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoftTargets").field("path", &self.path).field("n_rows", &self.n_rows()).finish_non_exhaustive()
    }
}

/// Rows of a batch, softened.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetBatch {
    /// All classes.
    Dense {
        /// `[B, C]`
        probs: Vec<f32>,
    },
    /// Some classes and the mass of the others.
    Sparse {
        /// `[B, k]`, ascending in each row
        classes: Vec<u32>,
        /// `[B, k]`
        probs: Vec<f32>,
        /// `[B]`
        tails: Vec<f32>,
    },
}

impl SoftTargets {
    /// Opens a file and checks its format, size and all checksums, in one pass by all threads.
    ///
    /// # Errors
    /// A file that cannot be read, is not one of soft targets, is cut off, or differs from what was written.
    pub fn open(path: &Path) -> Result<Self, TargetsError> {
        let io = |source| TargetsError::Io { path: path.into(), source };
        let file = stillhouse_files::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        // neither can be mapped
        if metadata.is_dir() || metadata.len() == 0 {
            let found = if metadata.is_dir() { "a folder" } else { "0 bytes" };
            return Err(bad_format(path, "header", found, "a file of soft targets"));
        }
        let map = map_file(&file).map_err(io)?;
        let (frame, info) = Frame::parse(&map, path)?;
        check_sums(&frame, &map, path)?;
        let keys = keys(&frame, &map).ok_or_else(|| {
            bad_format(path, "keys", "rows out of order or bad views", "ascending examples and views")
        })?;
        Ok(Self { path: path.into(), info, keys, frame, map })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the targets come from.
    pub fn info(&self) -> &TargetsInfo {
        &self.info
    }

    /// Number of rows, `N`.
    pub fn n_rows(&self) -> usize {
        self.keys.len()
    }

    /// Number of classes, `C`.
    pub fn n_classes(&self) -> usize {
        self.info.n_classes()
    }

    /// Size of the file.
    pub fn n_bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// Examples and views that have a row, ascending.
    pub fn keys(&self) -> &[ExampleView] {
        &self.keys
    }

    /// The rows of a batch at a temperature, in the order of the keys (paper, equation 1).
    ///
    /// # Errors
    /// An example or view without a row; a temperature at which a sparse store was not declared to be read.
    pub fn batch(&self, keys: &[ExampleView], temperature: Temperature) -> Result<TargetBatch, TargetsError> {
        match &self.info.layout {
            Layout::Dense {} => Ok(TargetBatch::Dense { probs: self.dense_batch(keys, temperature)? }),
            Layout::Sparse(layout) => self.sparse_batch(layout, keys, temperature),
        }
    }

    /// The rows of a batch with all classes, `[B, C]`.
    ///
    /// # Errors
    /// An example or view without a row; a sparse store.
    pub fn dense_batch(&self, keys: &[ExampleView], temperature: Temperature) -> Result<Vec<f32>, TargetsError> {
        if self.info.layout != (Layout::Dense {}) {
            return Err(TargetsError::Invalid(format!(
                "{}: keeps some classes of a row only, expected all\nhint: make the targets again with a dense layout",
                self.path.display()
            )));
        }
        let n_classes = self.n_classes();
        let mut probs = vec![0.0; keys.len() * n_classes];
        let mut stored = vec![0.0; n_classes];
        for (key, out) in keys.iter().zip(probs.chunks_exact_mut(n_classes)) {
            self.read_dense(self.position(*key)?, &mut stored);
            soften(&stored, temperature, out);
        }
        Ok(probs)
    }

    fn sparse_batch(
        &self,
        layout: &SparseLayout,
        keys: &[ExampleView],
        temperature: Temperature,
    ) -> Result<TargetBatch, TargetsError> {
        let nth = layout.temperatures.iter().position(|declared| *declared == temperature).ok_or_else(|| {
            TargetsError::Invalid(format!(
                "soft targets at T = {}, found T = {}\nhint: declare the temperature and make them again",
                temperature.get(),
                declared(&layout.temperatures)
            ))
        })?;
        let mut classes = Vec::with_capacity(keys.len() * layout.k);
        let mut probs = vec![0.0; keys.len() * layout.k];
        let mut tails = Vec::with_capacity(keys.len());
        for (key, probs) in keys.iter().zip(probs.chunks_exact_mut(layout.k)) {
            let row = self.encoded(self.position(*key)?);
            classes.extend(row.classes());
            tails.push(row.soften(nth, temperature, probs));
        }
        Ok(TargetBatch::Sparse { classes, probs, tails })
    }

    /// The most probable class of an example as a student sees it; of equal ones the first.
    pub fn top_class(&self, key: ExampleView) -> Option<ClassId> {
        let position = self.position(key).ok()?;
        if let Layout::Sparse(_) = self.info.layout {
            return Some(ClassId(self.encoded(position).top_class()));
        }
        let mut probs = vec![0.0; self.n_classes()];
        self.read_dense(position, &mut probs);
        let better = |best: usize, class: usize| if probs[class] > probs[best] { class } else { best };
        Some(ClassId((1..probs.len()).fold(0, better) as u32))
    }

    /// The largest probability of an example's row, at T = 1.
    ///
    /// # Errors
    /// An example or view without a row.
    pub fn top_prob(&self, key: ExampleView) -> Result<f32, TargetsError> {
        let (TargetBatch::Dense { probs } | TargetBatch::Sparse { probs, .. }) =
            self.batch(&[key], Temperature::ONE)?;
        Ok(probs.into_iter().fold(0.0, f32::max))
    }

    fn position(&self, key: ExampleView) -> Result<usize, TargetsError> {
        self.keys.binary_search(&key).map_err(|_| TargetsError::Missing { key })
    }

    fn column(&self, column_idx: usize, row: usize) -> &[u8] {
        &self.map[self.frame.bytes_of(column_idx, row..row + 1)]
    }

    fn read_dense(&self, row: usize, out: &mut [f32]) {
        let values = self.column(FIRST_VALUES, row).as_chunks().0;
        out.iter_mut().zip(values).for_each(|(out, bytes)| *out = f32::from_le_bytes(*bytes));
    }

    fn encoded(&self, row: usize) -> EncodedRow<'_> {
        EncodedRow {
            tail_masses: self.column(FIRST_VALUES, row),
            log_range: self.column(FIRST_VALUES + 1, row),
            classes: self.column(FIRST_VALUES + 2, row),
            codes: self.column(FIRST_VALUES + 3, row),
        }
    }

    /// Refuses targets of another dataset.
    ///
    /// # Errors
    /// A fingerprint that is not the one that the targets carry.
    pub fn check_dataset(&self, fingerprint: &str) -> Result<(), TargetsError> {
        if self.info.dataset == fingerprint {
            return Ok(());
        }
        Err(TargetsError::Invalid(format!(
            "soft targets were made for the dataset {}, expected {fingerprint}\nhint: make them again for this data",
            self.info.dataset
        )))
    }

    /// Refuses targets over other classes, or the same in another order.
    ///
    /// # Errors
    /// The first class that differs.
    pub fn check_labels(&self, labels: &[String]) -> Result<(), TargetsError> {
        let own = &self.info.labels;
        match (0..own.len().max(labels.len())).find(|class| own.get(*class) != labels.get(*class)) {
            Some(class) => {
                let (found, expected) = (own.get(class), labels.get(class));
                let message = format!("soft targets have class {class} = {found:?}, expected {expected:?}");
                Err(TargetsError::Invalid(message))
            }
            None => Ok(()),
        }
    }
}

/// The first tensor after the keys.
const FIRST_VALUES: usize = 2;

fn declared(temperatures: &[Temperature]) -> String {
    temperatures.iter().map(|temperature| temperature.get().to_string()).collect::<Vec<_>>().join(", ")
}

/// Compares every checksum with its content.
fn check_sums(frame: &Frame, map: &Mmap, path: &Path) -> Result<(), TargetsError> {
    let error = |part: String, found: blake3::Hash, expected: &[u8]| {
        let expected: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
        TargetsError::Invalid(format!(
            "{}: {part}: checksum {}, expected {expected}\nhint: the file is damaged, make the targets again",
            path.display(),
            found.to_hex()
        ))
    };
    let check_chunk = |chunk_idx: usize| {
        let found = frame.checksum_of_chunk(map, chunk_idx);
        let expected = &map[frame.checksum_bytes(chunk_idx)];
        let rows = frame.chunk_rows(chunk_idx);
        if found.as_bytes() == expected {
            return Ok(());
        }
        Err(error(format!("rows {} to {}", rows.start, rows.end - 1), found, expected))
    };
    (0..frame.n_chunks()).into_par_iter().try_for_each(check_chunk)?;
    let of_chunks = frame.checksum_bytes(0).start..frame.checksum_bytes(frame.n_chunks()).start;
    let found = frame.checksum_of_file(&map[of_chunks]);
    let expected = &map[frame.checksum_bytes(frame.n_chunks())];
    if found.as_bytes() == expected { Ok(()) } else { Err(error("description".into(), found, expected)) }
}

fn keys(frame: &Frame, map: &Mmap) -> Option<Vec<ExampleView>> {
    let examples = map[frame.bytes_of(0, 0..frame.n_rows)].as_chunks().0;
    let views = map[frame.bytes_of(1, 0..frame.n_rows)].as_chunks().0;
    let view = |id: i64| if id == NO_VIEW { Some(None) } else { Some(Some(ViewId(u32::try_from(id).ok()?))) };
    let key = |(example, id): (&[u8; 8], &[u8; 8])| {
        let example = ExampleId(u64::from_le_bytes(*example));
        Some(ExampleView { example, view: view(i64::from_le_bytes(*id))? })
    };
    let keys: Vec<ExampleView> = examples.iter().zip(views).map(key).collect::<Option<_>>()?;
    keys.is_sorted_by(|a, b| a < b).then_some(keys)
}
