//! Statistics of a store: size, entropy, kept mass.
//!
//! N rows, C classes.

use crate::soften::entropy;
use crate::{Layout, SoftTargets, TargetBatch};
use rayon::prelude::*;
use serde::Serialize;
use stillhouse_core::{ExampleView, Temperature};

/// Percentiles of the rows at which masses are given.
pub const PERCENTILES: [f64; 7] = [0.0, 1.0, 5.0, 25.0, 50.0, 75.0, 100.0];
/// Rows that are read at once.
const ROWS_AT_ONCE: usize = 1024;

/// Size and content of a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetsStats {
    /// rows, `N`
    pub n_rows: usize,
    /// examples that have rows
    pub n_examples: usize,
    /// classes, `C`
    pub n_classes: usize,
    /// size of the file
    pub n_bytes: u64,
    /// size of the rows by their number, keys included
    pub bytes_per_row: u64,
    /// size of a dense store of the same rows, divided by that of this one
    pub compression: f64,
    /// mean entropy of the rows in nats, all classes that are not kept counted as one: near 0 the targets say hardly
    /// more than a label
    pub mean_entropy: f64,
    /// mean probability of the most probable class
    pub mean_top_prob: f64,
    /// for each temperature at which the store can be read: the share of the mass that its kept classes have
    pub kept_mass: Vec<KeptMass>,
}

/// The kept mass at one temperature.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeptMass {
    /// `T`
    pub temperature: f64,
    /// mean over the rows
    pub mean: f64,
    /// at [`PERCENTILES`], of the rows ordered by it
    pub percentiles: Vec<f64>,
}

impl SoftTargets {
    /// Reads all rows and counts.
    pub fn stats(&self) -> TargetsStats {
        let layout = &self.info().layout;
        let temperatures = match layout {
            Layout::Dense {} => &[Temperature::ONE][..],
            Layout::Sparse(layout) => &layout.temperatures,
        };
        let kept_mass = |temperature: &Temperature| {
            let mut masses: Vec<f64> =
                self.map_rows(*temperature, |_, tail| 1.0 - f64::from(tail)).into_iter().collect();
            masses.sort_by(f64::total_cmp);
            let at = |percent: f64| masses[((masses.len() - 1) as f64 * percent / 100.0).round() as usize];
            KeptMass {
                temperature: temperature.get(),
                mean: masses.iter().sum::<f64>() / masses.len() as f64,
                percentiles: PERCENTILES.map(at).to_vec(),
            }
        };
        let n_rows = self.n_rows() as f64;
        let n_classes = self.n_classes();
        let top_prob = |probs: &[f32], _| f64::from(probs.iter().copied().fold(0.0, f32::max));
        let row_bytes = layout.row_bytes(n_classes);
        TargetsStats {
            n_rows: self.n_rows(),
            n_examples: self.keys().chunk_by(|a, b| a.example == b.example).count(),
            n_classes,
            n_bytes: self.n_bytes(),
            bytes_per_row: row_bytes,
            compression: Layout::Dense {}.row_bytes(n_classes) as f64 / row_bytes as f64,
            mean_entropy: self.mean_entropy(),
            mean_top_prob: self.map_rows(Temperature::ONE, top_prob).iter().sum::<f64>() / n_rows,
            kept_mass: temperatures.iter().map(kept_mass).collect(),
        }
    }

    /// Mean entropy of the rows in nats, all classes that are not kept counted as one.
    pub fn mean_entropy(&self) -> f64 {
        let of_row = |probs: &[f32], tail: f32| entropy(probs) + entropy(&[tail]);
        self.map_rows(Temperature::ONE, of_row).iter().sum::<f64>() / self.n_rows() as f64
    }

    /// Every row's probabilities and tail at a declared temperature, made into a number.
    fn map_rows(&self, temperature: Temperature, of_row: impl Fn(&[f32], f32) -> f64 + Sync) -> Vec<f64> {
        let chunk = |keys: &[ExampleView]| {
            let batch = self.batch(keys, temperature).expect("own keys at a declared temperature");
            match batch {
                TargetBatch::Dense { probs } => {
                    probs.chunks_exact(self.n_classes()).map(|row| of_row(row, 0.0)).collect::<Vec<f64>>()
                }
                TargetBatch::Sparse { probs, tails, .. } => {
                    let rows = probs.chunks_exact(probs.len() / tails.len());
                    rows.zip(tails).map(|(row, tail)| of_row(row, tail)).collect()
                }
            }
        };
        self.keys().par_chunks(ROWS_AT_ONCE).flat_map_iter(chunk).collect()
    }
}
