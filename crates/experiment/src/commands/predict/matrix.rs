//! Probabilities of all classes as a `.npy` matrix.
//!
//! N inputs, C classes.

use super::Prediction;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use stillhouse_data::npy_head;

/// A `.npy` file of `[N, C]` probabilities in f32, a row for each input, classes in the model's order. Inputs without an answer,
/// such as empty texts, have a row of NaN.
pub struct ProbabilityMatrix {
    out: BufWriter<File>,
    n_rows: usize,
    n_classes: usize,
}

const F32: &str = "<f4";

impl ProbabilityMatrix {
    /// Begins a matrix in an empty file.
    ///
    /// # Errors
    /// Whatever the system says, for example of a pipe: how many rows there are is written in the end.
    pub fn new(mut file: File, n_classes: usize) -> io::Result<Self> {
        file.rewind()?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        out.write_all(&npy_head(F32, &[0, n_classes]))?;
        Ok(Self { out, n_rows: 0, n_classes })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// A full disk.
    pub fn write(&mut self, predictions: &[Prediction]) -> io::Result<()> {
        self.n_rows += predictions.len();
        for prediction in predictions {
            match prediction.probs.is_empty() {
                true => (0..self.n_classes).try_for_each(|_| self.out.write_all(&f32::NAN.to_le_bytes()))?,
                false => prediction.probs.iter().try_for_each(|prob| self.out.write_all(&prob.to_le_bytes()))?,
            }
        }
        Ok(())
    }

    /// Writes the number of rows into the header.
    ///
    /// # Errors
    /// A full disk.
    pub fn finish(self) -> io::Result<()> {
        let (begun, whole) = (npy_head(F32, &[0, self.n_classes]), npy_head(F32, &[self.n_rows, self.n_classes]));
        assert_eq!(begun.len(), whole.len(), "headers are padded to the same length for any number of rows");
        let mut file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        file.write_all(&whole)
    }
}
