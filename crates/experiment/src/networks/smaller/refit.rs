//! Layers that make up for what was lost before them.
//!
//! Layers are cut in the order of computation. Each is given the least squared error to what it gives out in the whole network,
//! from what it reads in the smaller one: behind layers that were cut before it, that is not what it was trained on.

use super::layers::{Layer, Layers, blank, read_layer};
use crate::error::Result;
use crate::networks::network::model_error;
use crate::session::Session;
use std::collections::BTreeMap;
use stillhouse_compress::{LayerSpectrum, PairedMoments};
use stillhouse_data::Split;
use stillhouse_models::{HeadInit, InnerWidth, Model, Sizes, first_weight};

/// What is cut, by the layer that reads it.
#[derive(Default)]
pub(super) struct Cuts {
    /// ranks of layers
    pub ranks: Sizes,
    /// inner widths by their readers, with the units that stay
    pub units: BTreeMap<String, (InnerWidth, Vec<usize>)>,
}

/// The model `start`, in which no layer is cut but some of those of `whole` may be missing, with these cuts; as it is where nothing is
/// missing or cut.
pub(super) fn refit_in_order(
    session: &Session<'_>,
    whole: &Model,
    start: &Model,
    (layers, examples): (&Layers, &Split),
    cuts: &Cuts,
) -> Result<Model> {
    let mut model = start.with_head(HeadInit::Same).map_err(model_error)?;
    if cuts.ranks.is_empty() && cuts.units.is_empty() && start.reductions() == whole.reductions() {
        return Ok(model);
    }
    let weights = whole.weights().map_err(model_error)?;
    for layer in layers.iter().filter(|layer| layer.is_in(start)) {
        session.context.check_interrupt()?;
        // read anew for each layer: the rows of all of them could fill the memory
        let [by_whole, by_model] = [read_layer(whole, examples, layer)?, read_layer(&model, examples, layer)?];
        let read = PairedMoments::new(layer.moments.n_inputs(), &by_whole, &by_model);
        let weight = layer.weight(&weights);
        model = match (cuts.ranks.of(&layer.name), cuts.units.get(&layer.name)) {
            (Some(rank), _) => of_rank(session, &model, layer, (&read, &weight), rank)?,
            (None, Some((width, kept))) if width.is_linear => {
                of_mixtures(&model, layer, (&read, &weight), (width, kept))?
            }
            (None, Some((width, kept))) => of_units(&model, layer, (&read, &weight), (width, kept))?,
            (None, None) => {
                let refit = read.refit(&weight, &layer.all_inputs());
                let mut state = model.weights().map_err(model_error)?;
                layer.put(&mut state, refit.weight, &refit.shift);
                model.set_weights(state).map_err(model_error)?;
                model
            }
        };
    }
    Ok(model)
}

/// The layer as a product of two factors.
fn of_rank(
    session: &Session<'_>,
    model: &Model,
    layer: &Layer,
    (read, weight): (&PairedMoments, &[f32]),
    rank: usize,
) -> Result<Model> {
    let refit = read.refit(weight, &layer.all_inputs());
    let factors = LayerSpectrum::new(&refit.weight, read.smaller()).factors(rank);
    let mut state = model.weights().map_err(model_error)?;
    let shift: Vec<f32> = refit.shift.iter().zip(&factors.shift).map(|(a, b)| a + b).collect();
    state.insert(first_weight(&layer.name), factors.first);
    layer.put(&mut state, factors.second, &shift);
    let mut reductions = model.reductions().clone();
    reductions.ranks.insert(layer.name.clone(), rank);
    let small = blank(session, model, &reductions)?;
    small.set_weights(state).map_err(model_error)?;
    Ok(small)
}

/// The layer on the units that are left of a width.
fn of_units(
    model: &Model,
    layer: &Layer,
    (read, weight): (&PairedMoments, &[f32]),
    (width, kept): (&InnerWidth, &[usize]),
) -> Result<Model> {
    let is_kept = |input: &usize| kept.binary_search(&width.unit_of_input(*input)).is_ok();
    let inputs: Vec<usize> = layer.all_inputs().into_iter().filter(is_kept).collect();
    let refit = read.refit(weight, &inputs);
    let small = model.with_units(&BTreeMap::from([(width.name.clone(), kept.to_vec())])).map_err(model_error)?;
    let mut state = small.weights().map_err(model_error)?;
    layer.put(&mut state, refit.weight, &refit.shift);
    small.set_weights(state).map_err(model_error)?;
    Ok(small)
}

/// The layer on mixtures of a width's units, where nothing stands between the layers that give them out and this one: as many
/// mixtures as units are to stay, and no more than there are directions.
fn of_mixtures(
    model: &Model,
    layer: &Layer,
    (read, weight): (&PairedMoments, &[f32]),
    (width, kept): (&InnerWidth, &[usize]),
) -> Result<Model> {
    let refit = read.refit(weight, &layer.all_inputs());
    let spectrum = LayerSpectrum::new(&refit.weight, read.smaller());
    let kept = &kept[..kept.len().min(spectrum.rank())];
    let factors = spectrum.factors(kept.len());
    let whole = model.weights().map_err(model_error)?;
    let small = model.with_units(&BTreeMap::from([(width.name.clone(), kept.to_vec())])).map_err(model_error)?;
    let mut state = small.weights().map_err(model_error)?;
    let shift: Vec<f32> = refit.shift.iter().zip(&factors.shift).map(|(a, b)| a + b).collect();
    layer.put(&mut state, factors.second, &shift);
    for writer in &width.writers {
        let table = format!("{writer}.weight");
        state.insert(table.clone(), times_transposed(&whole[&table], &factors.first, width.n_units));
    }
    small.set_weights(state).map_err(model_error)?;
    Ok(small)
}

/// Rows `[R, W]` times the transpose of `[r, W]`: `[R, r]`.
fn times_transposed(rows: &[f32], directions: &[f32], width: usize) -> Vec<f32> {
    let product = |row: &[f32], direction: &[f32]| row.iter().zip(direction).map(|(a, b)| a * b).sum::<f32>();
    let of_row = |row| directions.chunks_exact(width).map(move |direction| product(row, direction));
    rows.chunks_exact(width).flat_map(of_row).collect()
}
