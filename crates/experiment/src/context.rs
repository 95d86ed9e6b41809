//! The machine that every step works on: the store, threads, memory, events, interruptions.

use crate::error::{ExperimentError, Result};
use crate::observer::{Interrupt, Observer, RunEvent, Silent};
use crate::options::RunOptions;
use crate::parallel::{self, Share};
use crate::planning::PlanRecorder;
use crate::run_log::RunLog;
use crate::stage::Stage;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use stillhouse_train::{EpochRecord, Monitor, StepInfo};

/// What happens to a stage.
enum Mode {
    /// It is computed, or read back if that was done before.
    Run,
    /// It is read back; an unfinished one is an error.
    ReadOnly,
    /// It is recorded instead.
    Plan(PlanRecorder),
}

/// A run in progress.
pub struct RunContext<'a> {
    stages_dir: PathBuf,
    n_threads: usize,
    memory_bytes: Option<u64>,
    force: bool,
    reversed_jobs: bool,
    mode: Mode,
    computed: Mutex<HashSet<String>>,
    /// The files of events; none for what only reads or plans.
    log: Option<RunLog>,
    warnings: Mutex<Vec<String>>,
    observer: &'a dyn Observer,
    interrupt: &'a Interrupt,
}

/// Most characters of a warning; some quote a label or a cell, which can be as long as a file.
const MAX_WARNING: usize = 2000;

impl<'a> RunContext<'a> {
    /// A context for a run directory.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub(crate) fn new(
        run_dir: &Path,
        options: &RunOptions,
        observer: &'a dyn Observer,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        let log = RunLog::open(run_dir, options.tensorboard)?;
        Ok(Self { log: Some(log), ..Self::unrecorded(run_dir, options, observer, interrupt) })
    }

    /// The same without a file of events: for what is no part of the run's record. It writes nothing by itself.
    pub(crate) fn unrecorded(
        run_dir: &Path,
        options: &RunOptions,
        observer: &'a dyn Observer,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            stages_dir: options.stages.clone().unwrap_or_else(|| run_dir.join("stages")),
            n_threads: options.n_threads.max(1),
            memory_bytes: options.memory_bytes,
            force: options.force,
            reversed_jobs: options.reversed_jobs,
            mode: Mode::Run,
            computed: Mutex::default(),
            log: None,
            warnings: Mutex::default(),
            observer,
            interrupt,
        }
    }

    /// The same, but stages that are not finished are errors instead of work to do.
    #[must_use]
    pub(crate) fn reading_only(self) -> Self {
        Self { mode: Mode::ReadOnly, ..self }
    }

    /// The same, but stages are recorded instead of computed or read.
    #[must_use]
    pub(crate) fn planning(self) -> Self {
        Self { mode: Mode::Plan(PlanRecorder::default()), ..self }
    }

    /// A context that plans what this one would do, and tells nobody.
    pub(crate) fn for_planning(&self) -> RunContext<'a> {
        RunContext {
            stages_dir: self.stages_dir.clone(),
            mode: Mode::Plan(PlanRecorder::default()),
            computed: Mutex::default(),
            log: None,
            warnings: Mutex::default(),
            observer: &Silent,
            ..*self
        }
    }

    /// Whether unfinished stages are errors.
    pub(crate) fn reads_only(&self) -> bool {
        matches!(self.mode, Mode::ReadOnly)
    }

    /// Where stages are recorded, if this is a plan.
    pub(crate) fn plan(&self) -> Option<&PlanRecorder> {
        match &self.mode {
            Mode::Plan(recorder) => Some(recorder),
            Mode::Run | Mode::ReadOnly => None,
        }
    }

    /// The memory that the run may take, if there is a limit.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        self.memory_bytes
    }

    /// Where artifacts live.
    pub(crate) fn stages_dir(&self) -> &Path {
        &self.stages_dir
    }

    /// Whether parallel jobs are taken up in the opposite order.
    pub(crate) fn reversed_jobs(&self) -> bool {
        self.reversed_jobs
    }

    /// Whether this run computed anything, or found everything finished.
    pub(crate) fn has_computed(&self) -> bool {
        !self.computed.lock().expect("no holder panics").is_empty()
    }

    /// Whether an existing artifact is to be computed again: under `--force`, once for each stage.
    pub(crate) fn is_forced(&self, stage: &Stage) -> bool {
        self.force && !self.computed.lock().expect("no holder panics").contains(stage.key())
    }

    /// Whether a stage would be computed if it were asked for.
    pub(crate) fn is_to_do(&self, stage: &Stage) -> bool {
        self.artifact(stage).is_none()
    }

    /// The folder of a stage's artifact, if it exists and is not to be computed again.
    pub(crate) fn artifact(&self, stage: &Stage) -> Option<PathBuf> {
        stage.artifact(&self.stages_dir).filter(|_| !self.is_forced(stage))
    }

    pub(crate) fn mark_computed(&self, stage: &Stage) {
        self.computed.lock().expect("no holder panics").insert(stage.key().to_owned());
    }

    /// Tells the observer and the files of events.
    pub(crate) fn event(&self, event: &RunEvent) {
        self.observer.event(event);
        if let Some(log) = &self.log {
            log.event(event);
        }
    }

    /// Tells how far a stage is.
    pub(crate) fn progress(&self, stage: &str, done: u64, total: u64) {
        self.observer.progress(stage, done, total);
    }

    /// Says a plain sentence about what a stage computed; nothing in a plan, where it would be about a stand-in.
    pub(crate) fn note(&self, stage: &str, text: impl Into<String>) {
        if self.plan().is_some() {
            return;
        }
        self.event(&RunEvent::Note { stage: stage.to_owned(), text: text.into() });
    }

    /// Says a sentence that belongs into the report too.
    pub(crate) fn warn(&self, stage: &str, text: impl Into<String>) {
        let text = crate::report::shortened(&text.into(), MAX_WARNING);
        self.warnings.lock().expect("no holder panics").push(text.clone());
        if self.plan().is_none() {
            self.event(&RunEvent::Warning { stage: stage.to_owned(), text });
        }
    }

    /// What [`RunContext::warn`] said so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.lock().expect("no holder panics").clone()
    }

    /// # Errors
    /// [`ExperimentError::Interrupted`] once the user has asked to stop.
    pub(crate) fn check_interrupt(&self) -> Result<()> {
        if self.interrupt.is_requested() { Err(ExperimentError::Interrupted) } else { Ok(()) }
    }

    /// A monitor for one training, which moves its epochs to the threads of the job's share.
    pub(crate) fn monitor<'b>(&'b self, stage: &'b str, share: &'b Share<'b>) -> StageMonitor<'b> {
        StageMonitor { context: self, stage, share }
    }

    /// Runs work in a pool of all the run's threads.
    pub(crate) fn with_all_threads<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        parallel::alone(self.n_threads, |_| work())
    }

    /// Runs independent jobs, at most `n_workers` side by side, each with its share of the threads; results in the jobs'
    /// order.
    ///
    /// Jobs are taken up in their order, so callers put the longest first.
    pub(crate) fn side_by_side<J: Sync, T: Send>(
        &self,
        jobs: &[J],
        n_workers: usize,
        work: impl Fn(&J, &Share<'_>) -> Result<T> + Sync,
    ) -> Result<Vec<Result<T>>> {
        parallel::side_by_side(self.n_threads, n_workers, jobs, work)
    }
}

/// Carries a training's progress to the run's observer.
pub(crate) struct StageMonitor<'a> {
    context: &'a RunContext<'a>,
    stage: &'a str,
    share: &'a Share<'a>,
}

impl Monitor for StageMonitor<'_> {
    fn step(&self, info: &StepInfo) {
        self.context.progress(self.stage, info.step as u64, info.n_steps as u64);
    }

    fn epoch(&self, record: &EpochRecord, n_epochs: usize) {
        self.context.event(&RunEvent::Epoch { stage: self.stage.to_owned(), n_epochs, record: record.clone() });
    }

    fn note(&self, text: &str) {
        self.context.note(self.stage, text);
    }

    fn warn(&self, text: &str) {
        self.context.warn(self.stage, text);
    }

    fn is_interrupted(&self) -> bool {
        self.context.interrupt.is_requested()
    }

    fn run_epoch(&self, epoch: &mut (dyn FnMut() + Send)) {
        self.share.run(epoch);
    }
}
