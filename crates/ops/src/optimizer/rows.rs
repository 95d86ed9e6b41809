//! Steps of the rows of a table that a batch has read: the cost is that of the batch, not of the table.
//!
//! Shapes: `R` rows of the table, `W` its width, `n` rows with a gradient.

use candle_core::{Result, Tensor, Var};
use rayon::prelude::*;

use super::adamw::{AdamWHyper, check_moments};
use super::in_place::{Step, run_rows};
use super::sgd::{SgdHyper, check_velocity};
use crate::composite;
use crate::element::Element;
use crate::gradients::RowGradient;
use crate::parallel::{is_serial, rows_per_chunk};
use crate::shape::{expect_same_kind, expect_shape};
use crate::vector::{PREFETCH_DISTANCE, at_full_width, inlined, prefetch};

/// One step of stochastic gradient descent for the rows that have a gradient, in place.
///
/// It is [`sgd_step`](super::sgd_step) on these rows and their velocities. All other rows stay as they are: they
/// neither coast on along their velocity nor decay. So it equals the step with the gradient in full where the momentum
/// and the weight decay are 0, or where every row has a gradient.
///
/// # Errors
/// As [`sgd_step`](super::sgd_step), and a gradient of another table.
pub fn sgd_step_rows(param: &Var, grad: &RowGradient, velocity: Option<&Tensor>, hyper: SgdHyper) -> Result<()> {
    check_velocity(param, velocity, hyper)?;
    check_rows(SgdHyper::NAME, param, grad)?;
    if !param.device().is_cpu() {
        return composite::sgd_step(param, &grad.to_dense()?, velocity, hyper, Some(grad.rows()));
    }
    run_rows(&hyper, param, grad, velocity)
}

/// One step of AdamW for the rows that have a gradient, in place.
///
/// It is [`adamw_step`](super::adamw_step) on these rows and their moments, with the number of the step as it is for
/// all parameters (as in PyTorch's `SparseAdam`). All other rows and their moments stay as they are: they neither coast
/// on nor decay. So it equals the step with the gradient in full where every row has had a gradient in every step.
///
/// # Errors
/// As [`adamw_step`](super::adamw_step), and a gradient of another table.
pub fn adamw_step_rows(param: &Var, grad: &RowGradient, moments: &Tensor, hyper: AdamWHyper) -> Result<()> {
    check_moments(param, moments, hyper)?;
    check_rows(AdamWHyper::NAME, param, grad)?;
    if !param.device().is_cpu() {
        return composite::adamw_step(param, &grad.to_dense()?, moments, hyper, Some(grad.rows()));
    }
    run_rows(&hyper, param, grad, Some(moments))
}

fn check_rows(name: &str, param: &Tensor, grad: &RowGradient) -> Result<()> {
    expect_shape(name, "table of gradient", param, &[grad.n_rows(), grad.values().dim(1)?])?;
    expect_same_kind(name, param, &[("gradient", grad.values())])
}

/// Some rows, and the parts of parameter and state from the first of them to the last.
struct Piece<'a, T> {
    rows: &'a [u32],
    grad: &'a [T],
    parts: [&'a mut [T]; 3],
}

/// Steps the given rows, which ascend; `state` holds none, one or two numbers for each of `param`.
pub(crate) fn step_rows<S: Step, T: Element>(step: &S, rows: &[u32], param: &mut [T], grad: &[T], state: &mut [T]) {
    if rows.is_empty() {
        return;
    }
    let width = grad.len() / rows.len();
    let (first, second) = state.split_at_mut(param.len().min(state.len()));
    let pieces = pieces([param, first, second], rows, grad, width);
    let step = step.arithmetic();
    let work = |piece: Piece<'_, T>| at_full_width(inlined!(|| step_piece(&step, piece, width)));
    if is_serial(pieces.len()) {
        pieces.into_iter().for_each(work);
    } else {
        pieces.into_par_iter().for_each(work);
    }
}

fn pieces<'a, T>(mut rests: [&'a mut [T]; 3], rows: &'a [u32], grad: &'a [T], width: usize) -> Vec<Piece<'a, T>> {
    let n_rows = rows_per_chunk(width);
    let mut n_passed = 0;
    let chunks = rows.chunks(n_rows).zip(grad.chunks(n_rows * width));
    let pieces = chunks.map(|(rows, grad)| {
        let (start, end) = (rows[0] as usize * width, (rows[rows.len() - 1] as usize + 1) * width);
        let parts = rests.each_mut().map(|rest| {
            if rest.is_empty() {
                return &mut [][..];
            }
            let (passed, behind) = std::mem::take(rest).split_at_mut(end - n_passed);
            *rest = behind;
            &mut passed[start - n_passed..]
        });
        n_passed = end;
        Piece { rows, grad, parts }
    });
    pieces.collect()
}

#[inline(always)]
fn step_piece<T: Element>(step: impl Fn(&mut [T], &[T], &mut [T], &mut [T]), piece: Piece<'_, T>, width: usize) {
    let Piece { rows, grad, parts: [param, first, second] } = piece;
    for (i, (row, grad)) in rows.iter().zip(grad.chunks_exact(width)).enumerate() {
        if let Some(later) = rows.get(i + PREFETCH_DISTANCE) {
            let start = (later - rows[0]) as usize * width;
            prefetch(part(param, start, width));
            prefetch(part(first, start, width));
            prefetch(part(second, start, width));
        }
        let start = (row - rows[0]) as usize * width;
        let (first, second) = (part(first, start, width), part(second, start, width));
        step(&mut param[start..start + width], grad, first, second);
    }
}

/// A row of the state, empty where there is none.
#[inline(always)]
fn part<T>(state: &mut [T], start: usize, width: usize) -> &mut [T] {
    if state.is_empty() { state } else { &mut state[start..start + width] }
}
