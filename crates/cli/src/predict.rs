//! `predict`: the most probable classes of each input.

use crate::console;
use crate::failure::Failure;
use crate::invocation::{Format, PredictTask};
use crate::text::{count, one_line, percent};
use std::io;
use std::path::Path;
use stillhouse_experiment::{ExperimentError, Prediction, Predictor, TextLines};

/// Texts that are predicted together, on all threads.
const LINES_AT_ONCE: usize = 2048;

/// The most probable classes of inputs from the command line, or of a stream of texts.
pub fn predict(task: &PredictTask, format: Format) -> Result<(), Failure> {
    let predictor = Predictor::load(&task.model)?;
    match (&task.lines, task.inputs.as_slice()) {
        (None, inputs @ [_, ..]) => predict_inputs(&predictor, inputs, task.top_k, format),
        _ if !predictor.takes_texts() => Err(Failure::Usage(
            "no input\n  hint: give image files or rows of numbers; only models of texts read --lines or standard input"
                .into(),
        )),
        (lines, _) => predict_lines(&predictor, lines.as_deref(), task.top_k, format),
    }
}

/// Predicts texts, one a line, and writes each prediction as a line; only `LINES_AT_ONCE` of them are in memory.
fn predict_lines(predictor: &Predictor, path: Option<&Path>, top_k: usize, format: Format) -> Result<(), Failure> {
    let lines = match path.filter(|path| *path != Path::new("-")) {
        Some(path) => TextLines::of_file(path),
        None => TextLines::of_stream(Path::new("standard input"), io::stdin().lock()),
    };
    let mut lines = lines.map_err(ExperimentError::from)?;
    loop {
        let piece = lines.next_lines(LINES_AT_ONCE).map_err(ExperimentError::from)?;
        if piece.is_empty() {
            break;
        }
        let texts: Vec<&str> = piece.iter().map(String::as_str).collect();
        print_lines(&predictor.predict_texts(&texts, top_k)?, format)?;
    }
    if lines.n_empty() > 0 {
        let of = count(lines.n_read() as usize, "line");
        console::message(&format!(
            "note: {} of {of} are empty; their answers are those to a text without a word",
            lines.n_empty()
        ));
    }
    Ok(())
}

/// One prediction a line.
fn print_lines(predictions: &[Prediction], format: Format) -> Result<(), Failure> {
    let as_json = |prediction: &Prediction| format!("{}\n", serde_json::to_value(prediction).unwrap_or_default());
    match format {
        Format::Json => console::print_json_lines(&predictions.iter().map(as_json).collect::<String>()),
        Format::Text => console::print(&predictions.iter().map(line).collect::<String>()),
    }
}

/// Inputs that cannot be predicted are reported at once, before any result is written.
fn predict_inputs(predictor: &Predictor, inputs: &[String], top_k: usize, format: Format) -> Result<(), Failure> {
    if predictor.takes_texts() {
        note_files(inputs);
    }
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
        Format::Json if !predictor.takes_texts() => {
            console::print_json(&serde_json::to_value(&predictions).unwrap_or_default())
        }
        format => print_lines(&predictions, format),
    }
}

/// Says of texts that are the names of files that the names were predicted.
fn note_files(inputs: &[String]) {
    for name in inputs.iter().filter(|input| Path::new(input).is_file()) {
        console::message(&format!(
            "note: {name} is a file, and its name was predicted as a text\n  hint: --lines {name} predicts its lines"
        ));
    }
}

fn line(prediction: &Prediction) -> String {
    let classes = prediction.top.iter().map(|(label, share)| format!("{} {}", one_line(label), percent(*share)));
    format!("{}: {}\n", one_line(&prediction.input), classes.collect::<Vec<_>>().join(", "))
}
