//! The vision transformer, `models/src/vit.rs`.

use super::super::{Constant, Operator, ValueId};
use super::Lowering;
use super::encoder::{EncoderSettings, NormPlace};
use stillhouse_models::{VitConfig, VitSize};

impl Lowering {
    /// Features `[D]`.
    pub(super) fn vit(&mut self, config: &VitConfig, size: &VitSize) -> ValueId {
        let tokens = self.patch_tokens(size);
        let settings = EncoderSettings {
            n_layers: size.n_layers,
            n_heads: size.n_heads,
            activation: size.activation,
            norm_place: NormPlace::Before,
            norm_eps: size.norm_eps,
            rotary: None,
        };
        let hidden = self.encoder(settings, tokens);
        let hidden = self.layer_norm("norm", size.norm_eps, hidden);
        self.pool_tokens(config.pooling, hidden)
    }

    /// The class token and all patches with their positions, `[1 + P, D]`. The linear layer on patches is a convolution
    /// whose step is its window. The class token is a patch of zeros, so its vector is that layer's bias.
    fn patch_tokens(&mut self, size: &VitSize) -> ValueId {
        let [weight, bias] = ["weight", "bias"].map(|part| self.weights.take(&format!("patches.{part}")));
        let (weight, bias) = (self.graph.constant(patch_kernel(weight, size)), self.graph.constant(bias));
        let conv = Operator::Conv { weight, bias, stride: size.patch, padding: 0, groups: 1 };
        let patches = self.graph.node("patches", conv, &[ValueId::INPUT]);
        let tokens = self.graph.node("tokens", Operator::PixelTokens { class_token: bias }, &[patches]);
        let places = self.weights.take("positions.weight");
        self.add_positions(places, tokens)
    }
}

/// `[D, S S C]`, whose columns are the pixels of a patch with all channels of each, to `[D, C, S, S]`.
fn patch_kernel(weight: Constant, size: &VitSize) -> Constant {
    let (n_channels, area) = (size.channels, size.patch * size.patch);
    let of_row = |row: &[f32]| -> Vec<f32> {
        (0..n_channels * area).map(|index| row[index % area * n_channels + index / area]).collect()
    };
    let values = weight.values.chunks_exact(n_channels * area).flat_map(of_row).collect();
    Constant { dims: vec![size.width, n_channels, size.patch, size.patch], values, name: weight.name }
}
