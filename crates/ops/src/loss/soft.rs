//! Cross entropy with soft targets at a temperature: the loss of distillation.
//!
//! Shapes: `B` examples, `C` classes.

use candle_core::{Result, Tensor};

use super::batch::{BatchMean, Exponentials, RowLoss};
use crate::composite;
use crate::element::Element;
use crate::shape::{expect_positive_number, expect_same_kind, expect_shape};
use crate::tape::apply2;
use crate::vector::{sum, sum_pairs};

/// `T^2 mean_b(- sum_i p_bi log softmax(z_b / T)_i)` for logits `z [B, C]` and targets `p [B, C]`.
///
/// Hinton, Vinyals and Dean 2015, section 2, equation 2: with targets already softened at the same temperature `T`, the
/// gradient of the logits is `T (softmax(z / T) - p) / B`. Without the factor `T^2` it would shrink as `1 / T`, and the
/// balance with a hard-label loss would change with the temperature. Targets need not sum to 1; the gradient then has
/// `softmax(z / T) sum(p)` in place of `softmax(z / T)`.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit, or a temperature that is not above 0.
pub fn soft_cross_entropy(logits: &Tensor, target_probs: &Tensor, temperature: f64) -> Result<Tensor> {
    let op = BatchMean::new(logits, SoftCrossEntropy { temperature })?;
    expect_shape(SoftCrossEntropy::NAME, "target probabilities", target_probs, logits.dims())?;
    expect_same_kind(SoftCrossEntropy::NAME, logits, &[("target probabilities", target_probs)])?;
    expect_positive_number(SoftCrossEntropy::NAME, "temperature", temperature)?;
    let target_probs = target_probs.detach();
    if !logits.device().is_cpu() {
        return composite::soft_cross_entropy(logits, &target_probs, temperature);
    }
    apply2(op, &logits.contiguous()?, &target_probs.contiguous()?)
}

pub(super) struct SoftCrossEntropy {
    pub(super) temperature: f64,
}

impl RowLoss for SoftCrossEntropy {
    const NAME: &'static str = "soft_cross_entropy";

    #[inline(always)]
    fn loss<T: Element>(&self, _row_idx: usize, logits: &[T], targets: &[T], weight: f64, grad: &mut [T]) -> f64 {
        grad.copy_from_slice(logits);
        let exps = Exponentials::of(grad, self.temperature);
        let (log_sum, inverse) = (exps.log_sum(), 1.0 / self.temperature);
        let cross_entropy = sum_pairs(logits, targets, |z, p| {
            // a logit of minus infinity costs nothing where the target has no mass
            if p == T::ZERO { 0.0 } else { p.widened() * (log_sum - z.widened() * inverse) }
        });
        let mass = sum(targets, |p| p.widened());
        let (weight, share) = (T::rounded(weight * self.temperature), T::rounded(mass / exps.sum));
        grad.iter_mut().zip(targets).for_each(|(grad, p)| *grad = weight * (share * *grad - *p));
        self.temperature * self.temperature * cross_entropy
    }
}
