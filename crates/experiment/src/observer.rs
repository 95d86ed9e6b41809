//! The events of a run, who receives them, and how a run is asked to stop.

use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use stillhouse_train::EpochRecord;

/// Something that happened in a run; also a line of `metrics.jsonl`, with `time` and `session`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// What is to be done, told before the first stage. Numbers of classes in clusters, and thus specialists, are guessed until
    /// the classes are clustered.
    Planned {
        /// in their order, finished ones included
        stages: Vec<PlannedWork>,
    },
    /// A stage begins.
    StageStarted {
        /// for example `specialist_3`
        stage: String,
    },
    /// A stage's artifact exists already.
    StageCached {
        /// the stage
        stage: String,
    },
    /// A stage's artifact is complete.
    StageFinished {
        /// the stage
        stage: String,
        /// wall time
        elapsed_s: f64,
    },
    /// A stage failed; the run may go on without it.
    StageFailed {
        /// the stage
        stage: String,
        /// the message
        error: String,
    },
    /// An epoch of a training ended.
    Epoch {
        /// the stage that trains
        stage: String,
        /// epochs of the training
        n_epochs: usize,
        /// the epoch's numbers
        record: EpochRecord,
    },
    /// A sentence that the user should see without looking for it; it is in the report too, where there is one.
    Warning {
        /// the stage that says it
        stage: String,
        /// the sentence
        text: String,
    },
    /// A sentence for the user.
    Note {
        /// the stage that says it
        stage: String,
        /// the sentence
        text: String,
    },
}

/// The work of a stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedWork {
    /// for example `specialist_3`
    pub stage: String,
    /// floating-point operations of trainings and predictions
    pub flops: f64,
    /// whether its artifact exists
    pub is_done: bool,
}

/// Receives what happens in a run. Called from many threads.
pub trait Observer: Sync {
    /// Something happened.
    fn event(&self, event: &RunEvent);
    /// `done` of `total` steps of a stage are done; called often.
    fn progress(&self, stage: &str, done: u64, total: u64);
}

/// Stops a run when a training has done a share of its epochs. What was trained stays; the next run goes on from there.
pub struct StopAt<'a> {
    observer: &'a dyn Observer,
    interrupt: &'a Interrupt,
    stage: &'a str,
    share: f64,
    reached: Mutex<Option<(usize, usize)>>,
    /// the run's stages, if the one to stop at is none of them
    others: Mutex<Option<Vec<String>>>,
}

impl<'a> StopAt<'a> {
    /// Passes everything on to `observer`, and asks `interrupt` after the share of the stage's epochs.
    pub fn new(observer: &'a dyn Observer, interrupt: &'a Interrupt, stage: &'a str, share: f64) -> Self {
        Self { observer, interrupt, stage, share, reached: Mutex::new(None), others: Mutex::new(None) }
    }

    /// The names of the run's stages, where the stage to stop at is none of them; such a run is stopped before it begins.
    pub fn other_stages(&self) -> Option<Vec<String>> {
        self.others.lock().expect("no holder panics").clone()
    }

    /// The epoch at which the run was stopped, and all epochs; none where it was not.
    pub fn reached(&self) -> Option<(usize, usize)> {
        *self.reached.lock().expect("no holder panics")
    }
}

impl Observer for StopAt<'_> {
    fn event(&self, event: &RunEvent) {
        self.observer.event(event);
        if let RunEvent::Planned { stages } = event
            && stages.iter().all(|planned| planned.stage != self.stage)
        {
            let names = stages.iter().map(|planned| planned.stage.clone()).collect();
            *self.others.lock().expect("no holder panics") = Some(names);
            self.interrupt.request();
        }
        if let RunEvent::Epoch { stage, n_epochs, record } = event
            && stage == self.stage
            && record.epoch < *n_epochs
            && record.epoch >= epochs_of_share(self.share, *n_epochs)
        {
            self.reached.lock().expect("no holder panics").get_or_insert((record.epoch, *n_epochs));
            self.interrupt.request();
        }
    }

    fn progress(&self, stage: &str, done: u64, total: u64) {
        self.observer.progress(stage, done, total);
    }
}

/// Whole epochs that are a share of a training, at least one.
pub(crate) fn epochs_of_share(share: f64, n_epochs: usize) -> usize {
    ((share * n_epochs as f64).round() as usize).clamp(1, n_epochs)
}

/// An observer that ignores all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &RunEvent) {}
    fn progress(&self, _: &str, _: u64, _: u64) {}
}

/// A request to stop, set from a signal handler.
#[derive(Debug, Default)]
pub struct Interrupt(AtomicBool);

impl Interrupt {
    /// Not interrupted.
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Asks the run to stop at the next step; whether it had been asked before.
    pub fn request(&self) -> bool {
        self.0.swap(true, Ordering::SeqCst)
    }

    /// Whether the run should stop.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
