//! A bar over inputs that are counted, once the work takes long; notes above it.

use super::bars::style;
use crate::console;
use crate::invocation::Verbosity;
use indicatif::ProgressBar;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use stillhouse_experiment::{Observer, RunEvent};

const COUNTED: &str = "{prefix:16.16} {wide_bar} {percent:>3}% {pos:>9} of {len:9} {eta:>5}";
/// Where the number of inputs is not known.
const UNCOUNTED: &str = "{prefix:16.16} {spinner} {pos:>9} {elapsed:>6}";
const REDRAW_INTERVAL: Duration = Duration::from_millis(200);
/// Work that ends sooner shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows how many inputs are done.
pub struct Counter {
    started: Instant,
    is_shown: bool,
    bar: OnceLock<ProgressBar>,
}

impl Counter {
    pub fn new(verbosity: Verbosity) -> Self {
        let is_shown = verbosity > Verbosity::Quiet && console::is_interactive();
        Self { started: Instant::now(), is_shown, bar: OnceLock::new() }
    }

    /// Takes the bar off the screen.
    pub fn close(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Counter {
    fn event(&self, event: &RunEvent) {
        if let RunEvent::Warning { text, .. } | RunEvent::Note { text, .. } = event {
            console::message(&format!("note: {text}"));
        }
    }

    fn progress(&self, what: &str, done: u64, total: u64) {
        if !self.is_shown || self.started.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_init(|| {
            let template = if total > 0 { COUNTED } else { UNCOUNTED };
            let bar = ProgressBar::no_length().with_style(style(template)).with_prefix(what.to_owned());
            let bar = console::bars().add(bar);
            bar.enable_steady_tick(REDRAW_INTERVAL);
            bar
        });
        if total > 0 {
            bar.set_length(total);
        }
        bar.set_position(done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [COUNTED, UNCOUNTED] {
            style(template);
        }
    }
}
