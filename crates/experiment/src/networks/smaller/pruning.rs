//! Fewer hidden units, channels and heads, and readers that make up for them; weights at 0 as a control.

use super::layers::{Layer, Layers};
use super::refit::{Cuts, refit_in_order};
use crate::error::Result;
use crate::networks::network::model_error;
use crate::session::Session;
use stillhouse_compress::{LayerSpectrum, Reader, RemovalOrder, choose_removals};
use stillhouse_data::Split;
use stillhouse_models::{HeadInit, InnerWidth, Model};

/// The model with at most this share of the numbers of all layers that give out units or read them.
pub(super) fn pruned(session: &Session<'_>, whole: &Model, examples: &Split, share: f64) -> Result<Model> {
    let layers = &Layers::read(session, whole, examples)?;
    let widths: Vec<&InnerWidth> = whole.inner_widths().filter(|width| layers.of(&width.reader).is_some()).collect();
    let weights = whole.weights().map_err(model_error)?;
    let mut orders = Vec::with_capacity(widths.len());
    for width in &widths {
        session.context.check_interrupt()?;
        let layer = layers.of(&width.reader).expect("of these widths alone");
        orders.push(removal_order(width, layer, &layer.weight(&weights)));
    }
    let counted = CountedParameters::of(whole, &widths);
    let with_costs: Vec<(&RemovalOrder, usize)> = orders.iter().zip(counted.per_unit()).collect();
    let budget = (share * counted.n_numbers(&vec![0; widths.len()]) as f64) as usize;
    let removed = choose_removals(&with_costs, budget, |removed| counted.n_numbers(removed));
    let kept = |n_units: usize, gone: &[usize]| (0..n_units).filter(|unit| !gone.contains(unit)).collect();
    let cut = widths.into_iter().zip(&orders).zip(removed).filter(|(_, n_removed)| *n_removed > 0);
    let cuts = cut.map(|((width, order), n)| (width.clone(), kept(width.n_units, &order.units[..n])));
    let units = cuts.map(|(width, kept)| (width.reader.clone(), (width, kept))).collect();
    refit_in_order(session, whole, whole, (layers, examples), &Cuts { units, ..Default::default() })
}

/// The units of a width in the order in which they go.
fn removal_order(width: &InnerWidth, layer: &Layer, weight: &[f32]) -> RemovalOrder {
    if width.is_linear {
        return mixed_order(&LayerSpectrum::new(weight, &layer.moments), width.n_units);
    }
    let units: Vec<usize> = (0..layer.moments.n_inputs() - 1).map(|input| width.unit_of_input(input)).collect();
    Reader { weight, moments: &layer.moments, units: &units }.removal_order()
}

/// What is lost where units may be mixed: directions go from the least important on. Which unit goes means nothing then.
fn mixed_order(spectrum: &LayerSpectrum, n_units: usize) -> RemovalOrder {
    let all = spectrum.error(0).max(f64::MIN_POSITIVE);
    let error = |n_left: usize| if n_left >= spectrum.rank() { 0.0 } else { spectrum.error(n_left) / all };
    RemovalOrder { units: (0..n_units - 1).collect(), errors: (1..n_units).rev().map(error).collect() }
}

/// Numbers of parameters that depend on widths.
struct CountedParameters {
    /// numbers, and the widths that they are a multiple of
    parameters: Vec<(usize, Vec<usize>)>,
    /// units of each width
    n_units: Vec<usize>,
}

impl CountedParameters {
    fn of(model: &Model, widths: &[&InnerWidth]) -> Self {
        let of_param = |name: &str| (0..widths.len()).filter(|index| widths[*index].axis(name).is_some()).collect();
        let counted = model.params().iter().map(|param| (param.var.elem_count(), of_param(&param.name)));
        let parameters = counted.filter(|(_, widths): &(usize, Vec<usize>)| !widths.is_empty()).collect();
        Self { parameters, n_units: widths.iter().map(|width| width.n_units).collect() }
    }

    fn n_numbers(&self, removed: &[usize]) -> usize {
        let of_parameter = |(n_numbers, widths): &(usize, Vec<usize>)| {
            widths
                .iter()
                .fold(*n_numbers, |n, width| n / self.n_units[*width] * (self.n_units[*width] - removed[*width]))
        };
        self.parameters.iter().map(of_parameter).sum()
    }

    /// What a unit of each width costs while all others are there.
    fn per_unit(&self) -> impl Iterator<Item = usize> {
        let of_width = |width: usize| -> usize {
            let its = self.parameters.iter().filter(move |(_, widths)| widths.contains(&width));
            its.map(|(n_numbers, _)| n_numbers / self.n_units[width]).sum()
        };
        (0..self.n_units.len()).map(of_width)
    }
}

/// The model whose matrices, tables and convolutions have this share of their numbers, the largest; the others are 0.
pub(super) fn zeros(session: &Session<'_>, whole: &Model, share: f64) -> Result<Model> {
    session.context.check_interrupt()?;
    let model = whole.with_head(HeadInit::Same).map_err(model_error)?;
    let mut state = model.weights().map_err(model_error)?;
    let weights = model.params().iter().filter(|param| param.var.dims().len() > 1);
    let names: Vec<&String> = weights.map(|param| &param.name).collect();
    let mut sizes: Vec<f32> = names.iter().flat_map(|name| state[*name].iter().map(|value| value.abs())).collect();
    sizes.sort_by(f32::total_cmp);
    let Some(least) = sizes.get(((1.0 - share) * sizes.len() as f64) as usize).copied() else { return Ok(model) };
    for name in names {
        let values = state.get_mut(name).expect("a parameter of this model");
        values.iter_mut().filter(|value| value.abs() < least).for_each(|value| *value = 0.0);
    }
    model.set_weights(state).map_err(model_error)?;
    Ok(model)
}
