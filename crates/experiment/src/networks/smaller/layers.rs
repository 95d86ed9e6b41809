//! What the layers of a network read, and networks of the same architecture with less of it.

use crate::error::Result;
use crate::networks::network::{model_error, new_model};
use crate::session::Session;
use std::collections::{BTreeMap, BTreeSet};
use stillhouse_compress::Moments;
use stillhouse_data::Split;
use stillhouse_models::{LayerInputs, LayerKind, Model, ModelConfig, Reductions};
use stillhouse_train::visit_layer_inputs;

pub(super) const STAGE: &str = "smaller";
/// Examples whose layers' inputs are looked at: they need no labels. Each has many tokens or windows.
const N_EXAMPLES: usize = 512;
/// Examples of a network whose layers read a single row of each.
const N_SINGLE_ROWS: usize = 4096;
/// A layer that reads more stays as it is: the second moments of its inputs would take 128 MiB and more.
const MAX_INPUTS: usize = 4096;

/// A network of this one's architecture, with less of it.
pub(super) fn blank(session: &Session<'_>, like: &Model, reductions: &Reductions) -> Result<Model> {
    let model = new_model(session, like.config(), like.input(), like.n_outputs(), (reductions, None))?;
    match like.tokenizer() {
        Some(tokenizer) => model.with_tokenizer(tokenizer).map_err(model_error),
        None => Ok(model),
    }
}

/// What the layers of a network read, in the order of computation.
pub(super) struct Layers(Vec<Layer>);

pub(super) struct Layer {
    pub name: String,
    pub kind: LayerKind,
    /// of the inputs and a constant 1 behind them
    pub moments: Moments,
}

impl Layers {
    /// Reads some of these examples.
    pub fn read(session: &Session<'_>, model: &Model, examples: &Split) -> Result<Self> {
        let mut layers: Vec<Layer> = Vec::new();
        let mut too_wide = BTreeSet::new();
        visit_layer_inputs(model, &some(examples, model), |read| {
            for layer in read {
                if layer.n_inputs > MAX_INPUTS {
                    too_wide.insert(format!("{} ({} inputs)", layer.name, layer.n_inputs));
                    continue;
                }
                let rows = with_constant(&layer);
                let known = layers.iter().position(|known| known.name == layer.name);
                let index = known.unwrap_or_else(|| {
                    let moments = Moments::new(layer.n_inputs + 1);
                    layers.push(Layer { name: layer.name, kind: layer.kind, moments });
                    layers.len() - 1
                });
                layers[index].moments.add(&rows);
            }
        })?;
        if !too_wide.is_empty() {
            let names = too_wide.into_iter().collect::<Vec<_>>().join(", ");
            session.context.note(STAGE, format!("layers of more than {MAX_INPUTS} inputs stay as they are: {names}"));
        }
        Ok(Self(layers))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Layer> {
        self.0.iter()
    }

    /// The layer of this name, unless it reads too much.
    pub fn of(&self, name: &str) -> Option<&Layer> {
        self.0.iter().find(|layer| layer.name == name)
    }
}

impl Layer {
    /// `I`, in order.
    pub fn all_inputs(&self) -> Vec<usize> {
        (0..self.moments.n_inputs() - 1).collect()
    }

    /// Whether a model has this layer, whole.
    pub fn is_in(&self, model: &Model) -> bool {
        let weight = self.parameters().0;
        model.params().iter().any(|param| param.name == weight)
    }

    /// Its weight `[O, I]` among those of the network.
    pub fn weight(&self, weights: &BTreeMap<String, Vec<f32>>) -> Vec<f32> {
        let values = &weights[&self.parameters().0];
        match self.kind {
            LayerKind::Convolution => transposed(values, self.moments.n_inputs() - 1),
            _ => values.clone(),
        }
    }

    /// Gives the network's state this layer, of `weight` `[O, K]`, with `shift` `[O]` added to its output.
    pub fn put(&self, state: &mut BTreeMap<String, Vec<f32>>, weight: Vec<f32>, shift: &[f32]) {
        let (name, bias, sign) = self.parameters();
        let values = if self.kind == LayerKind::Convolution { transposed(&weight, shift.len()) } else { weight };
        state.insert(name, values);
        // of a convolution, the mean that batch norm takes away
        let bias = state.get_mut(&bias).expect("a layer has a bias or a norm");
        bias.iter_mut().zip(shift).for_each(|(value, shift)| *value += sign * shift);
    }

    /// Names of its weight and of what is added to its output, with the sign.
    fn parameters(&self) -> (String, String, f32) {
        let name = &self.name;
        match self.kind {
            LayerKind::Convolution => (format!("{name}.conv.weight"), format!("{name}.norm.running_mean"), -1.0),
            _ => (format!("{name}.weight"), format!("{name}.bias"), 1.0),
        }
    }
}

/// `[R, C]` of `R` rows as `[C, R]`.
fn transposed(values: &[f32], n_rows: usize) -> Vec<f32> {
    let n_columns = values.len() / n_rows;
    (0..values.len()).map(|index| values[index % n_rows * n_columns + index / n_rows]).collect()
}

/// What a whole layer reads of some of these examples, with a constant 1 behind each row: `[N, I + 1]`.
pub(super) fn read_layer(model: &Model, examples: &Split, layer: &Layer) -> Result<Vec<f32>> {
    let mut rows = Vec::new();
    visit_layer_inputs(model, &some(examples, model), |read| {
        read.iter().filter(|read| read.name == layer.name).for_each(|read| rows.extend(with_constant(read)));
    })?;
    Ok(rows)
}

/// Examples that are looked at, where there are as many.
pub(super) fn n_examples(model: &Model) -> usize {
    match model.config() {
        ModelConfig::Mlp(_) | ModelConfig::NgramBag(_) => N_SINGLE_ROWS,
        _ => N_EXAMPLES,
    }
}

fn some(examples: &Split, model: &Model) -> Split {
    let n_rows = examples.len().min(n_examples(model));
    let rows: Vec<usize> = (0..n_rows).map(|nth| nth * examples.len() / n_rows.max(1)).collect();
    examples.select(&rows)
}

/// Rows `[N, I + 1]` with a constant 1 behind each.
fn with_constant(layer: &LayerInputs) -> Vec<f32> {
    layer.values.chunks_exact(layer.n_inputs).flat_map(|row| [row, &[1.0]].concat()).collect()
}
