//! `export`: a model folder in the form of other programs.

use super::evaluate::renormalise;
use crate::config::{ConfigSource, Experiment};
use crate::context::RunContext;
use crate::error::{ExperimentError, Result, system_error, unreadable_model};
use crate::loading::load_data;
use crate::observer::{Interrupt, Observer};
use crate::options::RunOptions;
use crate::run_dir::CONFIG;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use stillhouse_core::{InputShape, InputSpec, Seed};
use stillhouse_data::Split;
use stillhouse_export::graph::{Example, Graph};
use stillhouse_export::onnx::Precision;
use stillhouse_export::{ExportError, OnnxOptions, OnnxSummary, check_place, write_onnx_folder};
use stillhouse_models::{Model, load_model};
use stillhouse_train::Device;

/// Examples by which the activations of a convolutional network get their ranges; more change nothing that was measured.
const MAX_CALIBRATION: usize = 512;
/// Floating point operations of all of them together, which plain loops take some minutes for.
const MAX_CALIBRATION_FLOPS: u64 = 400_000_000_000;
/// Fewer examples would leave ranges to chance.
const MIN_CALIBRATION: usize = 32;

/// What is exported and how.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// the folder to write
    pub out: PathBuf,
    /// a second network in eight bits
    pub int8: bool,
    /// config whose training examples, without their labels, give the ranges of activations; by default the one of the run
    /// that the model lies in
    pub calibrate: Option<PathBuf>,
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExportOutcome {
    /// the folder that was written
    pub out: PathBuf,
    /// its files, and how they were checked
    #[serde(flatten)]
    pub summary: OnnxSummary,
}

impl fmt::Display for ExportOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OnnxSummary { files, quantisation, n_parity, parity_distance } = &self.summary;
        for (file, n_bytes) in files.iter().filter(|(file, _)| file.starts_with("onnx/")) {
            writeln!(f, "{file}: {n_bytes} bytes")?;
        }
        if let Some(recipe) = quantisation {
            writeln!(f, "eight bits, {recipe}")?;
        }
        writeln!(f, "probabilities of {n_parity} inputs differ from the model's by at most {parity_distance:.1e}")?;
        write!(f, "{}", self.out.display())
    }
}

/// Writes a model as a folder with ONNX files.
///
/// # Errors
/// A damaged model folder, a place that holds something else, no examples for eight bits of a convolutional network, or a
/// disk that refuses. The place is then as it was.
pub fn export_onnx(
    model_dir: &Path,
    options: &ExportOptions,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<ExportOutcome> {
    check_is_folder(model_dir)?;
    check_place(&options.out).map_err(|error| export_error(&options.out, error))?;
    let (model, card) = load_model(model_dir, &Device::Cpu).map_err(|error| unreadable_model(model_dir, &error))?;
    let calibration = match options.int8 && needs_ranges(&model, &options.out)? {
        true => {
            let config = calibration_config(model_dir, options)?;
            calibration_examples(&model, &card.input, &config, observer, interrupt)?
        }
        false => Vec::new(),
    };
    let written = OnnxOptions { int8: options.int8, calibration };
    let summary = write_onnx_folder(&options.out, &model, &card, &written);
    Ok(ExportOutcome { out: options.out.clone(), summary: summary.map_err(|error| export_error(&options.out, error))? })
}

/// A model folder that is not there is wrong usage.
pub(super) fn check_is_folder(model_dir: &Path) -> Result<()> {
    if model_dir.is_dir() {
        return Ok(());
    }
    let hint = "give a model folder, for example runs/quickstart/student";
    Err(ExperimentError::Usage(format!("{}: no such folder\n  hint: {hint}", model_dir.display())))
}

fn needs_ranges(model: &Model, out: &Path) -> Result<bool> {
    Ok(Precision::needs_ranges(&Graph::of(model).map_err(|error| export_error(out, error))?))
}

/// The config that was given, or that of the run whose folder the model lies in.
fn calibration_config(model_dir: &Path, options: &ExportOptions) -> Result<PathBuf> {
    if let Some(config) = &options.calibrate {
        return Ok(config.clone());
    }
    let folder = model_dir.canonicalize().map_err(|error| system_error(model_dir, "cannot be read", &error))?;
    let of_run = folder.parent().map(|run_dir| run_dir.join(CONFIG)).filter(|config| config.is_file());
    of_run.ok_or_else(|| {
        ExperimentError::Usage(format!(
            "{}: eight bits of a convolutional network need training examples, to measure how large its activations are, \
             and the model lies in no run's folder\n  hint: --calibrate CONFIG.toml, the config that it was trained with",
            model_dir.display()
        ))
    })
}

/// Training examples without labels, as the model's graph takes them.
fn calibration_examples(
    model: &Model,
    input: &InputSpec,
    config: &Path,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<Vec<Example>> {
    let experiment = Experiment::load(&ConfigSource::File(config.to_owned()), &[])?;
    let options = RunOptions::quiet();
    let context = RunContext::unrecorded(&options.run_dir(&experiment), &options, observer, interrupt);
    let (data, _) = load_data(&experiment, &context)?.into_training();
    if data.input.shape != input.shape {
        return Err(ExperimentError::BadData(anyhow::anyhow!(
            "{}: the data's examples are {:?}, the model takes {:?}",
            config.display(),
            data.input.shape,
            input.shape
        )));
    }
    let affordable = (MAX_CALIBRATION_FLOPS / model.flops_per_example().max(1)) as usize;
    let n_examples = affordable.clamp(MIN_CALIBRATION, MAX_CALIBRATION);
    chosen_rows(data.train.len(), n_examples).map(|row| read_example(&data.train, row, input)).collect()
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

/// The place is wrong usage, what the system says is told by its kind, and anything else is a failure.
pub(super) fn export_error(out: &Path, error: ExportError) -> ExperimentError {
    match error {
        ExportError::Occupied(_) => ExperimentError::Usage(error.to_string()),
        ExportError::Io { path, source } => system_error(&path, "cannot be written", &source),
        error => ExperimentError::Failed(anyhow::anyhow!("{}: {error}", out.display())),
    }
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
