//! Images to the values at the 36 points of their tiles, and back.
//!
//! Shapes: `t` tiles in a band, `stride` channels in memory (a whole number of vectors); values at points `[36, t,
//! stride]`, with a gap between the points.

// blocks of registers are indexed by row and column, as in the formulas
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use pulp::Simd;

use super::transform::{Constants, Output, PATCH, TILE, Transform};
use crate::conv2d::bands::Band;
use crate::simd::Lanes;

/// Products for each pair of channels of a tile.
pub(super) const N_POINTS: usize = PATCH * PATCH;

/// A batch of images `[.., height, width, n_channels]`.
#[derive(Clone, Copy)]
pub(super) struct Images<'a, T> {
    pub(super) values: &'a [T],
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) n_channels: usize,
    /// Rows and columns of zeros around each image.
    pub(super) padding: usize,
}

/// The tiles of a band of the output, numbered by image, row and column.
pub(super) struct Tiles<'a> {
    band: &'a Band,
    rows: usize,
    columns: usize,
    out_width: usize,
}

/// One tile: its image, and the row and column of its first output.
#[derive(Clone, Copy)]
struct Tile {
    image: usize,
    row: usize,
    column: usize,
}

impl<'a> Tiles<'a> {
    #[inline(always)]
    pub(super) fn of(band: &'a Band, out_width: usize) -> Self {
        Self { band, rows: band.rows.len().div_ceil(TILE), columns: out_width.div_ceil(TILE), out_width }
    }

    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.band.images.len() * self.rows * self.columns
    }

    #[inline(always)]
    fn at(&self, index: usize) -> Tile {
        let (row, column) = (index / self.columns, index % self.columns);
        Tile {
            image: self.band.images.start + row / self.rows,
            row: self.band.rows.start + row % self.rows * TILE,
            column: column * TILE,
        }
    }

    /// Elements from one point to the next: a vector more than needed, since the points of one tile would otherwise
    /// often lie at a multiple of 4096 bytes from each other, where all of them compete for the same few lines of the
    /// cache.
    #[inline(always)]
    pub(super) fn point_len<T: Lanes, S: Simd>(&self, stride: usize) -> usize {
        self.count() * stride + T::count::<S>()
    }
}

/// The values of all channels at all points: of patches (`K = Input`, `N = 6`) or of tiles (`K = OutputGrad`, `N = 4`).
#[inline(always)]
pub(super) fn images_to_points<K: Transform<N, PATCH>, T: Lanes, S: Simd, const N: usize>(
    simd: S,
    images: Images<'_, T>,
    tiles: &Tiles<'_>,
    points: &mut [T],
) {
    let (lanes, n_channels) = (T::count::<S>(), images.n_channels);
    let stride = n_channels.next_multiple_of(lanes);
    let point_len = tiles.point_len::<T, S>(stride);
    let constants = Constants::<T, S>::new(simd);
    for index in 0..tiles.count() {
        let pixels: [[Option<usize>; N]; N] = pixels(&images, tiles.at(index));
        for channel in (0..n_channels).step_by(lanes) {
            let end = (channel + lanes).min(n_channels);
            let mut values = [[T::constant(simd, 0.0); N]; N];
            for y in 0..N {
                for x in 0..N {
                    if let Some(start) = pixels[y][x] {
                        values[y][x] = T::load(simd, &images.values[start + channel..start + end]);
                    }
                }
            }
            let values = K::square(simd, &constants, &values);
            let start = index * stride + channel;
            for y in 0..PATCH {
                for x in 0..PATCH {
                    let start = (y * PATCH + x) * point_len + start;
                    T::store(simd, &mut points[start..start + lanes], values[y][x]);
                }
            }
        }
    }
}

/// Where the pixels from a tile's first one on start in the images; none in the padding.
#[inline(always)]
fn pixels<T, const N: usize>(images: &Images<'_, T>, tile: Tile) -> [[Option<usize>; N]; N] {
    let padding = images.padding;
    let mut pixels = [[None; N]; N];
    for (y, row) in (tile.row..).zip(&mut pixels) {
        for (x, pixel) in (tile.column..).zip(row) {
            let is_inside =
                (padding..images.height + padding).contains(&y) && (padding..images.width + padding).contains(&x);
            let row = tile.image * images.height + y;
            *pixel = is_inside.then(|| ((row - padding) * images.width + x - padding) * images.n_channels);
        }
    }
    pixels
}

/// The outputs of all tiles from the products at their points, for the channels `channels` of `[.., n_channels]`.
#[inline(always)]
pub(super) fn points_to_outputs<T: Lanes, S: Simd>(
    simd: S,
    points: &[T],
    tiles: &Tiles<'_>,
    channels: Range<usize>,
    n_channels: usize,
    output: &mut [T],
) {
    let lanes = T::count::<S>();
    let stride = channels.len().next_multiple_of(lanes);
    let point_len = tiles.point_len::<T, S>(stride);
    let constants = Constants::<T, S>::new(simd);
    let (images, rows) = (&tiles.band.images, &tiles.band.rows);
    for index in 0..tiles.count() {
        let tile = tiles.at(index);
        let first_row = (tile.image - images.start) * rows.len() + tile.row - rows.start;
        let n_rows = TILE.min(rows.end - tile.row);
        let n_columns = TILE.min(tiles.out_width - tile.column);
        for (nth, channel) in channels.clone().step_by(lanes).enumerate() {
            let end = (channel + lanes).min(channels.end);
            let values = load_points(simd, &points[index * stride + nth * lanes..], point_len);
            let values = Output::square(simd, &constants, &values);
            for y in 0..n_rows {
                for x in 0..n_columns {
                    let start = ((first_row + y) * tiles.out_width + tile.column + x) * n_channels;
                    T::store(simd, &mut output[start + channel..start + end], values[y][x]);
                }
            }
        }
    }
}

/// One vector at each point; `point_len` elements lie from one point to the next.
#[inline(always)]
pub(super) fn load_points<T: Lanes, S: Simd>(
    simd: S,
    points: &[T],
    point_len: usize,
) -> [[T::Vector<S>; PATCH]; PATCH] {
    let mut values = [[T::constant(simd, 0.0); PATCH]; PATCH];
    for (point, value) in values.as_flattened_mut().iter_mut().enumerate() {
        *value = T::load(simd, &points[point * point_len..point * point_len + T::count::<S>()]);
    }
    values
}
