//! Decoupled distillation: the target class against all others, and the others among themselves, each with its weight.
//!
//! Shapes: `B` examples, `C` classes.

use candle_core::{Result, Tensor};

use super::batch::{BatchMean, Exponentials, RowLoss};
use super::sparse::log_add;
use crate::composite;
use crate::element::Element;
use crate::shape::{expect_positive_number, expect_same_kind, expect_shape, mismatch};
use crate::tape::apply2;
use crate::vector::{sum, sum_pairs};

/// Settings of [`decoupled_cross_entropy`].
#[derive(Clone, Copy, Debug)]
pub struct Decoupled {
    /// Both sides are softened with it.
    pub temperature: f64,
    /// Weight of the target class against all others (the paper's alpha).
    pub target_weight: f64,
    /// Weight of the other classes among themselves (the paper's beta).
    pub non_target_weight: f64,
}

/// `T^2 mean_b(target_weight * target_b + non_target_weight * non_target_b)` for logits `z [B, C]`, targets `p [B, C]`
/// that are already softened at the temperature `T`, and the target class `t` of each example.
///
/// With `s = softmax(z / T)`, `target = - p_t log s_t - (1 - p_t) log(1 - s_t)` and
/// `non_target = - sum_{i != t} p_i / (1 - p_t) log(s_i / (1 - s_t))`. Zhao, Cui, Song, Qiu and Liang 2022, "Decoupled
/// Knowledge Distillation", section 3: [`soft_cross_entropy`](super::soft_cross_entropy) is
/// `target + (1 - p_t) non_target`, so that the other classes hardly count where the teacher is sure of the target class.
/// The paper has KL divergences, which differ by the teacher's entropies and have the same gradient. Where a target has
/// no mass but on the target class, it says nothing of the others, and `non_target` is 0.
///
/// With `m = s_i / (1 - s_t)` and `r = p_i / (1 - p_t)`, the gradient of the logits is `T / B` times
/// `target_weight (s_t - p_t)` for the target class, and for another one
/// `non_target_weight (m - r) - target_weight (s_t - p_t) m`.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit; another number of target classes than rows, a target class that is not
/// below `C`, a single class, a temperature that is not above 0.
pub fn decoupled_cross_entropy(
    logits: &Tensor,
    target_probs: &Tensor,
    target_classes: &[u32],
    settings: Decoupled,
) -> Result<Tensor> {
    const NAME: &str = DecoupledCrossEntropy::NAME;
    let op = BatchMean::new(logits, DecoupledCrossEntropy { target_classes: target_classes.to_vec(), settings })?;
    let (n_rows, n_classes) = logits.dims2()?;
    expect_shape(NAME, "target probabilities", target_probs, logits.dims())?;
    expect_same_kind(NAME, logits, &[("target probabilities", target_probs)])?;
    expect_positive_number(NAME, "temperature", settings.temperature)?;
    if n_classes < 2 {
        return Err(mismatch(NAME, "classes", "at least 2", n_classes));
    }
    if target_classes.len() != n_rows {
        return Err(mismatch(NAME, "number of target classes", n_rows, target_classes.len()));
    }
    if let Some(class) = target_classes.iter().find(|class| **class as usize >= n_classes) {
        return Err(mismatch(NAME, "target class", format!("a class below {n_classes}"), class));
    }
    let target_probs = target_probs.detach();
    if !logits.device().is_cpu() {
        return composite::decoupled_cross_entropy(logits, &target_probs, target_classes, settings);
    }
    apply2(op, &logits.contiguous()?, &target_probs.contiguous()?)
}

struct DecoupledCrossEntropy {
    target_classes: Vec<u32>,
    settings: Decoupled,
}

impl RowLoss for DecoupledCrossEntropy {
    const NAME: &'static str = "decoupled_cross_entropy";

    #[inline(always)]
    fn loss<T: Element>(&self, row_idx: usize, logits: &[T], targets: &[T], weight: f64, grad: &mut [T]) -> f64 {
        let Decoupled { temperature, target_weight, non_target_weight } = self.settings;
        let (target_class, inverse) = (self.target_classes[row_idx] as usize, 1.0 / temperature);
        let (z_target, p_target) = (logits[target_class].widened() * inverse, targets[target_class].widened());
        let mut others = targets.to_vec();
        others[target_class] = T::ZERO;
        // summed, and not 1 - p_t, which would be rounding noise where the teacher is sure
        let p_others = sum(&others, |p| p.widened());
        let (inverse_mass, non_target_weight) =
            if p_others == 0.0 { (0.0, 0.0) } else { (1.0 / p_others, non_target_weight) };

        // the others have their own largest logit, so that they do not vanish where the student is sure
        grad.copy_from_slice(logits);
        grad[target_class] = T::NEG_INFINITY;
        let exps = Exponentials::of(grad, temperature);
        let log_others = exps.log_sum();
        let log_all = log_add(log_others, z_target);
        let term = |p: f64, log_share: f64| if p == 0.0 { 0.0 } else { -p * log_share };
        let target = term(p_target, z_target - log_all) + term(p_others, log_others - log_all);
        let non_target = sum_pairs(logits, &others, |z, p| term(p.widened(), z.widened() * inverse - log_others));

        let weight = weight * temperature;
        let excess = (p_target + p_others) * (z_target - log_all).exp() - p_target;
        let of_student = T::rounded(weight * (non_target_weight - target_weight * excess) / exps.sum);
        let of_teacher = weight * non_target_weight * inverse_mass;
        for (grad, p) in grad.iter_mut().zip(&others) {
            *grad = *grad * of_student - T::rounded(p.widened() * of_teacher);
        }
        grad[target_class] = T::rounded(weight * target_weight * excess);
        temperature * temperature * (target_weight * target + non_target_weight * inverse_mass * non_target)
    }
}
