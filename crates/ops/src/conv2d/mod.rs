//! Convolution of images with square or rectangular kernels, without bias, over all channels or for each of its own.
//!
//! Shapes: `N` images of `H` rows, `W` columns and `C` channels; kernels of `kh` rows and `kw` columns; `O` output
//! channels; output images of `H'` rows and `W'` columns with `H' = (H + 2 padding - kh) / stride + 1`.

mod bands;
mod depthwise;
mod direct;
mod kernel;
mod lattice;
mod outer;
mod panels;
mod size;
mod transpose;
mod weight_grad;
mod window;
mod winograd;

use std::sync::{Arc, OnceLock};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use crate::channel_moments::ChannelMoments;
use crate::composite;
use crate::element::{Element, with_element};
use crate::shape::expect_same_kind;
use crate::storage::{Elements, output, slice, tensor};
use crate::tape::apply2;
pub(crate) use size::Conv2dSize;

use kernel::{backward_input, backward_weight, forward};

/// Cross-correlation of `input [N, H, W, C]` with `weight [kh, kw, C, O]`, an output of shape `[N, H', W', O]`.
///
/// The image is surrounded by `padding` rows and columns of zeros on each side. This is what the field calls a
/// convolution; the kernel is not mirrored.
///
/// # Errors
/// Shapes that do not fit, a stride of 0, a kernel that is larger than the padded image.
pub fn conv2d(input: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    convolve(input, weight, Conv2dSize::dense(input, weight, stride, padding)?, None)
}

/// Cross-correlation of each channel of `input [N, H, W, C]` with a kernel of its own, `weight [kh, kw, C]`: an output
/// of shape `[N, H', W', C]`.
///
/// # Errors
/// As [`conv2d`].
pub fn depthwise_conv2d(input: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    convolve(input, weight, Conv2dSize::depthwise(input, weight, stride, padding)?, None)
}

/// Moments of an output's channels, which the forward pass takes while the output is in the cache.
pub(crate) type MomentsCell = Arc<OnceLock<ChannelMoments>>;

/// The convolution of a given size; `moments` are filled in on the CPU.
pub(crate) fn convolve(
    input: &Tensor,
    weight: &Tensor,
    size: Conv2dSize,
    moments: Option<MomentsCell>,
) -> Result<Tensor> {
    expect_same_kind(size.name(), input, &[("weight", weight)])?;
    if !input.device().is_cpu() {
        return composite::conv2d(input, weight, &size);
    }
    apply2(Conv2d { size, moments }, &input.contiguous()?, &weight.contiguous()?)
}

struct Conv2d {
    size: Conv2dSize,
    moments: Option<MomentsCell>,
}

impl Conv2d {
    fn forward<T: Element>(&self, input: &[T], weight: &[T]) -> Vec<T> {
        let Some(cell) = &self.moments else {
            return forward(input, weight, &self.size, |_| ()).0;
        };
        let (values, parts) =
            forward(input, weight, &self.size, |piece| ChannelMoments::of(piece, self.size.n_outputs));
        // a pass that is repeated finds the same moments
        let _ = cell.set(ChannelMoments::combine(parts));
        values
    }
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        self.size.name()
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        with_element!(input.dtype(), self.name(), T => {
            let (input, weight) = (slice::<T>(input, input_layout)?, slice::<T>(weight, weight_layout)?);
            Ok(output(self.forward(input, weight), self.size.output_shape()))
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
        with_element!(grad.dtype(), self.name(), T => {
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
