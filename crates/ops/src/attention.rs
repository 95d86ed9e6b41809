//! Multi-head self-attention over rows of tokens (Vaswani et al. 2017), forward and backward in one operation each.
//!
//! Shapes: `B` texts, `N` tokens of all texts, `L` tokens of one, `W` width, `H` heads, `D = W / H` width of a head.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::attention_kernel::{backward, forward};
use crate::composite;
use crate::dropout::{DropoutKey, Mask};
use crate::element::with_element;
use crate::rotary::Rotary;
use crate::shape::{expect_matrix, expect_shape, mismatch};
use crate::storage::{Elements, output, slice, tensor};
use crate::tape::apply1;
use crate::token_input::TokenRows;

const NAME: &str = "self_attention";

/// The settings of [`self_attention`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionConfig {
    /// number of heads, a divisor of the width
    pub n_heads: usize,
    /// queries and keys are rotated by their position in the text (Su et al. 2021); an even width of a head
    pub rotary: bool,
    /// probability of dropping an attention weight, and the key of the mask; none in evaluation
    pub dropout: Option<(f64, DropoutKey)>,
}

/// `softmax(Q K^T / sqrt(D)) V` for every head of every text, `[N, W]`.
///
/// A row of `projections [N, 3 W]` is the query, the key and the value of one token, each of `H` heads of `D`. `rows`
/// gives the tokens of each text, and a token attends to the tokens of its own text only. The attention weights are
/// computed again in the backward pass: nothing of size `L x L` is kept.
///
/// # Errors
/// Projections that are not `[N, 3 W]`, a `W` that is no multiple of the number of heads, an odd width of a rotated
/// head, or a dropout probability that is not at least 0 and below 1.
pub fn self_attention(projections: &Tensor, rows: &TokenRows, config: AttentionConfig) -> Result<Tensor> {
    let (n_tokens, triple) = expect_matrix(NAME, "projections", projections)?;
    expect_shape(NAME, "projections", projections, &[rows.ids().len(), triple])?;
    let AttentionConfig { n_heads, rotary, dropout } = config;
    let parts = if rotary { 6 * n_heads } else { 3 * n_heads };
    if n_heads == 0 || !triple.is_multiple_of(parts) || triple == 0 {
        let expected = format!("a multiple of 3 x {n_heads} heads{}", if rotary { " of even width" } else { "" });
        return Err(mismatch(NAME, "columns of projections", expected, triple));
    }
    if let Some((probability, _)) = dropout
        && !(0.0..1.0).contains(&probability)
    {
        return Err(mismatch(NAME, "dropout probability", "at least 0 and below 1", probability));
    }
    let attention = Attention::new(config, triple / 3 / n_heads, rows);
    if n_tokens == 0 {
        return Tensor::zeros((0, triple / 3), projections.dtype(), projections.device());
    }
    if !projections.device().is_cpu() {
        return composite::self_attention(projections, &attention);
    }
    apply1(attention, &projections.contiguous()?)
}

/// A checked attention over given texts.
pub(crate) struct Attention {
    pub(crate) n_heads: usize,
    pub(crate) head_width: usize,
    pub(crate) rotary: Option<Rotary>,
    pub(crate) mask: Option<Mask>,
    pub(crate) rows: TokenRows,
}

impl Attention {
    pub(crate) fn new(config: AttentionConfig, head_width: usize, rows: &TokenRows) -> Self {
        let mask = config.dropout.filter(|(probability, _)| *probability > 0.0).map(|(p, key)| Mask::new(p, key));
        let rotary = config.rotary.then(|| Rotary::new(rows.longest(), head_width));
        Self { n_heads: config.n_heads, head_width, rotary, mask, rows: rows.clone() }
    }

    pub(crate) fn width(&self) -> usize {
        self.n_heads * self.head_width
    }

    /// `1 / sqrt(D)`.
    pub(crate) fn scale(&self) -> f64 {
        1.0 / (self.head_width as f64).sqrt()
    }

    /// Where the dropout mask of each text starts: every one of its `H` matrices `L x L` has a stretch of its own.
    pub(crate) fn mask_starts(&self) -> Vec<usize> {
        let mut next = 0;
        let starts = (0..self.rows.n_rows()).map(|row| {
            let start = next;
            next += self.n_heads * mask_len(self.rows.range(row).len());
            start
        });
        starts.collect()
    }
}

/// Elements of the mask of one head of a text of `len` tokens: even, since masks are drawn in pairs.
pub(crate) fn mask_len(len: usize) -> usize {
    (len * len).next_multiple_of(2)
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, projections: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        with_element!(projections.dtype(), NAME, T => {
            let values = forward(slice::<T>(projections, layout)?, self);
            Ok(output(values, (layout.dims()[0], self.width())))
        })
    }

    fn bwd(&self, projections: &Tensor, _result: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        with_element!(grad.dtype(), NAME, T => {
            let (grads, values) = (Elements::<T>::of(&grad)?, Elements::<T>::of(projections)?);
            Ok(Some(tensor(backward(&grads, &values, self), projections.shape().clone())?))
        })
    }
}
