//! One pass over a parameter, its gradient and its state.
//!
//! candle lets an operation change one tensor in place. A step changes two, so it is nested: the outer operation holds
//! the parameter, the inner one the state, and both slices meet inside.

use std::cell::RefCell;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, Error, InplaceOp1, InplaceOp2, Layout, Result, Tensor};
use rayon::prelude::*;

use crate::element::{Element, with_element};
use crate::parallel::{CHUNK, is_serial};
use crate::shape::{expect_same_kind, expect_shape};
use crate::storage::{Elements, shares_storage, slice, slice_mut};

/// The arithmetic of one optimizer step on slices of equal length.
pub(crate) trait Step: Sync {
    const NAME: &'static str;

    /// Steps `param` along `grad`; `first` and `second` are the state, empty where the step has none.
    fn step<T: Element>(&self, param: &mut [T], grad: &[T], first: &mut [T], second: &mut [T]);
}

/// Runs one step on CPU tensors; the shapes of `param` and `grad` are equal.
pub(crate) fn run<S: Step>(step: &S, param: &Tensor, grad: &Tensor, state: Option<&Tensor>) -> Result<()> {
    if shares_storage(param, grad) || state.is_some_and(|s| shares_storage(param, s) || shares_storage(grad, s)) {
        return Err(Error::msg(format!("{}: parameter, gradient and state must not share memory", S::NAME)));
    }
    param.inplace_op1(&OnParam { step, grad: &grad.contiguous()?, state })
}

/// Checks that gradient and state fit the parameter.
pub(crate) fn check(name: &str, param: &Tensor, grad: &Tensor, state: Option<(&Tensor, &[usize])>) -> Result<()> {
    expect_shape(name, "gradient", grad, param.dims())?;
    expect_same_kind(name, param, &[("gradient", grad)])?;
    if let Some((state, shape)) = state {
        expect_shape(name, "state", state, shape)?;
        expect_same_kind(name, param, &[("state", state)])?;
    }
    Ok(())
}

struct OnParam<'a, S> {
    step: &'a S,
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
                    step_in_chunks(self.step, param, &Elements::<T>::of(self.grad)?, &mut []);
                    Ok(())
                }
                Some(state) => state.inplace_op2(self.grad, &OnState { step: self.step, param: RefCell::new(param) }),
            }
        })
    }
}

struct OnState<'a, S, T> {
    step: &'a S,
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
        step_in_chunks(self.step, &mut self.param.borrow_mut(), slice::<T>(grad, grad_layout)?, state);
        Ok(())
    }
}

/// `state` holds none, one or two numbers for each of `param`, one block after the other.
fn step_in_chunks<S: Step, T: Element>(step: &S, param: &mut [T], grad: &[T], state: &mut [T]) {
    let (first, second) = state.split_at_mut(param.len().min(state.len()));
    if is_serial(param.len().div_ceil(CHUNK)) {
        return step.step(param, grad, first, second);
    }
    let chunks = param.par_chunks_mut(CHUNK).zip(grad.par_chunks(CHUNK));
    match (first.is_empty(), second.is_empty()) {
        (true, _) => chunks.for_each(|(param, grad)| step.step(param, grad, &mut [], &mut [])),
        (false, true) => {
            let chunks = chunks.zip(first.par_chunks_mut(CHUNK));
            chunks.for_each(|((param, grad), first)| step.step(param, grad, first, &mut []));
        }
        (false, false) => {
            let chunks = chunks.zip(first.par_chunks_mut(CHUNK)).zip(second.par_chunks_mut(CHUNK));
            chunks.for_each(|(((param, grad), first), second)| step.step(param, grad, first, second));
        }
    }
}
