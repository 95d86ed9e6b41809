//! The residual network for small images, `models/src/resnet.rs`.

use super::super::{Operator, ValueId};
use super::Lowering;

impl Lowering {
    /// Features `[F]`. The names of the parameters say which stages and blocks there are.
    pub(super) fn resnet(&mut self) -> ValueId {
        let stem = self.conv_norm("stem", ValueId::INPUT, 1);
        let mut image = self.relu("stem", stem);
        let n_blocks: Vec<usize> =
            (0..).map(|stage| self.n_blocks(stage)).take_while(|n_blocks| *n_blocks > 0).collect();
        for (stage, n_blocks) in n_blocks.into_iter().enumerate() {
            for index in 0..n_blocks {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                image = self.block(&format!("stages.{stage}.blocks.{index}"), image, stride);
            }
        }
        self.graph.node("pool", Operator::GlobalAveragePool, &[image])
    }

    /// Blocks of a stage that have not been lowered yet.
    pub(super) fn n_blocks(&self, stage: usize) -> usize {
        let has_block = |index: &usize| self.weights.has(&format!("stages.{stage}.blocks.{index}.conv1.conv.weight"));
        (0..).take_while(has_block).count()
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
