//! What the layers of a network read, and networks of the same architecture with less of it.

use crate::error::Result;
use crate::networks::network::{model_error, new_model};
use crate::session::Session;
use std::collections::{BTreeMap, BTreeSet};
use stillhouse_compress::Moments;
use stillhouse_data::Split;
use stillhouse_models::{LayerKind, Model, Reductions};
use stillhouse_train::visit_layer_inputs;

pub(super) const STAGE: &str = "smaller";
/// Examples whose layers' inputs are looked at: they need no labels.
pub(super) const N_EXAMPLES: usize = 512;
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

/// What the layers of a network read.
pub(super) struct Layers(pub BTreeMap<String, Layer>);

pub(super) struct Layer {
    pub kind: LayerKind,
    /// of the inputs and a constant 1 behind them
    pub moments: Moments,
}

impl Layers {
    /// Reads some of these examples.
    pub fn read(session: &Session<'_>, model: &Model, examples: &Split) -> Result<Self> {
        let n_rows = examples.len().min(N_EXAMPLES);
        let rows: Vec<usize> = (0..n_rows).map(|nth| nth * examples.len() / n_rows.max(1)).collect();
        let mut layers: BTreeMap<String, Layer> = BTreeMap::new();
        let mut too_wide = BTreeSet::new();
        visit_layer_inputs(model, &examples.select(&rows), |read| {
            for layer in read {
                if layer.n_inputs > MAX_INPUTS {
                    too_wide.insert(format!("{} ({} inputs)", layer.name, layer.n_inputs));
                    continue;
                }
                let with_constant = |row: &[f32]| [row, &[1.0]].concat();
                let rows: Vec<f32> = layer.values.chunks_exact(layer.n_inputs).flat_map(with_constant).collect();
                let new = || Layer { kind: layer.kind, moments: Moments::new(layer.n_inputs + 1) };
                layers.entry(layer.name).or_insert_with(new).moments.add(&rows);
            }
        })?;
        if !too_wide.is_empty() {
            let names = too_wide.into_iter().collect::<Vec<_>>().join(", ");
            session.context.note(STAGE, format!("layers of more than {MAX_INPUTS} inputs stay as they are: {names}"));
        }
        Ok(Self(layers))
    }
}
