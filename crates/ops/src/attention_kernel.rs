//! Loops of attention, one text after the other and one head after the other; texts are spread over threads.
//!
//! The queries, keys and values of one head are copied out first, `[L, D]` each: the copies are small, and the matrix
//! products then read contiguous rows.
//!
//! Shapes: `L` tokens of the text, `W` width, `H` heads, `D` width of a head.

use crate::attention::{Attention, mask_len};
use crate::dropout::Mask;
use crate::element::Element;
use crate::lane_sums::{sum_of, sum_of_two};
use crate::matmul::{Matrix, multiply};
use crate::parallel::for_each_part;
use crate::vector::{at_full_width, inlined, largest};

/// `[N, 3 W]` to `[N, W]`.
pub(crate) fn forward<T: Element>(projections: &[T], attention: &Attention) -> Vec<T> {
    let (rows, width, head_width) = (&attention.rows, attention.width(), attention.head_width);
    let mask_starts = attention.mask_starts();
    let mut outputs = vec![T::ZERO; rows.ids().len() * width];
    let lengths = (0..rows.n_rows()).map(|row| rows.range(row).len() * width);
    for_each_part(&mut outputs, lengths, |row, output| {
        let range = rows.range(row);
        let text = &projections[range.start * 3 * width..range.end * 3 * width];
        let mut head = Head::new(range.len(), head_width);
        let mut mixed = vec![T::ZERO; range.len() * head_width];
        for head_idx in 0..attention.n_heads {
            head.load(text, head_idx, attention);
            head.attend();
            head.drop_weights(attention.mask.as_ref(), mask_starts[row] + head_idx * mask_len(range.len()));
            multiply(&mut mixed, head.weights(), head.values());
            store(&mixed, output, width, head_idx * head_width, head_width);
        }
    });
    outputs
}

/// Gradients `[N, W]` to gradients `[N, 3 W]`.
pub(crate) fn backward<T: Element>(grad: &[T], projections: &[T], attention: &Attention) -> Vec<T> {
    let (rows, width) = (&attention.rows, attention.width());
    let mask_starts = attention.mask_starts();
    let mut grads = vec![T::ZERO; projections.len()];
    let lengths = (0..rows.n_rows()).map(|row| rows.range(row).len() * 3 * width);
    for_each_part(&mut grads, lengths, |row, text_grad| {
        let range = rows.range(row);
        let text = &projections[range.start * 3 * width..range.end * 3 * width];
        let grad = &grad[range.start * width..range.end * width];
        let mut head = Head::new(range.len(), attention.head_width);
        let mut scratch = Scratch::new(range.len(), attention.head_width);
        for head_idx in 0..attention.n_heads {
            head.load(text, head_idx, attention);
            head.attend();
            let mask_start = mask_starts[row] + head_idx * mask_len(range.len());
            scratch.backward(&mut head, grad, head_idx, attention, mask_start);
            scratch.store(text_grad, head_idx, attention);
        }
    });
    grads
}

/// One head of one text.
struct Head<T> {
    len: usize,
    head_width: usize,
    /// `[L, D]` each; queries are scaled by `1 / sqrt(D)`
    queries: Vec<T>,
    keys: Vec<T>,
    values: Vec<T>,
    /// `[L, L]`, rows sum to 1
    weights: Vec<T>,
}

impl<T: Element> Head<T> {
    fn new(len: usize, head_width: usize) -> Self {
        let vectors = vec![T::ZERO; len * head_width];
        let (queries, keys) = (vectors.clone(), vectors.clone());
        Self { len, head_width, queries, keys, values: vectors, weights: vec![T::ZERO; len * len] }
    }

    /// Copies the head out of `text [L, 3 W]`.
    fn load(&mut self, text: &[T], head_idx: usize, attention: &Attention) {
        let (width, start) = (attention.width(), head_idx * self.head_width);
        let parts = [&mut self.queries, &mut self.keys, &mut self.values];
        for (nth, part) in parts.into_iter().enumerate() {
            load(text, part, 3 * width, nth * width + start, self.head_width);
        }
        if let Some(rotary) = &attention.rotary {
            rotary.turn(&mut self.queries);
            rotary.turn(&mut self.keys);
        }
        let scale = T::rounded(attention.scale());
        self.queries.iter_mut().for_each(|query| *query *= scale);
    }

    /// `weights = softmax(queries keys^T)`.
    fn attend(&mut self) {
        let queries = Matrix::row_major(&self.queries, self.len, self.head_width);
        let keys = Matrix::row_major(&self.keys, self.len, self.head_width);
        multiply(&mut self.weights, queries, keys.transposed());
        let weights = self.weights.chunks_exact_mut(self.len.max(1));
        at_full_width(inlined!(|| {
            for row in weights {
                softmax(row);
            }
        }));
    }

    fn drop_weights(&mut self, mask: Option<&Mask>, start: usize) {
        if let Some(mask) = mask {
            at_full_width(inlined!(|| mask.apply_at(start, &mut self.weights)));
        }
    }

    fn weights(&self) -> Matrix<'_, T> {
        Matrix::row_major(&self.weights, self.len, self.len)
    }

    fn values(&self) -> Matrix<'_, T> {
        Matrix::row_major(&self.values, self.len, self.head_width)
    }
}

#[inline(always)]
fn softmax<T: Element>(row: &mut [T]) {
    let max = largest(row);
    for logit in row.iter_mut() {
        *logit = Element::exp(*logit - max);
    }
    let factor = T::ONE / sum_of(row, |value| value);
    row.iter_mut().for_each(|value| *value *= factor);
}

/// Gradients of one head, and what they are made of.
struct Scratch<T> {
    /// `[L, D]` each
    outputs: Vec<T>,
    queries: Vec<T>,
    keys: Vec<T>,
    values: Vec<T>,
    /// `[L, L]`
    weights: Vec<T>,
}

impl<T: Element> Scratch<T> {
    fn new(len: usize, head_width: usize) -> Self {
        let vectors = vec![T::ZERO; len * head_width];
        let [outputs, queries, keys] = [0; 3].map(|_| vectors.clone());
        Self { outputs, queries, keys, values: vectors, weights: vec![T::ZERO; len * len] }
    }

    /// With weights `P`, mask `M` and output gradient `G`: `dV = (P M)^T G`, `dP = (G V^T) M`, the softmax's
    /// `dS = P (dP - rowsum(P dP))`, `dQ = dS K`, `dK = dS^T Q`.
    fn backward(&mut self, head: &mut Head<T>, grad: &[T], head_idx: usize, attention: &Attention, mask_start: usize) {
        let (len, head_width) = (head.len, head.head_width);
        load(grad, &mut self.outputs, attention.width(), head_idx * head_width, head_width);
        let outputs = Matrix::row_major(&self.outputs, len, head_width);
        multiply(&mut self.weights, outputs, head.values().transposed());
        match &attention.mask {
            None => multiply(&mut self.values, head.weights().transposed(), outputs),
            Some(mask) => {
                at_full_width(inlined!(|| mask.apply_at(mask_start, &mut self.weights)));
                let mut dropped = head.weights.clone();
                at_full_width(inlined!(|| mask.apply_at(mask_start, &mut dropped)));
                multiply(&mut self.values, Matrix::row_major(&dropped, len, len).transposed(), outputs);
            }
        }
        let rows = self.weights.chunks_exact_mut(len.max(1)).zip(head.weights.chunks_exact(len.max(1)));
        at_full_width(inlined!(|| {
            for (grads, weights) in rows {
                softmax_backward(grads, weights);
            }
        }));
        let logit_grads = Matrix::row_major(&self.weights, len, len);
        multiply(&mut self.queries, logit_grads, Matrix::row_major(&head.keys, len, head_width));
        multiply(&mut self.keys, logit_grads.transposed(), Matrix::row_major(&head.queries, len, head_width));
        let scale = T::rounded(attention.scale());
        self.queries.iter_mut().for_each(|query| *query *= scale);
        if let Some(rotary) = &attention.rotary {
            rotary.turn_back(&mut self.queries);
            rotary.turn_back(&mut self.keys);
        }
    }

    /// Writes the head's columns of `text_grad [L, 3 W]`.
    fn store(&self, text_grad: &mut [T], head_idx: usize, attention: &Attention) {
        let (width, head_width) = (attention.width(), attention.head_width);
        for (nth, part) in [&self.queries, &self.keys, &self.values].into_iter().enumerate() {
            store(part, text_grad, 3 * width, nth * width + head_idx * head_width, head_width);
        }
    }
}

#[inline(always)]
fn softmax_backward<T: Element>(grads: &mut [T], weights: &[T]) {
    let mean = sum_of_two(grads, weights, |grad, weight| grad * weight);
    grads.iter_mut().zip(weights).for_each(|(grad, weight)| *grad = *weight * (*grad - mean));
}

/// Copies columns `start..start + part_width` of a matrix of `width` columns.
fn load<T: Element>(matrix: &[T], part: &mut [T], width: usize, start: usize, part_width: usize) {
    for (part, row) in part.chunks_exact_mut(part_width).zip(matrix.chunks_exact(width)) {
        part.copy_from_slice(&row[start..start + part_width]);
    }
}

/// The way back of [`load`].
fn store<T: Element>(part: &[T], matrix: &mut [T], width: usize, start: usize, part_width: usize) {
    for (part, row) in part.chunks_exact(part_width).zip(matrix.chunks_exact_mut(width)) {
        row[start..start + part_width].copy_from_slice(part);
    }
}
