//! `predictions.csv`: each test example with what the main models predict, for other programs.

use super::scores::TestScores;
use crate::error::Result;
use crate::example_row::{EXAMPLE_COLUMNS, example_row};
use crate::files::write_pieces;
use crate::report::csv::{text_field, write_rows};
use crate::role::Role;
use std::path::Path;
use stillhouse_data::Split;

/// The models with a column of their own, where a run has them.
pub(super) const MAIN_MODELS: [Role; 5] =
    [Role::Generalist, Role::MergedEnsemble, Role::Student, Role::TwinOnLabels, Role::Shipped];

/// Bytes of a row without its labels: an id, a row, a path, five confidences.
const BYTES_PER_ROW: usize = 200;

/// Bytes that the table takes, about. The run directory has a second one.
pub(super) fn disk_bytes(n_examples: usize, labels: &[String]) -> u64 {
    let label_bytes = labels.iter().map(String::len).sum::<usize>() / labels.len().max(1);
    2 * (n_examples * (BYTES_PER_ROW + (1 + MAIN_MODELS.len()) * label_bytes)) as u64
}

/// The main models of a run, in the order of their columns.
pub(super) fn main_models(on_test: &[TestScores]) -> Vec<&TestScores> {
    MAIN_MODELS.iter().filter_map(|role| on_test.iter().find(|model| model.role == *role)).collect()
}

/// Writes a row for each test example, in the order of the split: the columns of [`example_row`], then those of the models. A
/// confidence is the probability of the predicted class,
/// of the student and of what ships of it as `predict` gives it.
pub(super) fn write_predictions(path: &Path, test: &Split, labels: &[String], on_test: &[TestScores]) -> Result<()> {
    let models = main_models(on_test);
    let names = models.iter().flat_map(|model| [model.role.name(), format!("{}_confidence", model.role.name())]);
    let header: Vec<String> = EXAMPLE_COLUMNS.iter().map(|name| (*name).to_owned()).chain(names).collect();
    let row = |row: usize| {
        let predicted = models.iter().flat_map(|model| {
            let record = model.as_shipped.as_ref().map_or(&model.records[row], |records| &records[row]);
            [text_field(&labels[record.predicted.index()]).into_owned(), record.top_prob.to_string()]
        });
        example_row(test, row, labels).into_iter().chain(predicted).collect()
    };
    write_pieces(path, |out| write_rows(out, std::iter::once(header).chain((0..test.len()).map(row))))
}
