//! `summary.csv`: one row per cell, RFC 4180, full precision.

use super::{SweepCell, axis_keys, plain_value};
use crate::report::contract::{ModelReport, Report};
use crate::report::names::rank;

/// A column of a model: its name and where its number comes from.
type Metric = (&'static str, fn(&ModelReport) -> f64);

/// What is written of every model, in this order.
const METRICS: [Metric; 5] = [
    ("test_top1", |model| model.top1),
    ("test_top5", |model| model.top5),
    ("test_nll", |model| model.nll),
    ("test_ece", |model| model.ece),
    ("valid_top1", |model| model.valid_top1),
];

/// One row per cell: its axes, `ok` or `failed`, the metrics of each model, the gain kept, seconds, and the message of a
/// failure. A number that a cell does not have is an empty field.
pub fn summary_csv(cells: &[SweepCell]) -> String {
    let keys = axis_keys(cells);
    let models = model_names(cells);
    let mut header: Vec<String> = keys.clone();
    header.push("status".into());
    header.extend(models.iter().flat_map(|model| METRICS.map(|(metric, _)| format!("{model}.{metric}"))));
    header.extend(["gain_kept", "total_train_seconds", "wall_seconds", "message"].map(str::to_owned));
    let mut text = line(&header);
    for cell in cells {
        let mut row: Vec<String> = keys.iter().map(|key| plain_value(cell.value(key).unwrap_or_default())).collect();
        match &cell.outcome {
            Ok(report) => row.extend(measured(&report.sanitised(), &models)),
            Err(message) => row.extend(failed(message, models.len())),
        }
        text += &line(&row);
    }
    text
}

/// Every model but the specialists, of which there may be hundreds.
fn model_names(cells: &[SweepCell]) -> Vec<String> {
    let reports = cells.iter().filter_map(|cell| cell.outcome.as_ref().ok());
    let mut names: Vec<String> = reports.flat_map(Report::main_models).map(|model| model.name.clone()).collect();
    names.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    names.dedup();
    names
}

fn measured(report: &Report, models: &[String]) -> Vec<String> {
    let metrics = models.iter().flat_map(|name| {
        let model = report.models.iter().find(|model| model.name == *name);
        METRICS.map(|(_, metric)| model.map_or(String::new(), |model| metric(model).to_string()))
    });
    std::iter::once("ok".to_owned())
        .chain(metrics)
        .chain([
            report.gain_kept.map_or(String::new(), |kept| kept.to_string()),
            report.total_train_seconds.to_string(),
            report.wall_seconds.to_string(),
            String::new(),
        ])
        .collect()
}

fn failed(message: &str, n_models: usize) -> Vec<String> {
    let n_empty = n_models * METRICS.len() + 3;
    std::iter::once("failed".to_owned())
        .chain(std::iter::repeat_n(String::new(), n_empty))
        .chain([message.to_owned()])
        .collect()
}

fn line(fields: &[String]) -> String {
    fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",") + "\r\n"
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
