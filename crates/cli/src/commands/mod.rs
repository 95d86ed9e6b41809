//! The commands: each asks `stillhouse-experiment` for something and shows the answer.

mod check;
mod evaluate;
mod init;
mod merge;
mod plan;
mod predict;
mod preview;
mod run;
mod status;
mod sweep;
mod sweep_jobs;
mod targets;

use crate::arguments::Arguments;
use crate::console;
use crate::failure::Failure;
use crate::invocation::{ConfigChoice, Invocation, Task};
use clap::CommandFactory;
use clap_complete::Shell;
use stillhouse_experiment::config::{ConfigProblems, Experiment, config_schema};

/// Does what was asked for.
pub fn execute(invocation: &Invocation) -> Result<(), Failure> {
    match &invocation.task {
        Task::Run { config, options } => run::run(config, options, invocation),
        Task::Report { run_dir } => run::report(run_dir, invocation),
        Task::Plan { config, options } => plan::plan(config, options, invocation),
        Task::Budget(task) => plan::budget(task, invocation),
        Task::Check { config } => check::check(config, invocation.format),
        Task::Sweep(task) => sweep::sweep(task, invocation),
        Task::Status { run_dir } => status::status(run_dir, invocation.format),
        Task::Evaluate { model, data } => evaluate::evaluate(model, data, invocation),
        Task::Predict(task) => predict::predict(task, invocation.format),
        Task::Preview { config, out } => preview::preview(config, out.as_deref(), invocation),
        Task::Merge(task) => merge::merge(task, invocation),
        Task::TargetsStats { path } => targets::stats(path, invocation),
        Task::TargetsVerify { path, against } => targets::verify(path, against.as_ref(), invocation),
        Task::Init { source, out } => init::init(source, out.as_deref()),
        Task::Schema => console::print_json(&config_schema()),
        Task::Completions { shell } => completions(*shell),
    }
}

fn load(config: &ConfigChoice) -> Result<Experiment, ConfigProblems> {
    Experiment::load(&config.source, &config.overrides)
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "stillhouse", &mut script);
    console::print(&String::from_utf8_lossy(&script))
}
