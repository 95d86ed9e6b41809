//! The part of a model below its head, whichever architecture it is.

use crate::convnet::ConvNet;
use crate::layers::Mode;
use crate::mlp::Mlp;
use crate::param::Registry;
use crate::resnet::ResNet;
use crate::{ModelConfig, ModelError};
use candle_core::Tensor;
use stillhouse_core::InputShape;

/// Turns inputs into the features that the head reads.
pub(crate) enum Body {
    Mlp(Mlp),
    ConvNet(ConvNet),
    ResNet(ResNet),
}

impl Body {
    /// Builds the body of a config that has passed its checks against this input.
    pub(crate) fn build(config: &ModelConfig, input: &InputShape, registry: &mut Registry) -> Result<Self, ModelError> {
        Ok(match (config, *input) {
            (ModelConfig::Mlp(config), _) => Self::Mlp(Mlp::build(config, input, registry)?),
            (ModelConfig::ConvNet(config), InputShape::Image { channels, height, width }) => {
                Self::ConvNet(ConvNet::build(config, [height, width, channels], registry)?)
            }
            (ModelConfig::ResNet(config), InputShape::Image { channels, height, width }) => {
                Self::ResNet(ResNet::build(config, [height, width, channels], registry)?)
            }
            (ModelConfig::ConvNet(_) | ModelConfig::ResNet(_), InputShape::Features { .. }) => {
                return Err(ModelError::Config(config.validate(input).err().unwrap_or_default()));
            }
        })
    }

    /// Width of the features.
    pub(crate) fn n_features(&self) -> usize {
        match self {
            Self::Mlp(body) => body.n_features(),
            Self::ConvNet(body) => body.n_features(),
            Self::ResNet(body) => body.n_features(),
        }
    }

    /// `[B, ...]` to `[B, F]`.
    pub(crate) fn forward(&self, inputs: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        match self {
            Self::Mlp(body) => body.forward(inputs, mode),
            Self::ConvNet(body) => body.forward(inputs, mode),
            Self::ResNet(body) => body.forward(inputs, mode),
        }
    }

    /// Applies the architecture's bound on incoming weights, where it has one.
    pub(crate) fn apply_max_norm(&self) -> Result<(), ModelError> {
        match self {
            Self::Mlp(body) => body.apply_max_norm(),
            Self::ConvNet(_) | Self::ResNet(_) => Ok(()),
        }
    }
}
