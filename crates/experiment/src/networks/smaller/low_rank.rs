//! Linear layers of low rank.

use super::layers::{Layer, Layers, blank};
use super::refit::{Cuts, refit_in_order};
use crate::error::Result;
use crate::networks::network::model_error;
use crate::session::Session;
use stillhouse_compress::{LayerSpectrum, choose_ranks};
use stillhouse_data::Split;
use stillhouse_models::{LayerKind, Model, Reductions, Sizes, first_weight};

/// The model with at most this share of the numbers of its linear layers, with the least error on what they read of these
/// examples.
pub(super) fn factored(session: &Session<'_>, whole: &Model, examples: &Split, share: f64) -> Result<Model> {
    let layers = Layers::read(session, whole, examples)?;
    let linear: Vec<&Layer> = layers.iter().filter(|layer| layer.kind == LayerKind::Linear).collect();
    let weights = whole.weights().map_err(model_error)?;
    let mut spectra = Vec::with_capacity(linear.len());
    for layer in &linear {
        session.context.check_interrupt()?;
        spectra.push(LayerSpectrum::new(&layer.weight(&weights), &layer.moments));
    }
    let names = linear.iter().map(|layer| layer.name.clone());
    let ranks: Sizes =
        names.zip(choose_ranks(&spectra, share)).filter_map(|(name, rank)| Some((name, rank?))).collect();
    refit_in_order(session, whole, whole, (&layers, examples), &Cuts { ranks, ..Default::default() })
}

/// The same with the least error of the weights themselves, as a control.
pub(super) fn plainly_factored(session: &Session<'_>, whole: &Model, share: f64) -> Result<Model> {
    let layers: Vec<(String, usize)> = linear_layers(whole).collect();
    let mut state = whole.weights().map_err(model_error)?;
    let mut spectra = Vec::with_capacity(layers.len());
    for (layer, n_inputs) in &layers {
        session.context.check_interrupt()?;
        spectra.push(LayerSpectrum::plain(&state[&format!("{layer}.weight")], *n_inputs));
    }
    let mut ranks = Sizes::default();
    for (((layer, _), spectrum), rank) in layers.into_iter().zip(&spectra).zip(choose_ranks(&spectra, share)) {
        let Some(rank) = rank else { continue };
        let factors = spectrum.factors(rank);
        state.insert(first_weight(&layer), factors.first);
        state.insert(format!("{layer}.weight"), factors.second);
        ranks.insert(layer, rank);
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
