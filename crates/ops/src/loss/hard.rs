//! Cross entropy with hard labels.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::batch::{BatchMean, RowLoss, log_sum_exp};
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

    fn loss<T: Element>(&self, row_idx: usize, logits: &[T], _targets: &[T]) -> f64 {
        log_sum_exp(logits, 1.0) - logits[self.labels[row_idx] as usize].to_f64()
    }

    fn gradient<T: Element>(&self, row_idx: usize, logits: &[T], _targets: &[T], weight: f64, grad: &mut [T]) {
        let log_sum = T::from_f64(log_sum_exp(logits, 1.0));
        let weight = T::from_f64(weight);
        grad.iter_mut().zip(logits).for_each(|(grad, z)| *grad = weight * (*z - log_sum).exp());
        grad[self.labels[row_idx] as usize] -= weight;
    }
}
