//! `evaluate`: a model on the test split of any data.

use crate::console;
use crate::failure::Failure;
use crate::invocation::{Format, Invocation};
use crate::progress::Progress;
use crate::signals::{self, INTERRUPT};
use std::path::Path;

pub fn evaluate(model: &Path, data: &[String], invocation: &Invocation) -> Result<(), Failure> {
    signals::catch();
    let progress = Progress::new(invocation.verbosity);
    let outcome = stillhouse_experiment::evaluate_model(model, data, &progress, &INTERRUPT);
    progress.close();
    let outcome = outcome?;
    match invocation.format {
        Format::Json => console::print_json(&serde_json::to_value(&outcome).unwrap_or_default()),
        Format::Text => console::print(&format!("{outcome}\n")),
    }
}
