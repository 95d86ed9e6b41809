//! `predict`: the most probable classes of each input, on standard output or in a file.

use crate::console;
use crate::failure::Failure;
use crate::invocation::{Format, Invocation, PredictFormat, PredictTask, Verbosity};
use crate::progress::Counter;
use crate::signals::{self, INTERRUPT};
use crate::text::{count, harmless_json, one_line, percent};
use serde_json::json;
use std::io::{self, Write};
use stillhouse_experiment::{
    ExperimentError, GivenPlace, JsonRow, PredictJob, PredictSummary, PredictedPiece, Prediction, PredictionFile,
    PredictionRows, Predictor, RowFormat, SkippedInput,
};

/// Predicts the inputs of a task, piece by piece.
pub fn predict(task: &PredictTask, invocation: &Invocation) -> Result<(), Failure> {
    let predictor = Predictor::load(&task.model)?;
    let reads_stream = |place: &GivenPlace| !matches!(place, GivenPlace::Word(_));
    if !predictor.takes_texts() && task.options.inputs.iter().any(reads_stream) {
        return Err(Failure::Usage(
            "no input\n  hint: give image files, folders, matrices or rows of numbers; only models of texts read --lines or \
             standard input"
                .into(),
        ));
    }
    if let Some(path) = &task.skipped {
        task.options.check_skipped(path)?;
    }
    signals::catch(signals::DISCARDING);
    let progress = Counter::new(invocation.verbosity);
    let mut out = Out::new(task, &predictor)?;
    let result = predictor
        .start(&task.options, &progress, &INTERRUPT)
        .map_err(Failure::from)
        .and_then(|job| write_all(task, job, &mut out));
    progress.close();
    let summary = result.map_err(|failure| match failure {
        Failure::Experiment(ExperimentError::Interrupted) => Failure::Stopped,
        failure => failure,
    })?;
    let path = task.out.as_deref().map(|path| path.display().to_string());
    out.finish()?;
    tell(task, &summary, path.as_deref(), invocation)
}

/// Predicts and writes everything; at the end the list of skipped inputs.
fn write_all(task: &PredictTask, mut job: PredictJob<'_>, out: &mut Out) -> Result<PredictSummary, Failure> {
    let mut skipped: Vec<SkippedInput> = Vec::new();
    while let Some(piece) = job.next_piece()? {
        out.write(&piece)?;
        match task.skipped {
            Some(_) => skipped.extend(piece.skipped),
            None => piece.skipped.iter().for_each(|input| console::message(&skipped_line(input))),
        }
    }
    let summary = job.summary();
    if summary.n_skipped > 0 && summary.n_predicted + summary.n_empty == 0 {
        skipped.iter().for_each(|input| console::message(&skipped_line(input)));
        return Err(Failure::NoInput { n_skipped: summary.n_skipped });
    }
    if let Some(path) = &task.skipped {
        task.options.write_skipped(path, &skipped)?;
    }
    Ok(summary)
}

/// `skipped: photo.png: found ..., expected ...`, in one line.
fn skipped_line(input: &SkippedInput) -> String {
    let (place, reason) = (input.source.to_string(), one_line(&input.reason.replace('\n', "; ")).into_owned());
    // most reasons begin with the file
    let place = if reason.contains(&input.source.place) { String::new() } else { format!("{}: ", one_line(&place)) };
    format!("skipped: {place}{reason}")
}

/// Says what the rows alone do not show.
fn tell(
    task: &PredictTask,
    summary: &PredictSummary,
    out: Option<&str>,
    invocation: &Invocation,
) -> Result<(), Failure> {
    let PredictSummary { n_predicted, n_below_threshold, n_empty, n_skipped } = *summary;
    let n_inputs = count((n_predicted + n_empty + n_skipped) as usize, "input");
    if n_empty > 0 {
        console::message(&format!("note: {n_empty} of {n_inputs} are empty and have no answer"));
    }
    if let Some(threshold) = task.options.threshold {
        let below = percent(threshold);
        console::message(&format!("note: {n_below_threshold} of {n_inputs} are below {below} and have no label"));
    }
    match &task.skipped {
        Some(path) => {
            console::message(&format!("note: {n_skipped} of {n_inputs} skipped; {} lists them", path.display()));
        }
        None if n_skipped > 0 => console::message(&format!("note: {n_skipped} of {n_inputs} skipped")),
        None => {}
    }
    match (out, invocation.format, invocation.verbosity) {
        (Some(out), Format::Json, _) => console::print_json(&json!({
            "out": out,
            "n_predicted": n_predicted,
            "n_below_threshold": n_below_threshold,
            "n_empty": n_empty,
            "n_skipped": n_skipped,
        })),
        (Some(out), Format::Text, Verbosity::Normal | Verbosity::Verbose) => {
            console::message(&format!("wrote {out}: {}", count((n_predicted + n_empty) as usize, "row")));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Where predictions go.
enum Out {
    /// A file that appears at the end.
    File(Box<PredictionFile>),
    /// CSV or JSON lines on standard output.
    Rows(PredictionRows),
    /// A line for people.
    Lines { threshold: Option<f64> },
    /// JSON with the input in it: an object a line for texts, a list for other inputs.
    Json { is_list: bool, n_written: usize },
}

impl Out {
    fn new(task: &PredictTask, predictor: &Predictor) -> Result<Self, Failure> {
        if let Some(path) = &task.out {
            return Ok(Self::File(Box::new(PredictionFile::create(path, &task.options, predictor.n_classes())?)));
        }
        let rows = |format| {
            let out: Box<dyn Write + Send> = match format {
                RowFormat::JsonLines => Box::new(HarmlessJson),
                RowFormat::Csv | RowFormat::Parquet => Box::new(io::stdout()),
            };
            PredictionRows::new(out, format, task.options.top_k).map(Self::Rows).map_err(Failure::Stdout)
        };
        match task.format {
            PredictFormat::Text => Ok(Self::Lines { threshold: task.options.threshold }),
            PredictFormat::Json => Ok(Self::Json { is_list: !predictor.takes_texts(), n_written: 0 }),
            PredictFormat::Csv => rows(RowFormat::Csv),
            PredictFormat::JsonLines => rows(RowFormat::JsonLines),
        }
    }

    fn write(&mut self, piece: &PredictedPiece) -> Result<(), Failure> {
        let predictions = &piece.predictions;
        match self {
            Self::File(file) => Ok(file.write(predictions)?),
            Self::Rows(rows) => rows.write(predictions).map_err(Failure::Stdout),
            Self::Lines { threshold } => {
                console::print(&predictions.iter().map(|prediction| line(prediction, *threshold)).collect::<String>())
            }
            Self::Json { is_list, n_written } => {
                let before = *n_written;
                *n_written += predictions.len();
                let rows = predictions.iter().zip(before..).map(|(row, nth)| json_row(row, *is_list, nth));
                console::print_json_lines(&rows.collect::<String>())
            }
        }
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Self::File(file) => Ok(file.keep()?),
            Self::Rows(rows) => rows.finish().map_err(Failure::Stdout),
            Self::Lines { .. } | Self::Json { is_list: false, .. } => Ok(()),
            Self::Json { n_written: 0, .. } => console::print_json_lines("[]\n"),
            Self::Json { .. } => console::print_json_lines("\n]\n"),
        }
    }
}

/// A prediction as a line, or as an indented item of a list that begins with the first one.
fn json_row(prediction: &Prediction, is_list: bool, nth: usize) -> String {
    let row = JsonRow::with_input(prediction);
    if !is_list {
        return serde_json::to_string(&row).unwrap_or_default() + "\n";
    }
    let start = if nth == 0 { "[\n" } else { ",\n" };
    let item = serde_json::to_string_pretty(&row).unwrap_or_default();
    let lines: Vec<String> = item.lines().map(|line| format!("  {line}")).collect();
    format!("{start}{}", lines.join("\n"))
}

/// Standard output for JSON, in which nothing steers the terminal.
struct HarmlessJson;

impl Write for HarmlessJson {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // the buffer before it hands on what it was given, which are whole characters
        let text = std::str::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
        io::stdout().write_all(harmless_json(text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// `the input: the class 74.7 %, the next class 9.9 %`.
fn line(prediction: &Prediction, threshold: Option<f64>) -> String {
    let input = prediction.input();
    let input = one_line(&input);
    let classes: Vec<String> = prediction
        .top
        .iter()
        .map(|(label, prob)| format!("{} {}", one_line(label), percent(f64::from(*prob))))
        .collect();
    match (classes.is_empty(), prediction.is_sure, threshold) {
        (true, ..) => format!("{input}: no answer, the text is empty\n"),
        (false, false, Some(threshold)) => {
            format!("{input}: no label, below {}: {}\n", percent(threshold), classes.join(", "))
        }
        _ => format!("{input}: {}\n", classes.join(", ")),
    }
}
