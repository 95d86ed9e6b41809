//! Cross entropy with hard labels.
//!
//! Shapes: `B` examples, `C` classes.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::batch::{BatchMean, Exponentials, RowLoss};
use crate::composite;
use crate::element::Element;
use crate::shape::mismatch;
use crate::tape::apply1;

/// In place of the class number of an example without a label.
pub const NO_LABEL: u32 = u32::MAX;

/// `mean_b(- log softmax(z_b)[label_b])` for logits `z [B, C]` and one class number for each example; the loss of an
/// example with [`NO_LABEL`] is zero.
///
/// The gradient of the logits is `(softmax(z) - onehot(label)) / B`, and zero without a label.
///
/// # Errors
/// Logits that are no matrix, another number of labels than rows, or a label that is neither below `C` nor
/// [`NO_LABEL`].
pub fn cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let op = BatchMean::new(logits, CrossEntropy { labels: labels.into() })?;
    let (n_rows, n_classes) = logits.dims2()?;
    check_labels(CrossEntropy::NAME, labels, n_rows, n_classes)?;
    if !logits.device().is_cpu() {
        return composite::cross_entropy(logits, labels);
    }
    apply1(op, &logits.contiguous()?)
}

/// Requires one label for each row, each below the number of classes or [`NO_LABEL`].
pub(super) fn check_labels(op: &str, labels: &[u32], n_rows: usize, n_classes: usize) -> Result<()> {
    if labels.len() != n_rows {
        return Err(mismatch(op, "number of labels", n_rows, labels.len()));
    }
    match labels.iter().find(|label| **label as usize >= n_classes && **label != NO_LABEL) {
        Some(label) => Err(mismatch(op, "label", format!("a class below {n_classes}"), label)),
        None => Ok(()),
    }
}

struct CrossEntropy {
    labels: Arc<[u32]>,
}

impl RowLoss for CrossEntropy {
    const NAME: &'static str = "cross_entropy";

    #[inline(always)]
    fn loss<T: Element>(&self, row_idx: usize, logits: &[T], _targets: &[T], weight: f64, grad: &mut [T]) -> f64 {
        if self.labels[row_idx] == NO_LABEL {
            grad.fill(T::ZERO);
            return 0.0;
        }
        let label = self.labels[row_idx] as usize;
        grad.copy_from_slice(logits);
        let exps = Exponentials::of(grad, 1.0);
        let factor = T::rounded(weight / exps.sum);
        grad.iter_mut().for_each(|grad| *grad *= factor);
        grad[label] -= T::rounded(weight);
        exps.log_sum() - logits[label].widened()
    }
}
