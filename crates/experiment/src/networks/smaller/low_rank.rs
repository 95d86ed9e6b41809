//! Linear layers of low rank.

use super::layers::{Layers, blank};
use crate::error::Result;
use crate::networks::network::model_error;
use crate::session::Session;
use std::collections::BTreeMap;
use stillhouse_compress::{LayerSpectrum, Moments, choose_ranks};
use stillhouse_models::{LayerKind, Model, Reductions, Sizes, first_weight};

/// The model with at most this share of the numbers of its linear layers: with the least error on what they read, or without it, of
/// the weights themselves.
pub(super) fn factored(session: &Session<'_>, whole: &Model, read: Option<&Layers>, share: f64) -> Result<Model> {
    let moments: BTreeMap<String, Moments> = match read {
        Some(Layers(layers)) => {
            let linear = layers.iter().filter(|(_, layer)| layer.kind == LayerKind::Linear);
            linear.map(|(name, layer)| (name.clone(), layer.moments.without_last())).collect()
        }
        None => linear_layers(whole).map(|(name, n_inputs)| (name, Moments::new(n_inputs))).collect(),
    };
    let weights = whole.weights().map_err(model_error)?;
    let mut spectra = Vec::with_capacity(moments.len());
    for (layer, moments) in &moments {
        session.context.check_interrupt()?;
        spectra.push(LayerSpectrum::new(&weights[&format!("{layer}.weight")], moments));
    }
    let chosen = moments.keys().cloned().zip(choose_ranks(&spectra, share));
    let ranks: Sizes = chosen.filter_map(|(layer, rank)| Some((layer, rank?))).collect();
    let mut state = weights;
    for (layer, spectrum) in moments.keys().zip(&spectra) {
        let Some(rank) = ranks.of(layer) else { continue };
        let factors = spectrum.factors(rank);
        state.insert(first_weight(layer), factors.first);
        state.insert(format!("{layer}.weight"), factors.second);
    }
    let model = blank(session, whole, &Reductions::of_ranks(ranks))?;
    model.set_weights(state).map_err(model_error)?;
    Ok(model)
}

/// Linear layers of the body, which have a bias, and what they read.
fn linear_layers(model: &Model) -> impl Iterator<Item = (String, usize)> {
    let layer = |name: &str| Some(name.strip_suffix(".bias")?.to_owned());
    let linear = move |name: String| {
        let weight = format!("{name}.weight");
        let param = model.params().iter().find(|param| param.name == weight)?;
        let [_, n_inputs] = param.var.dims() else { return None };
        Some((name, *n_inputs))
    };
    model.params().iter().filter_map(move |param| layer(&param.name)).filter(|name| name != "head").filter_map(linear)
}
