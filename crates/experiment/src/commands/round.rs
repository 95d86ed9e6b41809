//! `compress --bits`: a model with its weights in so many bits, without limits and without training; and what that costs on the
//! validation split, where the model's run is at hand.

use super::compress::run_of;
use super::export::check_is_folder;
use crate::config::{ConfigSource, Experiment};
use crate::context::RunContext;
use crate::error::{ExperimentError, Result, model_folder_error, unreadable_model};
use crate::loading::load_data;
use crate::networks::network::model_error;
use crate::observer::{Interrupt, Observer};
use crate::options::RunOptions;
use crate::run_dir::CONFIG;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use stillhouse_core::InputSpec;
use stillhouse_data::TrainingData;
use stillhouse_models::{Model, ModelCard, WeightBits, check_place, load_model, save_rounded_model};
use stillhouse_train::{Metrics, metrics_of, predict_proba, records};

/// How a model is rounded.
#[derive(Clone, Debug)]
pub struct RoundOptions {
    /// Bits of a weight at most, 2 to 8.
    pub bits: u8,
    /// `key=value` for the run's config, for example another place of the data.
    pub overrides: Vec<String>,
}

/// A rounded model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoundOutcome {
    /// the model folder that was written
    pub out: PathBuf,
    /// bits of a weight at most
    pub bits: u8,
    /// of the weights, as `f32`
    pub bytes_before: u64,
    /// of the rounded weights
    pub bytes: u64,
    /// what rounding costs; none where it was not measured
    pub loss: Option<RoundLoss>,
    /// why it was not measured
    pub not_measured: Option<String>,
}

/// A model before and after its weights were rounded, on the validation split of its run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoundLoss {
    /// validation examples
    pub n_examples: usize,
    /// share of examples whose label is the most probable class
    pub top1_before: f64,
    /// the same after rounding
    pub top1: f64,
    /// mean negative log likelihood, in nats
    pub nll_before: f64,
    /// the same after rounding
    pub nll: f64,
}

impl fmt::Display for RoundLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_examples, top1_before, top1, nll_before, nll } = self;
        let (before, after) = (100.0 * top1_before, 100.0 * top1);
        write!(
            f,
            "top-1 {before:.2} % to {after:.2} %, nll {nll_before:.4} to {nll:.4}, on {n_examples} validation examples"
        )
    }
}

impl fmt::Display for RoundOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { out, bits, bytes_before, bytes, loss, not_measured } = self;
        writeln!(f, "{bits} bits at most: {bytes_before} to {bytes} bytes of weights")?;
        if let Some(loss) = loss {
            writeln!(f, "{loss}")?;
        }
        if let Some(reason) = not_measured {
            writeln!(f, "what rounding costs was not measured: {reason}")?;
        }
        write!(f, "wrote {}/", out.display())
    }
}

/// Writes a model with rounded weights.
///
/// # Errors
/// A damaged model folder, a place that holds something else, overrides without a run to apply them to, or a disk that refuses.
/// The place is then as it was.
pub fn round_model(
    model_dir: &Path,
    RoundOptions { bits, overrides }: &RoundOptions,
    out: &Path,
    options: &RunOptions,
    (observer, interrupt): (&dyn Observer, &Interrupt),
) -> Result<RoundOutcome> {
    check_is_folder(model_dir)?;
    if out.canonicalize().is_ok_and(|out| model_dir.canonicalize().is_ok_and(|model| model == out)) {
        let hint = "the rounded model would take the place of the model\n  hint: give another folder with --out";
        return Err(ExperimentError::Usage(format!("{}: {hint}", out.display())));
    }
    check_place(out).map_err(|error| model_folder_error(out, &error))?;
    let (model, card) = load_model(model_dir, &options.open_device()?).map_err(|e| unreadable_model(model_dir, &e))?;
    let of_model = WeightBits::at_most(&model, *bits).map_err(model_error)?;
    let rounded = of_model.rounded(&model).map_err(model_error)?;
    let run_dir = run_of(model_dir);
    if run_dir.is_none() && !overrides.is_empty() {
        let hint = "hint: --set changes the config of the run that the model lies in";
        return Err(ExperimentError::Usage(format!("{}: lies in no run's folder\n  {hint}", model_dir.display())));
    }
    let measured = match &run_dir {
        Some(run_dir) => {
            let context = RunContext::unrecorded(run_dir, options, observer, interrupt);
            measure(&model, &rounded, &card, (run_dir, overrides), &context)
        }
        None => Err(no_run(model_dir)),
    };
    let (loss, not_measured) = match measured {
        Ok(loss) => (Some(loss), None),
        Err(ExperimentError::Interrupted) => return Err(ExperimentError::Interrupted),
        Err(error) => (None, Some(error.to_string())),
    };
    let (bytes_before, bytes) = (WeightBits::default().n_bytes(&model), of_model.n_bytes(&model));
    let card = card_of_rounded(card, *bits, bytes, loss.as_ref());
    save_rounded_model(out, &rounded, &card, &of_model).map_err(|error| model_folder_error(out, &error))?;
    Ok(RoundOutcome { out: out.to_owned(), bits: *bits, bytes_before, bytes, loss, not_measured })
}

/// The numbers of the card were measured before.
fn card_of_rounded(mut card: ModelCard, bits: u8, bytes: u64, loss: Option<&RoundLoss>) -> ModelCard {
    let rounded = format!("{bits} bits at most, {bytes} bytes, after the numbers above were measured");
    card.numbers.push(("rounded to".into(), rounded));
    // hubs would take them for results of the rounded weights
    card.hub.results = None;
    card.numbers.extend(loss.map(|loss| ("what rounding changed".into(), loss.to_string())));
    card
}

fn no_run(model_dir: &Path) -> ExperimentError {
    ExperimentError::Usage(format!("{} lies in no run's folder (no {CONFIG} above it)", model_dir.display()))
}

/// Both models on the validation split of the run.
fn measure(
    model: &Model,
    rounded: &Model,
    card: &ModelCard,
    (run_dir, overrides): (&Path, &[String]),
    context: &RunContext<'_>,
) -> Result<RoundLoss> {
    let experiment = Experiment::load(&ConfigSource::File(run_dir.join(CONFIG)), overrides)?;
    let (data, _) = load_data(&experiment, context)?.into_training();
    check_is_of_run(card, &data)?;
    let metrics = |model: &Model| -> Result<Metrics> {
        let probs = context.with_all_threads(|| predict_proba(model, &data.valid, None))??;
        Ok(metrics_of(&records(&probs, data.valid.labels(), data.n_classes())))
    };
    let (before, after) = (metrics(model)?, metrics(rounded)?);
    Ok(RoundLoss {
        n_examples: data.valid.len(),
        top1_before: before.top1,
        top1: after.top1,
        nll_before: before.nll,
        nll: after.nll,
    })
}

fn check_is_of_run(card: &ModelCard, data: &TrainingData) -> Result<()> {
    let constants = |input: &InputSpec| (input.mean.clone(), input.std.clone(), input.offset.clone());
    let problem = match () {
        () if card.labels != data.labels => "the model has other labels than the data of the run",
        () if constants(&card.input) != constants(&data.input) => "the model normalises its inputs in another way",
        () if data.valid.is_empty() => "the run has no validation split",
        () => return Ok(()),
    };
    Err(ExperimentError::Usage(problem.to_owned()))
}
