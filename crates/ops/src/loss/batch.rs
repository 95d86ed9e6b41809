//! What all losses share: a loss of one row of logits, averaged over the rows of a batch.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use crate::element::{Element, with_element};
use crate::parallel::{filled, map_chunks, rows_per_chunk};
use crate::shape::{expect_matrix, expect_positive};
use crate::storage::{Elements, output, slice, tensor};

/// The loss of one example. `targets` is the example's row of targets, empty for losses that bring their own.
pub(crate) trait RowLoss: Send + Sync + 'static {
    const NAME: &'static str;

    fn loss<T: Element>(&self, row_idx: usize, logits: &[T], targets: &[T]) -> f64;

    /// Writes `weight` times the gradient of the loss to `grad`.
    fn gradient<T: Element>(&self, row_idx: usize, logits: &[T], targets: &[T], weight: f64, grad: &mut [T]);
}

/// The mean of a loss over the rows of `[B, C]`.
pub(crate) struct BatchMean<L> {
    row_loss: L,
    n_rows: usize,
    n_classes: usize,
}

impl<L: RowLoss> BatchMean<L> {
    /// Checks the shape of the logits.
    pub(crate) fn new(logits: &Tensor, row_loss: L) -> Result<Self> {
        let (n_rows, n_classes) = expect_matrix(L::NAME, "logits", logits)?;
        expect_positive(L::NAME, "examples in batch", n_rows)?;
        expect_positive(L::NAME, "classes", n_classes)?;
        Ok(Self { row_loss, n_rows, n_classes })
    }

    fn rows<'a, T>(&self, values: &'a [T], row_idx: usize) -> &'a [T] {
        if values.is_empty() { values } else { &values[row_idx * self.n_classes..(row_idx + 1) * self.n_classes] }
    }

    fn forward<T: Element>(&self, logits: &[T], targets: &[T]) -> (CpuStorage, Shape) {
        let rows_per_chunk = rows_per_chunk(self.n_classes);
        let sums = map_chunks(self.n_rows.div_ceil(rows_per_chunk), |chunk_idx| {
            let start = chunk_idx * rows_per_chunk;
            let rows = start..(start + rows_per_chunk).min(self.n_rows);
            rows.map(|row| self.row_loss.loss(row, self.rows(logits, row), self.rows(targets, row))).sum::<f64>()
        });
        output(vec![T::from_f64(sums.iter().sum::<f64>() / self.n_rows as f64)], ())
    }

    fn backward<T: Element>(&self, logits: &Tensor, targets: &[T], grad: &Tensor) -> Result<Option<Tensor>> {
        if !logits.track_op() {
            return Ok(None);
        }
        let weight = Elements::<T>::of(grad)?[0].to_f64() / self.n_rows as f64;
        let logit_values = Elements::<T>::of(logits)?;
        let values: &[T] = &logit_values;
        let chunk_len = rows_per_chunk(self.n_classes) * self.n_classes;
        let grads = filled(values.len(), chunk_len, |start, chunk| {
            for (nth, grad) in chunk.chunks_exact_mut(self.n_classes).enumerate() {
                let row = start / self.n_classes + nth;
                self.row_loss.gradient(row, self.rows(values, row), self.rows(targets, row), weight, grad);
            }
        });
        Ok(Some(tensor(grads, logits.shape().clone())?))
    }
}

impl<L: RowLoss> CustomOp1 for BatchMean<L> {
    fn name(&self) -> &'static str {
        L::NAME
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        with_element!(logits.dtype(), L::NAME, T => Ok(self.forward(slice::<T>(logits, layout)?, &[])))
    }

    fn bwd(&self, logits: &Tensor, _result: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        with_element!(logits.dtype(), L::NAME, T => self.backward::<T>(logits, &[], grad))
    }
}

impl<L: RowLoss> CustomOp2 for BatchMean<L> {
    fn name(&self) -> &'static str {
        L::NAME
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        targets: &CpuStorage,
        targets_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        with_element!(logits.dtype(), L::NAME, T => {
            Ok(self.forward(slice::<T>(logits, logits_layout)?, slice::<T>(targets, targets_layout)?))
        })
    }

    fn bwd(
        &self,
        logits: &Tensor,
        targets: &Tensor,
        _result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        with_element!(logits.dtype(), L::NAME, T => {
            Ok((self.backward::<T>(logits, &Elements::<T>::of(targets)?, grad)?, None))
        })
    }
}

/// `log sum_i exp(z_i / temperature)` and the largest of `z_i / temperature`, which keeps the exponentials finite.
pub(crate) fn log_sum_exp<T: Element>(logits: &[T], temperature: f64) -> f64 {
    let inverse = T::from_f64(1.0 / temperature);
    let largest = logits.iter().fold(T::NEG_INFINITY, |largest, z| if *z > largest { *z } else { largest }) * inverse;
    let sum: f64 = logits.iter().map(|z| (*z * inverse - largest).exp().to_f64()).sum();
    largest.to_f64() + sum.ln()
}
