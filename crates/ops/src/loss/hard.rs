//! Cross entropy with hard labels.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::batch::{BatchMean, Exponentials, RowLoss};
use crate::composite;
use crate::element::Element;
use crate::shape::mismatch;
use crate::tape::apply1;

/// `mean_b(- log softmax(z_b)[label_b])` for logits `z [B, C]` and one class number for each example.
///
/// The gradient of the logits is `(softmax(z) - onehot(label)) / B`.
pub fn cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let op = BatchMean::new(logits, CrossEntropy { labels: labels.into() })?;
    let (n_rows, n_classes) = logits.dims2()?;
    if labels.len() != n_rows {
        return Err(mismatch(CrossEntropy::NAME, "number of labels", n_rows, labels.len()));
    }
    if let Some(label) = labels.iter().find(|label| **label as usize >= n_classes) {
        return Err(mismatch(CrossEntropy::NAME, "label", format!("a class below {n_classes}"), label));
    }
    if !logits.device().is_cpu() {
        return composite::cross_entropy(logits, labels);
    }
    apply1(op, &logits.contiguous()?)
}

struct CrossEntropy {
    labels: Arc<[u32]>,
}

impl RowLoss for CrossEntropy {
    const NAME: &'static str = "cross_entropy";

    #[inline(always)]
    fn loss<T: Element>(&self, row_idx: usize, logits: &[T], _targets: &[T], weight: f64, grad: &mut [T]) -> f64 {
        let label = self.labels[row_idx] as usize;
        grad.copy_from_slice(logits);
        let exps = Exponentials::of(grad, 1.0);
        let factor = T::from_f64(weight / exps.sum);
        grad.iter_mut().for_each(|grad| *grad *= factor);
        grad[label] -= T::from_f64(weight);
        exps.log_sum() - logits[label].to_f64()
    }
}
