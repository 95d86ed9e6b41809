//! `data preview`: a contact sheet of the training split, or a page of its texts.

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
        Format::Json => {
            let is_page = path.extension().is_some_and(|ending| ending == "html");
            console::print_json(&json!({ if is_page { "html" } else { "png" }: path }))
        }
        Format::Text => console::print(&format!("{}\n", path.display())),
    }
}
