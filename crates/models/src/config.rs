//! The config of a model: one variant for each architecture, and the checks that all of them share.

use crate::{
    BertConfig, ConvNetConfig, MlpConfig, NgramBagConfig, PretrainedResNetConfig, ResNetConfig, TextInput,
    TransformerConfig, VitConfig,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{InputShape, Problem, check_values, values_within};

/// An architecture without its head: the caller gives the number of outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelConfig {
    /// fully connected layers with ReLU, on images (flattened) or features
    Mlp(MlpConfig),
    /// VGG-like: 3x3 convolutions with batch norm, a 2x2 max pool after each stage; images only
    #[serde(rename = "convnet")]
    ConvNet(ConvNetConfig),
    /// residual network for small images (He et al. 2015, section 4.2); images only
    #[serde(rename = "resnet")]
    ResNet(ResNetConfig),
    /// hashed n-grams, the mean of their embeddings, fully connected layers; texts only
    NgramBag(NgramBagConfig),
    /// small transformer encoder, trained from scratch; texts only
    Transformer(TransformerConfig),
    /// pretrained encoder of the BERT family; texts only
    Bert(BertConfig),
    /// pretrained vision transformer; images only
    Vit(VitConfig),
    /// pretrained residual network for large images; images only
    #[serde(rename = "pretrained_resnet")]
    PretrainedResNet(PretrainedResNetConfig),
}

impl ModelConfig {
    /// The name of this architecture in a config, its `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mlp(_) => "mlp",
            Self::ConvNet(_) => "convnet",
            Self::ResNet(_) => "resnet",
            Self::NgramBag(_) => "ngram_bag",
            Self::Transformer(_) => "transformer",
            Self::Bert(_) => "bert",
            Self::Vit(_) => "vit",
            Self::PretrainedResNet(_) => "pretrained_resnet",
        }
    }

    /// The form in which the architecture takes texts; none if it takes numbers.
    pub fn text_input(&self) -> Option<TextInput> {
        match self {
            Self::Mlp(_) | Self::ConvNet(_) | Self::ResNet(_) | Self::Vit(_) | Self::PretrainedResNet(_) => None,
            Self::NgramBag(config) => Some(config.text_input()),
            Self::Transformer(config) => Some(config.text_input()),
            Self::Bert(config) => Some(config.text_input()),
        }
    }

    /// Checks the values, and that the architecture can take this input. A dataset's `InputShape::Text {}` fits every
    /// text architecture, since a config is checked before there is a tokenizer; [`Model::new`](crate::Model::new) is
    /// stricter.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn validate(&self, input: &InputShape) -> Result<(), Vec<Problem>> {
        let problems: Vec<Problem> =
            self.problems().into_iter().chain(input_problem(input)).chain(self.misfit(input)).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// What is wrong with the values, whatever the input: numbers out of range, settings that contradict each other.
    pub fn problems(&self) -> Vec<Problem> {
        let contradictions = match self {
            Self::Mlp(_) | Self::ConvNet(_) => Vec::new(),
            Self::ResNet(config) => config.contradictions(),
            Self::NgramBag(config) => config.contradictions(),
            Self::Transformer(config) => config.contradictions(),
            Self::Bert(config) => config.contradictions(),
            Self::Vit(config) => config.contradictions(),
            Self::PretrainedResNet(config) => config.contradictions(),
        };
        check_values(self).into_iter().chain(contradictions).collect()
    }

    /// Why the architecture cannot take this input: numbers for an architecture of texts, texts for one of numbers,
    /// features for one of images, images that its pretrained weights cannot read.
    pub fn misfit(&self, input: &InputShape) -> Option<Problem> {
        let needs_images =
            matches!(self, Self::ConvNet(_) | Self::ResNet(_) | Self::Vit(_) | Self::PretrainedResNet(_));
        let (needs, has, hint) = match (self.text_input().is_some(), *input) {
            (true, InputShape::Image { .. }) => ("texts", "images".to_owned(), "resnet"),
            (true, InputShape::Features { n_features }) => ("texts", features(n_features), "mlp"),
            (false, InputShape::Text {} | InputShape::Tokens { .. }) => {
                (if needs_images { "images" } else { "numbers" }, "texts".to_owned(), "ngram_bag")
            }
            (false, InputShape::Features { n_features }) if needs_images => ("images", features(n_features), "mlp"),
            _ => {
                return match self {
                    Self::Vit(config) => config.input_mismatch(input),
                    Self::PretrainedResNet(config) => config.misfit(input),
                    _ => None,
                };
            }
        };
        let text = format!("\"{}\" needs {needs}, the data has {has}", self.kind());
        Some(Problem::new("kind", text).hint(format!("kind = \"{hint}\"")))
    }
}

fn features(n_features: usize) -> String {
    format!("{n_features} features per example")
}

/// An input of no values has no first layer, and one of no tokens no table; one that is beyond all bounds fits nowhere.
pub(crate) fn input_problem(input: &InputShape) -> Option<Problem> {
    let sizes = match *input {
        InputShape::Text {} => return None,
        InputShape::Tokens { vocabulary_size } => vec![vocabulary_size.min(1)],
        InputShape::Image { channels, height, width } => vec![channels, height, width],
        InputShape::Features { n_features } => vec![n_features],
    };
    match values_within(&sizes, size_of::<f32>(), MAX_INPUT_BYTES) {
        Ok(0) => Some(Problem::new("", format!("the input has no values: {input:?}"))),
        Ok(_) => None,
        Err(error) => Some(Problem::new("", format!("the input has {error}"))),
    }
}

/// One example beyond this is a typing error: no image of a camera and no row of a table has as many numbers.
const MAX_INPUT_BYTES: u64 = 4 << 30;

/// Above this a layer's weights alone would not fit into memory: a typing error, refused before the allocation fails.
pub(crate) const MAX_WIDTH: usize = 65_536;

/// The default of a factor.
pub(crate) fn one() -> f64 {
    1.0
}
