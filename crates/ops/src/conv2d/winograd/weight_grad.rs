//! The gradient of the weight: `dW = G^T [sum over tiles (B^T d B) (A dy A^T)] G`.
//!
//! Shapes: as in [`winograd`](super).

use pulp::{Simd, WithSimd};

use super::points::{Images, Tiles, images_to_points, load_points};
use super::transform::{Constants, Input, OutputGrad, TILE, Transform, WeightGrad};
use super::{N_POINTS, rows_of_tiles};
use crate::conv2d::Conv2dSize;
use crate::conv2d::bands::{Band, bands};
use crate::conv2d::outer::OuterProducts;
use crate::parallel::map_chunks;
use crate::scratch::Scratch;
use crate::simd::{Lanes, run};

/// Upper limit for the number of partial sums.
const MAX_GROUPS: usize = 8;
const MIN_TILES: usize = 36;

/// Partial sums of `[3, 3, C, O]`, to be added in their order.
pub(crate) fn backward_weight<T: Lanes>(grad: &[T], input: &[T], size: &Conv2dSize) -> Vec<Vec<T>> {
    // the sums pass by once for each band, so that a band is as large as they are
    let n_tiles = 2 * size.n_inputs * size.n_outputs / (size.n_inputs + size.n_outputs);
    let bands = bands(size.batch, size.out_height, rows_of_tiles(n_tiles.max(MIN_TILES), size), TILE);
    let (height, width, n_channels, padding) = (size.height, size.width, size.n_inputs, size.padding);
    let images = Images { values: input, height, width, n_channels, padding };
    let (height, width, n_channels) = (size.out_height, size.out_width, size.n_outputs);
    let grads = Images { values: grad, height, width, n_channels, padding: 0 };
    let bands_per_group = bands.len().div_ceil(MAX_GROUPS);
    map_chunks(bands.len().div_ceil(bands_per_group), |group| {
        let bands = &bands[group * bands_per_group..((group + 1) * bands_per_group).min(bands.len())];
        run(SumOverBands { images, grads, bands })
    })
}

struct SumOverBands<'a, T> {
    images: Images<'a, T>,
    grads: Images<'a, T>,
    bands: &'a [Band],
}

impl<T: Lanes> WithSimd for SumOverBands<'_, T> {
    type Output = Vec<T>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<T> {
        let lanes = T::count::<S>();
        let (n_inputs, n_outputs) = (self.images.n_channels, self.grads.n_channels);
        let (input_stride, grad_stride) = (n_inputs.next_multiple_of(lanes), n_outputs.next_multiple_of(lanes));
        let [mut inputs, mut grads] = [Scratch::default(), Scratch::default()];
        let mut sums = Scratch::default();
        let sum_len = n_inputs * grad_stride;
        let sums = sums.take(N_POINTS * sum_len);
        for band in self.bands {
            let tiles = Tiles::of(band, self.grads.width);
            let (input_len, grad_len) = (tiles.point_len::<T, S>(input_stride), tiles.point_len::<T, S>(grad_stride));
            let inputs = inputs.take(N_POINTS * input_len);
            images_to_points::<Input, T, S, _>(simd, self.images, &tiles, inputs);
            let grads = grads.take(N_POINTS * grad_len);
            images_to_points::<OutputGrad, T, S, _>(simd, self.grads, &tiles, grads);
            let left_starts: Vec<usize> = (0..tiles.count()).map(|tile| tile * input_stride).collect();
            let points = inputs.chunks_exact(input_len).zip(grads.chunks_exact(grad_len));
            for ((left, right), sum) in points.zip(sums.chunks_exact_mut(sum_len)) {
                let (left_starts, n_rows, n_columns) = (left_starts.as_slice(), n_inputs, grad_stride);
                OuterProducts { left, left_starts, n_rows, right, n_columns }.add_to(simd, sum);
            }
        }
        points_to_weights(simd, sums, n_inputs, n_outputs, grad_stride)
    }
}

/// `[36, C, stride]` to `[3, 3, C, O]`.
#[inline(always)]
fn points_to_weights<T: Lanes, S: Simd>(
    simd: S,
    points: &[T],
    n_inputs: usize,
    n_outputs: usize,
    stride: usize,
) -> Vec<T> {
    let lanes = T::count::<S>();
    let constants = Constants::<T, S>::new(simd);
    let mut weights = vec![T::default(); super::KERNEL * super::KERNEL * n_inputs * n_outputs];
    for input in 0..n_inputs {
        for output in (0..n_outputs).step_by(lanes) {
            let end = (output + lanes).min(n_outputs);
            let values = load_points(simd, &points[input * stride + output..], n_inputs * stride);
            let taps = WeightGrad::square(simd, &constants, &values);
            for (tap, matrix) in taps.as_flattened().iter().zip(weights.chunks_exact_mut(n_inputs * n_outputs)) {
                T::store(simd, &mut matrix[input * n_outputs + output..input * n_outputs + end], *tap);
            }
        }
    }
    weights
}
