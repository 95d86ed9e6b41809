//! Pooling of images `[N, H, W, C]`; windows that do not fit at the lower and right border are left out.
//!
//! Shapes: `N` images of `H` rows, `W` columns and `C` channels; `H' = (H + 2 padding - kernel) / stride + 1`, `W'`
//! likewise.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::composite;
use crate::element::{Element, value_or_zero, with_element};
use crate::parallel::{filled, for_each_chunk};
use crate::shape::{expect_4d, expect_positive, mismatch};
use crate::storage::{Elements, output, slice, tensor};
use crate::tape::{apply1, reshape};
use crate::vector::inlined;

/// The largest element of every `kernel x kernel` window, `[N, H', W', C]`; the gradient goes to the first of equals.
/// The image is surrounded by `padding` rows and columns on each side that are never the largest.
///
/// # Errors
/// An input that is no image, a stride or kernel of 0, a kernel that is larger than the padded image, or a padding of
/// more than half the kernel.
pub fn max_pool2d(input: &Tensor, kernel: usize, stride: usize, padding: usize) -> Result<Tensor> {
    pool(input, Pooling::Max, [kernel, kernel], stride, padding)
}

/// The mean of every `kernel x kernel` window, `[N, H', W', C]`.
///
/// # Errors
/// An input that is no image, a stride or kernel of 0, or a kernel that is larger than the image.
pub fn avg_pool2d(input: &Tensor, kernel: usize, stride: usize) -> Result<Tensor> {
    pool(input, Pooling::Mean, [kernel, kernel], stride, 0)
}

/// The mean over all pixels of `input [N, H, W, C]`, an output of shape `[N, C]`.
///
/// # Errors
/// An input that is no image, or one without pixels.
pub fn global_average_pool(input: &Tensor) -> Result<Tensor> {
    let [batch, height, width, n_channels] = expect_4d(Pooling::Mean.name(), "input", input)?;
    reshape(&pool(input, Pooling::Mean, [height, width], 1, 0)?, (batch, n_channels))
}

#[derive(Clone, Copy)]
pub(crate) enum Pooling {
    Max,
    Mean,
}

impl Pooling {
    fn name(self) -> &'static str {
        match self {
            Self::Max => "max_pool2d",
            Self::Mean => "avg_pool2d",
        }
    }
}

fn pool(input: &Tensor, pooling: Pooling, kernel: [usize; 2], stride: usize, padding: usize) -> Result<Tensor> {
    let op = Pool { pooling, size: PoolSize::of(input, pooling.name(), kernel, stride, padding)? };
    if !input.device().is_cpu() {
        return composite::pool(input, pooling, &op.size);
    }
    apply1(op, &input.contiguous()?)
}

/// All sizes of one pooling.
#[derive(Clone, Copy)]
pub(crate) struct PoolSize {
    pub(crate) batch: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) n_channels: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) out_height: usize,
    pub(crate) out_width: usize,
}

impl PoolSize {
    pub(crate) fn of(input: &Tensor, name: &str, kernel: [usize; 2], stride: usize, padding: usize) -> Result<Self> {
        let [batch, height, width, n_channels] = expect_4d(name, "input", input)?;
        expect_positive(name, "stride", stride)?;
        expect_positive(name, "kernel", kernel[0].min(kernel[1]))?;
        expect_positive(name, "channels", n_channels)?;
        let [padded_height, padded_width] = [height, width].map(|side| side + 2 * padding);
        if kernel[0] > padded_height || kernel[1] > padded_width {
            return Err(mismatch(name, "size of image", format!("at least the kernel, {kernel:?}"), (height, width)));
        }
        if 2 * padding > kernel[0].min(kernel[1]) {
            return Err(mismatch(name, "padding", format!("at most half the kernel, {kernel:?}"), padding));
        }
        let out_height = (padded_height - kernel[0]) / stride + 1;
        let out_width = (padded_width - kernel[1]) / stride + 1;
        Ok(Self { batch, height, width, n_channels, kernel, stride, padding, out_height, out_width })
    }

    fn window_len(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    fn image_len(&self) -> usize {
        self.height * self.width * self.n_channels
    }

    fn output_len(&self) -> usize {
        self.out_height * self.out_width * self.n_channels
    }

    /// Where the pixels of the window at output pixel `pixel` start, within their image; not those in the padding.
    fn window(&self, pixel: usize) -> impl Iterator<Item = usize> + use<> {
        let side = |place: usize, kernel: usize, size: usize| {
            let start = place * self.stride;
            start.saturating_sub(self.padding)..(start + kernel - self.padding).min(size)
        };
        let rows = side(pixel / self.out_width, self.kernel[0], self.height);
        let columns = side(pixel % self.out_width, self.kernel[1], self.width);
        let (width, n_channels) = (self.width, self.n_channels);
        rows.flat_map(move |y| columns.clone().map(move |x| (y * width + x) * n_channels))
    }
}

struct Pool {
    pooling: Pooling,
    size: PoolSize,
}

impl CustomOp1 for Pool {
    fn name(&self) -> &'static str {
        self.pooling.name()
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let size = &self.size;
        with_element!(input.dtype(), self.name(), T => {
            let input = slice::<T>(input, layout)?;
            let values = filled(size.batch * size.output_len(), size.output_len(), inlined!(|start, pooled| {
                let image = &input[start / size.output_len() * size.image_len()..][..size.image_len()];
                match self.pooling {
                    Pooling::Max => max_of_windows(image, size, pooled),
                    Pooling::Mean => mean_of_windows(image, size, pooled),
                }
            }));
            Ok(output(values, (size.batch, size.out_height, size.out_width, size.n_channels)))
        })
    }

    fn bwd(&self, input: &Tensor, _result: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (size, grad) = (&self.size, grad.contiguous()?);
        with_element!(grad.dtype(), self.name(), T => {
            let (input_values, grad) = (Elements::<T>::of(input)?, Elements::<T>::of(&grad)?);
            let (images, grads): (&[T], &[T]) = (&input_values, &grad);
            let mut values = vec![T::ZERO; size.batch * size.image_len()];
            for_each_chunk(&mut values, size.image_len(), inlined!(|start, image_grad| {
                let grad = &grads[start / size.image_len() * size.output_len()..][..size.output_len()];
                match self.pooling {
                    Pooling::Max => max_backward(&images[start..][..size.image_len()], grad, size, image_grad),
                    Pooling::Mean => mean_backward(grad, size, image_grad),
                }
            }));
            Ok(Some(tensor(values, input.shape().clone())?))
        })
    }
}

/// True where `value` takes the place of the largest so far; a NaN wins and stays.
#[inline(always)]
fn is_larger<T: Element>(value: T, largest: T) -> bool {
    #[allow(clippy::eq_op)]
    let is_nan = value != value;
    value > largest || is_nan
}

#[inline(always)]
fn max_of_windows<T: Element>(image: &[T], size: &PoolSize, pooled: &mut [T]) {
    for (pixel, pooled) in pooled.chunks_exact_mut(size.n_channels).enumerate() {
        pooled.fill(T::NEG_INFINITY);
        for start in size.window(pixel) {
            for (largest, value) in pooled.iter_mut().zip(&image[start..start + size.n_channels]) {
                *largest = if is_larger(*value, *largest) { *value } else { *largest };
            }
        }
    }
}

/// Finds the first of the largest again, then sends the gradient there; both loops are free of branches.
#[inline(always)]
fn max_backward<T: Element>(image: &[T], grad: &[T], size: &PoolSize, image_grad: &mut [T]) {
    let n_channels = size.n_channels;
    let mut largest = vec![T::ZERO; n_channels];
    let mut place = vec![0_u32; n_channels];
    for (pixel, grad) in grad.chunks_exact(n_channels).enumerate() {
        largest.fill(T::NEG_INFINITY);
        place.fill(0);
        for (nth, start) in (0..).zip(size.window(pixel)) {
            let values = &image[start..start + n_channels];
            for ((largest, place), value) in largest.iter_mut().zip(&mut place).zip(values) {
                let (value, old_largest, old_place) = (*value, *largest, *place);
                let is_larger = is_larger(value, old_largest);
                *largest = if is_larger { value } else { old_largest };
                *place = if is_larger { nth } else { old_place };
            }
        }
        for (nth, start) in (0..).zip(size.window(pixel)) {
            let values = &mut image_grad[start..start + n_channels];
            for ((value, place), grad) in values.iter_mut().zip(&place).zip(grad) {
                *value += value_or_zero(*place == nth, *grad);
            }
        }
    }
}

#[inline(always)]
fn mean_of_windows<T: Element>(image: &[T], size: &PoolSize, pooled: &mut [T]) {
    let weight = T::rounded(1.0 / size.window_len() as f64);
    for (pixel, pooled) in pooled.chunks_exact_mut(size.n_channels).enumerate() {
        for start in size.window(pixel) {
            let values = &image[start..start + size.n_channels];
            pooled.iter_mut().zip(values).for_each(|(sum, value)| *sum += *value);
        }
        pooled.iter_mut().for_each(|sum| *sum *= weight);
    }
}

#[inline(always)]
fn mean_backward<T: Element>(grad: &[T], size: &PoolSize, image_grad: &mut [T]) {
    let weight = T::rounded(1.0 / size.window_len() as f64);
    for (pixel, grad) in grad.chunks_exact(size.n_channels).enumerate() {
        for start in size.window(pixel) {
            let values = &mut image_grad[start..start + size.n_channels];
            values.iter_mut().zip(grad).for_each(|(value, grad)| *value += *grad * weight);
        }
    }
}
