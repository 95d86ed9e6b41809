//! The small transformer encoder, `models/src/transformer.rs`.

use super::super::{Constant, Rotary, ValueId};
use super::Lowering;
use super::encoder::{EncoderSettings, NormPlace};
use stillhouse_models::{EncoderActivation, EncoderPooling, Positions, TransformerConfig, rotary_angles};

impl Lowering {
    /// Features `[D]`.
    pub(super) fn transformer(&mut self, config: &TransformerConfig) -> ValueId {
        let mut hidden = self.embedding();
        let rotary = match config.positions {
            Positions::Learned => {
                let places = self.weights.take("positions.weight");
                hidden = self.add_positions(places, hidden);
                None
            }
            Positions::Rotary => Some(self.rotary(config)),
        };
        let settings = EncoderSettings {
            n_layers: config.n_layers,
            n_heads: config.n_heads,
            activation: EncoderActivation::Gelu,
            norm_place: NormPlace::Before,
            norm_eps: TransformerConfig::NORM_EPS,
            rotary,
        };
        hidden = self.encoder(settings, hidden);
        hidden = self.layer_norm("norm", TransformerConfig::NORM_EPS, hidden);
        self.pool_tokens(EncoderPooling::Mean, hidden)
    }

    /// Tables of cosines and sines for as many positions as a text may have.
    fn rotary(&mut self, config: &TransformerConfig) -> Rotary {
        let head_width = config.width / config.n_heads;
        let dims = vec![config.max_len, head_width / 2];
        let angles = rotary_angles(config.max_len, head_width);
        let mut table = |name: &str, function: fn(f64) -> f64| {
            let values = angles.iter().map(|angle| function(*angle) as f32).collect();
            self.graph.constant(Constant { name: name.to_owned(), dims: dims.clone(), values })
        };
        Rotary { cosines: table("rotary.cosines", f64::cos), sines: table("rotary.sines", f64::sin) }
    }
}
