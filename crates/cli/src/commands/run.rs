//! `run` and `report`: a finished run's summary, and where its files are.

use super::load;
use crate::console;
use crate::failure::Failure;
use crate::invocation::{ConfigChoice, Format, Invocation, Verbosity};
use crate::progress::Progress;
use crate::signals::{self, INTERRUPT};
use std::path::Path;
use stillhouse_experiment::config::ConfigSource;
use stillhouse_experiment::{RunOptions, RunOutcome};

pub fn run(config: &ConfigChoice, options: &RunOptions, invocation: &Invocation) -> Result<(), Failure> {
    let experiment = load(config)?;
    signals::catch();
    let progress = Progress::new(invocation.verbosity);
    let outcome = stillhouse_experiment::run(&experiment, options, &progress, &INTERRUPT);
    progress.close();
    if outcome.is_ok() && invocation.verbosity > Verbosity::Quiet {
        // between the progress and the summary
        console::message("");
    }
    let outcome = outcome?;
    show(&outcome, invocation)?;
    match (invocation.format, invocation.verbosity) {
        (Format::Json, _) | (_, Verbosity::Quiet) => Ok(()),
        _ => console::print(&next_steps(&config.source, &outcome.run_dir.join("student"))),
    }
}

/// What to type next: the student of the quickstart can be tried on any sentence.
fn next_steps(source: &ConfigSource, student: &Path) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "stillhouse".into());
    let predict = format!("  {program} predict {}", student.display());
    match source {
        ConfigSource::Quickstart => format!(
            "\nnext, ask the student for the language of a few words, or begin with data of your own:\n\
             {predict} \\\n    \"Alle Menschen sind frei\" \"todos los seres humanos\"\n  {program} init FOLDER_OR_TABLE > mine.toml\n"
        ),
        ConfigSource::File(_) => format!("\nnext, ask the student:\n{predict} INPUT\n"),
    }
}

pub fn report(run_dir: &Path, invocation: &Invocation) -> Result<(), Failure> {
    show(&stillhouse_experiment::render_report(run_dir)?, invocation)
}

fn show(outcome: &RunOutcome, invocation: &Invocation) -> Result<(), Failure> {
    match (invocation.format, invocation.verbosity) {
        (Format::Json, _) => console::print(&format!("{}\n", outcome.report.to_json().trim_end())),
        (Format::Text, Verbosity::Quiet) => Ok(()),
        (Format::Text, _) => {
            let (page, student) = (outcome.run_dir.join("report.html"), outcome.run_dir.join("student"));
            let summary = outcome.summary.trim_end();
            console::print(&format!("{summary}\n\nreport   {}\nstudent  {}/\n", page.display(), student.display()))
        }
    }
}
