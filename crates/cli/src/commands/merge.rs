//! `merge`: teachers of any program into soft targets.

use crate::console;
use crate::failure::Failure;
use crate::invocation::{Format, Invocation, MergeTask};
use crate::progress::Progress;
use crate::signals::{self, INTERRUPT};

pub fn merge(task: &MergeTask, invocation: &Invocation) -> Result<(), Failure> {
    signals::catch();
    let progress = Progress::new(invocation.verbosity);
    let MergeTask { teachers, out, config, format } = task;
    let outcome = stillhouse_experiment::merge_teachers(teachers, out, config, *format, &progress, &INTERRUPT);
    progress.close();
    let outcome = outcome?;
    match invocation.format {
        Format::Json => console::print_json(&serde_json::to_value(&outcome).unwrap_or_default()),
        Format::Text => console::print(&format!("{outcome}\n")),
    }
}
