//! Layers that several architectures have.

use super::super::{Constant, Dim, Operator, ValueId};
use super::Lowering;
use stillhouse_models::{BATCH_NORM_EPSILON, first_weight};

impl Lowering {
    /// `x W^T + b` of the parameters `name.weight [O, I]` and `name.bias`; two linear layers where it is of low rank.
    pub(super) fn linear(&mut self, name: &str, input: ValueId) -> ValueId {
        let input = match self.first_factor(name) {
            Some(first) => self.linear_without_bias(name, first, input),
            None => input,
        };
        let weight = self.weights.take(&format!("{name}.weight"));
        self.linear_of(name, weight, input)
    }

    /// The factor `[r, I]` of a layer of low rank, which is multiplied first.
    fn first_factor(&mut self, name: &str) -> Option<Constant> {
        let first = first_weight(name);
        self.weights.has(&first).then(|| self.weights.take(&first))
    }

    fn linear_without_bias(&mut self, name: &str, weight: Constant, input: ValueId) -> ValueId {
        let n_outputs = weight.dims[0];
        let name = format!("{name}.first");
        let bias = Constant { name: format!("{name}.bias"), dims: vec![n_outputs], values: vec![0.0; n_outputs] };
        let (weight, bias) = (self.graph.constant(weight), self.graph.constant(bias));
        self.graph.node(&name, Operator::Linear { weight, bias }, &[input])
    }

    fn linear_of(&mut self, name: &str, weight: Constant, input: ValueId) -> ValueId {
        let bias = self.weights.take(&format!("{name}.bias"));
        let (weight, bias) = (self.graph.constant(weight), self.graph.constant(bias));
        self.graph.node(name, Operator::Linear { weight, bias }, &[input])
    }

    /// A linear layer on all pixels of an image. The model reads them in the order `[H, W, C]`, the graph in
    /// `[C, H, W]`: the columns of the weight are put into the other order.
    pub(super) fn linear_of_image(&mut self, name: &str, image: ValueId) -> ValueId {
        let &[Dim::Fixed(channels), Dim::Fixed(height), Dim::Fixed(width)] = self.graph.dims(image) else {
            unreachable!("a layer on the pixels of an image")
        };
        let first = self.first_factor(name);
        let is_factored = first.is_some();
        let mut weight = first.unwrap_or_else(|| self.weights.take(&format!("{name}.weight")));
        let n_pixels = height * width;
        let of_row = |row: &[f32]| -> Vec<f32> {
            (0..channels * n_pixels).map(|column| row[column % n_pixels * channels + column / n_pixels]).collect()
        };
        weight.values = weight.values.chunks_exact(channels * n_pixels).flat_map(of_row).collect();
        let flat = self.graph.node(&format!("{name}.flatten"), Operator::Flatten, &[image]);
        if !is_factored {
            return self.linear_of(name, weight, flat);
        }
        let input = self.linear_without_bias(name, weight, flat);
        self.linear(name, input)
    }

    pub(super) fn relu(&mut self, name: &str, input: ValueId) -> ValueId {
        self.graph.node(&format!("{name}.relu"), Operator::Relu, &[input])
    }

    pub(super) fn add(&mut self, name: &str, left: ValueId, right: ValueId) -> ValueId {
        self.graph.node(&format!("{name}.add"), Operator::Add, &[left, right])
    }

    /// A convolution with its batch norm, without activation. The kernel has `kh / 2` rows and columns of padding, as all
    /// convolutions of this program.
    pub(super) fn conv_norm(&mut self, name: &str, input: ValueId, stride: usize) -> ValueId {
        let weight = self.weights.take(&format!("{name}.conv.weight"));
        let &[kernel, _, n_in, ..] = weight.dims.as_slice() else { unreachable!("a kernel has three or four axes") };
        let is_depthwise = weight.dims.len() == 3;
        let (weight, bias) = self.fold_norm(name, &weight);
        let (weight, bias) = (self.graph.constant(weight), self.graph.constant(bias));
        let groups = if is_depthwise { n_in } else { 1 };
        let conv = Operator::Conv { weight, bias, stride, padding: kernel / 2, groups };
        self.graph.node(name, conv, &[input])
    }

    /// A kernel `[kh, kw, C, O]`, or `[kh, kw, C]` of a depthwise convolution, as `[O, C, kh, kw]` or `[C, 1, kh, kw]`,
    /// scaled by batch norm: `w gamma / sqrt(var + eps)`; and the bias `beta - mean gamma / sqrt(var + eps)`.
    fn fold_norm(&mut self, name: &str, weight: &Constant) -> (Constant, Constant) {
        let [gamma, beta, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
            .map(|part| self.weights.take(&format!("{name}.norm.{part}")).values);
        let factors: Vec<f64> = gamma
            .iter()
            .zip(&variance)
            .map(|(gamma, variance)| f64::from(*gamma) / (f64::from(*variance) + BATCH_NORM_EPSILON).sqrt())
            .collect();
        let (n_out, area) = (factors.len(), weight.dims[0] * weight.dims[1]);
        // of a depthwise kernel, the last axis is both input and output
        let in_group = weight.values.len() / (area * n_out);
        let mut values = Vec::with_capacity(weight.values.len());
        for (output, factor) in factors.iter().enumerate() {
            for channel in 0..in_group {
                let of_pixel = |pixel: usize| weight.values[(pixel * in_group + channel) * n_out + output];
                values.extend((0..area).map(|pixel| (f64::from(of_pixel(pixel)) * factor) as f32));
            }
        }
        let shift = |index: usize| (f64::from(beta[index]) - f64::from(mean[index]) * factors[index]) as f32;
        let dims = vec![n_out, in_group, weight.dims[0], weight.dims[1]];
        let bias =
            Constant { name: format!("{name}.bias"), dims: vec![n_out], values: (0..n_out).map(shift).collect() };
        (Constant { name: format!("{name}.weight"), dims, values }, bias)
    }

    /// A residual block's shortcut: the input itself, or a convolution where the block changes the shape.
    pub(super) fn shortcut(&mut self, name: &str, input: ValueId, stride: usize) -> ValueId {
        if self.weights.has(&format!("{name}.conv.weight")) { self.conv_norm(name, input, stride) } else { input }
    }

    /// Hidden layers `layers.0`, `layers.1`, ... with ReLU, on a vector or an image.
    pub(super) fn hidden_layers(&mut self, n_layers: usize, input: ValueId) -> ValueId {
        let mut hidden = input;
        for index in 0..n_layers {
            let name = format!("layers.{index}");
            let sums = self.linear_of_any(&name, hidden);
            hidden = self.relu(&name, sums);
        }
        hidden
    }

    /// A linear layer on a vector or on all pixels of an image.
    pub(super) fn linear_of_any(&mut self, name: &str, input: ValueId) -> ValueId {
        if self.graph.dims(input).len() == 1 { self.linear(name, input) } else { self.linear_of_image(name, input) }
    }
}
