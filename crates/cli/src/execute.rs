//! Carries an invocation out: calls `stillhouse-experiment`, and prints what it returns.

use crate::console;
use crate::failure::Failure;
use crate::invocation::{
    BudgetTask, CompressTask, ConfigChoice, Format, Invocation, MergeTask, RoundTask, Task, Verbosity,
};
use crate::progress::Progress;
use crate::signals::{self, INTERRUPT};
use crate::values::Until;
use crate::{man, options, predict, print, sweep};
use clap_complete::Shell;
use serde::Serialize;
use serde_json::json;
use std::io;
use std::path::Path;
use stillhouse_experiment::config::{ConfigProblems, ConfigSource, Experiment, config_schema, describe_key, keys_page};
use stillhouse_experiment::{ExperimentError, RunOptions, RunOutcome, StopAt, is_sweep, load_sweep};

/// Does what was asked for.
pub fn execute(invocation: &Invocation) -> Result<(), Failure> {
    match &invocation.task {
        Task::Run { config, options, until } => run(config, options, until.as_ref(), invocation),
        Task::Report { run_dir } if is_sweep(run_dir) => {
            let summary = stillhouse_experiment::render_sweep(run_dir)?;
            let text = || format!("{}\n{}", summary.trim_end(), sweep::places(run_dir));
            show(&json!({ "sweep_dir": run_dir, "summary": run_dir.join("summary.csv") }), text, invocation)
        }
        Task::Report { run_dir } => show_run(&stillhouse_experiment::render_report(run_dir)?, invocation),
        Task::Plan { config, options } => {
            let experiment = load(config)?;
            let plan = with_progress(invocation, |progress| {
                stillhouse_experiment::plan(&experiment, options, progress, &INTERRUPT)
            })?;
            show(&plan, || print::plan(&plan), invocation)
        }
        Task::Budget(BudgetTask { config, options, budget, probe_share }) => {
            let experiment = load(config)?;
            let plan = with_progress(invocation, |progress| {
                stillhouse_experiment::plan_budget(&experiment, options, *budget, *probe_share, progress, &INTERRUPT)
            })?;
            show(&plan, || print::budget(&plan), invocation)
        }
        Task::Check { config } => check(config, invocation.format),
        Task::Sweep(task) => sweep::sweep(task, invocation),
        Task::Status { run_dir } if is_sweep(run_dir) => {
            let status = stillhouse_experiment::sweep_status(run_dir)?;
            show(&status, || print::sweep_status(&status, run_dir), invocation)
        }
        Task::Status { run_dir } => {
            let status = stillhouse_experiment::status(run_dir)?;
            show(&status, || print::status(&status, run_dir), invocation)
        }
        Task::Evaluate { model, data } => {
            let outcome = with_progress(invocation, |progress| {
                stillhouse_experiment::evaluate_model(model, data, progress, &INTERRUPT)
            })?;
            show(&outcome, || format!("{outcome}\n"), invocation)
        }
        Task::Predict(task) => predict::predict(task, invocation),
        Task::Preview { config, out } => {
            let experiment = load(config)?;
            let path = with_progress(invocation, |progress| {
                stillhouse_experiment::preview(&experiment, out.as_deref(), progress, &INTERRUPT)
            })?;
            let kind = if path.extension().is_some_and(|ending| ending == "png") { "png" } else { "html" };
            show(&json!({ kind: path }), || format!("{}\n", path.display()), invocation)
        }
        Task::Compress(CompressTask { model, limits, out, options }) => {
            let outcome = with_progress(invocation, |progress| {
                stillhouse_experiment::compress(model, limits, out, options, (progress, &INTERRUPT))
            })?;
            show(&outcome, || format!("{outcome}\n"), invocation)
        }
        Task::Round(RoundTask { model, rounding, out, options }) => {
            let outcome = with_progress(invocation, |progress| {
                stillhouse_experiment::round_model(model, rounding, out, options, (progress, &INTERRUPT))
            })?;
            show(&outcome, || format!("{outcome}\n"), invocation)
        }
        Task::Merge(MergeTask { teachers, out, config, format }) => {
            let outcome = with_progress(invocation, |progress| {
                stillhouse_experiment::merge_teachers(teachers, out, config, *format, progress, &INTERRUPT)
            })?;
            show(&outcome, || format!("{outcome}\n"), invocation)
        }
        Task::Cluster(options) => {
            let outcome =
                with_progress(invocation, |progress| stillhouse_experiment::cluster(options, progress, &INTERRUPT))?;
            show(&outcome, || format!("{outcome}\n"), invocation)
        }
        Task::Push(options) => {
            let outcome =
                with_progress(invocation, |progress| stillhouse_experiment::push(options, progress, &INTERRUPT))?;
            show(&outcome, || format!("{outcome}\n"), invocation)
        }
        Task::ExportOnnx { model, options } => {
            let outcome = with_progress(invocation, |progress| {
                stillhouse_experiment::export_onnx(model, options, progress, &INTERRUPT)
            })?;
            show(&outcome, || format!("{outcome}\n"), invocation)
        }
        Task::ExportPacked { model, options } => {
            let outcome = stillhouse_experiment::export_packed(model, options)?;
            show(&outcome, || format!("{outcome}\n"), invocation)
        }
        Task::TargetsStats { path } => {
            let summary = stillhouse_experiment::targets_stats(path)?;
            show(&summary, || format!("{summary}\n"), invocation)
        }
        Task::TargetsVerify { path, against } => {
            let verified = with_progress(invocation, |progress| {
                stillhouse_experiment::verify_targets(path, against.as_ref(), progress, &INTERRUPT)
            })?;
            show(&verified, || format!("{verified}\n"), invocation)
        }
        Task::TargetsExport(options) => {
            let exported = with_progress(invocation, |progress| {
                stillhouse_experiment::export_targets(options, progress, &INTERRUPT)
            })?;
            show(&exported, || format!("{exported}\n"), invocation)
        }
        Task::Init { source, out } => init(source, out.as_deref(), invocation),
        Task::Config { key } => describe(key.as_deref(), invocation),
        Task::ConfigPage => console::print_unchanged(&keys_page()),
        Task::Schema => console::print_json(&config_schema()),
        Task::Completions { shell } => completions(*shell),
        Task::Man { out } => {
            let n_pages = man::write_pages(out)?;
            console::message(&format!("wrote {n_pages} pages into {}", out.display()));
            Ok(())
        }
    }
}

fn load(config: &ConfigChoice) -> Result<Experiment, ConfigProblems> {
    Experiment::load(&config.source, &config.overrides)
}

/// Runs work that shows its progress and looks at the interrupt.
fn with_progress<T>(
    invocation: &Invocation,
    work: impl FnOnce(&Progress) -> Result<T, ExperimentError>,
) -> Result<T, ExperimentError> {
    signals::catch(match invocation.task {
        Task::Run { .. } | Task::Budget(_) | Task::Compress(_) => signals::STOPPING,
        Task::Plan { .. } | Task::Evaluate { .. } | Task::Push(_) | Task::TargetsVerify { .. } => signals::ENDING,
        _ => signals::DISCARDING,
    });
    let progress = Progress::new(invocation.verbosity);
    let result = work(&progress);
    progress.close();
    result
}

/// Prints a result as JSON or as text, whichever was asked for.
fn show<T: Serialize>(result: &T, text: impl FnOnce() -> String, invocation: &Invocation) -> Result<(), Failure> {
    match invocation.format {
        Format::Json => console::print_json(&serde_json::to_value(result).unwrap_or_default()),
        Format::Text => console::print(&text()),
    }
}

fn run(
    config: &ConfigChoice,
    options: &RunOptions,
    until: Option<&Until>,
    invocation: &Invocation,
) -> Result<(), Failure> {
    let experiment = load(config)?;
    if config.source.has_sweep() && invocation.verbosity > Verbosity::Quiet {
        let source = config.source.display_name();
        console::message(&format!(
            "note: this run is of the config without its [sweep] table\n  hint: `stillhouse sweep {source}` runs the table's cells"
        ));
    }
    let mut stopped_at = None;
    let outcome = with_progress(invocation, |progress| {
        let Some(Until { stage, share }) = until else {
            return stillhouse_experiment::run(&experiment, options, progress, &INTERRUPT);
        };
        let observer = StopAt::new(progress, &INTERRUPT, stage, *share);
        let outcome = stillhouse_experiment::run(&experiment, options, &observer, &INTERRUPT);
        stopped_at =
            observer.reached().map(|(epoch, n_epochs)| format!("stopped: {stage} after {epoch} of {n_epochs} epochs"));
        let unknown = observer.other_stages().map(|stages| {
            let text = format!("--until: this run has no stage `{stage}`, it has {}", stages.join(", "));
            ExperimentError::Usage(text)
        });
        unknown.map_or(outcome, Err)
    });
    let outcome = match (outcome, stopped_at) {
        (Err(ExperimentError::Interrupted), Some(text)) => {
            let goes_on = "the same command without --until goes on from there";
            return show(&json!({ "stopped": text }), || format!("{text}\n  hint: {goes_on}\n"), invocation);
        }
        (outcome, _) => outcome?,
    };
    if invocation.verbosity > Verbosity::Quiet {
        // between the progress and the summary
        console::message("");
    }
    show_run(&outcome, invocation)?;
    match (invocation.format, invocation.verbosity) {
        (Format::Json, _) | (_, Verbosity::Quiet) => Ok(()),
        _ => console::print(&next_steps(&config.source, &outcome.run_dir.join("student"))),
    }
}

/// The summary of a finished run, and where its files are.
fn show_run(outcome: &RunOutcome, invocation: &Invocation) -> Result<(), Failure> {
    match (invocation.format, invocation.verbosity) {
        (Format::Json, _) => console::print_json_lines(&format!("{}\n", outcome.report.to_json().trim_end())),
        (Format::Text, Verbosity::Quiet) => Ok(()),
        (Format::Text, _) => {
            let (page, student) = (outcome.run_dir.join("report.html"), outcome.run_dir.join("student"));
            let summary = outcome.summary.trim_end();
            let shipped = outcome.shipped.as_ref().map(|folder| format!("shipped  {}/\n", folder.display()));
            let exports: String = outcome.exports.iter().map(|file| format!("export   {}\n", file.display())).collect();
            console::print(&format!(
                "{summary}\n\nreport   {}\nstudent  {}/\n{}{exports}",
                page.display(),
                student.display(),
                shipped.unwrap_or_default()
            ))
        }
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

fn check(config: &ConfigChoice, format: Format) -> Result<(), Failure> {
    let source = config.source.display_name();
    let mut checked = Experiment::check(&config.source, &config.overrides);
    if config.source.has_sweep() {
        checked = checked.and_then(|mut checked| {
            let n_cells = load_sweep(&config.source, &config.overrides)?.cells.len();
            checked.notes.push(format!("sweep: all {n_cells} cells of `stillhouse sweep {source}` are checked"));
            Ok(checked)
        });
    }
    match (format, checked) {
        (Format::Json, Err(problems)) => {
            console::print_json(&print::problems_as_json(&problems))?;
            Err(problems.into())
        }
        (Format::Text, Err(problems)) => Err(problems.into()),
        (Format::Json, Ok(checked)) => console::print_json(&print::checked_as_json(&checked, &source)),
        (Format::Text, Ok(checked)) => {
            console::print(&print::checked(&checked, &source))?;
            checked.notes.iter().for_each(|note| console::message(&format!("note: {note}")));
            Ok(())
        }
    }
}

/// What a key is, in each way that kinds of its table have it.
fn describe(key: Option<&str>, invocation: &Invocation) -> Result<(), Failure> {
    let answers = describe_key(key).map_err(Failure::Usage)?;
    let text = || answers.iter().map(|answer| format!("{answer}\n")).collect::<Vec<_>>().join("\n");
    show(&answers, text, invocation)
}

fn init(source: &str, out: Option<&Path>, invocation: &Invocation) -> Result<(), Failure> {
    if let Some(path) = out.filter(|path| path.exists()) {
        return Err(exists(path));
    }
    let config =
        with_progress(invocation, |progress| stillhouse_experiment::init_config(source, progress, &INTERRUPT))?;
    let Some(path) = out else { return console::print(&config) };
    let config = stillhouse_experiment::config_for_folder(&config, path.parent().unwrap_or(Path::new("")));
    let config = format!("#:schema ./{SCHEMA_FILE}\n{config}");
    stillhouse_experiment::write_absent(path, config.as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => Failure::Write { path: path.display().to_string(), error },
    })?;
    write_schema(&path.with_file_name(SCHEMA_FILE))?;
    let path = path.display();
    let hint = format!("`stillhouse check {path}` checks it, `stillhouse run {path}` runs it");
    console::message(&format!("wrote {path}\n  hint: {hint}"));
    Ok(())
}

/// The schema that the config's first line names. Editors with taplo or tombi read it there: no address on the web has it.
const SCHEMA_FILE: &str = "stillhouse.schema.json";

/// Writes the schema; one that is there already stays.
fn write_schema(path: &Path) -> Result<(), Failure> {
    let schema = format!("{:#}\n", config_schema());
    match stillhouse_experiment::write_absent(path, schema.as_bytes()) {
        Ok(()) => {
            console::message(&format!("wrote {}, by which editors complete and explain keys", path.display()));
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if std::fs::read_to_string(path).ok() != Some(schema) {
                let path = path.display();
                console::message(&format!(
                    "note: {path} is there already and not this program's schema\n  hint: `stillhouse schema > {path}` renews it"
                ));
            }
            Ok(())
        }
        Err(error) => Err(Failure::Write { path: path.display().to_string(), error }),
    }
}

fn exists(path: &Path) -> Failure {
    let path = path.display();
    Failure::Usage(format!("{path}: exists already\n  hint: give another file with --out, or remove this one"))
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut options::command_line(), "stillhouse", &mut script);
    console::print_unchanged(&String::from_utf8_lossy(&script))
}
