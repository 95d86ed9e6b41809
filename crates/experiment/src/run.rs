//! A run directory around the pipeline: lock, manifest, events, reports, the student's model folder.

use crate::card::{card_numbers, hub_card};
use crate::config::Experiment;
use crate::context::RunContext;
use crate::error::{ExperimentError, Result, model_folder_error, system_error};
use crate::export::of_run::write_exports;
use crate::files::{copy_whole, read_json, write_json, write_whole};
use crate::loading::{load, open_session, summarise};
use crate::observer::{Interrupt, Observer};
use crate::options::RunOptions;
use crate::outputs::check_config_output;
use crate::pipeline::{Outcome, TestData, run_pipeline};
use crate::preflight::{check_run_dir, check_work};
use crate::report::{Report, ReportPage, html_page, markdown, terminal_summary};
use crate::role::Role;
use crate::run_dir::{
    CLASSES, CONFIG, MANIFEST, Manifest, PAGE, PREDICTIONS, REPORT, REPORT_HTML, REPORT_MD, SHIPPED, STUDENT,
    lock_folder, open_manifest, provenance, wall_seconds,
};
use crate::steps::evaluation::Evaluated;
use crate::steps::ship::Shipped;
use std::path::{Path, PathBuf};
use std::time::Instant;
use stillhouse_core::InputSpec;
use stillhouse_files::remove_leftovers;
use stillhouse_models::{ModelCard, save_model, save_rounded_model};

/// A finished run.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// Where everything is.
    pub run_dir: PathBuf,
    /// The numbers.
    pub report: Report,
    /// The folder of the shipped student, where there is one.
    pub shipped: Option<PathBuf>,
    /// The files to open first of what was exported.
    pub exports: Vec<PathBuf>,
    /// A table for the terminal, at most 80 columns wide.
    pub summary: String,
}

/// Runs an experiment, or goes on with it, from a dataset to a report.
///
/// # Errors
/// Everything in [`ExperimentError`]; finished stages stay, and the next run goes on from them.
pub fn run(
    experiment: &Experiment,
    options: &RunOptions,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<RunOutcome> {
    let start = Instant::now();
    let run_dir = options.run_dir(experiment);
    let device = options.open_device()?;
    check_run_dir(experiment, &run_dir)?;
    let _lock = lock_folder(&run_dir, "run directory")?;
    check_config_output(experiment, &run_dir.join(CONFIG))?;
    remove_leftovers(&run_dir, false).map_err(|error| system_error(&error.path, "cannot be removed", &error.source))?;
    write_whole(&run_dir.join(CONFIG), experiment.to_toml_in(&run_dir).as_bytes())?;
    let context = RunContext::new(&run_dir, options, observer, interrupt)?;
    let (fetched, dataset) = load(experiment, &context)?;
    let mut manifest = open_manifest(&run_dir, experiment, options, &dataset)?;
    let constants = dataset.input.clone();
    let labels = dataset.labels.clone();
    let summary = summarise(&dataset);
    let (session, test) = open_session(&fetched, dataset, device, &context)?;
    check_work(&session)?;
    let test_data = TestData { run_name: experiment.name(), dataset: summary, test };
    let Outcome { student, ship, temperatures, evaluated } = run_pipeline(&session, Some(test_data))?;
    let mut evaluated = evaluated.expect("only a plan evaluates nothing");

    let this_time = manifest.sessions.last_mut().expect("this session");
    this_time.wall_seconds = Some(start.elapsed().as_secs_f64());
    this_time.computed = context.has_computed();
    evaluated.report.wall_seconds = wall_seconds(&manifest);
    write_json(&run_dir.join(MANIFEST), &manifest)?;
    let student = temperatures.applied_to(&student)?;
    let card = ModelCard {
        name: format!("{} student", experiment.name()),
        input: InputSpec { shape: *student.input(), ..constants },
        labels,
        numbers: card_numbers(&evaluated.report, Role::Student),
        hub: hub_card(experiment.config(), &evaluated.report, Role::Student),
    };
    save_model(&run_dir.join(STUDENT), &student, &card)
        .map_err(|error| model_folder_error(&run_dir.join(STUDENT), &error))?;
    let mut shipped = None;
    if let Some(Shipped { network, bits, .. }) = ship.as_ref().and_then(|ship| ship.shipped.as_ref()) {
        let numbers = card_numbers(&evaluated.report, Role::Shipped);
        let card = ModelCard {
            name: format!("{} shipped student", experiment.name()),
            numbers,
            hub: hub_card(experiment.config(), &evaluated.report, Role::Shipped),
            ..card.clone()
        };
        let network = temperatures.applied_to(network)?;
        save_rounded_model(&run_dir.join(SHIPPED), &network, &card, bits)
            .map_err(|error| model_folder_error(&run_dir.join(SHIPPED), &error))?;
        shipped = Some((network, card));
    }
    let exports = match shipped {
        Some((model, card)) => write_exports(&session, &run_dir, &model, &card),
        None => write_exports(&session, &run_dir, &student, &card),
    };
    evaluated.report.exports = exports.written;
    evaluated.report.warnings.extend(exports.warnings);
    for table in [PREDICTIONS, CLASSES] {
        copy_whole(&evaluated.stage_dir.join(table), &run_dir.join(table))?;
    }
    write_json(&run_dir.join(PAGE), &evaluated)?;
    render(&run_dir, &evaluated, &manifest, &experiment.to_toml_in(&run_dir))
}

/// Writes the reports of a finished run anew, from its stored numbers.
///
/// # Errors
/// A folder that holds no finished run.
pub fn render_report(run_dir: &Path) -> Result<RunOutcome> {
    let page = run_dir.join(PAGE);
    if !page.is_file() {
        return Err(ExperimentError::Usage(format!(
            "{}: no finished run here ({PAGE} is missing)\n  hint: `stillhouse run` finishes a run, `stillhouse status` shows how far it is",
            run_dir.display()
        )));
    }
    let evaluated: Evaluated = read_json(&page)?;
    let manifest: Manifest = read_json(&run_dir.join(MANIFEST))?;
    let config = run_dir.join(CONFIG);
    let config_toml =
        std::fs::read_to_string(&config).map_err(|error| system_error(&config, "cannot be read", &error))?;
    render(run_dir, &evaluated, &manifest, &config_toml)
}

fn render(run_dir: &Path, evaluated: &Evaluated, manifest: &Manifest, config_toml: &str) -> Result<RunOutcome> {
    let report = &evaluated.report;
    let page = ReportPage {
        report,
        curves: evaluated.curves.clone(),
        cluster_galleries: evaluated.cluster_galleries.clone(),
        soft_target_samples: evaluated.soft_target_samples.clone(),
        confused_examples: evaluated.confused_examples.clone(),
        provenance: provenance(manifest),
        config_toml: config_toml.to_owned(),
    };
    write_whole(&run_dir.join(REPORT_MD), markdown(report).as_bytes())?;
    write_whole(&run_dir.join(REPORT_HTML), html_page(&page).as_bytes())?;
    // last, since programs take its presence for the end of the run
    write_whole(&run_dir.join(REPORT), report.to_json().as_bytes())?;
    let shipped = report.model(Role::Shipped).map(|_| run_dir.join(SHIPPED));
    let exports = report.exports.iter().map(|export| run_dir.join(&export.path)).collect();
    let summary = terminal_summary(report);
    Ok(RunOutcome { run_dir: run_dir.to_owned(), report: report.clone(), shipped, exports, summary })
}
