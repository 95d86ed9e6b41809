//! Cross entropy of standardised logits at a temperature: distillation that compares the shape of two logit vectors.
//!
//! Shapes: `B` examples, `C` classes.

use candle_core::{Result, Tensor};

use super::batch::{BatchMean, Exponentials, RowLoss};
use super::soft::SoftCrossEntropy;
use crate::composite;
use crate::element::Element;
use crate::shape::{expect_positive_number, expect_same_kind, expect_shape};
use crate::tape::apply2;
use crate::vector::{sum, sum_pairs};

/// Added to the variance of a row. Logits that are all equal have none, and their z-scores would be 0 / 0; a last layer
/// that starts near zero has little, and the gradient is divided by the deviation.
pub(crate) const MIN_VARIANCE: f64 = 1e-6;

/// `T^2 mean_b(- sum_i p_bi log softmax(Z(z_b) / T)_i)` with `p_b = softmax(Z(v_b) / T)`, for logits `z [B, C]` and a
/// teacher's logits `v [B, C]`.
///
/// `Z(x) = (x - mean(x)) / sqrt(variance(x) + 1e-6)` standardises a row over its classes. Sun, Ren, Li, Wang and Cao 2024,
/// "Logit Standardization in Knowledge Distillation": the student learns the teacher's relations between the classes, and
/// neither the mean nor the deviation of its logits. Log-probabilities serve as the teacher's logits, because a number
/// that is added to a row changes no z-score. The paper has the KL divergence, which differs by the teacher's entropy and
/// has the same gradient.
///
/// With `g = T (softmax(Z(z) / T) - p) / B`, the gradient of the logits is
/// `(g - Z(z) mean(g Z(z))) / sqrt(variance(z) + 1e-6)`, through the mean and the deviation of the row.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit, or a temperature that is not above 0.
pub fn standardised_soft_cross_entropy(logits: &Tensor, teacher_logits: &Tensor, temperature: f64) -> Result<Tensor> {
    const NAME: &str = StandardisedSoftCrossEntropy::NAME;
    let op = BatchMean::new(logits, StandardisedSoftCrossEntropy { soft: SoftCrossEntropy { temperature } })?;
    expect_shape(NAME, "teacher logits", teacher_logits, logits.dims())?;
    expect_same_kind(NAME, logits, &[("teacher logits", teacher_logits)])?;
    expect_positive_number(NAME, "temperature", temperature)?;
    let teacher_logits = teacher_logits.detach();
    if !logits.device().is_cpu() {
        return composite::standardised_soft_cross_entropy(logits, &teacher_logits, temperature);
    }
    apply2(op, &logits.contiguous()?, &teacher_logits.contiguous()?)
}

struct StandardisedSoftCrossEntropy {
    soft: SoftCrossEntropy,
}

impl RowLoss for StandardisedSoftCrossEntropy {
    const NAME: &'static str = "standardised_soft_cross_entropy";

    #[inline(always)]
    fn loss<T: Element>(&self, row_idx: usize, logits: &[T], targets: &[T], weight: f64, grad: &mut [T]) -> f64 {
        let mut probs = targets.to_vec();
        standardise(&mut probs);
        let exps = Exponentials::of(&mut probs, self.soft.temperature);
        let share = T::rounded(1.0 / exps.sum);
        probs.iter_mut().for_each(|p| *p *= share);

        let mut scores = logits.to_vec();
        let deviation = standardise(&mut scores);
        let loss = self.soft.loss(row_idx, &scores, &probs, weight, grad);
        // the mean of this gradient is 0, since it is the difference of two distributions: only its part along the
        // scores is lost
        let along_scores = sum_pairs(grad, &scores, |g, score| g.widened() * score.widened()) / scores.len() as f64;
        let (along_scores, inverse) = (T::rounded(along_scores), T::rounded(1.0 / deviation));
        grad.iter_mut().zip(&scores).for_each(|(g, score)| *g = (*g - *score * along_scores) * inverse);
        loss
    }
}

/// Replaces a row by its z-scores; returns the deviation.
#[inline(always)]
fn standardise<T: Element>(row: &mut [T]) -> f64 {
    let n_classes = row.len() as f64;
    let mean = sum(row, |value| value.widened()) / n_classes;
    let variance = sum(row, |value| (value.widened() - mean).powi(2)) / n_classes;
    let deviation = (variance + MIN_VARIANCE).sqrt();
    row.iter_mut().for_each(|value| *value = T::rounded((value.widened() - mean) / deviation));
    deviation
}
