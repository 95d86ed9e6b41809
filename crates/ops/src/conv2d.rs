//! Convolution of images with square or rectangular kernels, without bias.
//!
//! Shapes: `N` images of `H` rows, `W` columns and `C` channels; kernels of `kh` rows and `kw` columns; `O` output
//! channels; output images of `H'` rows and `W'` columns with `H' = (H + 2 padding - kh) / stride + 1`.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use crate::composite;
use crate::conv2d_kernel::{backward_input, backward_weight, forward};
use crate::element::with_element;
use crate::shape::{expect_4d, expect_positive, expect_same_kind, expect_shape, mismatch};
use crate::storage::{Elements, output, slice, tensor};
use crate::tape::apply2;

const NAME: &str = "conv2d";

/// Cross-correlation of `input [N, H, W, C]` with `weight [kh, kw, C, O]`, an output of shape `[N, H', W', O]`.
///
/// The image is surrounded by `padding` rows and columns of zeros on each side. This is what the field calls a
/// convolution; the kernel is not mirrored.
pub fn conv2d(input: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    let size = Conv2dSize::of(input, weight, stride, padding)?;
    expect_same_kind(NAME, input, &[("weight", weight)])?;
    if !input.device().is_cpu() {
        return composite::conv2d(input, weight, &size);
    }
    apply2(Conv2d { size }, &input.contiguous()?, &weight.contiguous()?)
}

/// All sizes of one convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conv2dSize {
    pub(crate) batch: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) n_inputs: usize,
    pub(crate) kernel_height: usize,
    pub(crate) kernel_width: usize,
    pub(crate) n_outputs: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) out_height: usize,
    pub(crate) out_width: usize,
}

impl Conv2dSize {
    pub(crate) fn of(input: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Self> {
        let [batch, height, width, n_inputs] = expect_4d(NAME, "input", input)?;
        let [kernel_height, kernel_width, _, n_outputs] = expect_4d(NAME, "weight", weight)?;
        expect_shape(NAME, "weight", weight, &[kernel_height, kernel_width, n_inputs, n_outputs])?;
        expect_positive(NAME, "stride", stride)?;
        expect_positive(NAME, "input channels", n_inputs)?;
        expect_positive(NAME, "output channels", n_outputs)?;
        expect_positive(NAME, "kernel height", kernel_height)?;
        expect_positive(NAME, "kernel width", kernel_width)?;
        if kernel_height > height + 2 * padding || kernel_width > width + 2 * padding {
            let expected = format!("at least the kernel, {kernel_height} x {kernel_width}");
            return Err(mismatch(NAME, "size of padded image", expected, (height + 2 * padding, width + 2 * padding)));
        }
        Ok(Self {
            batch,
            height,
            width,
            n_inputs,
            kernel_height,
            kernel_width,
            n_outputs,
            stride,
            padding,
            out_height: (height + 2 * padding - kernel_height) / stride + 1,
            out_width: (width + 2 * padding - kernel_width) / stride + 1,
        })
    }

    /// Output pixels of the whole batch: the rows of the matrix product.
    pub(crate) fn n_pixels(&self) -> usize {
        self.batch * self.out_height * self.out_width
    }

    /// Numbers that one output pixel is computed from: the inner size of the matrix product.
    pub(crate) fn patch_len(&self) -> usize {
        self.kernel_height * self.kernel_width * self.n_inputs
    }

    /// True where the patches are the pixels themselves.
    pub(crate) fn is_pointwise(&self) -> bool {
        (self.kernel_height, self.kernel_width, self.stride, self.padding) == (1, 1, 1, 0)
    }

    pub(crate) fn input_shape(&self) -> (usize, usize, usize, usize) {
        (self.batch, self.height, self.width, self.n_inputs)
    }

    pub(crate) fn weight_shape(&self) -> (usize, usize, usize, usize) {
        (self.kernel_height, self.kernel_width, self.n_inputs, self.n_outputs)
    }

    pub(crate) fn output_shape(&self) -> (usize, usize, usize, usize) {
        (self.batch, self.out_height, self.out_width, self.n_outputs)
    }
}

struct Conv2d {
    size: Conv2dSize,
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        with_element!(input.dtype(), NAME, T => {
            let values = forward(slice::<T>(input, input_layout)?, slice::<T>(weight, weight_layout)?, &self.size);
            Ok(output(values, self.size.output_shape()))
        })
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        _result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        with_element!(grad.dtype(), NAME, T => {
            let grad = Elements::<T>::of(&grad)?;
            let input_grad = if input.track_op() {
                let values = backward_input(&grad, &Elements::<T>::of(weight)?, &self.size);
                Some(tensor(values, self.size.input_shape())?)
            } else {
                None
            };
            let weight_grad = if weight.track_op() {
                let values = backward_weight(&grad, &Elements::<T>::of(input)?, &self.size);
                Some(tensor(values, self.size.weight_shape())?)
            } else {
                None
            };
            Ok((input_grad, weight_grad))
        })
    }
}
