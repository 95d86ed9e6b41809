//! `targets`: what a store holds, and whether it is right.

use crate::console;
use crate::failure::Failure;
use crate::invocation::{Format, Invocation};
use crate::progress::Progress;
use crate::signals::{self, INTERRUPT};
use serde_json::Value;
use std::path::Path;
use stillhouse_experiment::VerifyAgainst;

pub fn stats(path: &Path, invocation: &Invocation) -> Result<(), Failure> {
    let summary = stillhouse_experiment::targets_stats(path)?;
    show(&summary.to_string(), &serde_json::to_value(&summary).unwrap_or_default(), invocation)
}

pub fn verify(path: &Path, against: Option<&VerifyAgainst>, invocation: &Invocation) -> Result<(), Failure> {
    signals::catch();
    let progress = Progress::new(invocation.verbosity);
    let verified = stillhouse_experiment::verify_targets(path, against, &progress, &INTERRUPT);
    progress.close();
    let verified = verified?;
    show(&verified.to_string(), &serde_json::to_value(&verified).unwrap_or_default(), invocation)
}

fn show(text: &str, json: &Value, invocation: &Invocation) -> Result<(), Failure> {
    match invocation.format {
        Format::Json => console::print_json(json),
        Format::Text => console::print(&format!("{text}\n")),
    }
}
