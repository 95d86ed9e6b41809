//! Linear layers of low rank.

use super::layers::{Layer, Layers, blank, read_in_both};
use crate::error::Result;
use crate::networks::network::model_error;
use crate::session::Session;
use stillhouse_compress::{LayerSpectrum, Refit, choose_ranks};
use stillhouse_data::Split;
use stillhouse_models::{HeadInit, LayerKind, Model, Reductions, Sizes, first_weight};

/// The model with at most this share of the numbers of its linear layers, with the least error on what they read of these
/// examples. Layers are factored in the order of computation, each for what it reads behind those before it; layers that stay
/// whole make up for what was lost before them.
pub(super) fn factored(session: &Session<'_>, whole: &Model, examples: &Split, share: f64) -> Result<Model> {
    let layers = Layers::read(session, whole, examples)?;
    let linear: Vec<&Layer> = layers.iter().filter(|layer| layer.kind == LayerKind::Linear).collect();
    let weights = whole.weights().map_err(model_error)?;
    let weight = |layer: &str| &weights[&format!("{layer}.weight")];
    let mut spectra = Vec::with_capacity(linear.len());
    for layer in &linear {
        session.context.check_interrupt()?;
        spectra.push(LayerSpectrum::new(weight(&layer.name), &layer.moments));
    }
    let names = linear.iter().map(|layer| layer.name.clone());
    let ranks: Sizes = names.zip(choose_ranks(&spectra, share)).filter_map(|(name, rank)| Some((name, rank?))).collect();
    let mut model = whole.with_head(HeadInit::Same).map_err(model_error)?;
    if ranks.is_empty() {
        return Ok(model);
    }
    let mut reductions = whole.reductions().clone();
    for Layer { name, kind, .. } in layers.iter().filter(|layer| layer.kind != LayerKind::Convolution) {
        session.context.check_interrupt()?;
        let read = read_in_both([whole, &model], examples, name)?;
        let Refit { weight, shift } = read.refit(weight(name));
        let mut state = model.weights().map_err(model_error)?;
        let mut add_to_bias = |shift: &[f32]| {
            let bias = state.get_mut(&format!("{name}.bias")).expect("a linear layer has a bias");
            bias.iter_mut().zip(shift).for_each(|(value, shift)| *value += shift);
        };
        add_to_bias(&shift);
        match ranks.of(name).filter(|_| *kind == LayerKind::Linear) {
            Some(rank) => {
                let factors = LayerSpectrum::new(&weight, read.smaller()).factors(rank);
                add_to_bias(&factors.shift);
                reductions.ranks.insert(name.clone(), rank);
                state.insert(first_weight(name), factors.first);
                state.insert(format!("{name}.weight"), factors.second);
                model = blank(session, whole, &reductions)?;
            }
            None => {
                state.insert(format!("{name}.weight"), weight);
            }
        }
        model.set_weights(state).map_err(model_error)?;
    }
    Ok(model)
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
