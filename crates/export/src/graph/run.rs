//! Runs a graph on one example with plain loops: the reference for every backend, and the source of activation ranges
//! for quantisation.

use super::kernels::{self, Image, Window};
use super::shape::n_values;
use super::{ConstantId, Dim, Graph, Operator, ValueId};

/// One input of a graph.
#[derive(Clone, Debug, PartialEq)]
pub enum Example {
    /// normalised pixels `[C, H, W]`, or normalised features
    Values(Vec<f32>),
    /// ids of tokens or n-grams
    Ids(Vec<u32>),
}

impl Example {
    /// Normalised pixels `[H, W, C]`, the order of this program's data, in the graph's order `[C, H, W]`.
    pub fn of_pixels(pixels: &[f32], [height, width, channels]: [usize; 3]) -> Self {
        assert_eq!(pixels.len(), height * width * channels, "numbers of an image");
        Self::Values((0..channels).flat_map(|channel| pixels.iter().skip(channel).step_by(channels)).copied().collect())
    }
}

impl Graph {
    /// Logits `[n_outputs]` of one example.
    ///
    /// # Panics
    /// As [`Graph::run`].
    pub fn logits(&self, example: &Example) -> Vec<f32> {
        self.run(example).pop().expect("a graph has nodes")
    }

    /// Every value of the graph, by [`ValueId::index`], row-major; of ids, which are no numbers, there is none.
    ///
    /// # Panics
    /// An example of another kind or length than the graph's input, or an id beyond the table.
    pub fn run(&self, example: &Example) -> Vec<Vec<f32>> {
        let (input, ids) = match example {
            Example::Values(values) => {
                assert_eq!(values.len(), n_values(self.dims(ValueId::INPUT)), "numbers of an example");
                (values.clone(), &[][..])
            }
            Example::Ids(ids) => (Vec::new(), ids.as_slice()),
        };
        let mut values = Vec::with_capacity(self.nodes().len() + 1);
        values.push(input);
        for index in 0..self.nodes().len() {
            values.push(self.compute(index, &values, ids));
        }
        values
    }

    fn compute(&self, index: usize, values: &[Vec<f32>], ids: &[u32]) -> Vec<f32> {
        let node = &self.nodes()[index];
        let input = values[node.inputs[0].index()].as_slice();
        let numbers = |id: ConstantId| self.constant(id).values.as_slice();
        let columns = |id: ConstantId| self.constant(id).dims[1];
        match node.operator {
            Operator::Conv { weight, bias, stride, padding, groups } => {
                let &[_, _, kernel, _] = self.constant(weight).dims.as_slice() else { unreachable!("four axes") };
                let window = Window { kernel, stride, padding };
                kernels::conv(self.image(node.inputs[0], input), numbers(weight), numbers(bias), window, groups)
            }
            Operator::MaxPool { kernel, stride, padding } => {
                kernels::max_pool(self.image(node.inputs[0], input), Window { kernel, stride, padding })
            }
            Operator::Linear { weight, bias } => kernels::linear(input, numbers(weight), numbers(bias)),
            Operator::Relu => input.iter().map(|x| x.max(0.0)).collect(),
            Operator::GeluErf => input.iter().map(|x| kernels::gelu_erf(*x)).collect(),
            Operator::GeluTanh => input.iter().map(|x| kernels::gelu_tanh(*x)).collect(),
            Operator::Add => input.iter().zip(&values[node.inputs[1].index()]).map(|(a, b)| a + b).collect(),
            Operator::GlobalAveragePool => kernels::average(self.image(node.inputs[0], input)),
            Operator::Flatten => input.to_vec(),
            Operator::Embedding { table } => kernels::rows(numbers(table), columns(table), ids),
            Operator::EmbeddingMean { table } => {
                kernels::mean_of_rows(&kernels::rows(numbers(table), columns(table), ids), columns(table))
            }
            Operator::AddPositions { table } => input.iter().zip(numbers(table)).map(|(x, place)| x + place).collect(),
            Operator::LayerNorm { scale, shift, eps } => {
                kernels::layer_norm(input, numbers(scale), numbers(shift), eps)
            }
            Operator::Attention { n_heads, rotary } => {
                let angles = rotary.map(|rotary| (numbers(rotary.cosines), numbers(rotary.sines)));
                kernels::attention(input, last(&node.dims), n_heads, angles)
            }
            Operator::PixelTokens { class_token } => kernels::pixel_tokens(input, numbers(class_token)),
            Operator::MeanTokens => kernels::mean_of_rows(input, last(&node.dims)),
            Operator::FirstToken => {
                let width = last(&node.dims);
                input.get(..width).map_or_else(|| vec![0.0; width], <[f32]>::to_vec)
            }
        }
    }

    fn image<'a>(&self, value: ValueId, values: &'a [f32]) -> Image<'a> {
        match self.dims(value) {
            &[Dim::Fixed(channels), Dim::Fixed(height), Dim::Fixed(width)] => Image { values, channels, height, width },
            dims => unreachable!("{dims:?} is no image"),
        }
    }
}

fn last(dims: &[Dim]) -> usize {
    match dims.last() {
        Some(Dim::Fixed(size)) => *size,
        dim => unreachable!("{dim:?} is no width"),
    }
}
