//! Layers that own variables: linear, and convolution with batch norm.
//!
//! Shapes: `B` batch, `H`, `W` height and width, `C` input channels, `O` output units or channels, `I` input units;
//! kernels of `kh` rows and `kw` columns.

use crate::ModelError;
use crate::layer_inputs::note_input;
use crate::low_rank::first_weight;
use crate::param::Registry;
use candle_core::{Tensor, Var};
use stillhouse_ops::{self as ops, DropoutKey};

/// Whether a forward pass trains or predicts.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// Tracked for a backward pass; dropout on; batch norm by the batch's statistics, its running ones are moved.
    Train {
        /// names the dropout masks of this step, so it differs from step to step; each layer derives its own
        dropout: DropoutKey,
    },
    /// Nothing tracked, nothing changed; batch norm by its running statistics.
    Eval,
}

impl Mode {
    /// The variable's value: part of the graph in training, detached from it otherwise.
    pub(crate) fn read(self, var: &Var) -> Tensor {
        match self {
            Self::Train { .. } => var.as_tensor().clone(),
            Self::Eval => var.as_detached_tensor(),
        }
    }
}

/// Drops values with this probability in training, by the mask of the model's `layer`-th dropout.
pub(crate) fn dropout(input: &Tensor, probability: f64, mode: Mode, layer: u64) -> Result<Tensor, ModelError> {
    match mode {
        Mode::Train { dropout } if probability > 0.0 => Ok(ops::dropout(input, probability, dropout.derive(layer, 0))?),
        _ => Ok(input.clone()),
    }
}

/// The activation that is fused with a layer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    None,
    Relu,
}

/// `x W^T + b`.
pub(crate) struct Linear {
    /// `[O, I]`, or `[O, r]` behind a first factor
    pub(crate) weight: Var,
    /// `[O]`
    pub(crate) bias: Var,
    /// `[r, I]` of a layer of rank `r`
    first: Option<Var>,
}

impl Linear {
    /// A layer under a ReLU, with variance `1 / I`. The `2 / I` that keeps the activations' scale through a deep net
    /// (He et al. 2015, arXiv:1502.01852) was worse for our shallow ones (`experiments/LOG.md`, "Initial weights").
    pub(crate) fn hidden(name: &str, n_in: usize, n_out: usize, registry: &mut Registry) -> Result<Self, ModelError> {
        Self::with_std(name, [n_in, n_out], (1.0 / n_in as f64).sqrt(), registry)
    }

    /// The layer that gives the logits, with variance `0.1 / I`: training starts with all classes about equally likely.
    pub(crate) fn head(n_in: usize, n_out: usize, registry: &mut Registry) -> Result<Self, ModelError> {
        Self::with_std(HEAD, [n_in, n_out], (0.1 / n_in as f64).sqrt(), registry)
    }

    /// A layer of `[inputs, outputs]` whose weights have this standard deviation.
    pub(crate) fn with_std(
        name: &str,
        [n_in, n_out]: [usize; 2],
        std: f64,
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        registry.count_activations(&[n_out, registry.n_tokens]);
        let Some(rank) = registry.reductions.ranks.of(name).filter(|_| name != HEAD) else {
            registry.count_multiply_adds(&[n_in, n_out, registry.n_tokens]);
            let weight = registry.weight(format!("{name}.weight"), &[n_out, n_in], std)?;
            return Ok(Self { weight, bias: registry.vector(format!("{name}.bias"), n_out, 0.0)?, first: None });
        };
        registry.count_multiply_adds(&[n_in + n_out, rank, registry.n_tokens]);
        registry.count_activations(&[rank, registry.n_tokens]);
        // the product of the factors has the spread that the whole weight would have
        let first = registry.weight(first_weight(name), &[rank, n_in], std)?;
        let weight = registry.weight(format!("{name}.weight"), &[n_out, rank], (rank.max(1) as f64).sqrt().recip())?;
        Ok(Self { weight, bias: registry.vector(format!("{name}.bias"), n_out, 0.0)?, first: Some(first) })
    }

    /// Takes over another layer's numbers, of the same shape.
    pub(crate) fn copy_from(&self, other: &Self) -> Result<(), ModelError> {
        self.weight.set(&other.weight.as_detached_tensor())?;
        self.bias.set(&other.bias.as_detached_tensor())?;
        Ok(())
    }

    /// `[B, I]` to `[B, O]`.
    pub(crate) fn forward(&self, input: &Tensor, activation: Activation, mode: Mode) -> Result<Tensor, ModelError> {
        let (weight, bias) = (mode.read(&self.weight), mode.read(&self.bias));
        let input = &self.after_first(input, mode)?;
        Ok(match activation {
            Activation::None => ops::linear(input, &weight, &bias)?,
            Activation::Relu => ops::linear_relu(input, &weight, &bias)?,
        })
    }

    /// What the weight reads: `[B, r]` behind a first factor, the input itself in a whole layer.
    fn after_first(&self, input: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        let Some(first) = &self.first else {
            note_input(&self.weight, input, None);
            return Ok(input.clone());
        };
        let no_bias = Tensor::zeros(first.dims()[0], input.dtype(), input.device())?;
        Ok(ops::linear(input, &mode.read(first), &no_bias)?)
    }

    /// `[B, I]` to `[B, O]` through a ReLU and [`dropout`], in one operation.
    pub(crate) fn forward_dropout(
        &self,
        input: &Tensor,
        probability: f64,
        mode: Mode,
        layer: u64,
    ) -> Result<Tensor, ModelError> {
        let Mode::Train { dropout } = mode else { return self.forward(input, Activation::Relu, mode) };
        let (weight, bias, key) = (mode.read(&self.weight), mode.read(&self.bias), dropout.derive(layer, 0));
        Ok(ops::linear_relu_dropout(&self.after_first(input, mode)?, &weight, &bias, probability, key)?)
    }
}

/// First part of the names of the head's parameters.
pub(crate) const HEAD: &str = "head";

/// A square window, padded so that a stride of 1 keeps the image's size.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    /// odd
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

impl Window {
    pub(crate) fn padding(self) -> usize {
        self.kernel / 2
    }

    /// Size of an axis after the window has moved over it.
    pub(crate) fn output_size(self, size: usize) -> usize {
        size.div_ceil(self.stride)
    }
}

/// The output of the convolution and that of batch norm.
const ACTIVATIONS_PER_CONVOLUTION: usize = 2;

/// Axes of a depthwise convolution's weight; others have one for the inputs too.
const DEPTHWISE_RANK: usize = 3;

/// A convolution without bias, followed by batch norm.
pub(crate) struct ConvNorm {
    /// `[kh, kw, C, O]`, or `[kh, kw, C]` of a depthwise convolution
    weight: Var,
    norm: BatchNorm,
    window: Window,
    output_size: [usize; 3],
}

impl ConvNorm {
    /// `size` is the `[height, width, channels]` of the input.
    pub(crate) fn build(
        name: &str,
        size: [usize; 3],
        window: Window,
        n_out: usize,
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        let shape = [window.kernel, window.kernel, size[2], n_out];
        Self::of_weight(name, size, window, &shape, registry)
    }

    /// A depthwise convolution: one kernel for each channel, as many outputs as inputs.
    pub(crate) fn depthwise(
        name: &str,
        size: [usize; 3],
        window: Window,
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        Self::of_weight(name, size, window, &[window.kernel, window.kernel, size[2]], registry)
    }

    /// The last axis of the weight's `shape` is that of the outputs, each of which is computed from all others.
    ///
    /// Under batch norm the scale of the first weights changes no output, only how much a step of training changes
    /// their direction. `1 / (3 I)`, as in PyTorch, learns faster than the `2 / I` of nets without it
    /// (`experiments/LOG.md`, "Initial weights").
    fn of_weight(
        name: &str,
        [height, width, _]: [usize; 3],
        window: Window,
        shape: &[usize],
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        let n_out = shape[shape.len() - 1];
        let fan_in = shape[..shape.len() - 1].iter().product::<usize>();
        let output_size = [window.output_size(height), window.output_size(width), n_out];
        let [rows, columns, _] = output_size;
        registry.count_multiply_adds(&[fan_in, rows, columns, n_out]);
        registry.count_activations(&[ACTIVATIONS_PER_CONVOLUTION, rows, columns, n_out]);
        let weight = registry.weight(format!("{name}.conv.weight"), shape, (1.0 / (3 * fan_in) as f64).sqrt())?;
        let norm = BatchNorm::build(&format!("{name}.norm"), n_out, registry)?;
        Ok(Self { weight, norm, window, output_size })
    }

    /// `[height, width, channels]` of the output.
    pub(crate) fn output_size(&self) -> [usize; 3] {
        self.output_size
    }

    /// `[B, H, W, C]` to `[B, H', W', O]`.
    pub(crate) fn forward(&self, images: &Tensor, activation: Activation, mode: Mode) -> Result<Tensor, ModelError> {
        self.forward_onto(images, None, activation, mode)
    }

    /// The same with a residual `[B, H', W', O]`, which is added before the activation.
    pub(crate) fn forward_onto(
        &self,
        images: &Tensor,
        residual: Option<&Tensor>,
        activation: Activation,
        mode: Mode,
    ) -> Result<Tensor, ModelError> {
        let (weight, norm) = (mode.read(&self.weight), &self.norm);
        if weight.rank() > DEPTHWISE_RANK {
            note_input(&self.weight, images, Some(self.window));
        }
        let (gamma, beta) = (mode.read(&norm.scale), mode.read(&norm.shift));
        let op = ops::ConvNorm {
            weight: &weight,
            stride: self.window.stride,
            padding: self.window.padding(),
            gamma: &gamma,
            beta: &beta,
            eps: BATCH_NORM_EPSILON,
            residual,
            relu: activation == Activation::Relu,
        };
        match mode {
            Mode::Train { .. } => {
                let (output, mean, var) = op.train(images)?;
                let n_positions = output.elem_count() / gamma.elem_count();
                norm.update_running(&mean, &var, n_positions)?;
                Ok(output)
            }
            Mode::Eval => {
                let (mean, var) = (norm.running_mean.as_detached_tensor(), norm.running_var.as_detached_tensor());
                Ok(op.eval(images, &mean, &var)?)
            }
        }
    }
}

/// The shortcut of a residual block: the input itself, or a 1x1 convolution of it where the block changes its shape.
pub(crate) struct Shortcut(Option<ConvNorm>);

impl Shortcut {
    /// Whether a block that takes `size` and gives out `n_out` channels keeps the shape.
    pub(crate) fn is_identity(size: [usize; 3], stride: usize, n_out: usize) -> bool {
        stride == 1 && size[2] == n_out
    }

    /// The shortcut of a block that takes `size` and gives out `n_out` channels.
    pub(crate) fn build(
        name: &str,
        size: [usize; 3],
        stride: usize,
        n_out: usize,
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        if Self::is_identity(size, stride, n_out) {
            return Ok(Self(None));
        }
        ConvNorm::build(name, size, Window { kernel: 1, stride }, n_out, registry)
            .map(|projection| Self(Some(projection)))
    }

    pub(crate) fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        match &self.0 {
            Some(projection) => projection.forward(images, Activation::None, mode),
            None => Ok(images.clone()),
        }
    }
}

/// Batch norm over all axes but the last (Ioffe and Szegedy 2015, arXiv:1502.03167).
struct BatchNorm {
    scale: Var,
    shift: Var,
    running_mean: Var,
    running_var: Var,
}

/// Share of the batch's statistics in the running ones after a step: `running += MOMENTUM * (batch - running)`.
const MOMENTUM: f64 = 0.1;
/// Added to the variance by batch norm, so that a constant channel does not divide by zero.
pub const BATCH_NORM_EPSILON: f64 = 1e-5;

impl BatchNorm {
    fn build(name: &str, n_channels: usize, registry: &mut Registry) -> Result<Self, ModelError> {
        Ok(Self {
            scale: registry.vector(format!("{name}.weight"), n_channels, 1.0)?,
            shift: registry.vector(format!("{name}.bias"), n_channels, 0.0)?,
            running_mean: registry.buffer(format!("{name}.running_mean"), n_channels, 0.0)?,
            running_var: registry.buffer(format!("{name}.running_var"), n_channels, 1.0)?,
        })
    }

    /// Moves the running statistics towards the batch's. The running variance is the unbiased one, as in PyTorch; a
    /// single position has none, and its biased one, 0, is taken.
    fn update_running(&self, mean: &Tensor, var: &Tensor, n_positions: usize) -> Result<(), ModelError> {
        let unbiased = n_positions as f64 / n_positions.saturating_sub(1).max(1) as f64;
        ops::update_running_average(&self.running_mean, mean, MOMENTUM)?;
        ops::update_running_average(&self.running_var, &(var * unbiased)?, MOMENTUM)?;
        Ok(())
    }
}
