//! `plan`: what a run would do and cost.

use super::load;
use crate::console;
use crate::failure::Failure;
use crate::invocation::{ConfigChoice, Format, Invocation};
use crate::progress::Progress;
use crate::signals::{self, INTERRUPT};
use crate::text::{WIDTH, bytes, count, duration, table, wrapped};
use stillhouse_experiment::{Plan, PlannedStage, RunOptions};

pub fn plan(config: &ConfigChoice, options: &RunOptions, invocation: &Invocation) -> Result<(), Failure> {
    let experiment = load(config)?;
    signals::catch();
    let progress = Progress::new(invocation.verbosity);
    let plan = stillhouse_experiment::plan(&experiment, options, &progress, &INTERRUPT);
    progress.close();
    let plan = plan?;
    match invocation.format {
        Format::Json => console::print_json(&serde_json::to_value(&plan).unwrap_or_default()),
        Format::Text => console::print(&in_words(&plan)),
    }
}

fn in_words(plan: &Plan) -> String {
    let mut rows = vec![["stage", "state", "time", "disk"].map(str::to_owned).to_vec()];
    rows.extend(plan.stages.iter().map(row));
    let to_do = plan.stages.iter().filter(|stage| !stage.cached);
    let n_to_do = to_do.clone().count();
    let seconds = to_do.clone().filter_map(|stage| stage.estimated_seconds).fold(0.0, |sum, seconds| sum + seconds);
    let disk_bytes: u64 = to_do.map(|stage| stage.disk_bytes).sum();
    let mut text = table(&rows);
    let totals = format!(
        "{} to do, about {} of training, {} more on disk, at least {} of memory",
        count(n_to_do, "stage"),
        duration(seconds),
        bytes(disk_bytes),
        bytes(plan.memory_bytes),
    );
    text += &format!("\n{}\n", wrapped("", &totals, WIDTH));
    for note in &plan.notes {
        text += &format!("{}\n", wrapped("note: ", note, WIDTH));
    }
    text + &format!("run directory: {}\n", plan.run_dir.display())
}

fn row(stage: &PlannedStage) -> Vec<String> {
    let state = if stage.cached { "cached" } else { "to do" };
    let time = stage.estimated_seconds.filter(|_| !stage.cached).map_or(String::new(), duration);
    vec![stage.name.clone(), state.to_owned(), time, bytes(stage.disk_bytes)]
}
