//! `predict`: the most probable classes of each input.

use crate::console;
use crate::failure::Failure;
use crate::invocation::{Format, PredictTask};
use crate::text::{count, percent};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use stillhouse_experiment::{Prediction, Predictor};

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
    let path = path.filter(|path| *path != Path::new("-"));
    let name = path.map_or("standard input".to_owned(), |path| path.display().to_string());
    let failed = |error: io::Error, line: usize| {
        let what = if error.kind() == io::ErrorKind::InvalidData { "is no UTF-8" } else { "cannot be read" };
        Failure::Input(format!("{name}: line {line} {what} ({error})"))
    };
    let input: Box<dyn BufRead> = match path {
        Some(path) => Box::new(BufReader::new(File::open(path).map_err(|error| failed(error, 1))?)),
        None => Box::new(io::stdin().lock()),
    };
    let mut lines = input.lines();
    let mut n_read = 0;
    loop {
        let piece: Vec<String> =
            lines.by_ref().take(LINES_AT_ONCE).collect::<Result<_, _>>().map_err(|error| failed(error, n_read + 1))?;
        if piece.is_empty() {
            return Ok(());
        }
        n_read += piece.len();
        let texts: Vec<&str> = piece.iter().map(String::as_str).collect();
        print_lines(&predictor.predict_texts(&texts, top_k)?, format)?;
    }
}

/// One prediction a line.
fn print_lines(predictions: &[Prediction], format: Format) -> Result<(), Failure> {
    let as_json = |prediction: &Prediction| format!("{}\n", serde_json::to_value(prediction).unwrap_or_default());
    match format {
        Format::Json => console::print(&predictions.iter().map(as_json).collect::<String>()),
        Format::Text => console::print(&predictions.iter().map(line).collect::<String>()),
    }
}

/// Inputs that cannot be predicted are reported at once, before any result is written.
fn predict_inputs(predictor: &Predictor, inputs: &[String], top_k: usize, format: Format) -> Result<(), Failure> {
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

fn line(prediction: &Prediction) -> String {
    let classes = prediction.top.iter().map(|(label, share)| format!("{label} {}", percent(*share)));
    format!("{}: {}\n", prediction.input, classes.collect::<Vec<_>>().join(", "))
}
