//! Fully connected layers, `models/src/mlp.rs`.

use super::super::ValueId;
use super::Lowering;
use stillhouse_models::MlpConfig;

impl Lowering {
    /// Features `[F]`, or the image itself where there is no hidden layer.
    pub(super) fn mlp(&mut self, config: &MlpConfig) -> ValueId {
        self.hidden_layers(config.widths.len(), ValueId::INPUT)
    }
}
