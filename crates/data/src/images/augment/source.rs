//! The image that a view is made from.
//!
//! Shapes: `H` height, `W` width, `C` channels.

use crate::images::pixels::PixelValue;

/// The image that a view is made from, `[H, W, C]`.
pub(super) struct Source<'a, P> {
    pub(super) pixels: &'a [P],
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

impl<P: PixelValue> Source<'_, P> {
    /// Writes the image moved right by `dx` and down by `dy` pixels, 0 where nothing is.
    pub(super) fn write_shifted(&self, dx: isize, dy: isize, out: &mut [f32]) {
        let row_len = self.width * self.channels;
        if row_len == 0 {
            return;
        }
        let columns = overlap(self.width, dx);
        for (y, out_row) in out.chunks_exact_mut(row_len).enumerate() {
            let source_y = y as isize - dy;
            if source_y < 0 || source_y >= self.height as isize || columns.is_empty() {
                out_row.fill(0.0);
                continue;
            }
            let (start, end) = (columns.start * self.channels, columns.end * self.channels);
            let source_start = source_y as usize * row_len + (columns.start as isize - dx) as usize * self.channels;
            out_row[..start].fill(0.0);
            out_row[end..].fill(0.0);
            copy_values(&self.pixels[source_start..source_start + end - start], &mut out_row[start..end]);
        }
    }
}

/// The positions of `0..len` that a move by `delta` still fills with source positions.
fn overlap(len: usize, delta: isize) -> std::ops::Range<usize> {
    let len = len as isize;
    let start = delta.clamp(0, len);
    let end = (len + delta).clamp(start, len);
    start as usize..end as usize
}

/// The pixels as numbers on the same scale.
pub(super) fn copy_values<P: PixelValue>(pixels: &[P], out: &mut [f32]) {
    for (value, &pixel) in out.iter_mut().zip(pixels) {
        *value = pixel.value();
    }
}
