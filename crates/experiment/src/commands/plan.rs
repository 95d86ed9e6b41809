//! `plan`: what a run would do, what of it is done, and about what it would cost.

use crate::config::Experiment;
use crate::context::RunContext;
use crate::error::Result;
use crate::loading::{load, open_session, summarise};
use crate::networks::memory;
use crate::networks::network::model_error;
use crate::networks::targets::store_bytes;
use crate::observer::{Interrupt, Observer};
use crate::options::RunOptions;
use crate::pipeline::{TestData, run_pipeline};
use crate::planning::{PlannedStep, PlannedTraining, Recorded, TrainingGroup, Work};
use crate::preflight::{check_data, check_run_dir, missing_bytes, shortage};
use crate::report::format::bytes;
use crate::session::Session;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use stillhouse_models::Model;
use stillhouse_train::{FORWARD_PASSES_PER_STEP, TrainingConfig, seconds_per_example};

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
    let run_dir = options.run_dir(experiment);
    check_run_dir(experiment, &run_dir)?;
    let context = RunContext::unrecorded(&run_dir, options, observer, interrupt);
    let (experiment, dataset) = load(experiment, &context)?;
    let (context, summary) = (context.planning(), summarise(&dataset));
    let (session, test) = open_session(&experiment, dataset, options.open_device()?, &context)?;
    check_data(&session)?;
    let examples_bytes = memory::all_examples_bytes(&session, &test);
    run_pipeline(&session, Some(TestData { run_name: experiment.name(), dataset: summary, test }))?;
    let Recorded { steps, groups, mut notes, .. } = context.plan().expect("made for planning").take();
    let shortage =
        missing_bytes(context.stages_dir(), &steps).and_then(|n_bytes| shortage(context.stages_dir(), n_bytes));
    notes.extend(shortage.map(|text| text.replace("\n  hint:", ";")));
    let mut stopwatch = Stopwatch { session: &session, per_step: HashMap::new(), per_row: HashMap::new() };
    let stages = measure(&mut stopwatch, &steps)?;
    notes.extend(note_on_views(&stopwatch, &steps));
    let targets_bytes: u64 = steps.iter().map(mapped_targets_bytes).sum();
    let trainings_bytes = trainings_bytes(&groups, options.n_threads.max(1), &mut notes);
    let memory_bytes = memory::PROGRAM_BYTES + examples_bytes + trainings_bytes + targets_bytes;
    Ok(Plan { run_dir, stages, memory_bytes, notes })
}

/// Time and disk of each step. The time of a prediction follows from the trainings of the networks that predict, which come
/// before it.
fn measure(stopwatch: &mut Stopwatch<'_>, steps: &[PlannedStep]) -> Result<Vec<PlannedStage>> {
    let needed = needed_for_times(steps);
    let mut stages = Vec::with_capacity(steps.len());
    for PlannedStep { stage, is_done, work } in steps {
        let seconds = match work {
            Work::Training(training) => {
                let is_needed = needed.contains(stage.key());
                is_needed.then(|| stopwatch.training(stage.key(), training)).transpose()?
            }
            Work::Prediction { networks, n_rows, .. } => Some(stopwatch.rows(networks, *n_rows)),
            Work::Other => None,
        };
        let (name, estimated_seconds) = (stage.name().to_owned(), seconds.filter(|_| !is_done));
        stages.push(PlannedStage { name, cached: *is_done, estimated_seconds, disk_bytes: work.disk_bytes() });
    }
    Ok(stages)
}

/// What soft targets of all views cost against those of one view at a time, where there are several views.
fn note_on_views(stopwatch: &Stopwatch<'_>, steps: &[PlannedStep]) -> Option<String> {
    let session = stopwatch.session;
    let (n_views, n_epochs) = (session.student_views().len(), session.config.student.training.n_epochs);
    let n_examples = session.student.all.len();
    let to_do = || steps.iter().filter(|step| !step.is_done);
    let in_passing: Vec<&[String]> = to_do()
        .filter_map(|step| match &step.work {
            Work::Training(training) => training.targets.as_ref().map(|targets| &targets.networks[..]),
            _ => None,
        })
        .collect();
    let stored: Vec<&[String]> = to_do()
        .filter(|step| step.stage.name().starts_with("soft_targets"))
        .filter_map(|step| match &step.work {
            Work::Prediction { networks, .. } => Some(&networks[..]),
            _ => None,
        })
        .collect();
    let teachers = if in_passing.is_empty() { stored } else { in_passing };
    if teachers.is_empty() || n_views == 1 {
        return None;
    }
    let distinct: HashSet<&String> = teachers.iter().copied().flatten().collect();
    let distinct: Vec<String> = distinct.into_iter().cloned().collect();
    let seconds = [
        stopwatch.rows(&distinct, n_examples * n_views),
        teachers.iter().map(|networks| stopwatch.rows(networks, n_examples * n_epochs)).sum(),
    ];
    let n_bytes = [n_views, 1].map(|n_views| store_bytes(session, n_views) * teachers.len() as u64);
    let cost = |kept: usize| format!("{} on disk and {:.0} s of predictions", bytes(n_bytes[kept]), seconds[kept]);
    Some(format!(
        "soft targets of all {n_views} views take {}; with soft_targets.keep = \"one_view\", {}",
        cost(0),
        cost(1)
    ))
}

/// Keys of the networks whose time decides the time of a step that is still to be done.
fn needed_for_times(steps: &[PlannedStep]) -> HashSet<&str> {
    let of_step = |step: &PlannedStep| match &step.work {
        Work::Training(training) => {
            let body = training.frozen.as_ref().map(|frozen| frozen.key.clone());
            let teachers = training.targets.iter().flat_map(|targets| targets.networks.iter().cloned());
            [step.stage.key().to_owned()].into_iter().chain(body).chain(teachers).collect()
        }
        Work::Prediction { networks, .. } => networks.clone(),
        Work::Other => Vec::new(),
    };
    let wanted: HashSet<String> = steps.iter().filter(|step| !step.is_done).flat_map(of_step).collect();
    steps.iter().map(|step| step.stage.key()).filter(|key| wanted.contains(*key)).collect()
}

/// Measures networks, each architecture once.
struct Stopwatch<'a> {
    session: &'a Session<'a>,
    /// Seconds of one example in a training step, by network and training.
    per_step: HashMap<String, f64>,
    /// Seconds of one example's forward pass through the network with this key; of a shared body the head alone.
    per_row: HashMap<String, f64>,
}

impl Stopwatch<'_> {
    /// Seconds of a training, from a few steps with all threads.
    fn training(&mut self, key: &str, training: &PlannedTraining) -> Result<f64> {
        let PlannedTraining { model, config, n_examples, frozen, targets } = training;
        let kind = format!(
            "{:p} {} {}",
            Arc::as_ptr(model),
            serde_json::to_string(config).unwrap_or_default(),
            frozen.is_some()
        );
        let per_step = match self.per_step.get(&kind) {
            Some(known) => *known,
            None => self.step(model, config, frozen.is_some())?,
        };
        self.per_step.insert(kind, per_step);
        self.per_row.insert(key.to_owned(), per_step / FORWARD_PASSES_PER_STEP);
        let of_body = frozen.as_ref().map_or(0.0, |body| body.n_rows as f64 * self.row(&body.key));
        let of_targets = targets.as_ref().map_or(0.0, |targets| self.rows(&targets.networks, targets.n_rows));
        Ok(per_step * *n_examples as f64 + of_body + of_targets)
    }

    /// Seconds of one example in a training step of the network, or of its head alone.
    fn step(&self, model: &Model, config: &TrainingConfig, is_head_alone: bool) -> Result<f64> {
        self.session.context.check_interrupt()?;
        let head = if is_head_alone { Some(model.head_alone().map_err(model_error)?) } else { None };
        let train = &self.session.data.train;
        let measure = || seconds_per_example(head.as_ref().unwrap_or(model), config, train);
        Ok(self.session.context.with_all_threads(measure)??)
    }

    /// Seconds in which these networks predict so many examples.
    fn rows(&self, networks: &[String], n_rows: usize) -> f64 {
        n_rows as f64 * networks.iter().map(|key| self.row(key)).sum::<f64>()
    }

    fn row(&self, key: &str) -> f64 {
        self.per_row.get(key).copied().unwrap_or(0.0)
    }
}

/// Soft targets that are mapped into memory while students learn.
fn mapped_targets_bytes(step: &PlannedStep) -> u64 {
    match &step.work {
        Work::Training(training) => training.targets.as_ref().map_or(0, |targets| targets.disk_bytes),
        Work::Prediction { disk_bytes, .. } => *disk_bytes,
        Work::Other => 0,
    }
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
