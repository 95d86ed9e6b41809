//! Images to patches and back.
//!
//! A patch is the `kh * kw * C` numbers under the kernel at one output pixel; a chunk of pixels gives the matrix
//! `[pixels, kh * kw * C]`. In this layout the columns of one kernel row are `kw * C` consecutive numbers of the image.

use std::ops::Range;

use crate::conv2d::Conv2dSize;
use crate::element::Element;

/// One row of the kernel at one output pixel, in the image and in the patch.
struct KernelRow {
    /// Elements of the image, clipped to it.
    image: Range<usize>,
    /// The same elements inside of the patch.
    patch: Range<usize>,
    /// All elements of this kernel row inside of the patch, padding included.
    whole: Range<usize>,
}

/// Writes the patches of `pixels` (numbers of output pixels over the whole batch) to `patches`.
pub(crate) fn gather<T: Element>(input: &[T], pixels: Range<usize>, size: &Conv2dSize, patches: &mut [T]) {
    for (pixel, patch) in pixels.zip(patches.chunks_exact_mut(size.patch_len())) {
        for_each_kernel_row(pixel, size, |row| {
            if row.image.is_empty() {
                patch[row.whole].fill(T::ZERO);
                return;
            }
            patch[row.whole.start..row.patch.start].fill(T::ZERO);
            patch[row.patch.end..row.whole.end].fill(T::ZERO);
            patch[row.patch].copy_from_slice(&input[row.image]);
        });
    }
}

/// Adds the patches of `pixels` back to the image elements that they came from; `images` starts at element `start`.
pub(crate) fn scatter_add<T: Element>(
    patches: &[T],
    pixels: Range<usize>,
    size: &Conv2dSize,
    start: usize,
    images: &mut [T],
) {
    for (pixel, patch) in pixels.zip(patches.chunks_exact(size.patch_len())) {
        for_each_kernel_row(pixel, size, |row| {
            let image = &mut images[row.image.start - start..row.image.end - start];
            image.iter_mut().zip(&patch[row.patch]).for_each(|(image, patch)| *image += *patch);
        });
    }
}

fn for_each_kernel_row(pixel: usize, size: &Conv2dSize, mut visit: impl FnMut(KernelRow)) {
    let (row_len, padding, channels) = (size.kernel_width * size.n_inputs, size.padding, size.n_inputs);
    let left = pixel % size.out_width * size.stride;
    let top = pixel / size.out_width % size.out_height * size.stride;
    let image_idx = pixel / (size.out_width * size.out_height);
    // columns of the padded image, clipped to those that exist
    let first = left.max(padding).min(size.width + padding);
    let last = (left + size.kernel_width).min(size.width + padding).max(first);
    for kernel_y in 0..size.kernel_height {
        let whole = kernel_y * row_len..(kernel_y + 1) * row_len;
        let y = top + kernel_y;
        if y < padding || y >= size.height + padding || first == last {
            let start = image_idx * size.height * size.width * channels;
            visit(KernelRow { image: start..start, patch: whole.start..whole.start, whole });
            continue;
        }
        let row_start = (image_idx * size.height + y - padding) * size.width;
        let image = (row_start + first - padding) * channels..(row_start + last - padding) * channels;
        let patch = whole.start + (first - left) * channels..whole.start + (last - left) * channels;
        visit(KernelRow { image, patch, whole });
    }
}
