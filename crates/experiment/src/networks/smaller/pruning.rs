//! Fewer hidden units, channels and heads, and readers that make up for them; weights at 0 as a control.

use super::layers::Layers;
use crate::error::Result;
use crate::networks::network::model_error;
use crate::session::Session;
use std::collections::BTreeMap;
use stillhouse_compress::{LayerSpectrum, Moments, Reader, RemovalOrder, choose_removals};
use stillhouse_models::{HeadInit, InnerWidth, LayerKind, Model};

/// The model with at most this share of the numbers of all layers that give out units or read them.
pub(super) fn pruned(session: &Session<'_>, whole: &Model, layers: &Layers, share: f64) -> Result<Model> {
    let widths: Vec<&InnerWidth> = whole.inner_widths().filter(|width| layers.of(&width.reader).is_some()).collect();
    let weights = whole.weights().map_err(model_error)?;
    let mut orders = Vec::with_capacity(widths.len());
    for width in &widths {
        session.context.check_interrupt()?;
        let reading = Reading::new(width, layers, &weights);
        orders.push(if width.is_linear { reading.mixed_order() } else { reading.reader().removal_order() });
    }
    let counted = CountedParameters::of(whole, &widths);
    let with_costs: Vec<(&RemovalOrder, usize)> = orders.iter().zip(counted.per_unit()).collect();
    let budget = (share * counted.n_numbers(&vec![0; widths.len()]) as f64) as usize;
    let removed = choose_removals(&with_costs, budget, |removed| counted.n_numbers(removed));
    let mut model = whole.with_head(HeadInit::Same).map_err(model_error)?;
    for ((width, order), n_removed) in widths.iter().zip(&orders).zip(removed) {
        if n_removed > 0 {
            session.context.check_interrupt()?;
            model = without(&model, width, &order.units[..n_removed], layers)?;
        }
    }
    Ok(model)
}

/// The model without these units of a width; its reader takes over what it can. What the reader gives out may be fewer by now.
fn without(model: &Model, width: &InnerWidth, gone: &[usize], layers: &Layers) -> Result<Model> {
    let weights = model.weights().map_err(model_error)?;
    let reading = Reading::new(width, layers, &weights);
    let mut kept: Vec<usize> = (0..width.n_units).filter(|unit| !gone.contains(unit)).collect();
    let spectrum = width.is_linear.then(|| reading.spectrum());
    if let Some(spectrum) = &spectrum {
        // a layer of few outputs reads no more directions than that: the others would be 0
        kept.truncate(spectrum.rank());
    }
    let small = model.with_units(&BTreeMap::from([(width.name.clone(), kept.clone())])).map_err(model_error)?;
    let mut state = small.weights().map_err(model_error)?;
    if let Some(spectrum) = spectrum {
        let factors = spectrum.factors(kept.len());
        state.insert(format!("{}.weight", width.reader), factors.second);
        let bias = state.get_mut(&format!("{}.bias", width.reader)).expect("a linear layer has a bias");
        bias.iter_mut().zip(&factors.shift).for_each(|(value, shift)| *value += shift);
        for writer in &width.writers {
            let table = format!("{writer}.weight");
            state.insert(table.clone(), mixed(&weights[&table], &factors.first, width.n_units));
        }
    } else {
        let inputs: Vec<usize> =
            (0..reading.units.len()).filter(|input| !gone.contains(&reading.units[*input])).collect();
        let refit = reading.reader().refit(&inputs);
        let n_outputs = refit.shift.len();
        let (weight, bias, sign) = reading.parameters();
        let values =
            if reading.kind == LayerKind::Convolution { transposed(&refit.weight, n_outputs) } else { refit.weight };
        state.insert(weight, values);
        // of a convolution, the mean that batch norm takes away
        let bias = state.get_mut(&bias).expect("a layer with units has a bias or a norm");
        bias.iter_mut().zip(&refit.shift).for_each(|(value, shift)| *value += sign * shift);
    }
    small.set_weights(state).map_err(model_error)?;
    Ok(small)
}

/// The layer that reads a width, and what it reads.
struct Reading<'a> {
    width: &'a InnerWidth,
    kind: LayerKind,
    moments: &'a Moments,
    /// `[O, I]`
    weight: Vec<f32>,
    /// the unit of each input, `[I]`
    units: Vec<usize>,
}

impl<'a> Reading<'a> {
    fn new(width: &'a InnerWidth, layers: &'a Layers, weights: &BTreeMap<String, Vec<f32>>) -> Self {
        let layer = layers.of(&width.reader).expect("only layers that were looked at lose inputs");
        let n_inputs = layer.moments.n_inputs() - 1;
        let units = (0..n_inputs).map(|input| width.unit_of_input(input)).collect();
        let mut reading = Self { width, kind: layer.kind, moments: &layer.moments, weight: Vec::new(), units };
        let values = &weights[&reading.parameters().0];
        reading.weight = match layer.kind {
            LayerKind::Convolution => transposed(values, n_inputs),
            _ => values.clone(),
        };
        reading
    }

    fn reader(&self) -> Reader<'_> {
        Reader { weight: &self.weight, moments: self.moments, units: &self.units }
    }

    /// Names of its weight and of what is added to its output, with the sign.
    fn parameters(&self) -> (String, String, f32) {
        let reader = &self.width.reader;
        match self.kind {
            LayerKind::Convolution => (format!("{reader}.conv.weight"), format!("{reader}.norm.running_mean"), -1.0),
            _ => (format!("{reader}.weight"), format!("{reader}.bias"), 1.0),
        }
    }

    fn spectrum(&self) -> LayerSpectrum {
        LayerSpectrum::new(&self.weight, self.moments)
    }

    /// What is lost where units may be mixed: directions go from the least important on. Which unit goes means nothing then.
    fn mixed_order(&self) -> RemovalOrder {
        let (spectrum, n_units) = (self.spectrum(), self.width.n_units);
        let all = spectrum.error(0).max(f64::MIN_POSITIVE);
        let error = |n_left: usize| if n_left >= spectrum.rank() { 0.0 } else { spectrum.error(n_left) / all };
        RemovalOrder { units: (0..n_units - 1).collect(), errors: (1..n_units).rev().map(error).collect() }
    }
}

/// Rows `[R, W]` times the transpose of `[r, W]`: `[R, r]`.
fn mixed(rows: &[f32], directions: &[f32], width: usize) -> Vec<f32> {
    let product = |row: &[f32], direction: &[f32]| row.iter().zip(direction).map(|(a, b)| a * b).sum::<f32>();
    let of_row = |row| directions.chunks_exact(width).map(move |direction| product(row, direction));
    rows.chunks_exact(width).flat_map(of_row).collect()
}

/// `[R, C]` of `R` rows as `[C, R]`.
fn transposed(values: &[f32], n_rows: usize) -> Vec<f32> {
    let n_columns = values.len() / n_rows;
    (0..values.len()).map(|index| values[index % n_rows * n_columns + index / n_rows]).collect()
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
