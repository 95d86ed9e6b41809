//! Examples that show how large the activations of a convolutional network are, for its eight bits.

use super::export_error;
use crate::error::Result;
use crate::renormalise::renormalise;
use std::path::Path;
use stillhouse_core::{InputShape, InputSpec, Seed};
use stillhouse_data::Split;
use stillhouse_export::graph::{Example, Graph};
use stillhouse_export::onnx::Precision;
use stillhouse_models::Model;

/// Examples by which the activations of a convolutional network get their ranges; more change nothing that was measured.
const MAX_CALIBRATION: usize = 512;
/// Floating point operations of all of them together, which plain loops take some minutes for.
const MAX_CALIBRATION_FLOPS: u64 = 400_000_000_000;
/// Fewer examples would leave ranges to chance.
const MIN_CALIBRATION: usize = 32;

/// Whether eight bits of a model need such examples.
pub(crate) fn needs_ranges(model: &Model, out: &Path) -> Result<bool> {
    Ok(Precision::needs_ranges(&Graph::of(model).map_err(|error| export_error(out, error))?))
}

/// Examples of a split without their labels, as the model's graph takes them: always the same ones.
pub(crate) fn calibration_examples(model: &Model, input: &InputSpec, split: &Split) -> Result<Vec<Example>> {
    let affordable = (MAX_CALIBRATION_FLOPS / model.flops_per_example().max(1)) as usize;
    let n_examples = affordable.clamp(MIN_CALIBRATION, MAX_CALIBRATION);
    chosen_rows(split.len(), n_examples).map(|row| read_example(split, row, input)).collect()
}

/// Rows in random order, the same ones for the same number of rows.
fn chosen_rows(n_rows: usize, n_chosen: usize) -> impl Iterator<Item = usize> {
    let mut rows: Vec<usize> = (0..n_rows).collect();
    rows.sort_by_cached_key(|row| Seed(0).derive("calibration", *row as u64).0);
    rows.into_iter().take(n_chosen)
}

fn read_example(split: &Split, row: usize, input: &InputSpec) -> Result<Example> {
    let mut values = vec![0.0; input.shape.n_values()];
    split.read(row, None, &mut values)?;
    renormalise(split.input(), input, &mut values);
    Ok(match input.shape {
        InputShape::Image { channels, height, width } => Example::of_pixels(&values, [height, width, channels]),
        _ => Example::Values(values),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibration_rows_are_the_same_each_time_and_spread() {
        let rows: Vec<usize> = chosen_rows(1000, 50).collect();
        assert_eq!(rows, chosen_rows(1000, 50).collect::<Vec<_>>());
        assert!(rows.iter().any(|row| *row < 300) && rows.iter().any(|row| *row > 700));
        assert_eq!(chosen_rows(3, 50).count(), 3);
    }
}
