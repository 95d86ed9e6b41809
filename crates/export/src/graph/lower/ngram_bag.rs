//! The mean embedding of hashed n-grams, `models/src/ngram_bag.rs`.

use super::super::{Operator, ValueId};
use super::Lowering;
use stillhouse_models::NgramBagConfig;

impl Lowering {
    /// Features `[F]`.
    pub(super) fn ngram_bag(&mut self, config: &NgramBagConfig) -> ValueId {
        let table = self.weights.take("embedding.weight");
        let table = self.graph.constant(table);
        let mean = self.graph.node("embedding", Operator::EmbeddingMean { table }, &[ValueId::INPUT]);
        self.hidden_layers(config.hidden.len(), mean)
    }
}
