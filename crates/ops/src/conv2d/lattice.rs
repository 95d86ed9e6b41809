//! Which pixels a convolution of any kernel, stride and padding reads, in the forward pass and in the gradient of the
//! input. What is done with them is a [`PatchKernel`].
//!
//! Shapes: `N` images `[H, W, C]` to `[H', W', O]`.
//!
//! A *phase* is a kernel of stride `source_step` that computes every `target_step`-th row and column of the target. The
//! forward pass is one phase with `target_step` 1. In the gradient of the input with stride `s`, the pixels fall into
//! `s^2` phases by their position in the lattice; each has its own taps of the kernel, so that nothing is computed for
//! zeros between the pixels, and every element is written once.

use pulp::{Simd, WithSimd};

use super::Conv2dSize;
use super::bands::{Band, bands, map_bands};
use super::panels::{Destination, Left};
use super::window::Window;
use crate::scratch::Scratch;
use crate::simd::{Lanes, run};

/// Elements of source and target of a band that stay in the cache together.
const BAND_LEN: usize = 128 * 1024;

/// Which pixels of the source a row of taps sees, along one axis, for the target pixels `first + i target_step`.
#[derive(Clone, Copy, Debug)]
struct Axis {
    /// The first of these target pixels.
    first: usize,
    /// How many there are.
    count: usize,
    /// The source pixel under tap 0 at `i = 0`; it may lie outside of the image.
    shift: isize,
    n_taps: usize,
}

/// What is computed from the patch of pixels under the taps.
pub(super) trait PatchKernel<T>: Send + Sync {
    /// Writes every target pixel; the segments of a patch are its rows of taps.
    fn apply<S: Simd>(&self, simd: S, patches: Left<'_, T>, target: &mut Destination<'_, T>);
}

struct Phase<K> {
    rows: Axis,
    columns: Axis,
    kernel: K,
}

/// One pass of a convolution.
pub(super) struct Pass<K> {
    phases: Vec<Phase<K>>,
    source_step: usize,
    target_step: usize,
    source: [usize; 3],
    target: [usize; 3],
}

impl<K> Pass<K> {
    /// From the input to the output.
    pub(super) fn forward(size: &Conv2dSize, kernel: K) -> Self {
        let axis = |count, n_taps| Axis { first: 0, count, shift: -(size.padding as isize), n_taps };
        let (rows, columns) = (axis(size.out_height, size.kernel_height), axis(size.out_width, size.kernel_width));
        Self {
            phases: vec![Phase { rows, columns, kernel }],
            source_step: size.stride,
            target_step: 1,
            source: [size.height, size.width, size.n_inputs],
            target: [size.out_height, size.out_width, size.n_outputs],
        }
    }

    /// From the gradient of the output to that of the input; `kernel` makes the kernel of the taps with given numbers.
    pub(super) fn backward(size: &Conv2dSize, kernel: impl Fn(&[usize]) -> K) -> Self {
        let mut phases = Vec::with_capacity(size.stride * size.stride);
        for y in 0..size.stride.min(size.height) {
            for x in 0..size.stride.min(size.width) {
                phases.push(Phase::of_input_grad([y, x], size, &kernel));
            }
        }
        Self {
            phases,
            source_step: 1,
            target_step: size.stride,
            source: [size.out_height, size.out_width, size.n_outputs],
            target: [size.height, size.width, size.n_inputs],
        }
    }
}

impl<K> Phase<K> {
    /// The phase of the input pixels `first + i stride`.
    ///
    /// Tap `k` of an output pixel `o` reads the input pixel `o stride + k - padding`. So with `k = remainder + m
    /// stride`, where `remainder` is that of `first + padding`, the outputs that read pixel `i` are `i + (first +
    /// padding) / stride - m`: a convolution with the taps in reverse order.
    fn of_input_grad(first: [usize; 2], size: &Conv2dSize, kernel: impl Fn(&[usize]) -> K) -> Self {
        let axis = |first: usize, len: usize, kernel: usize| {
            let offset = first + size.padding;
            let n_taps = kernel.saturating_sub(offset % size.stride).div_ceil(size.stride);
            let shift = (offset / size.stride) as isize + 1 - n_taps as isize;
            Axis { first, count: (len - first).div_ceil(size.stride), shift, n_taps }
        };
        let rows = axis(first[0], size.height, size.kernel_height);
        let columns = axis(first[1], size.width, size.kernel_width);
        let taps = |axis: Axis| {
            let remainder = (axis.first + size.padding) % size.stride;
            (0..axis.n_taps).rev().map(move |nth| remainder + nth * size.stride)
        };
        let taps = taps(rows).flat_map(|y| taps(columns).map(move |x| y * size.kernel_width + x));
        Self { rows, columns, kernel: kernel(&taps.collect::<Vec<_>>()) }
    }

    /// Where the rows of taps start within the source, whose rows have `row_len` elements.
    fn segments(&self, row_len: usize) -> Vec<usize> {
        let n_rows = if self.columns.n_taps == 0 { 0 } else { self.rows.n_taps };
        (0..n_rows).map(|row| row * row_len).collect()
    }
}

impl<K> Pass<K> {
    /// The target of all images, and the results of `visit` for each finished band, in the order of the bands.
    pub(super) fn run<T: Lanes, R: Send>(
        &self,
        source: &[T],
        batch: usize,
        visit: impl Fn(&[T]) -> R + Send + Sync,
    ) -> (Vec<T>, Vec<R>)
    where
        K: PatchKernel<T>,
    {
        let [source_len, target_len] = [self.source, self.target].map(|size| size.iter().product::<usize>());
        let rows_per_band = self.target[0] * BAND_LEN / (source_len + target_len).max(1);
        let bands = bands(batch, self.target[0], rows_per_band.max(self.target_step), self.target_step);
        map_bands(&bands, self.target[1] * self.target[2], |scratch, band, target| {
            run(PassBand { pass: self, source, band, scratch, target: &mut *target });
            visit(target)
        })
    }

    /// The part of the source that the rows `rows` of the target depend on.
    fn window(&self, rows: &std::ops::Range<usize>) -> Window {
        let first = rows.start / self.target_step;
        let last = rows.len().div_ceil(self.target_step) - 1 + first;
        let span = |axis: Axis, first: usize, last: usize| {
            let at = |index: usize| (index * self.source_step) as isize + axis.shift;
            (at(first), at(last) + axis.n_taps as isize)
        };
        let (mut top, mut bottom, mut left, mut right) = (isize::MAX, isize::MIN, isize::MAX, isize::MIN);
        for phase in &self.phases {
            let (start, end) = span(phase.rows, first, last);
            (top, bottom) = (top.min(start), bottom.max(end));
            let (start, end) = span(phase.columns, 0, phase.columns.count - 1);
            (left, right) = (left.min(start), right.max(end));
        }
        Window { top, left, height: (bottom - top).max(0) as usize, width: (right - left).max(0) as usize }
    }
}

struct PassBand<'a, T, K> {
    pass: &'a Pass<K>,
    source: &'a [T],
    band: &'a Band,
    scratch: &'a mut Scratch<T>,
    target: &'a mut [T],
}

impl<T: Lanes, K: PatchKernel<T>> WithSimd for PassBand<'_, T, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { pass, source, band, scratch, target } = self;
        let window = pass.window(&band.rows);
        let n_channels = pass.source[2];
        let source = window.of_band(source, band, pass.source, scratch);
        for phase in &pass.phases {
            let segments = phase.segments(window.width * n_channels);
            let (source_starts, target_starts) = pixel_starts(pass, phase, band, &window);
            let left = Left {
                source,
                row_starts: &source_starts,
                segments: &segments,
                segment_len: phase.columns.n_taps * n_channels,
            };
            phase.kernel.apply(simd, left, &mut Destination { values: &mut *target, row_starts: &target_starts });
        }
    }
}

/// Where the patch of each target pixel of a phase starts in the window, and where the pixel itself starts in the band.
fn pixel_starts<K>(pass: &Pass<K>, phase: &Phase<K>, band: &Band, window: &Window) -> (Vec<usize>, Vec<usize>) {
    let first = band.rows.start / pass.target_step;
    let n_rows = band.rows.len().saturating_sub(phase.rows.first).div_ceil(pass.target_step);
    let n_pixels = band.images.len() * n_rows * phase.columns.count;
    let (mut sources, mut targets) = (Vec::with_capacity(n_pixels), Vec::with_capacity(n_pixels));
    for image in 0..band.images.len() {
        for row in 0..n_rows {
            let source_row = ((first + row) * pass.source_step) as isize + phase.rows.shift - window.top;
            let source_row = image * window.height + source_row as usize;
            let target_row = image * band.rows.len() + phase.rows.first + row * pass.target_step;
            for column in 0..phase.columns.count {
                let x = (column * pass.source_step) as isize + phase.columns.shift - window.left;
                sources.push((source_row * window.width + x as usize) * pass.source[2]);
                let x = phase.columns.first + column * pass.target_step;
                targets.push((target_row * pass.target[1] + x) * pass.target[2]);
            }
        }
    }
    (sources, targets)
}
