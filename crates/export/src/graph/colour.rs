//! A grey network as one that reads RGB.

use super::{Constant, ConstantId, Dim, Graph, GraphInput, Node, Operator, ValueId};

/// Shares of red, green and blue in grey (ITU-R BT.709), those of the `image` crate, by which a grey model's training
/// images were read. They sum to 1, so an image that is grey already stays the same, normalised or not.
pub const LUMA: [f32; 3] = [0.2126, 0.7152, 0.0722];

impl Graph {
    /// The same network for RGB images: a grey one gets its luma out of three channels. Image pipelines of other libraries
    /// always hand over three. Each channel is normalised by the grey mean and deviation. Graphs of other inputs are
    /// returned as they are.
    ///
    /// A convolution takes the luma into its kernel, and all values keep their places. Behind a flattening, where three
    /// channels would make the first matrix three times as large, the luma is a convolution of its own in front.
    #[must_use]
    pub fn with_rgb_input(mut self) -> Self {
        let GraphInput::Image { channels: 1, height, width } = self.input else { return self };
        self.input = GraphInput::Image { channels: LUMA.len(), height, width };
        self.input_dims = self.input.dims();
        let first = self.readers_of_input();
        if first.iter().any(|operator| !matches!(operator, Operator::Conv { .. })) {
            self.insert_luma(height, width);
            return self;
        }
        for operator in first {
            let Operator::Conv { weight, .. } = operator else { unreachable!("all of them are convolutions") };
            self.read_luma(weight);
        }
        self
    }

    fn readers_of_input(&self) -> Vec<Operator> {
        let reads = |node: &&Node| node.inputs.contains(&ValueId::INPUT);
        self.nodes.iter().filter(reads).map(|node| node.operator).collect()
    }

    /// `[O, 1, kh, kw]` to `[O, 3, kh, kw]`.
    fn read_luma(&mut self, weight: ConstantId) {
        let constant = &mut self.constants[weight.index()];
        let rows = constant.values.chunks_exact(constant.values.len() / constant.dims[0]);
        let of_row = |row: &[f32]| -> Vec<f32> {
            LUMA.iter().flat_map(|share| row.iter().map(move |value| share * value)).collect()
        };
        constant.values = rows.flat_map(of_row).collect();
        constant.dims[1] = LUMA.len();
    }

    /// A first node `[3, H, W]` to `[1, H, W]`; all values of the graph move up by one.
    fn insert_luma(&mut self, height: usize, width: usize) {
        let weight = Constant { name: "luma".into(), dims: vec![1, LUMA.len(), 1, 1], values: LUMA.to_vec() };
        let bias = Constant { name: "luma.bias".into(), dims: vec![1], values: vec![0.0] };
        let first = self.constants.len();
        self.constants.extend([weight, bias]);
        let (weight, bias) = (ConstantId(first), ConstantId(first + 1));
        self.nodes.iter_mut().flat_map(|node| &mut node.inputs).for_each(|input| input.0 += 1);
        let operator = Operator::Conv { weight, bias, stride: 1, padding: 0, groups: 1 };
        let dims = [1, height, width].map(Dim::Fixed).to_vec();
        self.nodes.insert(0, Node { name: "luma".into(), operator, inputs: vec![ValueId::INPUT], dims });
    }
}
