//! The residual network for large images, `models/src/pretrained_resnet.rs`.

use super::super::{Operator, ValueId};
use super::Lowering;
use stillhouse_models::PretrainedResNetSize;

/// Steps of the first convolution and of the max pool behind it.
const STEM_STRIDE: usize = 2;
const POOL: Operator = Operator::MaxPool { kernel: 3, stride: 2, padding: 1 };

impl Lowering {
    /// Features `[F]`.
    pub(super) fn pretrained_resnet(&mut self, size: &PretrainedResNetSize) -> ValueId {
        let stem = self.conv_norm("stem", ValueId::INPUT, STEM_STRIDE);
        let stem = self.relu("stem", stem);
        let mut image = self.graph.node("stem.pool", POOL, &[stem]);
        for (stage, depth) in size.depths.iter().enumerate() {
            for index in 0..*depth {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let name = format!("stages.{stage}.blocks.{index}");
                if self.has_block(&name) {
                    image = self.pretrained_block(&name, image, stride);
                }
            }
        }
        self.graph.node("pool", Operator::GlobalAveragePool, &[image])
    }

    /// Two or three convolutions; the first with a window larger than a pixel takes the step.
    fn pretrained_block(&mut self, name: &str, image: ValueId, stride: usize) -> ValueId {
        let shortcut = self.shortcut(&format!("{name}.shortcut"), image, stride);
        let convs: Vec<String> = (1..)
            .map(|index| format!("{name}.conv{index}"))
            .take_while(|conv| self.weights.has(&format!("{conv}.conv.weight")))
            .collect();
        let (mut hidden, mut stride) = (image, stride);
        for (index, conv) in convs.iter().enumerate() {
            let steps = self.weights.dims(&format!("{conv}.conv.weight"))[0] > 1;
            let sums = self.conv_norm(conv, hidden, if steps { std::mem::replace(&mut stride, 1) } else { 1 });
            hidden = if index + 1 == convs.len() { sums } else { self.relu(conv, sums) };
        }
        let sum = self.add(name, hidden, shortcut);
        self.relu(name, sum)
    }
}
