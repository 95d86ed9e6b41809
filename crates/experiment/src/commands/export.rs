//! `export`: a model folder in the form of other programs.

use super::compress::run_of;
use crate::config::{ConfigSource, Experiment};
use crate::context::RunContext;
use crate::error::{ExperimentError, Result, unreadable_model};
use crate::export::calibration::{calibration_examples, needs_ranges};
use crate::export::{export_error, table_bits};
use crate::loading::load_data;
use crate::observer::{Interrupt, Observer};
use crate::options::RunOptions;
use crate::run_dir::CONFIG;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use stillhouse_core::InputSpec;
use stillhouse_export::graph::Example;
use stillhouse_export::onnx::TableBits;
use stillhouse_export::{ExportKind, OnnxOptions, OnnxSummary, check_place, write_onnx_folder};
use stillhouse_models::{Model, load_model};
use stillhouse_train::Device;

/// What is exported and how.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// the folder to write
    pub out: PathBuf,
    /// 8 for a second network in eight bits, 4 for one whose tables of n-grams and tokens have four
    pub bits: Option<u8>,
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
            writeln!(f, "onnx/model_quantized.onnx is {recipe}")?;
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
    check_place(&options.out, ExportKind::Onnx).map_err(|error| export_error(&options.out, error))?;
    let (model, card) = load_model(model_dir, &Device::Cpu).map_err(|error| unreadable_model(model_dir, &error))?;
    let quantised = table_bits(options.bits);
    if quantised == Some(TableBits::Four) && model.config().text_input().is_none() {
        return Err(ExperimentError::Usage(format!(
            "{}: fewer than eight bits are for tables of n-grams or tokens, and this network has none\n  hint: --bits 8",
            model_dir.display()
        )));
    }
    let calibration = match quantised.is_some() && needs_ranges(&model, &options.out)? {
        true => {
            let config = calibration_config(model_dir, options)?;
            read_calibration(&model, &card.input, &config, observer, interrupt)?
        }
        false => Vec::new(),
    };
    let written = OnnxOptions { quantised, calibration };
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

/// The config that was given, or that of the run whose folder the model lies in.
fn calibration_config(model_dir: &Path, options: &ExportOptions) -> Result<PathBuf> {
    if let Some(config) = &options.calibrate {
        return Ok(config.clone());
    }
    let of_run = run_of(model_dir).map(|run_dir| run_dir.join(CONFIG));
    of_run.ok_or_else(|| {
        ExperimentError::Usage(format!(
            "{}: eight bits of a convolutional network need training examples, to measure how large its activations are, \
             and the model lies in no run's folder\n  hint: --calibrate CONFIG.toml, the config that it was trained with",
            model_dir.display()
        ))
    })
}

/// Training examples without labels, as the model's graph takes them.
fn read_calibration(
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
    calibration_examples(model, input, &data.train)
}
