//! Cuts a batch of images into bands: some rows of one image, or some whole images. Each band is a contiguous piece of
//! the output, and small enough that what is computed on the way stays in the cache.
//!
//! Shapes: as in [`conv2d`](super): `N` images of `H` rows, `W` columns and `C` channels; `O` output channels.

use std::ops::Range;

use rayon::prelude::*;

use crate::parallel::{cleared, is_serial};

/// Rows `rows` of the images `images`; all rows where there is more than one image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Band {
    pub(super) images: Range<usize>,
    pub(super) rows: Range<usize>,
}

impl Band {
    pub(super) fn n_rows(&self) -> usize {
        self.images.len() * self.rows.len()
    }
}

/// Bands of about `rows_per_band` of the `n_rows` rows of each image; cuts inside of an image lie at multiples of
/// `step`.
pub(super) fn bands(batch: usize, n_rows: usize, rows_per_band: usize, step: usize) -> Vec<Band> {
    if n_rows == 0 {
        return Vec::new();
    }
    let n_images = rows_per_band / n_rows;
    if n_images >= 1 {
        let starts = (0..batch).step_by(n_images);
        return starts.map(|start| Band { images: start..(start + n_images).min(batch), rows: 0..n_rows }).collect();
    }
    // bands of an image have nearly the same size
    let n_bands = n_rows.div_ceil(rows_per_band.max(1));
    let rows_per_band = n_rows.div_ceil(n_bands).next_multiple_of(step);
    let of_image = |image: usize| {
        let starts = (0..n_rows).step_by(rows_per_band);
        starts.map(move |start| Band { images: image..image + 1, rows: start..(start + rows_per_band).min(n_rows) })
    };
    (0..batch).flat_map(of_image).collect()
}

/// A new vector with rows of `row_len` elements for all bands, and what `work(scratch, band, piece)` returns for each
/// band and its piece of the vector, in the order of the bands.
pub(super) fn map_bands<T: Copy + Default + Send, C: Default, R: Send>(
    bands: &[Band],
    row_len: usize,
    work: impl Fn(&mut C, &Band, &mut [T]) -> R + Send + Sync,
) -> (Vec<T>, Vec<R>) {
    let len = bands.iter().map(Band::n_rows).sum::<usize>() * row_len;
    let mut values = Vec::with_capacity(len);
    let mut rest = &mut values.spare_capacity_mut()[..len];
    let mut pieces = Vec::with_capacity(bands.len());
    for band in bands {
        let (piece, others) = rest.split_at_mut(band.n_rows() * row_len);
        pieces.push((band, piece));
        rest = others;
    }
    let results = if is_serial(bands.len()) {
        let mut scratch = C::default();
        pieces.into_iter().map(|(band, piece)| work(&mut scratch, band, cleared(piece))).collect()
    } else {
        let pieces = pieces.into_par_iter();
        pieces.map_init(C::default, |scratch, (band, piece)| work(scratch, band, cleared(piece))).collect()
    };
    // SAFETY: the pieces are all of the first `len` elements, and `cleared` has initialised each of them
    unsafe { values.set_len(len) };
    (values, results)
}
