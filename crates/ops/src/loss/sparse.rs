//! Cross entropy with sparse soft targets: some classes one by one, all others as one bucket.
//!
//! Shapes: `B` examples, `C` classes, `k` of them kept in each row.

use candle_core::{Result, Tensor};

use super::batch::{BatchMean, Exponentials, RowLoss};
use crate::composite;
use crate::element::Element;
use crate::shape::{expect_positive_number, mismatch};
use crate::tape::apply1;

/// Targets of a batch over `k + 1` buckets: `k` classes of each row, and the rest as one.
#[derive(Clone, Copy, Debug)]
pub struct SparseTargets<'a> {
    /// Class numbers `[B, k]`, ascending in each row.
    pub classes: &'a [u32],
    /// Their probabilities `[B, k]`.
    pub probs: &'a [f32],
    /// The mass of all other classes together, `[B]`.
    pub tails: &'a [f32],
}

/// `T^2 mean_b(- sum_kept p_bi log s_bi - t_b log sum_tail s_bi)` with `s_b = softmax(z_b / T)`, for logits `z [B, C]`.
///
/// The cross entropy of Hinton, Vinyals and Dean 2015, section 2, equation 2, over the `k + 1` buckets that the targets
/// distinguish; with `k = C` it is [`soft_cross_entropy`](super::soft_cross_entropy). Inside the tail the targets say
/// nothing, so the student keeps its own proportions there. The gradient of the logits is `T / B` times `s_i m - p_i`
/// for a kept class and `s_i m - t s_i / sum_tail s` for another one, `m` being the targets' mass, 1 as a rule.
///
/// # Errors
/// Logits that are no matrix, targets that do not fit it, or a temperature that is not above 0.
pub fn sparse_soft_cross_entropy(logits: &Tensor, targets: SparseTargets<'_>, temperature: f64) -> Result<Tensor> {
    let SparseTargets { classes, probs, tails } = targets;
    let n_kept = classes.len() / tails.len().max(1);
    let row_loss = SparseSoftCrossEntropy {
        temperature,
        n_kept,
        classes: classes.to_vec(),
        probs: probs.to_vec(),
        tails: tails.to_vec(),
    };
    let op = BatchMean::new(logits, row_loss)?;
    let (n_rows, n_classes) = logits.dims2()?;
    const NAME: &str = SparseSoftCrossEntropy::NAME;
    let counts = [
        ("number of tail masses", tails.len(), n_rows),
        ("number of class numbers", classes.len(), n_rows * n_kept),
        ("number of target probabilities", probs.len(), classes.len()),
    ];
    if let Some((what, got, expected)) = counts.into_iter().find(|(_, got, expected)| got != expected) {
        return Err(mismatch(NAME, what, expected, got));
    }
    expect_positive_number(NAME, "temperature", temperature)?;
    if n_kept > 0 {
        for (row_idx, row) in classes.chunks_exact(n_kept).enumerate() {
            let is_below = row.last().is_none_or(|class| (*class as usize) < n_classes);
            if !is_below || !row.is_sorted_by(|a, b| a < b) {
                let expected = format!("ascending, below {n_classes}");
                return Err(mismatch(NAME, &format!("class numbers of row {row_idx}"), expected, row));
            }
        }
    }
    if !logits.device().is_cpu() {
        return composite::sparse_soft_cross_entropy(logits, targets, temperature);
    }
    apply1(op, &logits.contiguous()?)
}

struct SparseSoftCrossEntropy {
    temperature: f64,
    n_kept: usize,
    classes: Vec<u32>,
    probs: Vec<f32>,
    tails: Vec<f32>,
}

impl SparseSoftCrossEntropy {
    fn row(&self, row_idx: usize) -> (&[u32], &[f32], f64) {
        let kept = row_idx * self.n_kept..(row_idx + 1) * self.n_kept;
        (&self.classes[kept.clone()], &self.probs[kept], f64::from(self.tails[row_idx]))
    }

    /// `log sum exp(z / T)` over the kept classes; minus infinity if there are none.
    #[inline(always)]
    fn log_sum_of_kept<T: Element>(&self, logits: &[T], classes: &[u32]) -> f64 {
        let scaled = || classes.iter().map(|class| logits[*class as usize].widened() / self.temperature);
        let largest = scaled().fold(f64::NEG_INFINITY, f64::max);
        if classes.is_empty() { largest } else { largest + scaled().map(|z| (z - largest).exp()).sum::<f64>().ln() }
    }
}

impl RowLoss for SparseSoftCrossEntropy {
    const NAME: &'static str = "sparse_soft_cross_entropy";

    #[inline(always)]
    fn loss<T: Element>(&self, row_idx: usize, logits: &[T], _targets: &[T], weight: f64, grad: &mut [T]) -> f64 {
        let (classes, probs, tail) = self.row(row_idx);
        // each part has its own largest logit, so that a tail far below the kept classes does not vanish
        grad.copy_from_slice(logits);
        classes.iter().for_each(|class| grad[*class as usize] = T::NEG_INFINITY);
        let exps = Exponentials::of(grad, self.temperature);
        let has_tail = classes.len() < logits.len();
        let log_tail = if has_tail { exps.log_sum() } else { f64::NEG_INFINITY };
        let log_kept = self.log_sum_of_kept(logits, classes);
        let log_all = log_add(log_tail, log_kept);

        let mass = probs.iter().map(|p| f64::from(*p)).sum::<f64>() + tail;
        let weight = weight * self.temperature;
        // m s_i - t s_i / S = (m S - t) exp(z_i / T - log S), S the tail's share: exact where that share underflows
        let of_tail = T::rounded((mass * (log_tail - log_all).exp() - tail) * weight / exps.sum);
        grad.iter_mut().for_each(|grad| *grad *= of_tail);

        let mut loss = if tail == 0.0 { 0.0 } else { tail * (log_all - log_tail) };
        for (class, p) in classes.iter().zip(probs) {
            let log_share = logits[*class as usize].widened() / self.temperature - log_all;
            let p = f64::from(*p);
            grad[*class as usize] = T::rounded(weight * (mass * log_share.exp() - p));
            loss -= if p == 0.0 { 0.0 } else { p * log_share };
        }
        self.temperature * self.temperature * loss
    }
}

/// `log(exp(a) + exp(b))`.
#[inline(always)]
pub(super) fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    high + (low - high).exp().ln_1p()
}
