//! The batch mean of a loss: a loss of one row of logits, averaged over the rows of a batch, with its gradient.
//!
//! Shapes: `B` rows of logits, `C` classes.

use std::sync::OnceLock;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use crate::arithmetic::scale;
use crate::element::{Element, with_element};
use crate::parallel::{filled_with_results, rows_per_chunk};
use crate::shape::{expect_matrix, expect_positive};
use crate::storage::{output, slice, tensor};
use crate::vector::{inlined, largest, sum};

/// The loss of one example. `targets` is the example's row of targets, empty for losses that bring their own.
pub(crate) trait RowLoss: Send + Sync + 'static {
    const NAME: &'static str;

    /// Returns the loss and writes `weight` times its gradient to `grad`, whose old content does not matter.
    fn loss<T: Element>(&self, row_idx: usize, logits: &[T], targets: &[T], weight: f64, grad: &mut [T]) -> f64;
}

/// The mean of a loss over the rows of `[B, C]`.
///
/// Loss and gradient need the same exponentials, so the forward computes both.
pub(crate) struct BatchMean<L> {
    row_loss: L,
    n_rows: usize,
    n_classes: usize,
    /// Kept for the backward, where there will be one.
    gradient: Option<OnceLock<Tensor>>,
}

impl<L: RowLoss> BatchMean<L> {
    /// Checks the shape of the logits.
    pub(crate) fn new(logits: &Tensor, row_loss: L) -> Result<Self> {
        let (n_rows, n_classes) = expect_matrix(L::NAME, "logits", logits)?;
        expect_positive(L::NAME, "examples in batch", n_rows)?;
        expect_positive(L::NAME, "classes", n_classes)?;
        Ok(Self { row_loss, n_rows, n_classes, gradient: logits.track_op().then(OnceLock::new) })
    }

    #[inline(always)]
    fn row<'a, T>(&self, values: &'a [T], row_idx: usize) -> &'a [T] {
        if values.is_empty() { values } else { &values[row_idx * self.n_classes..(row_idx + 1) * self.n_classes] }
    }

    fn forward<T: Element>(&self, logits: &[T], targets: &[T]) -> Result<(CpuStorage, Shape)> {
        let weight = 1.0 / self.n_rows as f64;
        let chunk_len = rows_per_chunk(self.n_classes) * self.n_classes;
        let (gradient, sums) = filled_with_results(
            logits.len(),
            chunk_len,
            inlined!(|start, chunk| {
                let mut sum = 0.0;
                for (row, grad) in (start / self.n_classes..).zip(chunk.chunks_exact_mut(self.n_classes)) {
                    sum += self.row_loss.loss(row, self.row(logits, row), self.row(targets, row), weight, grad);
                }
                sum
            }),
        );
        if let Some(kept) = &self.gradient {
            // a second forward of the same operation would find the same gradient
            let _ = kept.set(tensor(gradient, (self.n_rows, self.n_classes))?);
        }
        Ok(output(vec![T::rounded(sums.iter().sum::<f64>() * weight)], ()))
    }

    fn backward(&self, grad: &Tensor) -> Result<Option<Tensor>> {
        let Some(gradient) = self.gradient.as_ref().and_then(OnceLock::get) else {
            return Ok(None);
        };
        let factor = grad.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?;
        Ok(Some(if factor == 1.0 { gradient.clone() } else { scale(gradient, factor)? }))
    }
}

impl<L: RowLoss> CustomOp1 for BatchMean<L> {
    fn name(&self) -> &'static str {
        L::NAME
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        with_element!(logits.dtype(), L::NAME, T => self.forward(slice::<T>(logits, layout)?, &[]))
    }

    fn bwd(&self, _logits: &Tensor, _result: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        self.backward(grad)
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
            self.forward(slice::<T>(logits, logits_layout)?, slice::<T>(targets, targets_layout)?)
        })
    }

    fn bwd(
        &self,
        _logits: &Tensor,
        _targets: &Tensor,
        _result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((self.backward(grad)?, None))
    }
}

/// The largest logit and the sum of exponentials of a row whose logits were replaced by `exp(z_i / T - largest)`.
pub(crate) struct Exponentials {
    /// The largest of `z_i / T`; subtracted first, it keeps the sum finite.
    pub(crate) largest: f64,
    pub(crate) sum: f64,
}

impl Exponentials {
    /// Replaces logits by their exponentials.
    #[inline(always)]
    pub(crate) fn of<T: Element>(logits: &mut [T], temperature: f64) -> Self {
        let inverse = T::rounded(1.0 / temperature);
        let largest = largest(logits) * inverse;
        for z in logits.iter_mut() {
            *z = (*z * inverse - largest).exp();
        }
        Self { largest: largest.widened(), sum: sum(logits, |exp| exp.widened()) }
    }

    /// `log sum_i exp(z_i / T)`.
    pub(crate) fn log_sum(&self) -> f64 {
        self.largest + self.sum.ln()
    }
}
