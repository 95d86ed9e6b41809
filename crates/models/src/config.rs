//! Which architecture, and the checks that every architecture's config shares.

use crate::{ConvNetConfig, MlpConfig, ResNetConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::InputShape;

/// An architecture without its head: the number of outputs is the caller's business.
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
}

impl ModelConfig {
    /// The word that stands for this architecture in a config, its `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mlp(_) => "mlp",
            Self::ConvNet(_) => "convnet",
            Self::ResNet(_) => "resnet",
        }
    }

    /// Checks the values, and that the architecture can take this input.
    ///
    /// # Errors
    /// Every problem, each named by its key.
    pub fn validate(&self, input: &InputShape) -> Result<(), Vec<String>> {
        let mut problems = input_problems(input);
        match self {
            Self::Mlp(config) => config.check(&mut problems),
            Self::ConvNet(config) => config.check(&mut problems),
            Self::ResNet(config) => config.check(&mut problems),
        }
        if let (Self::ConvNet(_) | Self::ResNet(_), InputShape::Features { n_features }) = (self, input) {
            problems.push(format!(
                "kind = \"{}\" needs images, the data has {n_features} features per example; hint: kind = \"mlp\"",
                self.kind()
            ));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// An input of no values has no first layer.
fn input_problems(input: &InputShape) -> Vec<String> {
    if input.n_values() > 0 { Vec::new() } else { vec![format!("the input has no values: {input:?}")] }
}

/// Above this a layer's weights alone would not fit into memory: a typing error, told before the allocation fails.
const MAX_WIDTH: usize = 65_536;

/// Checks the width of a layer.
pub(crate) fn check_width(key: &str, value: usize, problems: &mut Vec<String>) {
    if !(1..=MAX_WIDTH).contains(&value) {
        problems.push(format!("{key} must be between 1 and {MAX_WIDTH}, found {value}"));
    }
}

/// Checks each width of a list.
pub(crate) fn check_widths(key: &str, values: &[usize], problems: &mut Vec<String>) {
    for (index, &value) in values.iter().enumerate() {
        check_width(&format!("{key}[{index}]"), value, problems);
    }
}

/// Checks a dropout probability.
pub(crate) fn check_dropout(key: &str, value: f64, problems: &mut Vec<String>) {
    if !(0.0..1.0).contains(&value) {
        problems.push(format!("{key} must be at least 0 and below 1, found {value}"));
    }
}
