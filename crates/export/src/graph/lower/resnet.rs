//! The residual network for small images, `models/src/resnet.rs`.

use super::super::{Operator, ValueId};
use super::Lowering;
use stillhouse_models::ResNetConfig;

impl Lowering {
    /// Features `[F]`.
    pub(super) fn resnet(&mut self, config: &ResNetConfig) -> ValueId {
        let stem = self.conv_norm("stem", ValueId::INPUT, 1);
        let mut image = self.relu("stem", stem);
        for (stage, n_blocks) in config.n_blocks().into_iter().enumerate() {
            for index in 0..n_blocks {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let name = format!("stages.{stage}.blocks.{index}");
                if self.has_block(&name) {
                    image = self.block(&name, image, stride);
                }
            }
        }
        self.graph.node("pool", Operator::GlobalAveragePool, &[image])
    }

    /// Whether the network has this block: some may be left out.
    pub(super) fn has_block(&self, name: &str) -> bool {
        self.weights.has(&format!("{name}.conv1.conv.weight"))
    }

    fn block(&mut self, name: &str, image: ValueId, stride: usize) -> ValueId {
        let shortcut = self.shortcut(&format!("{name}.shortcut"), image, stride);
        let first = self.block_conv(&format!("{name}.conv1"), image, stride);
        let first = self.relu(&format!("{name}.conv1"), first);
        let second = self.block_conv(&format!("{name}.conv2"), first, 1);
        let sum = self.add(name, second, shortcut);
        self.relu(name, sum)
    }

    /// A convolution without activation; in separable blocks, a depthwise one with its activation comes first.
    fn block_conv(&mut self, name: &str, image: ValueId, stride: usize) -> ValueId {
        let depthwise = format!("{name}.depthwise");
        if !self.weights.has(&format!("{depthwise}.conv.weight")) {
            return self.conv_norm(name, image, stride);
        }
        let sums = self.conv_norm(&depthwise, image, stride);
        let hidden = self.relu(&depthwise, sums);
        self.conv_norm(name, hidden, 1)
    }
}
