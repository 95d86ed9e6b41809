//! Pooling of tokens: one vector for each text, the mean or the first of the vectors of its tokens.
//!
//! Shapes: `B` texts, `N` tokens of all texts, `W` width.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::composite;
use crate::element::{Element, with_element};
use crate::parallel::{filled, for_each_part};
use crate::shape::{expect_matrix, expect_positive, expect_shape};
use crate::storage::{Elements, output, slice, tensor};
use crate::tape::apply1;
use crate::token_input::TokenRows;
use crate::vector::inlined;

const NAME: &str = "pool_tokens";

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPooling {
    /// their mean
    Mean,
    /// the first token's, as BERT pools: its tokenizer puts a special token in front of each text
    First,
}

/// The vector of each text, `[B, W]`, out of those of all tokens, `[N, W]`; a text without tokens gets zeros.
///
/// # Errors
/// Another number of tokens than `rows` has.
pub fn pool_tokens(tokens: &Tensor, rows: &TokenRows, pooling: TokenPooling) -> Result<Tensor> {
    let (_, width) = expect_matrix(NAME, "tokens", tokens)?;
    expect_shape(NAME, "tokens", tokens, &[rows.ids().len(), width])?;
    expect_positive(NAME, "width", width)?;
    if !tokens.device().is_cpu() {
        return composite::pool_tokens(tokens, rows, pooling);
    }
    apply1(Pool { rows: rows.clone(), pooling }, &tokens.contiguous()?)
}

struct Pool {
    rows: TokenRows,
    pooling: TokenPooling,
}

impl Pool {
    /// Tokens of a row that are pooled, and the weight of each.
    fn pooled<T: Element>(&self, row: usize) -> (std::ops::Range<usize>, T) {
        let range = self.rows.range(row);
        match self.pooling {
            TokenPooling::Mean => (range.clone(), T::rounded(1.0 / range.len().max(1) as f64)),
            TokenPooling::First => (range.start..range.end.min(range.start + 1), T::ONE),
        }
    }
}

impl CustomOp1 for Pool {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, tokens: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        with_element!(tokens.dtype(), NAME, T => {
            let tokens = slice::<T>(tokens, layout)?;
            let values = filled(self.rows.n_rows() * width, width, inlined!(|start, pooled: &mut [T]| {
                let (range, weight) = self.pooled::<T>(start / width);
                for token in tokens[range.start * width..range.end * width].chunks_exact(width) {
                    pooled.iter_mut().zip(token).for_each(|(sum, value)| *sum += *value);
                }
                pooled.iter_mut().for_each(|sum| *sum *= weight);
            }));
            Ok(output(values, (self.rows.n_rows(), width)))
        })
    }

    fn bwd(&self, tokens: &Tensor, _result: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (_, width) = tokens.dims2()?;
        let grad = grad.contiguous()?;
        with_element!(grad.dtype(), NAME, T => {
            let grads = Elements::<T>::of(&grad)?;
            let grads: &[T] = &grads;
            let mut values = vec![T::ZERO; tokens.elem_count()];
            let lengths = (0..self.rows.n_rows()).map(|row| self.rows.range(row).len() * width);
            for_each_part(&mut values, lengths, |row, text_grad| {
                let (range, weight) = self.pooled::<T>(row);
                let grad = &grads[row * width..][..width];
                for token in text_grad.chunks_exact_mut(width).take(range.len()) {
                    token.iter_mut().zip(grad).for_each(|(value, grad)| *value = *grad * weight);
                }
            });
            Ok(Some(tensor(values, tokens.shape().clone())?))
        })
    }
}
