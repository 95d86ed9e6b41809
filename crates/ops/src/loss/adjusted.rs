//! Cross entropy with hard labels, with a weight for each class, logits that are moved by a constant, and smoothed labels.
//!
//! Shapes: `B` examples, `C` classes.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::batch::{BatchMean, Exponentials, RowLoss};
use super::hard::{NO_LABEL, check_labels};
use crate::composite;
use crate::element::Element;
use crate::shape::mismatch;
use crate::tape::apply1;
use crate::vector::sum;

/// What changes the cross entropy with hard labels. The default changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelTerms {
    /// Weight of an example's loss by its label, `[C]`.
    pub class_weights: Option<Arc<[f64]>>,
    /// Added to the logits of every example, in nats, `[C]`.
    pub logit_shifts: Option<Arc<[f64]>>,
    /// Mass that is taken from the label and spread evenly over all classes, from 0 to below 1.
    pub smoothing: f64,
}

/// `mean_b(- w[y_b] sum_c q_bc log softmax(z_b + shift)_c)` for logits `z [B, C]` and labels `y`, with the target
/// `q_b = (1 - smoothing) onehot(y_b) + smoothing / C`; the loss of an example with [`NO_LABEL`] is zero. The mean is over
/// the `B` examples, not over the sum of their weights.
///
/// Class weights: Cui et al. 2019 (arXiv:1901.05555). Shifts: logit adjustment, Menon et al. 2021 (arXiv:2007.07314).
/// Smoothing: Szegedy et al. 2016 (arXiv:1512.00567).
///
/// The gradient of the logits is `w[y_b] (softmax(z_b + shift) - q_b) / B`.
///
/// # Errors
/// As [`cross_entropy`](super::cross_entropy); tables of another length than `C`, or a smoothing outside `0..1`.
pub fn adjusted_cross_entropy(logits: &Tensor, labels: &[u32], terms: &LabelTerms) -> Result<Tensor> {
    let op = BatchMean::new(logits, AdjustedCrossEntropy { labels: labels.into(), terms: terms.clone() })?;
    let (n_rows, n_classes) = logits.dims2()?;
    check_labels(AdjustedCrossEntropy::NAME, labels, n_rows, n_classes)?;
    for (what, table) in [("class weights", &terms.class_weights), ("logit shifts", &terms.logit_shifts)] {
        if let Some(table) = table.as_ref().filter(|table| table.len() != n_classes) {
            return Err(mismatch(AdjustedCrossEntropy::NAME, what, n_classes, table.len()));
        }
    }
    if !(0.0..1.0).contains(&terms.smoothing) {
        return Err(mismatch(AdjustedCrossEntropy::NAME, "smoothing", "at least 0 and below 1", terms.smoothing));
    }
    if !logits.device().is_cpu() {
        return composite::adjusted_cross_entropy(logits, labels, terms);
    }
    apply1(op, &logits.contiguous()?)
}

struct AdjustedCrossEntropy {
    labels: Arc<[u32]>,
    terms: LabelTerms,
}

impl RowLoss for AdjustedCrossEntropy {
    const NAME: &'static str = "adjusted_cross_entropy";

    #[inline(always)]
    fn loss<T: Element>(&self, row_idx: usize, logits: &[T], _targets: &[T], weight: f64, grad: &mut [T]) -> f64 {
        if self.labels[row_idx] == NO_LABEL {
            grad.fill(T::ZERO);
            return 0.0;
        }
        let label = self.labels[row_idx] as usize;
        let class_weight = self.terms.class_weights.as_ref().map_or(1.0, |weights| weights[label]);
        let weight = weight * class_weight;
        grad.copy_from_slice(logits);
        if let Some(shifts) = &self.terms.logit_shifts {
            grad.iter_mut().zip(shifts.iter()).for_each(|(z, shift)| *z += T::rounded(*shift));
        }
        let smoothing = self.terms.smoothing;
        let (of_label, mean) = (grad[label].widened(), sum(grad, |z| z.widened()) / grad.len() as f64);
        let exps = Exponentials::of(grad, 1.0);
        let (factor, spread) = (T::rounded(weight / exps.sum), T::rounded(weight * smoothing / grad.len() as f64));
        grad.iter_mut().for_each(|grad| *grad = *grad * factor - spread);
        grad[label] -= T::rounded(weight * (1.0 - smoothing));
        class_weight * (exps.log_sum() - (1.0 - smoothing) * of_label - smoothing * mean)
    }
}
