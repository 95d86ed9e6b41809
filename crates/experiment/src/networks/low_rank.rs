//! A network with linear layers of low rank, in closed form, as a stage.

use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::networks::artifacts::Trained;
use crate::networks::network::{model_error, new_model};
use crate::planning::Work;
use crate::seal::sealed_file;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stage;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use stillhouse_compress::{LayerSpectrum, Moments, choose_ranks};
use stillhouse_data::Split;
use stillhouse_models::{Model, Ranks, first_weight};
use stillhouse_train::{FitSummary, load_weights, save_weights, visit_linear_inputs};

/// Raise this when ranks or factors are chosen in another way.
const CODE_VERSION: u32 = 1;
const RANKS: &str = "ranks.json";
const WEIGHTS: &str = "model.safetensors";
/// Examples whose inputs of the layers are looked at: they need no labels.
const N_EXAMPLES: usize = 512;

/// The network with at most this share of the numbers of its linear layers; the network itself where no layer would become
/// smaller. `examples` are some that it has learned from.
pub(crate) fn factored(session: &Session<'_>, network: &Trained, examples: &Split, share: f64) -> Result<Trained> {
    let stage = Stage::new("low_rank", CODE_VERSION, None, &(&network.stage, share));
    let trained = |model| Trained {
        role: network.role,
        stage: stage.clone(),
        body_key: stage.key().to_owned(),
        model: Arc::new(model),
        fit: FitSummary::default(),
    };
    let plan = || {
        // the ranks are not known before the layers are looked at
        let known = session.context.artifact(&stage).map(|folder| sealed_file(&folder, RANKS));
        let ranks = known.map_or(Ok(Ranks::default()), |path| read_json(&path?))?;
        Ok((Work::prediction([&network.stage], N_EXAMPLES), trained(blank(session, &network.model, &ranks)?)))
    };
    let produce = |folder: &Path| {
        let make = || factor(session, &network.model, examples, share);
        let model = session.context.with_all_threads(make)??;
        write_json(&folder.join(RANKS), model.ranks())?;
        save_weights(&folder.join(WEIGHTS), &model)?;
        Ok(())
    };
    let load = |folder: &Path| {
        let model = blank(session, &network.model, &read_json(&folder.join(RANKS))?)?;
        load_weights(&folder.join(WEIGHTS), &model)?;
        Ok(trained(model))
    };
    run_stage(session.context, &stage, plan, produce, load)
}

/// A network of this one's architecture, with these ranks.
fn blank(session: &Session<'_>, like: &Model, ranks: &Ranks) -> Result<Model> {
    let model = new_model(session, like.config(), like.input(), like.n_outputs(), (ranks, None))?;
    match like.tokenizer() {
        Some(tokenizer) => model.with_tokenizer(tokenizer).map_err(model_error),
        None => Ok(model),
    }
}

fn factor(session: &Session<'_>, whole: &Model, examples: &Split, share: f64) -> Result<Model> {
    let n_rows = examples.len().min(N_EXAMPLES);
    let rows: Vec<usize> = (0..n_rows).map(|nth| nth * examples.len() / n_rows.max(1)).collect();
    let mut moments: BTreeMap<String, Moments> = BTreeMap::new();
    visit_linear_inputs(whole, &examples.select(&rows), |layers| {
        for layer in layers {
            moments.entry(layer.name).or_insert_with(|| Moments::new(layer.n_inputs)).add(&layer.values);
        }
    })?;
    let weights = whole.weights().map_err(model_error)?;
    let mut spectra = Vec::with_capacity(moments.len());
    for (layer, moments) in &moments {
        session.context.check_interrupt()?;
        spectra.push(LayerSpectrum::new(&weights[&format!("{layer}.weight")], moments));
    }
    let chosen = moments.keys().cloned().zip(choose_ranks(&spectra, share));
    let ranks: Ranks = chosen.filter_map(|(layer, rank)| Some((layer, rank?))).collect();
    let mut state = weights;
    for (layer, spectrum) in moments.keys().zip(&spectra) {
        let Some(rank) = ranks.of(layer) else { continue };
        let factors = spectrum.factors(rank);
        state.insert(first_weight(layer), factors.first);
        state.insert(format!("{layer}.weight"), factors.second);
    }
    let model = blank(session, whole, &ranks)?;
    model.set_weights(state).map_err(model_error)?;
    Ok(model)
}
