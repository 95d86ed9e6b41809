//! The sizes of a convolution, checked.
//!
//! Shapes: as in [`conv2d`](super): `N` images of `H` rows, `W` columns and `C` channels; `O` output channels.

use candle_core::{Result, Shape, Tensor};

use crate::shape::{expect_4d, expect_positive, expect_shape, mismatch};

/// All sizes of one convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conv2dSize {
    /// Every output channel is made of the input channel of the same number alone.
    pub(crate) is_depthwise: bool,
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
    /// Of a weight `[kh, kw, C, O]`.
    pub(crate) fn dense(input: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Self> {
        let name = name(false);
        let image = expect_4d(name, "input", input)?;
        let [kernel_height, kernel_width, _, n_outputs] = expect_4d(name, "weight", weight)?;
        expect_shape(name, "weight", weight, &[kernel_height, kernel_width, image[3], n_outputs])?;
        Self::checked(image, [kernel_height, kernel_width], n_outputs, [stride, padding], false)
    }

    /// Of a weight `[kh, kw, C]`.
    pub(crate) fn depthwise(input: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Self> {
        let name = name(true);
        let image = expect_4d(name, "input", input)?;
        let [kernel_height, kernel_width, _] = *weight.dims() else {
            return Err(mismatch(name, "shape of weight", "3 axes", weight.dims()));
        };
        expect_shape(name, "weight", weight, &[kernel_height, kernel_width, image[3]])?;
        Self::checked(image, [kernel_height, kernel_width], image[3], [stride, padding], true)
    }

    fn checked(
        [batch, height, width, n_inputs]: [usize; 4],
        [kernel_height, kernel_width]: [usize; 2],
        n_outputs: usize,
        [stride, padding]: [usize; 2],
        is_depthwise: bool,
    ) -> Result<Self> {
        let name = name(is_depthwise);
        expect_positive(name, "stride", stride)?;
        expect_positive(name, "input channels", n_inputs)?;
        expect_positive(name, "output channels", n_outputs)?;
        expect_positive(name, "kernel height", kernel_height)?;
        expect_positive(name, "kernel width", kernel_width)?;
        let padded = (height + 2 * padding, width + 2 * padding);
        if kernel_height > padded.0 || kernel_width > padded.1 {
            let expected = format!("at least the kernel, {kernel_height} x {kernel_width}");
            return Err(mismatch(name, "size of padded image", expected, padded));
        }
        let (out_height, out_width) = ((padded.0 - kernel_height) / stride + 1, (padded.1 - kernel_width) / stride + 1);
        Ok(Self {
            is_depthwise,
            batch,
            height,
            width,
            n_inputs,
            kernel_height,
            kernel_width,
            n_outputs,
            stride,
            padding,
            out_height,
            out_width,
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        name(self.is_depthwise)
    }

    /// Output pixels of the whole batch.
    pub(crate) fn n_pixels(&self) -> usize {
        self.batch * self.out_height * self.out_width
    }

    /// Numbers that one output channel of a pixel is computed from.
    pub(crate) fn patch_len(&self) -> usize {
        self.kernel_height * self.kernel_width * if self.is_depthwise { 1 } else { self.n_inputs }
    }

    pub(crate) fn input_shape(&self) -> (usize, usize, usize, usize) {
        (self.batch, self.height, self.width, self.n_inputs)
    }

    pub(crate) fn weight_shape(&self) -> Shape {
        if self.is_depthwise {
            return Shape::from((self.kernel_height, self.kernel_width, self.n_inputs));
        }
        Shape::from((self.kernel_height, self.kernel_width, self.n_inputs, self.n_outputs))
    }

    pub(crate) fn output_shape(&self) -> (usize, usize, usize, usize) {
        (self.batch, self.out_height, self.out_width, self.n_outputs)
    }
}

fn name(is_depthwise: bool) -> &'static str {
    if is_depthwise { "depthwise_conv2d" } else { "conv2d" }
}
