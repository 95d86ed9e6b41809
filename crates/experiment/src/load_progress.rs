//! Shows the progress of loading data, and of fetching from the hub, as the stage `data`.

use crate::context::RunContext;
use crate::observer::{Interrupt, Observer, RunEvent};
use stillhouse_data::{DataProgress, ProgressUnit};

/// Name of the stage.
pub(crate) const DATA: &str = "data";

/// Carries a load's progress to the run's observer.
pub(crate) struct LoadProgress<'a> {
    context: &'a RunContext<'a>,
    /// done and total of the current piece
    counter: std::sync::Mutex<(u64, u64)>,
}

impl<'a> LoadProgress<'a> {
    pub fn new(context: &'a RunContext<'a>) -> Self {
        Self { context, counter: Default::default() }
    }
}

impl DataProgress for LoadProgress<'_> {
    fn start(&self, _what: &str, total: Option<u64>, _unit: ProgressUnit) {
        *self.counter.lock().expect("no holder panics") = (0, total.unwrap_or(0));
    }

    fn advance(&self, amount: u64) {
        let mut counter = self.counter.lock().expect("no holder panics");
        counter.0 += amount;
        self.context.progress(DATA, counter.0, counter.1);
    }

    fn message(&self, text: &str) {
        self.context.note(DATA, text);
    }

    fn note(&self, text: &str) {
        self.context.warn(DATA, text);
    }

    fn is_interrupted(&self) -> bool {
        self.context.check_interrupt().is_err()
    }
}

/// Carries what a load says to an observer, in a command that is no run.
pub(crate) struct PlainProgress<'a> {
    pub observer: &'a dyn Observer,
    pub interrupt: &'a Interrupt,
}

impl DataProgress for PlainProgress<'_> {
    fn message(&self, text: &str) {
        self.observer.event(&RunEvent::Note { stage: DATA.into(), text: text.to_owned() });
    }

    fn note(&self, text: &str) {
        self.observer.event(&RunEvent::Warning { stage: DATA.into(), text: text.to_owned() });
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_requested()
    }
}
