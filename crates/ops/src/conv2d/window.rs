//! Parts of images with zeros around them.
//!
//! Shapes: as in [`conv2d`](super): `N` images of `H` rows, `W` columns and `C` channels; `O` output channels.

use super::Conv2dSize;
use super::bands::Band;
use crate::scratch::Scratch;
use crate::simd::Lanes;

/// A part of every image of a band, which may reach beyond the image's borders.
pub(super) struct Window {
    /// Row and column of the image at the upper left corner.
    pub(super) top: isize,
    pub(super) left: isize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Window {
    /// The part of the input that the output rows of a band depend on.
    pub(super) fn of_outputs(band: &Band, size: &Conv2dSize) -> Self {
        Self {
            top: (band.rows.start * size.stride) as isize - size.padding as isize,
            left: -(size.padding as isize),
            height: (band.rows.len() - 1) * size.stride + size.kernel_height,
            width: (size.out_width - 1) * size.stride + size.kernel_width,
        }
    }

    /// The windows `[images, height, width, C]` of all images of a band; the images themselves where nothing is added
    /// or left out between them. `size` is that of an image, `[H, W, C]`.
    pub(super) fn of_band<'a, T: Lanes>(
        &self,
        images: &'a [T],
        band: &Band,
        size: [usize; 3],
        scratch: &'a mut Scratch<T>,
    ) -> &'a [T] {
        let [height, width, n_channels] = size;
        if self.is_contiguous(band, size) {
            return &images[(band.images.start * height + self.top as usize) * width * n_channels..];
        }
        let row_len = self.width * n_channels;
        let windows = scratch.take(band.images.len() * self.height * row_len);
        // columns of the window that exist in the image
        let start = (-self.left).clamp(0, self.width as isize) as usize;
        let end = (width as isize - self.left).clamp(start as isize, self.width as isize) as usize;
        for (nth, row) in windows.chunks_exact_mut(row_len.max(1)).enumerate() {
            let y = (nth % self.height) as isize + self.top;
            if y < 0 || y >= height as isize || start == end {
                row.fill(T::default());
                continue;
            }
            let image_row = (band.images.start + nth / self.height) * height + y as usize;
            let first = (image_row * width + (start as isize + self.left) as usize) * n_channels;
            row[..start * n_channels].fill(T::default());
            row[end * n_channels..].fill(T::default());
            let len = (end - start) * n_channels;
            row[start * n_channels..end * n_channels].copy_from_slice(&images[first..first + len]);
        }
        windows
    }

    fn is_contiguous(&self, band: &Band, [height, width, _]: [usize; 3]) -> bool {
        if (self.left, self.width) != (0, width) || self.top < 0 {
            return false;
        }
        let is_whole = (self.top, self.height) == (0, height);
        is_whole || (band.images.len() == 1 && self.top as usize + self.height <= height)
    }
}

/// Where the patch of each output pixel of a band starts in its windows.
pub(super) fn pixel_starts(band: &Band, window: &Window, size: &Conv2dSize) -> Vec<usize> {
    let mut starts = Vec::with_capacity(band.n_rows() * size.out_width);
    for image in 0..band.images.len() {
        for row in 0..band.rows.len() {
            let row = image * window.height + row * size.stride;
            let pixels = (0..size.out_width).map(|x| (row * window.width + x * size.stride) * size.n_inputs);
            starts.extend(pixels);
        }
    }
    starts
}
