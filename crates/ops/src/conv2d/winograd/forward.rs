//! The forward pass in tiles. The gradient of the input is a forward pass too: the output's gradient is convolved with
//! the mirrored kernel.
//!
//! Shapes: as in [`winograd`](super).

use pulp::{Simd, WithSimd};

use super::points::{Images, Tiles, images_to_points, points_to_outputs};
use super::transform::{Constants, Input, KERNEL, TILE, Transform, Weight};
use super::{N_POINTS, rows_of_tiles};
use crate::conv2d::Conv2dSize;
use crate::conv2d::bands::{Band, bands, map_bands};
use crate::conv2d::panels::{Destination, Left, Panels, multiply_panel};
use crate::scratch::Scratch;
use crate::simd::{Lanes, run};

/// Elements of the values at the points of a band: with the products they take half of a usual L2 cache.
const BAND_LEN: usize = 96 * 1024;
/// With fewer tiles in a band the transformed weight is not used often enough while it passes by.
const MIN_TILES: usize = 36;

/// The output `[N, H', W', O]`, and the results of `visit` for each finished band, in the order of the bands.
pub(crate) fn forward<T: Lanes, R: Send>(
    input: &[T],
    weight: &[T],
    size: &Conv2dSize,
    visit: impl Fn(&[T]) -> R + Send + Sync,
) -> (Vec<T>, Vec<R>) {
    let weight = run(TransformWeight { weight, size });
    let n_tiles = (BAND_LEN / (N_POINTS * size.n_inputs)).max(MIN_TILES);
    let bands = bands(size.batch, size.out_height, rows_of_tiles(n_tiles, size), TILE);
    let (height, width, n_channels, padding) = (size.height, size.width, size.n_inputs, size.padding);
    let images = Images { values: input, height, width, n_channels, padding };
    map_bands(&bands, size.out_width * size.n_outputs, |scratch, band, output| {
        run(ForwardBand { images, weight: &weight, size, band, scratch, output: &mut *output });
        visit(output)
    })
}

/// `G g G^T` of every pair of channels, as panels of depth `36 C`: for each point the panels of a matrix `[C, O]`.
struct TransformWeight<'a, T> {
    weight: &'a [T],
    size: &'a Conv2dSize,
}

impl<T: Lanes> WithSimd for TransformWeight<'_, T> {
    type Output = Panels<T>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Panels<T> {
        let (n_inputs, n_outputs, lanes) = (self.size.n_inputs, self.size.n_outputs, T::count::<S>());
        let constants = Constants::<T, S>::new(simd);
        let mut panels = Panels::new::<S>(N_POINTS * n_inputs, n_outputs);
        for panel in 0..panels.count() {
            let (columns, width) = (panels.columns(panel), panels.width(panel));
            let packed = panels.panel_mut(panel);
            for input in 0..n_inputs {
                for (nth, column) in columns.clone().step_by(lanes).enumerate() {
                    let end = (column + lanes).min(columns.end);
                    let mut taps = [[T::constant(simd, 0.0); KERNEL]; KERNEL];
                    let matrices = self.weight.chunks_exact(n_inputs * n_outputs);
                    for (tap, matrix) in taps.as_flattened_mut().iter_mut().zip(matrices) {
                        *tap = T::load(simd, &matrix[input * n_outputs + column..input * n_outputs + end]);
                    }
                    let points = Weight::square(simd, &constants, &taps);
                    for (point, value) in points.as_flattened().iter().enumerate() {
                        let start = (point * n_inputs + input) * width + nth * lanes;
                        T::store(simd, &mut packed[start..start + lanes], *value);
                    }
                }
            }
        }
        panels
    }
}

#[derive(Default)]
struct ForwardScratch<T> {
    inputs: Scratch<T>,
    products: Scratch<T>,
}

struct ForwardBand<'a, T> {
    images: Images<'a, T>,
    weight: &'a Panels<T>,
    size: &'a Conv2dSize,
    band: &'a Band,
    scratch: &'a mut ForwardScratch<T>,
    output: &'a mut [T],
}

impl<T: Lanes> WithSimd for ForwardBand<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { images, weight, size, band, scratch, output } = self;
        let tiles = Tiles::of(band, size.out_width);
        let stride = images.n_channels.next_multiple_of(T::count::<S>());
        let point_len = tiles.point_len::<T, S>(stride);
        let inputs = scratch.inputs.take(N_POINTS * point_len);
        images_to_points::<Input, T, S, _>(simd, images, &tiles, inputs);
        let row_starts: Vec<usize> = (0..tiles.count()).map(|tile| tile * stride).collect();
        for panel in 0..weight.count() {
            let (columns, width) = (weight.columns(panel), weight.width(panel));
            let product_len = tiles.point_len::<T, S>(width);
            let products = scratch.products.take(N_POINTS * product_len);
            let target_starts: Vec<usize> = (0..tiles.count()).map(|tile| tile * width).collect();
            let weights = weight.panel(panel).chunks_exact(images.n_channels * width);
            let points = inputs.chunks_exact(point_len).zip(products.chunks_exact_mut(product_len));
            for ((source, values), weight) in points.zip(weights) {
                let segment_len = images.n_channels;
                let left = Left { source, row_starts: &row_starts, segments: &[0], segment_len };
                multiply_panel(simd, left, weight, 0..width, &mut Destination { values, row_starts: &target_starts });
            }
            points_to_outputs(simd, products, &tiles, columns, size.n_outputs, output);
        }
    }
}
