//! `metrics.csv`.

use super::when::When;
use crate::report::csv::text_field;
use stillhouse_train::EpochRecord;

const COLUMNS: [&str; 14] = [
    "time",
    "session",
    "stage",
    "epoch",
    "step",
    "n_examples",
    "train_loss",
    "task_loss",
    "distill_loss",
    "valid_loss",
    "valid_top1",
    "learning_rate",
    "examples_per_s",
    "elapsed_s",
];

/// The names of the columns.
pub(super) fn header() -> String {
    COLUMNS.join(",") + "\n"
}

/// The row of an epoch; what was not measured is empty.
pub(super) fn row(when: When, stage: &str, record: &EpochRecord) -> String {
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let cells: [String; COLUMNS.len()] = [
        when.time.to_string(),
        when.session.to_string(),
        text_field(stage).into_owned(),
        record.epoch.to_string(),
        record.step.to_string(),
        record.n_examples.to_string(),
        record.train_loss.to_string(),
        number(record.task_loss),
        number(record.distill_loss),
        number(record.valid_loss),
        number(record.valid_top1),
        record.learning_rate.to_string(),
        record.examples_per_s.to_string(),
        record.elapsed_s.to_string(),
    ];
    cells.join(",") + "\n"
}
