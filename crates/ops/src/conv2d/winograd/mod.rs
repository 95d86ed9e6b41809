//! Convolution with 3x3 kernels and stride 1 by the minimal filtering algorithm: a tile of 4x4 outputs takes 36
//! products for each pair of channels in place of 144. See `transform` for the algorithm along one direction.
//!
//! Shapes: `N` images `[H, W, C]`, weight `[3, 3, C, O]`, `t` tiles in a band, 36 points. At each point, the
//! transformed inputs `[t, C]` meet the transformed weight `[C, O]` in a matrix product, and in the backward of the
//! weight the transformed gradients `[t, O]`.
//!
//! In `f32` the root mean square of the error is about 1e-6 of the output's, times the square root of `C / 16`.

mod forward;
mod points;
mod transform;
mod weight_grad;

pub(super) use forward::forward;
pub(super) use weight_grad::backward_weight;

use crate::conv2d::Conv2dSize;
use points::N_POINTS;
use transform::{KERNEL, TILE};

/// Below this the transforms cost more than the products that they save.
const MIN_CHANNELS: usize = 16;

/// True where this algorithm is used.
pub(super) fn is_applicable(size: &Conv2dSize) -> bool {
    let is_kernel = (size.kernel_height, size.kernel_width, size.stride) == (KERNEL, KERNEL, 1);
    let is_wide = size.n_inputs.min(size.n_outputs) >= MIN_CHANNELS;
    is_kernel && is_wide && !size.is_depthwise && size.out_height.min(size.out_width) >= TILE
}

/// Rows of the output, whole rows of tiles, that make at least `n_tiles` tiles.
fn rows_of_tiles(n_tiles: usize, size: &Conv2dSize) -> usize {
    n_tiles.div_ceil(size.out_width.div_ceil(TILE)) * TILE
}
