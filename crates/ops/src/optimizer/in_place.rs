//! One pass over a parameter, its gradient and its state.
//!
//! candle lets an operation change one tensor in place. A step changes two, so it is nested: the outer operation holds
//! the parameter, the inner one the state, and both slices meet inside.

use std::cell::RefCell;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, Error, InplaceOp1, InplaceOp2, Layout, Result, Tensor};
use rayon::prelude::*;

use super::rows::step_rows;
use crate::element::{Element, with_element};
use crate::gradients::RowGradient;
use crate::parallel::{CHUNK, is_serial};
use crate::shape::{expect_same_kind, expect_shape};
use crate::storage::{Elements, shares_storage, slice, slice_mut};
use crate::vector::{at_full_width, inlined};

/// The arithmetic of one optimizer step on slices of equal length.
pub(crate) trait Step: Sync {
    const NAME: &'static str;

    /// The step as a function `(param, grad, first, second)`, with its numbers rounded to the element type once; `first` and
    /// `second` are the state, empty where the step has none. The function has to be [`inlined`].
    fn arithmetic<T: Element>(&self) -> impl Fn(&mut [T], &[T], &mut [T], &mut [T]) + Send + Sync;
}

/// Runs one step on CPU tensors; the shapes of `param` and `grad` are equal.
pub(crate) fn run<S: Step>(step: &S, param: &Tensor, grad: &Tensor, state: Option<&Tensor>) -> Result<()> {
    if shares_storage(param, grad) || state.is_some_and(|s| shares_storage(param, s) || shares_storage(grad, s)) {
        return Err(Error::msg(format!("{}: parameter, gradient and state must not share memory", S::NAME)));
    }
    param.inplace_op1(&OnParam { step, rows: None, grad: &grad.contiguous()?, state })
}

/// Runs one step on the given rows of a table `[R, W]` and of its state, with the gradient `[n, W]` of these rows.
pub(crate) fn run_rows<S: Step>(step: &S, param: &Tensor, grad: &RowGradient, state: Option<&Tensor>) -> Result<()> {
    if state.is_some_and(|state| shares_storage(param, state)) {
        return Err(Error::msg(format!("{}: parameter and state must not share memory", S::NAME)));
    }
    param.inplace_op1(&OnParam { step, rows: Some(grad.rows()), grad: grad.values(), state })
}

/// Checks that a gradient fits the parameter.
pub(crate) fn check_gradient(name: &str, param: &Tensor, grad: &Tensor) -> Result<()> {
    expect_shape(name, "gradient", grad, param.dims())?;
    expect_same_kind(name, param, &[("gradient", grad)])
}

/// Checks that the state has the given shape and fits the parameter.
pub(crate) fn check_state(name: &str, param: &Tensor, state: &Tensor, shape: &[usize]) -> Result<()> {
    expect_shape(name, "state", state, shape)?;
    expect_same_kind(name, param, &[("state", state)])
}

struct OnParam<'a, S> {
    step: &'a S,
    /// the rows that are stepped; all where none are given
    rows: Option<&'a [u32]>,
    grad: &'a Tensor,
    state: Option<&'a Tensor>,
}

impl<S: Step> InplaceOp1 for OnParam<'_, S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn cpu_fwd(&self, param: &mut CpuStorage, layout: &Layout) -> Result<()> {
        with_element!(param.dtype(), S::NAME, T => {
            let param = slice_mut::<T>(param, layout)?;
            match self.state {
                None => {
                    step_slices(self.step, self.rows, param, &Elements::<T>::of(self.grad)?, &mut []);
                    Ok(())
                }
                Some(state) => {
                    let op = OnState { step: self.step, rows: self.rows, param: RefCell::new(param) };
                    state.inplace_op2(self.grad, &op)
                }
            }
        })
    }
}

struct OnState<'a, S, T> {
    step: &'a S,
    rows: Option<&'a [u32]>,
    param: RefCell<&'a mut [T]>,
}

impl<S: Step, T: Element> InplaceOp2 for OnState<'_, S, T> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn cpu_fwd(
        &self,
        state: &mut CpuStorage,
        state_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<()> {
        let state = slice_mut::<T>(state, state_layout)?;
        step_slices(self.step, self.rows, &mut self.param.borrow_mut(), slice::<T>(grad, grad_layout)?, state);
        Ok(())
    }
}

fn step_slices<S: Step, T: Element>(step: &S, rows: Option<&[u32]>, param: &mut [T], grad: &[T], state: &mut [T]) {
    match rows {
        None => step_in_chunks(step, param, grad, state),
        Some(rows) => step_rows(step, rows, param, grad, state),
    }
}

/// `state` holds none, one or two numbers for each of `param`, one block after the other.
fn step_in_chunks<S: Step, T: Element>(step: &S, param: &mut [T], grad: &[T], state: &mut [T]) {
    let (first, second) = state.split_at_mut(param.len().min(state.len()));
    let arithmetic = step.arithmetic();
    let step = |param: &mut [T], grad: &[T], first: &mut [T], second: &mut [T]| {
        at_full_width(inlined!(|| arithmetic(param, grad, first, second)));
    };
    if is_serial(param.len().div_ceil(CHUNK)) {
        return step(param, grad, first, second);
    }
    let chunks = param.par_chunks_mut(CHUNK).zip(grad.par_chunks(CHUNK));
    match (first.is_empty(), second.is_empty()) {
        (true, _) => chunks.for_each(|(param, grad)| step(param, grad, &mut [], &mut [])),
        (false, true) => {
            let chunks = chunks.zip(first.par_chunks_mut(CHUNK));
            chunks.for_each(|((param, grad), first)| step(param, grad, first, &mut []));
        }
        (false, false) => {
            let chunks = chunks.zip(first.par_chunks_mut(CHUNK)).zip(second.par_chunks_mut(CHUNK));
            chunks.for_each(|(((param, grad), first), second)| step(param, grad, first, second));
        }
    }
}
