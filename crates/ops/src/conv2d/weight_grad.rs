//! The gradient of the weight for every kernel, stride and padding: for each tap the sum over all pixels of input times
//! gradient, read from the image rows themselves.
//!
//! Shapes: as in [`conv2d`](super): `N` images of `H` rows, `W` columns and `C` channels; `O` output channels.

use pulp::{Simd, WithSimd};

use super::Conv2dSize;
use super::bands::{Band, bands};
use super::outer::OuterProducts;
use super::window::{Window, pixel_starts};
use crate::parallel::map_chunks;
use crate::scratch::Scratch;
use crate::simd::{Lanes, run};

/// Elements of input and gradient of a band that stay in the cache together.
const BAND_LEN: usize = 32 * 1024;
/// Upper limit for the number of partial sums.
const MAX_GROUPS: usize = 8;

/// Partial sums of the gradient `[kh, kw, C, O]`, to be added in their order.
pub(super) fn backward_weight<T: Lanes>(grad: &[T], input: &[T], size: &Conv2dSize) -> Vec<Vec<T>> {
    let input_len = size.height * size.width * size.n_inputs;
    let grad_len = size.out_height * size.out_width * size.n_outputs;
    // the sums pass by once for each band, so that a band is at least as large as they are
    let band_len = BAND_LEN.max(size.patch_len() * size.n_outputs);
    let bands = bands(size.batch, size.out_height, (size.out_height * band_len / (input_len + grad_len)).max(1), 1);
    let bands_per_group = bands.len().div_ceil(MAX_GROUPS);
    map_chunks(bands.len().div_ceil(bands_per_group), |group| {
        let bands = &bands[group * bands_per_group..((group + 1) * bands_per_group).min(bands.len())];
        run(SumOverBands { input, grad, size, bands })
    })
}

struct SumOverBands<'a, T> {
    input: &'a [T],
    grad: &'a [T],
    size: &'a Conv2dSize,
    bands: &'a [Band],
}

impl<T: Lanes> WithSimd for SumOverBands<'_, T> {
    type Output = Vec<T>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<T> {
        let Self { input, grad, size, bands } = self;
        let [mut windows, mut padded] = [Scratch::default(), Scratch::default()];
        let n_columns = size.n_outputs.next_multiple_of(T::count::<S>());
        let n_rows = size.kernel_width * size.n_inputs;
        let mut sums = vec![T::default(); size.patch_len() * n_columns];
        for band in bands {
            let window = Window::of_outputs(band, size);
            let source = window.of_band(input, band, [size.height, size.width, size.n_inputs], &mut windows);
            let right = whole_vectors(grad, band, size, n_columns, &mut padded);
            let left_starts = pixel_starts(band, &window, size);
            for (kernel_row, sums) in sums.chunks_exact_mut(n_rows * n_columns).enumerate() {
                let left = &source[kernel_row * window.width * size.n_inputs..];
                OuterProducts { left, left_starts: &left_starts, n_rows, right, n_columns }.add_to(simd, sums);
            }
        }
        if n_columns == size.n_outputs {
            return sums;
        }
        sums.chunks_exact(n_columns).flat_map(|row| row[..size.n_outputs].iter().copied()).collect()
    }
}

/// The gradients of a band, with rows filled up with zeros to `row_len`.
fn whole_vectors<'a, T: Lanes>(
    grad: &'a [T],
    band: &Band,
    size: &Conv2dSize,
    row_len: usize,
    padded: &'a mut Scratch<T>,
) -> &'a [T] {
    let first_row = band.images.start * size.out_height + band.rows.start;
    let n_pixels = band.n_rows() * size.out_width;
    let grad = &grad[first_row * size.out_width * size.n_outputs..][..n_pixels * size.n_outputs];
    if row_len == size.n_outputs {
        return grad;
    }
    let padded = padded.take(n_pixels * row_len);
    for (row, grad) in padded.chunks_exact_mut(row_len).zip(grad.chunks_exact(size.n_outputs)) {
        row[..size.n_outputs].copy_from_slice(grad);
        row[size.n_outputs..].fill(T::default());
    }
    padded
}
