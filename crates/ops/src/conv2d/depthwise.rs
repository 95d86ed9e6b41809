//! Depthwise convolution: every channel has a kernel of its own.
//!
//! Shapes: `N` images `[H, W, C]`, weight `[kh, kw, C]`. The innermost axis is the channel, so a tap is one
//! multiply-add of a row of channels.

// blocks of registers are indexed by row and column, as in the formulas
#![allow(clippy::needless_range_loop)]

use pulp::{Simd, WithSimd};

use super::Conv2dSize;
use super::bands::{Band, bands};
use super::lattice::{Pass, PatchKernel};
use super::panels::{Destination, Left};
use super::window::{Window, pixel_starts};
use crate::channel_sums::{at_channel, whole_vectors};
use crate::element::Element;
use crate::parallel::map_chunks;
use crate::scratch::Scratch;
use crate::simd::run;

/// Pixels whose sums are kept in registers at once, so that a weight is read once for all of them.
const PIXELS: usize = 8;
/// Taps whose sums are kept in registers at once in the gradient of the weight: those of the usual kernel.
const TAPS: usize = 9;
/// Elements of input and gradient of a band that stay in the cache together.
const BAND_LEN: usize = 64 * 1024;
/// Upper limit for the number of partial sums.
const MAX_GROUPS: usize = 32;

/// The output `[N, H', W', C]`, and the results of `visit` for each finished band, in the order of the bands.
pub(super) fn forward<T: Element, R: Send>(
    input: &[T],
    weight: &[T],
    size: &Conv2dSize,
    visit: impl Fn(&[T]) -> R + Send + Sync,
) -> (Vec<T>, Vec<R>) {
    let taps: Vec<usize> = (0..size.kernel_height * size.kernel_width).collect();
    Pass::forward(size, Taps::new(weight, &taps, size)).run(input, size.batch, visit)
}

/// The gradient of the input, `[N, H, W, C]`.
pub(super) fn backward_input<T: Element>(grad: &[T], weight: &[T], size: &Conv2dSize) -> Vec<T> {
    Pass::backward(size, |taps| Taps::new(weight, taps, size)).run(grad, size.batch, |_| ()).0
}

/// Weights of some taps, each a row of channels that is filled up so that a whole vector can be read everywhere.
struct Taps<T> {
    rows: Vec<Vec<T>>,
    n_channels: usize,
}

impl<T: Element> Taps<T> {
    fn new(weight: &[T], taps: &[usize], size: &Conv2dSize) -> Self {
        let n_channels = size.n_inputs;
        let row = |tap: &usize| {
            let row = &weight[tap * n_channels..(tap + 1) * n_channels];
            whole_vectors(row.iter().map(|weight| weight.widened()))
        };
        Self { rows: taps.iter().map(row).collect(), n_channels }
    }
}

impl<T: Element> PatchKernel<T> for Taps<T> {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, patches: Left<'_, T>, target: &mut Destination<'_, T>) {
        let (lanes, n_channels) = (T::count::<S>(), self.n_channels);
        let in_row = patches.segment_len / n_channels;
        let offsets = patches.segments.iter().flat_map(|row| (0..in_row).map(move |x| row + x * n_channels));
        let taps: Vec<(usize, &[T])> = offsets.zip(self.rows.iter().map(Vec::as_slice)).collect();
        for (sources, targets) in patches.row_starts.chunks(PIXELS).zip(target.row_starts.chunks(PIXELS)) {
            for channel in (0..n_channels).step_by(lanes) {
                let end = (channel + lanes).min(n_channels);
                let mut sums = [T::constant(simd, 0.0); PIXELS];
                for (offset, weight) in &taps {
                    let weight = at_channel(simd, weight, channel);
                    for (sum, start) in sums.iter_mut().zip(sources) {
                        let input = T::load(simd, &patches.source[start + offset + channel..start + offset + end]);
                        *sum = T::mul_add(simd, input, weight, *sum);
                    }
                }
                for (sum, start) in sums.iter().zip(targets) {
                    T::store(simd, &mut target.values[start + channel..start + end], *sum);
                }
            }
        }
    }
}

/// Partial sums of the gradient of the weight `[kh, kw, C]`, to be added in their order.
pub(super) fn backward_weight<T: Element>(grad: &[T], input: &[T], size: &Conv2dSize) -> Vec<Vec<T>> {
    let row_len =
        (size.height * size.width * size.n_inputs).div_ceil(size.out_height) + size.out_width * size.n_outputs;
    let bands = bands(size.batch, size.out_height, (BAND_LEN / row_len).max(1), 1);
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

impl<T: Element> WithSimd for SumOverBands<'_, T> {
    type Output = Vec<T>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<T> {
        let Self { input, grad, size, bands } = self;
        let (lanes, n_channels) = (T::count::<S>(), size.n_inputs);
        let mut windows = Scratch::default();
        let mut sums = vec![T::ZERO; size.kernel_height * size.kernel_width * n_channels];
        for band in bands {
            let window = Window::of_outputs(band, size);
            let source = window.of_band(input, band, [size.height, size.width, n_channels], &mut windows);
            let first_row = band.images.start * size.out_height + band.rows.start;
            let products = Products {
                source,
                starts: &pixel_starts(band, &window, size),
                grads: &grad[first_row * size.out_width * n_channels..],
                n_channels,
            };
            let rows = (0..size.kernel_height).map(|row| row * window.width * n_channels);
            let offsets = rows.flat_map(|row| (0..size.kernel_width).map(move |x| row + x * n_channels));
            let offsets: Vec<usize> = offsets.collect();
            for (offsets, sums) in offsets.chunks(TAPS).zip(sums.chunks_mut(TAPS * n_channels)) {
                for channel in (0..n_channels).step_by(lanes) {
                    products.add_to(simd, offsets, channel, sums);
                }
            }
        }
        sums
    }
}

/// Inputs under the taps, times gradients, over some pixels.
struct Products<'a, T> {
    source: &'a [T],
    starts: &'a [usize],
    grads: &'a [T],
    n_channels: usize,
}

impl<T: Element> Products<'_, T> {
    /// Adds to one vector of channels of at most [`TAPS`] taps; missing ones repeat the first and are dropped.
    #[inline(always)]
    fn add_to<S: Simd>(&self, simd: S, offsets: &[usize], channel: usize, sums: &mut [T]) {
        let end = (channel + T::count::<S>()).min(self.n_channels);
        let mut places = [offsets[0]; TAPS];
        places[..offsets.len()].copy_from_slice(offsets);
        let mut local = [T::constant(simd, 0.0); TAPS];
        for (start, grad) in self.starts.iter().zip(self.grads.chunks_exact(self.n_channels)) {
            let grad = T::load(simd, &grad[channel..end]);
            for tap in 0..TAPS {
                let place = start + places[tap];
                let input = T::load(simd, &self.source[place + channel..place + end]);
                local[tap] = T::mul_add(simd, input, grad, local[tap]);
            }
        }
        for (row, sum) in sums.chunks_exact_mut(self.n_channels).zip(local) {
            let row = &mut row[channel..end];
            let total = T::plus(simd, T::load(simd, row), sum);
            T::store(simd, row, total);
        }
    }
}
