//! `compress`: a finished run's student in few bytes, on the data and the soft targets of its run.

use crate::config::{ConfigSource, Experiment};
use crate::context::RunContext;
use crate::error::{ExperimentError, Result, model_folder_error, unreadable_model};
use crate::loading::{load, open_session};
use crate::networks::network::model_error;
use crate::observer::{Interrupt, Observer};
use crate::options::RunOptions;
use crate::pipeline::{Outcome, run_pipeline};
use crate::preflight::check_work;
use crate::report::ShipReport;
use crate::run_dir::CONFIG;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use stillhouse_models::{HubCard, ModelCard, check_place, load_model, save_rounded_model};

/// How small a student is to become, and what it may lose.
#[derive(Clone, Debug)]
pub struct CompressLimits {
    /// Bytes of the weights at most.
    pub max_bytes: u64,
    /// Points of top-1 on the validation split.
    pub max_loss: f64,
    /// `key=value` for the run's config, for example `ship.bits=[4]`.
    pub overrides: Vec<String>,
}

/// A student that was made small.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompressOutcome {
    /// the model folder that was written
    pub out: PathBuf,
    /// what was tried
    pub ship: ShipReport,
}

impl fmt::Display for CompressOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", tried(&self.ship))?;
        write!(f, "wrote {}/", self.out.display())
    }
}

/// The student and all attempts, a line each.
fn tried(ship: &ShipReport) -> String {
    let student = format!("the student: {:.2} % of the validation examples", 100.0 * ship.student_valid_top1);
    let attempts = ship.attempts.iter().map(|attempt| {
        let mark = if attempt.is_shipped { ", taken" } else { "" };
        format!("{attempt}{mark}")
    });
    std::iter::once(student).chain(attempts).collect::<Vec<_>>().join("\n")
}

/// Makes the student of a finished run small. The run's stages are read, not trained again; what is trained on top of them is
/// kept in its store.
///
/// # Errors
/// A folder that is not a run's student, a place that holds something else, and a student that cannot be made small enough: then
/// nothing is written.
pub fn compress(
    model_dir: &Path,
    limits: &CompressLimits,
    out: &Path,
    options: &RunOptions,
    (observer, interrupt): (&dyn Observer, &Interrupt),
) -> Result<CompressOutcome> {
    let (model, card) = load_model(model_dir, &options.open_device()?).map_err(|e| unreadable_model(model_dir, &e))?;
    let run_dir = run_of(model_dir).ok_or_else(|| no_run(model_dir))?;
    check_place(out).map_err(|error| model_folder_error(out, &error))?;
    let experiment = experiment(&run_dir, limits)?;
    let context = RunContext::unrecorded(&run_dir, options, observer, interrupt);
    let (experiment, dataset) = load(&experiment, &context)?;
    let (session, _test) = open_session(&experiment, dataset, options.open_device()?, &context)?;
    check_work(&session)?;
    let Outcome { student, ship, temperatures, .. } = run_pipeline(&session, None)?;
    if !model.is_same(&student.model).map_err(model_error)? {
        let what = "not the student of the run in the folder above it";
        return Err(ExperimentError::Usage(format!("{}: {what}", model_dir.display())));
    }
    let ship = ship.expect("the limits are in the config");
    let Some(shipped) = ship.shipped else {
        let text = format!(
            "{}: the student cannot be made small enough; no folder was written\n{}\n  \
             hint: a larger --max-bytes or --max-loss, or a smaller student",
            model_dir.display(),
            tried(&ship.report)
        );
        return Err(ExperimentError::Failed(anyhow::Error::msg(text)));
    };
    let taken = ship.report.attempts.iter().find(|attempt| attempt.is_shipped).expect("one of them ships");
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let numbers = vec![
        ("made of".into(), format!("{}, {}", card.name, taken.what)),
        ("top-1 accuracy, validation".into(), taken.valid_top1.map_or_else(String::new, percent)),
        ("the student's".into(), percent(ship.report.student_valid_top1)),
        ("weights".into(), format!("{} bytes", taken.bytes)),
    ];
    // the results of the card are those of the student's own weights
    let hub = HubCard { results: None, ..card.hub.clone() };
    let card = ModelCard { name: format!("{}, compressed", card.name), numbers, hub, ..card };
    let network = temperatures.applied_to(&shipped.network)?;
    save_rounded_model(out, &network, &card, &shipped.bits).map_err(|error| model_folder_error(out, &error))?;
    Ok(CompressOutcome { out: out.to_owned(), ship: ship.report })
}

/// The folder of the run that a model lies in.
pub(super) fn run_of(model_dir: &Path) -> Option<PathBuf> {
    let folder = model_dir.canonicalize().ok()?.parent()?.to_owned();
    Some(folder).filter(|folder| folder.join(CONFIG).is_file())
}

fn no_run(model_dir: &Path) -> ExperimentError {
    let path = model_dir.display();
    ExperimentError::Usage(format!(
        "{path}: lies in no run's folder (no {CONFIG} above it), so there are no data and soft targets to go on with\n  \
         hint: give the `student` folder of a finished run; --bits in place of --max-bytes rounds any model"
    ))
}

/// The run's experiment with these limits.
fn experiment(run_dir: &Path, limits: &CompressLimits) -> Result<Experiment> {
    let CompressLimits { max_bytes, max_loss, overrides } = limits;
    let own = [format!("ship.max_bytes={max_bytes}"), format!("ship.max_loss={max_loss:?}")];
    let overrides: Vec<String> = own.into_iter().chain(overrides.iter().cloned()).collect();
    Ok(Experiment::load(&ConfigSource::File(run_dir.join(CONFIG)), &overrides)?)
}
