//! The monitor of a training: receives its progress, interrupts it, and chooses its threads.

use crate::EpochRecord;

/// One optimizer step that was made.
#[derive(Clone, Copy, Debug)]
pub struct StepInfo {
    /// Steps done in the whole training.
    pub step: usize,
    /// Steps of the whole training.
    pub n_steps: usize,
    /// Total loss of the step's batch.
    pub loss: f64,
}

/// Receives progress and may interrupt; called from the thread that trains.
pub trait Monitor: Sync {
    /// After every step.
    fn step(&self, info: &StepInfo);
    /// After every epoch, of `n_epochs`.
    fn epoch(&self, record: &EpochRecord, n_epochs: usize);
    /// A sentence for the user.
    fn note(&self, text: &str);
    /// A sentence about something that went wrong and was repaired; it belongs in the report too.
    fn warn(&self, text: &str) {
        self.note(text);
    }
    /// Whether to write a checkpoint and stop.
    fn is_interrupted(&self) -> bool;
    /// Runs an epoch, once, in the rayon pool of its choice: the caller's, unless an implementation has more threads
    /// that have become free since the last epoch.
    fn run_epoch(&self, epoch: &mut (dyn FnMut() + Send)) {
        epoch();
    }
}

/// A monitor that ignores progress and never interrupts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn step(&self, _: &StepInfo) {}
    fn epoch(&self, _: &EpochRecord, _: usize) {}
    fn note(&self, _: &str) {}
    fn is_interrupted(&self) -> bool {
        false
    }
}
