//! The pretrained encoder of texts, `models/src/bert.rs`.

use super::super::{Constant, ValueId};
use super::Lowering;
use super::encoder::{EncoderSettings, NormPlace};
use stillhouse_models::{BertConfig, BertSize};

impl Lowering {
    /// Features `[D]`.
    pub(super) fn bert(&mut self, config: &BertConfig, size: &BertSize) -> ValueId {
        let words = self.embedding();
        let places = self.bert_positions(config, size);
        let sum = self.add_positions(places, words);
        let embedded = self.layer_norm("embedding_norm", size.norm_eps, sum);
        let settings = EncoderSettings {
            n_layers: size.n_layers,
            n_heads: size.n_heads,
            activation: size.activation,
            norm_place: NormPlace::After,
            norm_eps: size.norm_eps,
            rotary: None,
        };
        let hidden = self.encoder(settings, embedded);
        self.pool_tokens(config.pooling, hidden)
    }

    /// Positions that texts have, `[max_len, D]`: those behind the reserved ones, with the vector of token type 0, which
    /// every token has, added to each.
    fn bert_positions(&mut self, config: &BertConfig, size: &BertSize) -> Constant {
        let mut places = self.weights.take("positions.weight");
        places.values = places.values[size.first_position * size.width..][..config.max_len * size.width].to_vec();
        places.dims[0] = config.max_len;
        if size.n_token_types > 0 {
            let types = self.weights.take("token_types.weight").values;
            for place in places.values.chunks_exact_mut(size.width) {
                place.iter_mut().zip(&types).for_each(|(place, token_type)| *place += token_type);
            }
        }
        places
    }
}
