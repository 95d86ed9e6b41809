//! The layers of a transformer encoder, `models/src/encoder.rs`, and its pooling.

use super::super::{Constant, Dim, Operator, Rotary, ValueId};
use super::Lowering;
use stillhouse_models::{EncoderActivation, EncoderPooling};

/// The position of a part's norm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NormPlace {
    /// in front of the part
    Before,
    /// after the sum of input and part
    After,
}

/// What all layers of an encoder share.
#[derive(Clone, Copy)]
pub(super) struct EncoderSettings {
    pub(super) n_layers: usize,
    /// before any of them goes
    pub(super) n_heads: usize,
    pub(super) activation: EncoderActivation,
    pub(super) norm_place: NormPlace,
    pub(super) norm_eps: f64,
    pub(super) rotary: Option<Rotary>,
}

/// Queries, keys and values.
const N_PROJECTIONS: usize = 3;

impl Lowering {
    /// `[S, D]` to `[S, D]`.
    pub(super) fn encoder(&mut self, settings: EncoderSettings, tokens: ValueId) -> ValueId {
        (0..settings.n_layers).fold(tokens, |hidden, index| {
            let (name, attention) = (format!("layers.{index}"), format!("layers.{index}.attention"));
            if !self.weights.has(&format!("{attention}.output.weight")) {
                return hidden; // left out
            }
            let hidden = self.part(&attention, &settings, hidden, Self::attention);
            self.part(&format!("{name}.feed_forward"), &settings, hidden, Self::feed_forward)
        })
    }

    /// `x + part(norm(x))`, or `norm(x + part(x))`.
    fn part(
        &mut self,
        name: &str,
        settings: &EncoderSettings,
        input: ValueId,
        part: fn(&mut Self, &str, &EncoderSettings, ValueId) -> ValueId,
    ) -> ValueId {
        let norm = format!("{name}.norm");
        match settings.norm_place {
            NormPlace::Before => {
                let normalised = self.layer_norm(&norm, settings.norm_eps, input);
                let added = part(self, name, settings, normalised);
                self.add(name, input, added)
            }
            NormPlace::After => {
                let added = part(self, name, settings, input);
                let sum = self.add(name, input, added);
                self.layer_norm(&norm, settings.norm_eps, sum)
            }
        }
    }

    fn attention(&mut self, name: &str, settings: &EncoderSettings, input: ValueId) -> ValueId {
        let projections = self.linear(&format!("{name}.projections"), input);
        // some of the architecture's heads may be gone
        let head_width = self.last_dim(input) / settings.n_heads;
        let n_heads = self.last_dim(projections) / N_PROJECTIONS / head_width;
        let attention = Operator::Attention { n_heads, rotary: settings.rotary };
        let mixed = self.graph.node(name, attention, &[projections]);
        self.linear(&format!("{name}.output"), mixed)
    }

    fn last_dim(&self, value: ValueId) -> usize {
        match self.graph.dims(value).last() {
            Some(Dim::Fixed(size)) => *size,
            _ => unreachable!("vectors have a fixed width"),
        }
    }

    fn feed_forward(&mut self, name: &str, settings: &EncoderSettings, input: ValueId) -> ValueId {
        let operator = match settings.activation {
            EncoderActivation::Gelu => Operator::GeluErf,
            EncoderActivation::GeluTanh => Operator::GeluTanh,
            EncoderActivation::Relu => Operator::Relu,
        };
        let up = self.linear(&format!("{name}.up"), input);
        let units = self.graph.node(&format!("{name}.activation"), operator, &[up]);
        self.linear(&format!("{name}.down"), units)
    }

    pub(super) fn layer_norm(&mut self, name: &str, eps: f64, input: ValueId) -> ValueId {
        let [scale, shift] = ["weight", "bias"].map(|part| self.weights.take(&format!("{name}.{part}")));
        let (scale, shift) = (self.graph.constant(scale), self.graph.constant(shift));
        self.graph.node(name, Operator::LayerNorm { scale, shift, eps: eps as f32 }, &[input])
    }

    /// Rows of the table `embedding.weight` for the ids of the graph's input.
    pub(super) fn embedding(&mut self) -> ValueId {
        let table = self.weights.take("embedding.weight");
        let table = self.graph.constant(table);
        self.graph.node("embedding", Operator::Embedding { table }, &[ValueId::INPUT])
    }

    pub(super) fn add_positions(&mut self, table: Constant, tokens: ValueId) -> ValueId {
        let table = self.graph.constant(table);
        self.graph.node("positions", Operator::AddPositions { table }, &[tokens])
    }

    /// `[S, D]` to `[D]`.
    pub(super) fn pool_tokens(&mut self, pooling: EncoderPooling, tokens: ValueId) -> ValueId {
        let operator = match pooling {
            EncoderPooling::Mean => Operator::MeanTokens,
            EncoderPooling::Cls => Operator::FirstToken,
        };
        self.graph.node("pool", operator, &[tokens])
    }
}
