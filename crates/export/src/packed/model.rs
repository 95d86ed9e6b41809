//! From rounded weights back to a model, so that `predict` and `evaluate` measure what a page or C source computes.
//!
//! Kernels come back with batch norm folded in, so their norm becomes the identity.

use super::{PackedConstant, PackedGraph};
use crate::ExportError;
use crate::graph::{Constant, Dim, Graph, Operator};
use candle_core::Tensor;
use std::collections::BTreeMap;
use stillhouse_models::{BATCH_NORM_EPSILON, Model, ModelConfig, ModelError};

impl PackedGraph {
    /// The model with the rounded weights. `original` is the model that the graph was made of.
    ///
    /// # Errors
    /// Weights that cannot be read or written.
    pub fn model(&self, original: &Model) -> Result<Model, ExportError> {
        let mut state = State::of(original)?;
        for (constant, packed) in self.constants() {
            if matches!(packed, PackedConstant::Rows(_)) {
                state.put_back(self.graph(), constant, original.config());
            }
        }
        let device = original.device();
        let blank = (original.reductions(), None);
        let model = Model::reduced(original.config(), original.input(), original.n_outputs(), blank, device)?;
        let tensor = |(name, (dims, values)): (String, (Vec<usize>, Vec<f32>))| {
            Ok((name, Tensor::from_vec(values, dims, device).map_err(ModelError::from)?))
        };
        model.load_state(state.0.into_iter().map(tensor).collect::<Result<Vec<_>, ExportError>>()?)?;
        Ok(match original.tokenizer() {
            Some(tokenizer) => model.with_tokenizer(tokenizer)?,
            None => model,
        })
    }
}

/// Parameters and running statistics by name: sizes and numbers.
struct State(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl State {
    fn of(model: &Model) -> Result<Self, ModelError> {
        let read = |(name, tensor): (String, Tensor)| {
            Ok((name, (tensor.dims().to_vec(), tensor.flatten_all()?.to_vec1::<f32>()?)))
        };
        Ok(Self(model.state_dict()?.into_iter().map(read).collect::<Result<_, ModelError>>()?))
    }

    /// Writes a rounded constant where the lowering took it from.
    fn put_back(&mut self, graph: &Graph, constant: &Constant, config: &ModelConfig) {
        let layer = constant.name.strip_suffix(".weight").unwrap_or(&constant.name);
        let kernel = format!("{layer}.conv.weight");
        match (constant.name.as_str(), config) {
            _ if self.0.contains_key(&kernel) => {
                let bias = format!("{layer}.bias");
                let bias = graph.constants().iter().find(|constant| constant.name == bias);
                self.values(&kernel).copy_from_slice(&pixels_first(constant));
                self.set_identity_norm(layer, &bias.expect("a kernel has a bias").values);
            }
            ("patches.weight", _) => {
                let row: usize = constant.dims[1..].iter().product();
                let rows = constant.values.chunks_exact(row);
                let values: Vec<f32> = rows.flat_map(|row| channels_last(row, constant.dims[1])).collect();
                self.values(&constant.name).copy_from_slice(&values);
            }
            ("positions.weight", ModelConfig::Bert(config)) => {
                let first = config.size.as_ref().map_or(0, |size| size.first_position * size.width);
                self.values(&constant.name)[first..][..constant.values.len()].copy_from_slice(&constant.values);
                // the type of all tokens is a part of their positions now
                if let Some((_, types)) = self.0.get_mut("token_types.weight") {
                    types.fill(0.0);
                }
            }
            (name, _) => {
                let values = match n_channels_read(graph, name) {
                    Some(n_channels) => {
                        let rows = constant.values.chunks_exact(constant.dims[1]);
                        rows.flat_map(|row| channels_last(row, n_channels)).collect()
                    }
                    None => constant.values.clone(),
                };
                self.values(name).copy_from_slice(&values);
            }
        }
    }

    fn values(&mut self, name: &str) -> &mut Vec<f32> {
        &mut self.0.get_mut(name).unwrap_or_else(|| panic!("the model has no parameter {name}")).1
    }

    /// Mean 0, deviation and scale 1, and this shift.
    fn set_identity_norm(&mut self, layer: &str, shift: &[f32]) {
        self.values(&format!("{layer}.norm.weight")).fill(1.0);
        self.values(&format!("{layer}.norm.bias")).copy_from_slice(shift);
        self.values(&format!("{layer}.norm.running_mean")).fill(0.0);
        self.values(&format!("{layer}.norm.running_var")).fill((1.0 - BATCH_NORM_EPSILON) as f32);
    }
}

/// `[O, C, kh, kw]` to `[kh, kw, C, O]`; of a depthwise kernel `C` is 1, so the same is `[kh, kw, O]`.
fn pixels_first(kernel: &Constant) -> Vec<f32> {
    let (n_out, of_output) = (kernel.dims[0], kernel.values.len() / kernel.dims[0]);
    let area = kernel.dims[2] * kernel.dims[3];
    let n_channels = of_output / area;
    let value = |index: usize| {
        let (output, channel, pixel) = (index % n_out, index / n_out % n_channels, index / n_out / n_channels);
        kernel.values[output * of_output + channel * area + pixel]
    };
    (0..kernel.values.len()).map(value).collect()
}

/// A row `[C, P]` as `[P, C]`.
fn channels_last(row: &[f32], n_channels: usize) -> Vec<f32> {
    let n_pixels = row.len() / n_channels;
    (0..row.len()).map(|index| row[index % n_channels * n_pixels + index / n_channels]).collect()
}

/// Channels of the image whose pixels a linear layer reads; none if it reads vectors.
fn n_channels_read(graph: &Graph, weight: &str) -> Option<usize> {
    let reads = |operator: &Operator| match operator {
        Operator::Linear { weight: id, .. } => graph.constant(*id).name == weight,
        _ => false,
    };
    let reader = graph.nodes().iter().find(|node| reads(&node.operator))?;
    let flatten = graph.nodes().get(reader.inputs[0].index().checked_sub(1)?)?;
    match (flatten.operator, graph.dims(flatten.inputs[0])) {
        (Operator::Flatten, [Dim::Fixed(n_channels), _, _]) => Some(*n_channels),
        _ => None,
    }
}
