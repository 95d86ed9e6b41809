//! Chooses the algorithm of a convolution: depthwise, Winograd tiles, or matrix products on image rows.
//!
//! Shapes: as in [`conv2d`](super): `N` images of `H` rows, `W` columns and `C` channels; `O` output channels.

use super::Conv2dSize;
use super::transpose::transpose;
use super::{depthwise, direct, weight_grad, winograd};
use crate::element::Element;

/// The output `[N, H', W', O]`, and the results of `visit` for its pieces, in their order.
pub(super) fn forward<T: Element, R: Send>(
    input: &[T],
    weight: &[T],
    size: &Conv2dSize,
    visit: impl Fn(&[T]) -> R + Send + Sync,
) -> (Vec<T>, Vec<R>) {
    if size.is_depthwise {
        depthwise::forward(input, weight, size, visit)
    } else if winograd::is_applicable(size) {
        winograd::forward(input, weight, size, visit)
    } else {
        direct::forward(input, weight, size, visit)
    }
}

/// The gradient of the input, `[N, H, W, C]`.
pub(super) fn backward_input<T: Element>(grad: &[T], weight: &[T], size: &Conv2dSize) -> Vec<T> {
    match mirrored_size(size).filter(winograd::is_applicable) {
        _ if size.is_depthwise => depthwise::backward_input(grad, weight, size),
        Some(mirrored) => winograd::forward(grad, &mirrored_weight(weight, size), &mirrored, |_| ()).0,
        None => direct::backward_input(grad, weight, size),
    }
}

/// The convolution that leads from the output back to the input, where there is one.
fn mirrored_size(size: &Conv2dSize) -> Option<Conv2dSize> {
    let is_square = size.kernel_height == size.kernel_width;
    if size.stride != 1 || !is_square || size.padding >= size.kernel_height {
        return None;
    }
    Some(Conv2dSize {
        height: size.out_height,
        width: size.out_width,
        n_inputs: size.n_outputs,
        n_outputs: size.n_inputs,
        padding: size.kernel_height - 1 - size.padding,
        out_height: size.height,
        out_width: size.width,
        ..*size
    })
}

/// The weight `[kh, kw, C, O]` turned by half a turn, with inputs and outputs exchanged: `[kh, kw, O, C]`.
fn mirrored_weight<T: Element>(weight: &[T], size: &Conv2dSize) -> Vec<T> {
    let matrix_len = size.n_inputs * size.n_outputs;
    let mut mirrored = vec![T::ZERO; weight.len()];
    let taps = weight.chunks_exact(matrix_len).rev();
    for (mirrored, tap) in mirrored.chunks_exact_mut(matrix_len).zip(taps) {
        transpose(tap, size.n_outputs, mirrored);
    }
    mirrored
}

/// The gradient of the weight, `[kh, kw, C, O]`, or `[kh, kw, C]` of a depthwise one.
pub(super) fn backward_weight<T: Element>(grad: &[T], input: &[T], size: &Conv2dSize) -> Vec<T> {
    if size.n_pixels() == 0 {
        return vec![T::ZERO; size.patch_len() * size.n_outputs];
    }
    let partial_sums = if size.is_depthwise {
        depthwise::backward_weight(grad, input, size)
    } else if winograd::is_applicable(size) {
        winograd::backward_weight(grad, input, size)
    } else {
        weight_grad::backward_weight(grad, input, size)
    };
    sum_in_order(partial_sums)
}

fn sum_in_order<T: Element>(partial_sums: Vec<Vec<T>>) -> Vec<T> {
    let mut partial_sums = partial_sums.into_iter();
    let mut total = partial_sums.next().unwrap_or_default();
    for sum in partial_sums {
        total.iter_mut().zip(sum).for_each(|(total, sum)| *total += sum);
    }
    total
}
