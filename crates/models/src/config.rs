//! The config of a model: one variant for each architecture, and the checks that all of them share.

use crate::{
    BertConfig, ConvNetConfig, MlpConfig, NgramBagConfig, PretrainedResNetConfig, ResNetConfig, TextInput,
    TransformerConfig, VitConfig,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::InputShape;

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
    /// Every problem, `key: sentence` each.
    pub fn validate(&self, input: &InputShape) -> Result<(), Vec<String>> {
        let problems = [input_problems(input), self.problems(), self.misfits(input)].concat();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// What is wrong with the values whatever the input, `key: sentence` each; empty when nothing is.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match self {
            Self::Mlp(config) => config.check(&mut problems),
            Self::ConvNet(config) => config.check(&mut problems),
            Self::ResNet(config) => config.check(&mut problems),
            Self::NgramBag(config) => config.check(&mut problems),
            Self::Transformer(config) => config.check(&mut problems),
            Self::Bert(config) => config.check(&mut problems),
            Self::Vit(config) => config.check(&mut problems),
            Self::PretrainedResNet(config) => config.check(&mut problems),
        }
        problems
    }

    /// Numbers for an architecture of texts, texts for one of numbers, features for one of images, images that its
    /// pretrained weights cannot read: `key: sentence` each.
    pub fn misfits(&self, input: &InputShape) -> Vec<String> {
        self.input_mismatch(input).into_iter().collect()
    }

    fn input_mismatch(&self, input: &InputShape) -> Option<String> {
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
                    Self::PretrainedResNet(config) => config.input_mismatch(input),
                    _ => None,
                };
            }
        };
        Some(format!("kind: \"{}\" needs {needs}, the data has {has}; hint: kind = \"{hint}\"", self.kind()))
    }
}

fn features(n_features: usize) -> String {
    format!("{n_features} features per example")
}

/// An input of no values has no first layer, and one of no tokens no table.
fn input_problems(input: &InputShape) -> Vec<String> {
    let has_values = match *input {
        InputShape::Text {} => true,
        InputShape::Tokens { vocabulary_size } => vocabulary_size > 0,
        InputShape::Image { .. } | InputShape::Features { .. } => input.n_values() > 0,
    };
    if has_values { Vec::new() } else { vec![format!("the input has no values: {input:?}")] }
}

/// Above this a layer's weights alone would not fit into memory: a typing error, refused before the allocation fails.
const MAX_WIDTH: usize = 65_536;

/// Checks the width of a layer.
pub(crate) fn check_width(key: &str, value: usize, problems: &mut Vec<String>) {
    if !(1..=MAX_WIDTH).contains(&value) {
        problems.push(format!("{key}: must be between 1 and {MAX_WIDTH}, found {value}"));
    }
}

/// Checks each width of a list.
pub(crate) fn check_widths(key: &str, values: &[usize], problems: &mut Vec<String>) {
    for (index, &value) in values.iter().enumerate() {
        check_width(&format!("{key}[{index}]"), value, problems);
    }
}

/// The default of a factor.
pub(crate) fn one() -> f64 {
    1.0
}

/// Checks by how much lower layers learn slower.
pub(crate) fn check_learning_rate_decay(value: f64, problems: &mut Vec<String>) {
    if !(value > 0.0 && value <= 1.0) {
        problems.push(format!("learning_rate_decay: must be above 0 and at most 1, found {value}"));
    }
}

/// Checks a dropout probability.
pub(crate) fn check_dropout(key: &str, value: f64, problems: &mut Vec<String>) {
    if !(0.0..1.0).contains(&value) {
        problems.push(format!("{key}: must be at least 0 and below 1, found {value}"));
    }
}
