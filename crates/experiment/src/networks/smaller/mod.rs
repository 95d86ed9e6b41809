//! A network with fewer numbers, in closed form, as a stage: from its weights and what its layers read on some examples.

mod low_rank;
mod pruning;

use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::networks::artifacts::Trained;
use crate::networks::network::{model_error, new_model};
use crate::planning::Work;
use crate::seal::sealed_file;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stage;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use stillhouse_compress::Moments;
use stillhouse_data::Split;
use stillhouse_models::{LayerKind, Model, Reductions};
use stillhouse_train::{FitSummary, load_weights, save_weights, visit_layer_inputs};

/// Raise this when other numbers are chosen.
const CODE_VERSION: u32 = 1;
const STAGE: &str = "smaller";
const REDUCTIONS: &str = "reductions.json";
const WEIGHTS: &str = "model.safetensors";
/// Examples whose layers' inputs are looked at: they need no labels.
const N_EXAMPLES: usize = 512;
/// A layer that reads more stays as it is: the second moments of its inputs would take 128 MiB and more.
const MAX_INPUTS: usize = 4096;

/// A way to fewer numbers, with the share of them that may stay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// linear layers as products of two factors, with the least error on what they read
    LowRank(f64),
    /// the same with the least error of the weights, as a control
    PlainLowRank(f64),
    /// fewer hidden units, channels and heads; the layer that reads them makes up for it
    Pruned(f64),
    /// the weights nearest to 0 at 0, as a control: no file of this program becomes smaller by it
    Zeros(f64),
}

impl Way {
    /// What is done to the network, for a table.
    pub fn words(self) -> String {
        let (what, share) = match self {
            Self::LowRank(share) => ("linear layers at", share),
            Self::PlainLowRank(share) => ("linear layers by plain SVD at", share),
            Self::Pruned(share) => ("units, channels and heads at", share),
            Self::Zeros(share) => ("all but the largest weights at 0, left", share),
        };
        format!("{what} {:.0} %", 100.0 * share)
    }
}

/// The network made smaller in this way; as it is where nothing would become smaller. `examples` are some that it has learned from.
pub(crate) fn smaller(session: &Session<'_>, network: &Trained, examples: &Split, way: Way) -> Result<Trained> {
    let stage = Stage::new(STAGE, CODE_VERSION, None, &(&network.stage, way));
    let trained = |model| Trained {
        role: network.role,
        stage: stage.clone(),
        body_key: stage.key().to_owned(),
        model: Arc::new(model),
        fit: FitSummary::default(),
    };
    let plan = || {
        // what is left is not known before the layers are looked at
        let known = session.context.artifact(&stage).map(|folder| sealed_file(&folder, REDUCTIONS));
        let reductions = known.map_or(Ok(Reductions::default()), |path| read_json(&path?))?;
        Ok((Work::prediction([&network.stage], N_EXAMPLES), trained(blank(session, &network.model, &reductions)?)))
    };
    let produce = |folder: &Path| {
        let make = || {
            let model = &network.model;
            match way {
                Way::LowRank(share) => {
                    low_rank::factored(session, model, Some(&Layers::read(session, model, examples)?), share)
                }
                Way::PlainLowRank(share) => low_rank::factored(session, model, None, share),
                Way::Pruned(share) => pruning::pruned(session, model, &Layers::read(session, model, examples)?, share),
                Way::Zeros(share) => pruning::zeros(session, model, share),
            }
        };
        let model = session.context.with_all_threads(make)??;
        write_json(&folder.join(REDUCTIONS), model.reductions())?;
        save_weights(&folder.join(WEIGHTS), &model)?;
        Ok(())
    };
    let load = |folder: &Path| {
        let model = blank(session, &network.model, &read_json(&folder.join(REDUCTIONS))?)?;
        load_weights(&folder.join(WEIGHTS), &model)?;
        Ok(trained(model))
    };
    run_stage(session.context, &stage, plan, produce, load)
}

/// A network of this one's architecture, with less of it.
fn blank(session: &Session<'_>, like: &Model, reductions: &Reductions) -> Result<Model> {
    let model = new_model(session, like.config(), like.input(), like.n_outputs(), (reductions, None))?;
    match like.tokenizer() {
        Some(tokenizer) => model.with_tokenizer(tokenizer).map_err(model_error),
        None => Ok(model),
    }
}

/// What the layers of a network read.
struct Layers(BTreeMap<String, Layer>);

struct Layer {
    kind: LayerKind,
    /// of the inputs and a constant 1 behind them
    moments: Moments,
}

impl Layers {
    fn read(session: &Session<'_>, model: &Model, examples: &Split) -> Result<Self> {
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
