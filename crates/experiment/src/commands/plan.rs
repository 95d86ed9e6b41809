//! `plan`: what a run would do, what of it is done, and about what it would cost.

use crate::config::Experiment;
use crate::context::RunContext;
use crate::error::{ExperimentError, Result};
use crate::loading::{load, open_session, summarise};
use crate::networks::memory;
use crate::networks::network::model_error;
use crate::observer::{Interrupt, Observer};
use crate::options::RunOptions;
use crate::pipeline::run_pipeline;
use crate::planning::{PlannedStep, PlannedTraining, Recorded, TrainingGroup, Work};
use crate::session::Session;
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;
use stillhouse_models::Model;
use stillhouse_train::{FORWARD_PASSES_PER_STEP, seconds_per_example};

/// A run before it is made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// where the run would write
    pub run_dir: PathBuf,
    /// what the run would do, in order
    pub stages: Vec<PlannedStage>,
    /// examples, soft targets, and weights, gradients, optimizer states, activations and waiting batches of the trainings
    /// that run side by side
    pub memory_bytes: u64,
    /// plain sentences
    pub notes: Vec<String>,
}

/// One stage of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStage {
    /// for example `specialist_3`
    pub name: String,
    /// whether its artifact exists
    pub cached: bool,
    /// wall time on this machine from a short measurement, for stages that train or predict, of whose work the forward passes
    /// are counted; with all workers busy
    pub estimated_seconds: Option<f64>,
    /// size of its artifact
    pub disk_bytes: u64,
}

const BYTES_PER_NUMBER: u64 = 4;

/// Plans a run: loads the data, walks the pipeline without computing anything, and measures a few training steps of each
/// network that it met.
///
/// # Errors
/// Those of loading the data, and a model that does not fit it.
pub fn plan(
    experiment: &Experiment,
    options: &RunOptions,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<Plan> {
    let scratch = tempfile::tempdir().map_err(|error| ExperimentError::Failed(error.into()))?;
    let run_dir = options.run_dir(experiment);
    // under `--force` the run takes nothing from its store, so the plan looks into one where nothing can be
    let stages = match (options.force, &options.stages) {
        (true, _) => scratch.path().join("stages"),
        (false, Some(stages)) => stages.clone(),
        (false, None) => run_dir.join("stages"),
    };
    // events of a plan are no part of the run's record
    let options = RunOptions { stages: Some(stages), force: false, ..options.clone() };
    let context = RunContext::new(scratch.path(), &options, observer, interrupt)?;
    let (experiment, dataset) = load(experiment, &context)?;
    let (context, summary) = (context.planning(), summarise(&dataset));
    let (session, test) = open_session(&experiment, dataset, options.open_device()?, &context)?;
    let examples_bytes = memory::all_examples_bytes(&session, &test);
    run_pipeline(&session, experiment.name(), summary, test)?;
    let Recorded { steps, groups, mut notes } = context.plan().expect("made for planning").take();
    let stages = measure(&session, steps)?;
    let targets_bytes =
        stages.iter().filter(|stage| stage.name.starts_with("soft_targets")).map(|stage| stage.disk_bytes).sum::<u64>();
    let trainings_bytes = trainings_bytes(&groups, options.n_threads.max(1), &mut notes);
    let memory_bytes = memory::PROGRAM_BYTES + examples_bytes + trainings_bytes + targets_bytes;
    Ok(Plan { run_dir, stages, memory_bytes, notes })
}

/// Time and disk of each step. The time of a prediction follows from the trainings of the networks that predict, which come
/// before it.
fn measure(session: &Session<'_>, steps: Vec<PlannedStep>) -> Result<Vec<PlannedStage>> {
    // seconds of one example's forward pass through the network with this key; of a shared body the head alone
    let mut seconds_per_row: HashMap<String, f64> = HashMap::new();
    let mut stages = Vec::with_capacity(steps.len());
    for PlannedStep { stage, is_done, work } in steps {
        let (seconds, disk_bytes) = match work {
            Work::Training(training) => {
                let disk_bytes = training.model.n_parameters() as u64 * BYTES_PER_NUMBER;
                let (seconds, per_row) = measure_training(session, *training, &seconds_per_row)?;
                seconds_per_row.insert(stage.key().to_owned(), per_row);
                (Some(seconds), disk_bytes)
            }
            Work::Prediction { networks, n_rows, disk_bytes } => {
                let of_network = |key: &String| seconds_per_row.get(key).copied().unwrap_or(0.0);
                (Some(n_rows as f64 * networks.iter().map(of_network).sum::<f64>()), disk_bytes)
            }
            Work::Other => (None, 0),
        };
        let estimated_seconds = seconds.filter(|_| !is_done);
        stages.push(PlannedStage { name: stage.name().to_owned(), cached: is_done, estimated_seconds, disk_bytes });
    }
    Ok(stages)
}

/// Seconds of a training, and of one example's forward pass, from a few steps with all threads.
fn measure_training(
    session: &Session<'_>,
    training: PlannedTraining,
    seconds_per_row: &HashMap<String, f64>,
) -> Result<(f64, f64)> {
    session.context.check_interrupt()?;
    let PlannedTraining { model, config, n_examples, frozen } = training;
    let step = |model: &Model| -> Result<f64> {
        Ok(session.context.with_all_threads(|| seconds_per_example(model, &config, &session.data.train))??)
    };
    let trained = if frozen.is_some() { model.head_alone().map_err(model_error)? } else { model };
    let seconds = step(&trained)?;
    let of_body =
        frozen.map_or(0.0, |body| body.n_rows as f64 * seconds_per_row.get(&body.key).copied().unwrap_or(0.0));
    Ok((seconds * n_examples as f64 + of_body, seconds / FORWARD_PASSES_PER_STEP))
}

/// Memory of the trainings that run side by side where they need most; notes where the limit lets fewer of them run.
fn trainings_bytes(groups: &[TrainingGroup], n_threads: usize, notes: &mut Vec<String>) -> u64 {
    let n_wanted = |group: &TrainingGroup| n_threads.min(group.n_trainings).max(1);
    for group in groups.iter().filter(|group| group.n_fit < n_wanted(group)) {
        let (n_fit, n_wanted, section) = (group.n_fit, n_wanted(group), group.section);
        let note = format!("--memory lets {n_fit} of {n_wanted} trainings of [{section}] run side by side");
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let bytes = |group: &TrainingGroup| group.n_fit.min(n_wanted(group)) as u64 * group.bytes_each;
    groups.iter().map(bytes).max().unwrap_or(0)
}
