//! `predict`: the most probable classes of each input.

use crate::console;
use crate::failure::Failure;
use crate::invocation::Format;
use crate::text::{count, percent};
use std::path::Path;
use stillhouse_experiment::{Prediction, Predictor};

/// Inputs that cannot be predicted are reported at once, before any result is written.
pub fn predict(model: &Path, inputs: &[String], top_k: usize, format: Format) -> Result<(), Failure> {
    let predictor = Predictor::load(model)?;
    let mut predictions = Vec::new();
    let mut failures = Vec::new();
    for input in inputs {
        match predictor.predict(input, top_k) {
            Ok(found) => predictions.extend(found),
            Err(error) => failures.push(error),
        }
    }
    if let Some(first) = failures.pop() {
        let n_failures = failures.len() + 1;
        if n_failures > 1 {
            failures.iter().for_each(|error| console::message(&format!("error: {error}")));
        }
        let of = format_args!("{} of {} failed", n_failures, count(inputs.len(), "input")).to_string();
        return Err(if n_failures > 1 { first.context(of).into() } else { first.into() });
    }
    match format {
        Format::Json => console::print_json(&serde_json::to_value(&predictions).unwrap_or_default()),
        Format::Text => console::print(&predictions.iter().map(line).collect::<String>()),
    }
}

fn line(prediction: &Prediction) -> String {
    let classes = prediction.top.iter().map(|(label, share)| format!("{label} {}", percent(*share)));
    format!("{}: {}\n", prediction.input, classes.collect::<Vec<_>>().join(", "))
}
