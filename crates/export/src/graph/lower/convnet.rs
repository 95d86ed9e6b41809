//! The plain convolutional network, `models/src/convnet.rs`.

use super::super::{Dim, Operator, ValueId};
use super::Lowering;
use stillhouse_models::ConvNetConfig;

/// Side of the max pool's window, and its step.
const POOL: usize = 2;

impl Lowering {
    /// Features: `[C, H, W]`, or `[F]` behind the hidden layer.
    pub(super) fn convnet(&mut self, config: &ConvNetConfig) -> ValueId {
        let mut image = ValueId::INPUT;
        for stage in 0..config.widths.len() {
            for index in 0..config.convs_per_stage {
                let name = format!("stages.{stage}.{index}");
                let conv = self.conv_norm(&name, image, 1);
                image = self.relu(&name, conv);
            }
            if self.graph.dims(image)[1..].iter().all(|side| matches!(side, Dim::Fixed(size) if *size >= POOL)) {
                let pool = Operator::MaxPool { kernel: POOL, stride: POOL, padding: 0 };
                image = self.graph.node(&format!("stages.{stage}.pool"), pool, &[image]);
            }
        }
        match config.hidden {
            Some(_) => {
                let sums = self.linear_of_image("hidden", image);
                self.relu("hidden", sums)
            }
            None => image,
        }
    }
}
