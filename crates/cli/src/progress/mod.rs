//! What is shown while a run goes: bars at a terminal, plain lines elsewhere.

mod bars;
mod cells;
mod counter;
mod lines;
mod overall;
mod wording;

pub use cells::CellProgress;
pub use counter::Counter;

use crate::console;
use crate::invocation::Verbosity;
use bars::Bars;
use lines::Lines;
use stillhouse_experiment::{Observer, RunEvent};

/// Shows a run.
pub enum Progress {
    /// At a terminal.
    Bars(Bars),
    /// In a pipe or a file, and for errors only.
    Lines(Lines),
}

impl Progress {
    /// The display for standard error as it is.
    pub fn new(verbosity: Verbosity) -> Self {
        if verbosity > Verbosity::Quiet && console::is_interactive() {
            Self::Bars(Bars::new(verbosity))
        } else {
            Self::Lines(Lines::new(verbosity))
        }
    }

    /// Takes the bars of unfinished stages off the screen.
    pub fn close(&self) {
        if let Self::Bars(bars) = self {
            bars.close();
        }
    }
}

impl Observer for Progress {
    fn event(&self, event: &RunEvent) {
        match self {
            Self::Bars(bars) => bars.event(event),
            Self::Lines(lines) => lines.event(event),
        }
    }

    fn progress(&self, stage: &str, done: u64, total: u64) {
        match self {
            Self::Bars(bars) => bars.progress(stage, done, total),
            Self::Lines(lines) => lines.progress(stage, done, total),
        }
    }
}
