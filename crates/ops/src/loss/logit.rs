//! Squared distance of logits: distillation in the limit of high temperatures.
//!
//! Shapes: `B` examples, `C` classes.

use candle_core::{Result, Tensor};

use super::batch::{BatchMean, RowLoss};
use crate::composite;
use crate::element::Element;
use crate::shape::{expect_same_kind, expect_shape};
use crate::tape::apply2;
use crate::vector::sum_pairs;

/// `mean_b(1 / (2 C) sum_i (z_bi - v_bi)^2)` for logits `z [B, C]` and a teacher's logits `v [B, C]`, both of zero
/// mean.
///
/// The mean over the classes is subtracted from each row of both first, because adding a number to all logits changes
/// no prediction. Hinton, Vinyals and Dean 2015, section 2.1, equation 4: this is what soft targets become when the
/// temperature is high compared with the logits. The gradient of the logits is `(z - v) / (B C)`, centred.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit.
pub fn logit_l2(logits: &Tensor, teacher_logits: &Tensor) -> Result<Tensor> {
    let op = BatchMean::new(logits, LogitL2)?;
    expect_shape(LogitL2::NAME, "teacher logits", teacher_logits, logits.dims())?;
    expect_same_kind(LogitL2::NAME, logits, &[("teacher logits", teacher_logits)])?;
    let teacher_logits = teacher_logits.detach();
    if !logits.device().is_cpu() {
        return composite::logit_l2(logits, &teacher_logits);
    }
    apply2(op, &logits.contiguous()?, &teacher_logits.contiguous()?)
}

struct LogitL2;

impl RowLoss for LogitL2 {
    const NAME: &'static str = "logit_l2";

    #[inline(always)]
    fn loss<T: Element>(&self, _row_idx: usize, logits: &[T], targets: &[T], weight: f64, grad: &mut [T]) -> f64 {
        let n_classes = logits.len() as f64;
        let mean = sum_pairs(logits, targets, |z, v| z.widened() - v.widened()) / n_classes;
        for ((grad, z), v) in grad.iter_mut().zip(logits).zip(targets) {
            *grad = T::rounded((z.widened() - v.widened() - mean) * (weight / n_classes));
        }
        sum_pairs(logits, targets, |z, v| (z.widened() - v.widened() - mean).powi(2)) / (2.0 * n_classes)
    }
}
