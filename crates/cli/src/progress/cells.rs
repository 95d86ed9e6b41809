//! A sweep's progress: a bar over its cells at a terminal, a line for each elsewhere.

use super::bars::style;
use crate::console;
use crate::invocation::Verbosity;
use crate::signals::EXIT_INTERRUPTED;
use crate::text::duration;
use indicatif::ProgressBar;
use std::time::Duration;
use stillhouse_launch::{JobEvent, JobExit, JobOutcome};

const CELLS: &str = "{prefix:16.16} {wide_bar} {pos:>4}/{len:4} {elapsed:>6}, {eta} to go";
/// Without the remaining time, which is unknown until the first cell is done.
const FIRST_CELLS: &str = "{prefix:16.16} {wide_bar} {pos:>4}/{len:4} {elapsed:>6}";
const REDRAW_INTERVAL: Duration = Duration::from_secs(1);

/// Shows a sweep.
pub struct CellProgress {
    bar: Option<ProgressBar>,
    verbosity: Verbosity,
}

impl CellProgress {
    pub fn new(name: &str, n_cells: usize, verbosity: Verbosity) -> Self {
        let is_shown = verbosity > Verbosity::Quiet && console::is_interactive();
        let bar = is_shown.then(|| {
            let bar = ProgressBar::new(n_cells as u64).with_style(style(FIRST_CELLS)).with_prefix(name.to_owned());
            let bar = console::bars().add(bar);
            bar.enable_steady_tick(REDRAW_INTERVAL);
            bar
        });
        Self { bar, verbosity }
    }

    pub fn event(&self, event: JobEvent<'_>) {
        match event {
            JobEvent::Started { job } if self.bar.is_none() => self.say(&format!("cell {}: started", job.name)),
            JobEvent::Started { .. } => {}
            JobEvent::Finished { outcome } => {
                if let Some(bar) = &self.bar {
                    bar.set_style(style(CELLS));
                    bar.inc(1);
                }
                self.finished(outcome);
            }
        }
    }

    /// Takes the bar off the screen.
    pub fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn finished(&self, outcome: &JobOutcome) {
        match &outcome.exit {
            JobExit::Cancelled => {}
            JobExit::Code(EXIT_INTERRUPTED) => self.say(&format!("cell {}: stopped", outcome.name)),
            JobExit::Success => self.say(&format!("cell {}: done in {}", outcome.name, duration(outcome.elapsed_s))),
            exit => {
                console::message(&format!("cell {}: failed ({exit})\n{}", outcome.name, indented(&outcome.message)));
            }
        }
    }

    fn say(&self, line: &str) {
        if self.verbosity > Verbosity::Quiet {
            console::message(line);
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
