//! Rows of a matrix as a modality.
//!
//! Shapes: `N` examples, `F` features; the matrix is `[N, F]`.

use crate::DataError;
use crate::modality::{Modality, Wanted, normalise};
use crate::preview::Preview;
use stillhouse_core::{InputShape, InputSpec};

/// A matrix `[N, F]`, row by row.
pub(crate) struct FeatureExamples {
    /// each column less its offset
    pub(crate) values: Vec<f32>,
    pub(crate) n_features: usize,
    /// `[F]`, or empty where all are 0
    pub(crate) offset: Vec<f64>,
}

/// Deviations below it, and below this share of a column's largest value, are rounding in f32.
const CONSTANT_BELOW: f64 = 1e-6;

/// A column's deviation that can be divided by. The unit of a measurement does not matter: values of 1e-9 are not constant
/// because they are small.
fn deviation(std: f64, largest: f64) -> f64 {
    let is_rounding = std < CONSTANT_BELOW && std < CONSTANT_BELOW * largest;
    if is_rounding || std < f64::from(f32::MIN_POSITIVE) { 1.0 } else { std }
}

impl FeatureExamples {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.n_features
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.n_features..][..self.n_features]
    }
}

impl Modality for FeatureExamples {
    fn noun(&self) -> &'static str {
        "row"
    }

    /// Two passes in `f64`, in row order.
    fn measure(&self, rows: &[u32]) -> InputSpec {
        let n_features = self.n_features;
        let n_rows = rows.len() as f64;
        let mut mean = vec![0.0f64; n_features];
        for &row in rows {
            mean.iter_mut().zip(self.row(row as usize)).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        mean.iter_mut().for_each(|sum| *sum /= n_rows);
        let (mut variance, mut largest) = (vec![0.0f64; n_features], vec![0.0f64; n_features]);
        for &row in rows {
            let columns = variance.iter_mut().zip(&mut largest).zip(&mean);
            for (((sum, largest), mean), &value) in columns.zip(self.row(row as usize)) {
                *sum += (f64::from(value) - mean).powi(2);
                *largest = largest.max(f64::from(value.abs()));
            }
        }
        let deviations = variance.iter().zip(largest).map(|(sum, largest)| deviation((sum / n_rows).sqrt(), largest));
        InputSpec {
            shape: InputShape::Features { n_features },
            mean: mean.iter().map(|&mean| mean as f32).collect(),
            std: deviations.map(|deviation| deviation as f32).collect(),
            offset: self.offset.clone(),
            background: None,
        }
    }

    fn hash_into(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&(self.n_features as u64).to_le_bytes());
        for row in self.values.chunks_exact(self.n_features) {
            hasher.update(&row.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
        }
        self.offset.iter().for_each(|offset| {
            hasher.update(&offset.to_le_bytes());
        });
    }

    fn n_bytes(&self, _n_examples: usize) -> u64 {
        size_of_val(&self.values[..]) as u64
    }

    fn is_slow_to_read(&self) -> bool {
        false
    }

    fn read(&self, wanted: Wanted, input: &InputSpec, out: &mut [f32]) -> Result<(), DataError> {
        out.copy_from_slice(self.row(wanted.row));
        normalise(input, 1.0, out);
        Ok(())
    }

    fn preview(&self, _wanted: Wanted) -> Result<Preview, DataError> {
        Ok(Preview::Nothing)
    }
}
