//! Plain lines for pipes, files and batch systems: no control characters, few enough to read.

use super::overall::Overall;
use super::wording;
use crate::console::message;
use crate::invocation::Verbosity;
use crate::text::duration;
use std::sync::Mutex;
use std::time::Instant;
use stillhouse_experiment::RunEvent;

/// Epochs of a training that are shown, unless --verbose shows all.
const N_EPOCH_LINES: usize = 4;

/// Shows a run line by line.
pub struct Lines {
    verbosity: Verbosity,
    overall: Mutex<Overall>,
}

impl Lines {
    pub fn new(verbosity: Verbosity) -> Self {
        Self { verbosity, overall: Mutex::default() }
    }

    pub fn event(&self, event: &RunEvent) {
        if let Some(line) = self.line(event) {
            message(&line);
        }
    }

    /// Takes the progress of a stage: the time left follows from it.
    pub fn progress(&self, stage: &str, done: u64, total: u64) {
        self.overall.lock().expect("no holder panics").progress(stage, done, total);
    }

    fn line(&self, event: &RunEvent) -> Option<String> {
        let is_quiet = self.verbosity == Verbosity::Quiet;
        let mut overall = self.overall.lock().expect("no holder panics");
        overall.event(event, Instant::now());
        match event {
            // the reason follows as the program's error, or as a note where the run continues
            RunEvent::StageFailed { stage, .. } => Some(format!("{stage}: failed")),
            RunEvent::Warning { stage, text } => Some(format!("warning: {stage}: {text}")),
            _ if is_quiet => None,
            RunEvent::StageStarted { stage } => {
                let told = overall.told(Instant::now()).map_or(String::new(), |told| format!(" ({told})"));
                Some(format!("{stage}: started{told}"))
            }
            RunEvent::Planned { .. } => None,
            RunEvent::StageCached { stage } => Some(format!("{stage}: cached")),
            RunEvent::StageFinished { stage, elapsed_s } => Some(format!("{stage}: done in {}", duration(*elapsed_s))),
            RunEvent::Note { stage, text } => Some(format!("{stage}: {text}")),
            RunEvent::Epoch { stage, n_epochs, record } => (self.verbosity == Verbosity::Verbose
                || is_shown(record.epoch, *n_epochs))
            .then(|| format!("{stage}: {}", wording::epoch(record, *n_epochs))),
        }
    }
}

/// The last epoch, and some at equal distances before it.
fn is_shown(epoch: usize, n_epochs: usize) -> bool {
    epoch == n_epochs || epoch.is_multiple_of(n_epochs.div_ceil(N_EPOCH_LINES).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_epochs_are_shown_and_the_last_one_always() {
        let shown = |n_epochs: usize| (1..=n_epochs).filter(|epoch| is_shown(*epoch, n_epochs)).collect::<Vec<_>>();
        assert_eq!(shown(2), [1, 2]);
        assert_eq!(shown(10), [3, 6, 9, 10]);
        assert_eq!(shown(60), [15, 30, 45, 60]);
    }

    #[test]
    fn quiet_means_only_failures_and_warnings() {
        let lines = Lines::new(Verbosity::Quiet);
        assert_eq!(lines.line(&RunEvent::StageStarted { stage: "s".into() }), None);
        let failed = RunEvent::StageFailed { stage: "s".into(), error: "no".into() };
        assert_eq!(lines.line(&failed).unwrap(), "s: failed");
        let warning = RunEvent::Warning { stage: "data".into(), text: "two rows were left out".into() };
        assert_eq!(lines.line(&warning).unwrap(), "warning: data: two rows were left out");
    }
}
