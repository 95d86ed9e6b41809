//! `data preview`: a page with examples of the training split.

use super::load;
use crate::console;
use crate::failure::Failure;
use crate::invocation::{ConfigChoice, Format, Invocation};
use crate::progress::Progress;
use crate::signals::{self, INTERRUPT};
use serde_json::json;
use std::path::Path;

pub fn preview(config: &ConfigChoice, out: Option<&Path>, invocation: &Invocation) -> Result<(), Failure> {
    let experiment = load(config)?;
    signals::catch();
    let progress = Progress::new(invocation.verbosity);
    let path = stillhouse_experiment::preview(&experiment, out, &progress, &INTERRUPT);
    progress.close();
    let path = path?;
    match invocation.format {
        Format::Json => console::print_json(&json!({ "html": path })),
        Format::Text => console::print(&format!("{}\n", path.display())),
    }
}
