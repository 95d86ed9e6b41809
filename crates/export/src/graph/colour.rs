//! A grey network as one that reads RGB.

use super::{ConstantId, Dim, Graph, GraphInput, Operator, ValueId};

/// Shares of red, green and blue in grey (ITU-R BT.709), those of the `image` crate, by which a grey model's training
/// images were read. They sum to 1, so an image that is grey already stays the same, normalised or not.
pub const LUMA: [f32; 3] = [0.2126, 0.7152, 0.0722];

impl Graph {
    /// The same network for RGB images: the first layer of a grey one also computes the luma. Image pipelines of other
    /// libraries always hand over three channels. Each channel is normalised by the grey mean and deviation. Graphs of
    /// other inputs are returned as they are.
    #[must_use]
    pub fn with_rgb_input(mut self) -> Self {
        let GraphInput::Image { channels: 1, height, width } = self.input else { return self };
        self.input = GraphInput::Image { channels: LUMA.len(), height, width };
        self.input_dims = self.input.dims();
        for index in 0..self.nodes.len() {
            if !self.nodes[index].inputs.contains(&ValueId::INPUT) {
                continue;
            }
            match self.nodes[index].operator {
                Operator::Conv { weight, .. } => self.read_luma(weight),
                Operator::Flatten => {
                    self.nodes[index].dims = vec![Dim::Fixed(LUMA.len() * height * width)];
                    self.read_luma_of_pixels(ValueId(index + 1));
                }
                operator => unreachable!("no model reads images by {}", operator.name()),
            }
        }
        self
    }

    /// A linear layer over the pixels of one channel becomes one over those of three.
    fn read_luma_of_pixels(&mut self, flat: ValueId) {
        let readers: Vec<Operator> =
            self.nodes.iter().filter(|node| node.inputs.contains(&flat)).map(|node| node.operator).collect();
        for operator in readers {
            let Operator::Linear { weight, .. } = operator else { unreachable!("pixels are read by linear layers") };
            self.read_luma(weight);
        }
    }

    /// `[O, 1, ..]` to `[O, 3, ..]`, or `[O, P]` to `[O, 3 P]`.
    fn read_luma(&mut self, weight: ConstantId) {
        let constant = &mut self.constants[weight.index()];
        let n_out = constant.dims[0];
        let of_output = constant.values.len() / n_out;
        let rows = constant.values.chunks_exact(of_output);
        constant.values = rows
            .flat_map(|row| LUMA.iter().flat_map(move |share| row.iter().map(move |value| share * value)))
            .collect();
        constant.dims[1] *= LUMA.len();
    }
}
