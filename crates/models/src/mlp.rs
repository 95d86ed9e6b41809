//! Fully connected layers with ReLU.
//!
//! Shapes: `B` batch, `F` features (an image of `H x W` pixels and `C` channels has `C * H * W` of them).

use crate::ModelError;
use crate::config::MAX_WIDTH;
use crate::layers::{HEAD, Linear, Mode, dropout};
use crate::param::Registry;
use crate::units::InnerWidth;
use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::InputShape;
use stillhouse_ops::flatten;
use stillhouse_ops::optimizer::max_norm_rows;

/// Fully connected layers with ReLU, on images (flattened) or features.
///
/// The MNIST net of the paper's section 3 is `widths = [1200, 1200]`, with dropout and a bound on incoming weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// units of each hidden layer; none makes a linear classifier
    #[schemars(inner(range(min = 1, max = MAX_WIDTH)))]
    #[schemars(extend("examples" = [[256, 256]]))]
    pub widths: Vec<usize>,
    /// probability of dropping a hidden unit
    #[serde(default)]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// probability of dropping an input value
    #[serde(default)]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub input_dropout: f64,
    /// largest Euclidean norm of the weights that come into a hidden unit, kept after each optimizer step
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub max_norm: Option<f64>,
}

/// Numbers that dropout gives out for one example.
fn activations_of_dropout(config: &MlpConfig, input: &InputShape) -> usize {
    let of_input = if config.input_dropout > 0.0 { input.n_values() } else { 0 };
    let of_hidden = if config.dropout > 0.0 { config.widths.iter().sum() } else { 0 };
    of_input + of_hidden
}

/// The layer that reads hidden layer `index`.
pub(crate) fn reader(index: usize, n_layers: usize) -> String {
    if index + 1 < n_layers { format!("layers.{}", index + 1) } else { HEAD.to_owned() }
}

/// The hidden layers.
pub(crate) struct Mlp {
    layers: Vec<Linear>,
    dropout: f64,
    input_dropout: f64,
    max_norm: Option<f64>,
    n_features: usize,
}

impl Mlp {
    pub(crate) fn build(config: &MlpConfig, input: &InputShape, registry: &mut Registry) -> Result<Self, ModelError> {
        let mut n_features = input.n_values();
        let mut layers = Vec::with_capacity(config.widths.len());
        for (index, &width) in config.widths.iter().enumerate() {
            let name = format!("layers.{index}");
            let width = registry.inner_width(InnerWidth::of_layer(&name, width, &reader(index, config.widths.len())));
            layers.push(Linear::hidden(&name, n_features, width, registry)?);
            n_features = width;
        }
        registry.count_activations(&[activations_of_dropout(config, input)]);
        let MlpConfig { dropout, input_dropout, max_norm, .. } = *config;
        Ok(Self { layers, dropout, input_dropout, max_norm, n_features })
    }

    pub(crate) fn n_features(&self) -> usize {
        self.n_features
    }

    /// `[B, ...]` to `[B, F]`, where `F` is the last width.
    pub(crate) fn forward(&self, inputs: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        let mut hidden = dropout(&flatten(inputs)?, self.input_dropout, mode, 0)?;
        for (index, layer) in self.layers.iter().enumerate() {
            hidden = layer.forward_dropout(&hidden, self.dropout, mode, index as u64 + 1)?;
        }
        Ok(hidden)
    }

    /// Scales down the incoming weights of hidden units that grew beyond the bound.
    pub(crate) fn apply_max_norm(&self) -> Result<(), ModelError> {
        let Some(max_norm) = self.max_norm else { return Ok(()) };
        Ok(self.layers.iter().try_for_each(|layer| max_norm_rows(&layer.weight, max_norm))?)
    }
}
