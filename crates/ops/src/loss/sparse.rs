//! Cross entropy with sparse soft targets: some classes one by one, all others as one bucket.

use candle_core::{Result, Tensor};

use super::batch::{BatchMean, RowLoss};
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

/// Logarithms of the sum of `exp(z / T)` over the classes that are kept, over the others, and over all.
struct LogSums {
    tail: f64,
    all: f64,
}

impl SparseSoftCrossEntropy {
    fn row(&self, row_idx: usize) -> (&[u32], &[f32], f64) {
        let kept = row_idx * self.n_kept..(row_idx + 1) * self.n_kept;
        (&self.classes[kept.clone()], &self.probs[kept], f64::from(self.tails[row_idx]))
    }

    /// Each part has its own largest logit, so that a tail far below the kept classes does not vanish.
    fn log_sums<T: Element>(&self, logits: &[T], classes: &[u32]) -> LogSums {
        let inverse = T::from_f64(1.0 / self.temperature);
        let kept = log_sum_exp(classes.iter().map(|class| logits[*class as usize] * inverse));
        let tail = log_sum_exp(Gaps::new(classes, logits.len()).flat_map(|gap| &logits[gap]).map(|z| *z * inverse));
        let (low, high) = if kept < tail { (kept, tail) } else { (tail, kept) };
        LogSums { tail, all: high + (low - high).exp().ln_1p() }
    }
}

fn log_sum_exp<T: Element>(logits: impl Iterator<Item = T> + Clone) -> f64 {
    let largest = logits.clone().fold(T::NEG_INFINITY, |largest, z| if z > largest { z } else { largest });
    let sum: f64 = logits.map(|z| (z - largest).exp().to_f64()).sum();
    if sum == 0.0 { f64::NEG_INFINITY } else { largest.to_f64() + sum.ln() }
}

/// The ranges of class numbers between the kept ones.
#[derive(Clone)]
struct Gaps<'a> {
    classes: std::slice::Iter<'a, u32>,
    start: usize,
    n_classes: usize,
}

impl<'a> Gaps<'a> {
    fn new(classes: &'a [u32], n_classes: usize) -> Self {
        Self { classes: classes.iter(), start: 0, n_classes }
    }
}

impl Iterator for Gaps<'_> {
    type Item = std::ops::Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.start > self.n_classes {
            return None;
        }
        let end = self.classes.next().map_or(self.n_classes, |class| *class as usize);
        let gap = self.start..end;
        self.start = end + 1;
        Some(gap)
    }
}

impl RowLoss for SparseSoftCrossEntropy {
    const NAME: &'static str = "sparse_soft_cross_entropy";

    fn loss<T: Element>(&self, row_idx: usize, logits: &[T], _targets: &[T]) -> f64 {
        let (classes, probs, tail) = self.row(row_idx);
        let log_sums = self.log_sums(logits, classes);
        let inverse = 1.0 / self.temperature;
        let terms = classes.iter().zip(probs).filter(|(_, p)| **p != 0.0);
        let of_kept: f64 =
            terms.map(|(class, p)| f64::from(*p) * (log_sums.all - logits[*class as usize].to_f64() * inverse)).sum();
        let of_tail = if tail == 0.0 { 0.0 } else { tail * (log_sums.all - log_sums.tail) };
        self.temperature * self.temperature * (of_kept + of_tail)
    }

    fn gradient<T: Element>(&self, row_idx: usize, logits: &[T], _targets: &[T], weight: f64, grad: &mut [T]) {
        let (classes, probs, tail) = self.row(row_idx);
        let log_sums = self.log_sums(logits, classes);
        let inverse = T::from_f64(1.0 / self.temperature);
        let mass = probs.iter().map(|p| f64::from(*p)).sum::<f64>() + tail;
        let weight = T::from_f64(weight * self.temperature);
        let all = T::from_f64(log_sums.all);
        // m s_i - t s_i / S = (m S - t) exp(z_i / T - log S), S the tail's share: exact where that share underflows
        let in_tail = T::from_f64(mass * (log_sums.tail - log_sums.all).exp() - tail) * weight;
        let of_tail = T::from_f64(log_sums.tail);
        for gap in Gaps::new(classes, logits.len()) {
            for (grad, z) in grad[gap.clone()].iter_mut().zip(&logits[gap]) {
                *grad = in_tail * (*z * inverse - of_tail).exp();
            }
        }
        let mass = T::from_f64(mass);
        for (class, p) in classes.iter().zip(probs) {
            let class = *class as usize;
            grad[class] = weight * (mass * (logits[class] * inverse - all).exp() - T::from_f64(f64::from(*p)));
        }
    }
}
