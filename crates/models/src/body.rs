//! The body of a model: everything below its head, for every architecture.
//!
//! Shapes: `B` batch, `F` features.

use crate::bert::Bert;
use crate::convnet::ConvNet;
use crate::layers::Mode;
use crate::mlp::Mlp;
use crate::ngram_bag::NgramBag;
use crate::param::Registry;
use crate::pretrained_resnet::PretrainedResNet;
use crate::resnet::ResNet;
use crate::transformer::Transformer;
use crate::vit::Vit;
use crate::{ModelConfig, ModelError, ModelInput};
use candle_core::Tensor;
use stillhouse_core::{InputShape, Problem};

/// Turns inputs into the features that the head reads.
pub(crate) enum Body {
    Mlp(Mlp),
    ConvNet(ConvNet),
    ResNet(ResNet),
    NgramBag(NgramBag),
    Transformer(Transformer),
    Bert(Bert),
    Vit(Vit),
    PretrainedResNet(PretrainedResNet),
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
            (ModelConfig::Vit(config), InputShape::Image { channels, height, width }) => {
                Self::Vit(Vit::build(config, [height, width, channels], registry)?)
            }
            (ModelConfig::PretrainedResNet(config), InputShape::Image { channels, height, width }) => {
                Self::PretrainedResNet(PretrainedResNet::build(config, [height, width, channels], registry)?)
            }
            (ModelConfig::NgramBag(config), InputShape::Text {}) => Self::NgramBag(NgramBag::build(config, registry)?),
            (ModelConfig::Transformer(config), InputShape::Tokens { vocabulary_size }) => {
                Self::Transformer(Transformer::build(config, vocabulary_size, registry)?)
            }
            (ModelConfig::Bert(config), InputShape::Tokens { vocabulary_size }) => {
                Self::Bert(Bert::build(config, vocabulary_size, registry)?)
            }
            _ => {
                let problem = Problem::new("kind", format!("\"{}\" cannot be built for {input:?}", config.kind()));
                return Err(ModelError::Config(vec![problem]));
            }
        })
    }

    /// Width of the features.
    pub(crate) fn n_features(&self) -> usize {
        match self {
            Self::Mlp(body) => body.n_features(),
            Self::ConvNet(body) => body.n_features(),
            Self::ResNet(body) => body.n_features(),
            Self::NgramBag(body) => body.n_features(),
            Self::Transformer(body) => body.n_features(),
            Self::Bert(body) => body.n_features(),
            Self::Vit(body) => body.n_features(),
            Self::PretrainedResNet(body) => body.n_features(),
        }
    }

    /// A batch that has passed its check to `[B, F]`.
    pub(crate) fn forward(&self, inputs: &ModelInput, mode: Mode) -> Result<Tensor, ModelError> {
        match (self, inputs) {
            (Self::Mlp(body), ModelInput::Values(values)) => body.forward(values, mode),
            (Self::ConvNet(body), ModelInput::Values(values)) => body.forward(values, mode),
            (Self::ResNet(body), ModelInput::Values(values)) => body.forward(values, mode),
            (Self::Vit(body), ModelInput::Values(values)) => body.forward(values, mode),
            (Self::PretrainedResNet(body), ModelInput::Values(values)) => body.forward(values, mode),
            (Self::NgramBag(body), ModelInput::Bags(bags)) => body.forward(bags, mode),
            (Self::Transformer(body), ModelInput::Tokens(rows)) => body.forward(rows, mode),
            (Self::Bert(body), ModelInput::Tokens(rows)) => body.forward(rows, mode),
            _ => unreachable!("the model checks the kind of its input"),
        }
    }

    /// Applies the architecture's bound on incoming weights, where it has one.
    pub(crate) fn apply_max_norm(&self) -> Result<(), ModelError> {
        match self {
            Self::Mlp(body) => body.apply_max_norm(),
            Self::ConvNet(_)
            | Self::ResNet(_)
            | Self::NgramBag(_)
            | Self::Transformer(_)
            | Self::Bert(_)
            | Self::Vit(_)
            | Self::PretrainedResNet(_) => Ok(()),
        }
    }
}
