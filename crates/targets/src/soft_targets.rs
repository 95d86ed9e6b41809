//! The type that a student's training reads.
//!
//! N rows, C classes.

use crate::entropy;
use crate::error::TargetsError;
use crate::file;
use crate::info::TargetsInfo;
use std::path::Path;
use stillhouse_core::ExampleView;

/// Soft targets in memory: rows `[N, C]`, ascending by example and view.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftTargets {
    info: TargetsInfo,
    keys: Vec<ExampleView>,
    probs: Vec<f32>,
}

impl SoftTargets {
    /// From rows whose keys ascend strictly and whose probabilities are distributions: checked by the callers.
    pub(crate) fn from_sorted(info: TargetsInfo, keys: Vec<ExampleView>, probs: Vec<f32>) -> Self {
        Self { info, keys, probs }
    }

    /// Reads a file and checks format, sizes and checksum.
    ///
    /// # Errors
    /// A file that cannot be read, is not one of soft targets, is cut off, or differs from what was written.
    pub fn open(path: &Path) -> Result<Self, TargetsError> {
        file::read(path)
    }

    /// Writes a file, whole or not at all. Equal targets give equal bytes.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write(&self, path: &Path) -> Result<(), TargetsError> {
        file::write(self, path)
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

    /// Examples and views that have a row, ascending.
    pub fn keys(&self) -> &[ExampleView] {
        &self.keys
    }

    /// The distribution `[C]` for an example as a student sees it.
    pub fn row(&self, key: ExampleView) -> Option<&[f32]> {
        let position = self.keys.binary_search(&key).ok()?;
        Some(&self.probs[position * self.n_classes()..][..self.n_classes()])
    }

    /// Copies the rows of a batch to `out`, `[batch, C]`, in the order of the keys.
    ///
    /// # Errors
    /// An example or view without a row.
    ///
    /// # Panics
    /// If `out` has not room for exactly these rows: a bug in this program.
    pub fn gather(&self, keys: &[ExampleView], out: &mut [f32]) -> Result<(), TargetsError> {
        assert_eq!(out.len(), keys.len() * self.n_classes(), "room for one row per key");
        for (key, out) in keys.iter().zip(out.chunks_exact_mut(self.n_classes())) {
            out.copy_from_slice(self.row(*key).ok_or(TargetsError::Missing { key: *key })?);
        }
        Ok(())
    }

    /// All probabilities, row-major `[N, C]`, in the order of the keys.
    pub fn probs(&self) -> &[f32] {
        &self.probs
    }

    /// Mean entropy of the rows in nats: near 0 the targets say hardly more than a label.
    pub fn mean_entropy(&self) -> f64 {
        self.probs.chunks_exact(self.n_classes()).map(entropy).sum::<f64>() / self.n_rows() as f64
    }

    /// Refuses targets of another dataset.
    ///
    /// # Errors
    /// A fingerprint that is not the one that the targets carry.
    pub fn check_dataset(&self, fingerprint: &str) -> Result<(), TargetsError> {
        if self.info.dataset == fingerprint {
            return Ok(());
        }
        Err(TargetsError::Dataset { found: self.info.dataset.clone(), expected: fingerprint.into() })
    }

    /// Refuses targets over other classes, or the same in another order.
    ///
    /// # Errors
    /// The first class that differs.
    pub fn check_labels(&self, labels: &[String]) -> Result<(), TargetsError> {
        let own = &self.info.labels;
        match (0..own.len().max(labels.len())).find(|class| own.get(*class) != labels.get(*class)) {
            Some(class) => Err(TargetsError::Labels {
                class,
                found: own.get(class).cloned(),
                expected: labels.get(class).cloned(),
            }),
            None => Ok(()),
        }
    }
}

/// Bytes of rows and keys on disk, without the header of some kilobytes: to be shown before anything is written.
pub fn size_bytes(n_rows: usize, n_classes: usize) -> u64 {
    n_rows as u64 * (file::KEY_BYTES as u64 + n_classes as u64 * size_of::<f32>() as u64)
}
