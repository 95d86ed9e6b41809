//! A convolution with everything that usually follows it: batch norm, the addition of a residual, the rectifier.
//!
//! Shapes: as in [`conv2d`](crate::conv2d); `O` output channels.

use candle_core::{Error, Result, Tensor};

use crate::arithmetic::add;
use crate::batch_norm::{Epilogue, batch_norm_eval, normalise_batch};
use crate::conv2d::{Conv2dSize, MomentsCell, convolve};
use crate::shape::{expect_positive, expect_same_kind, expect_shape};
use crate::{composite, relu};

const NAME: &str = "conv_norm";

/// `relu(batch_norm(conv(input)) + residual)`, in as few passes over memory as there can be: the batch's moments are
/// taken while the convolution's output is in the cache, and one pass normalises, adds and rectifies.
#[derive(Clone, Copy, Debug)]
pub struct ConvNorm<'a> {
    /// `[kh, kw, C, O]`; or `[kh, kw, C]` for a depthwise convolution, with `O = C`
    pub weight: &'a Tensor,
    /// pixels from one window to the next
    pub stride: usize,
    /// rows and columns of zeros on each side of the image
    pub padding: usize,
    /// `[O]`, the scale of the normalised values
    pub gamma: &'a Tensor,
    /// `[O]`, added to the normalised values
    pub beta: &'a Tensor,
    /// added to the variance
    pub eps: f64,
    /// added after the norm; of the shape of the output
    pub residual: Option<&'a Tensor>,
    /// cuts off what is below zero at the end
    pub relu: bool,
}

impl ConvNorm<'_> {
    /// The output `[N, H', W', O]` with the statistics of this batch, its mean `[O]` and its biased variance `[O]`, as
    /// [`batch_norm_train`](crate::batch_norm_train).
    ///
    /// # Errors
    /// Shapes, dtypes or devices that do not fit, an empty batch.
    pub fn train(&self, input: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        let size = self.size(input)?;
        expect_positive(NAME, "positions per channel", size.n_pixels())?;
        if !input.device().is_cpu() {
            let hidden = convolve(input, self.weight, size, None)?;
            let fuse_relu = self.relu && self.residual.is_none();
            let (output, mean, var) = composite::batch_norm_train(&hidden, self.gamma, self.beta, self.eps, fuse_relu)?;
            return Ok((self.add_residual(output)?, mean, var));
        }
        let cell = MomentsCell::default();
        let hidden = convolve(input, self.weight, size, Some(cell.clone()))?;
        let moments = cell.get().ok_or_else(|| Error::msg("internal: a convolution without moments"))?.clone();
        let [mean, var] = moments.tensors(&hidden)?;
        let epilogue = Epilogue { residual: self.residual, relu: self.relu };
        Ok((normalise_batch(&hidden, moments, self.gamma, self.beta, self.eps, epilogue)?, mean, var))
    }

    /// The output `[N, H', W', O]` with given statistics `[O]`, as [`batch_norm_eval`].
    ///
    /// # Errors
    /// Shapes, dtypes or devices that do not fit.
    pub fn eval(&self, input: &Tensor, running_mean: &Tensor, running_var: &Tensor) -> Result<Tensor> {
        let hidden = convolve(input, self.weight, self.size(input)?, None)?;
        let fuse_relu = self.relu && self.residual.is_none();
        let output = batch_norm_eval(&hidden, self.gamma, self.beta, running_mean, running_var, self.eps, fuse_relu)?;
        self.add_residual(output)
    }

    fn size(&self, input: &Tensor) -> Result<Conv2dSize> {
        let size = match self.weight.rank() {
            3 => Conv2dSize::depthwise(input, self.weight, self.stride, self.padding)?,
            _ => Conv2dSize::dense(input, self.weight, self.stride, self.padding)?,
        };
        for (name, vector) in [("gamma", self.gamma), ("beta", self.beta)] {
            expect_shape(NAME, name, vector, &[size.n_outputs])?;
            expect_same_kind(NAME, input, &[(name, vector)])?;
        }
        if let Some(residual) = self.residual {
            let (n, height, width, n_outputs) = size.output_shape();
            expect_shape(NAME, "residual", residual, &[n, height, width, n_outputs])?;
            expect_same_kind(NAME, input, &[("residual", residual)])?;
        }
        Ok(size)
    }

    fn add_residual(&self, output: Tensor) -> Result<Tensor> {
        match self.residual {
            None => Ok(output),
            Some(residual) if self.relu => relu(&add(&output, residual)?),
            Some(residual) => add(&output, residual),
        }
    }
}
