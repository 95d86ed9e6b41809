//! What would be refused after hours of training, refused before the first stage: names that others use, labels that cannot
//! be written, a store without room.
//!
//! The work that is still to be done is known from a plan: the pipeline, walked without computing anything.

use crate::config::Experiment;
use crate::error::{ExperimentError, Result, model_folder_error, system_error};
use crate::observer::{PlannedWork, RunEvent};
use crate::outputs::{check_absent, check_outputs};
use crate::pipeline::run_pipeline;
use crate::planning::{PlannedStep, flops};
use crate::report::format::bytes;
use crate::run_dir::{
    CLASSES, CONFIG, LOCK, MANIFEST, PAGE, PREDICTIONS, REPORT, REPORT_HTML, REPORT_MD, SHIPPED, STUDENT, read_manifest,
};
use crate::run_log::{METRICS, METRICS_TABLE};
use crate::session::Session;
use std::path::Path;
use stillhouse_files::{free_bytes, is_same_file, used_bytes};
use stillhouse_models::{check_labels, check_place};

/// Files of a run's folder, apart from the config.
const OUTPUTS: [&str; 9] =
    [MANIFEST, METRICS, METRICS_TABLE, PREDICTIONS, CLASSES, PAGE, REPORT_MD, REPORT_HTML, REPORT];

/// Refuses a folder in which a run would replace what it reads, or what no run has made. Before anything is written.
///
/// # Errors
/// The first name that is in the way.
pub(crate) fn check_run_dir(experiment: &Experiment, run_dir: &Path) -> Result<()> {
    let is_of_a_run = run_dir.join(LOCK).exists() || read_manifest(run_dir).is_some();
    check_outputs(experiment, run_dir, &OUTPUTS, is_of_a_run)?;
    let config = run_dir.join(CONFIG);
    // the given config itself is `check_config_output`'s business
    let is_given = experiment.source().is_some_and(|source| is_same_file(source, &config));
    check_absent(&config, is_of_a_run || is_given)?;
    let models = [Some(STUDENT), experiment.config().ship.is_some().then_some(SHIPPED)];
    models.into_iter().flatten().try_for_each(|name| {
        let folder = run_dir.join(name);
        check_place(&folder).map_err(|error| model_folder_error(&folder, &error))
    })
}

/// Refuses work whose results could not be kept: labels that do not fit into `labels.txt`, a store of stages that cannot
/// be written although stages are missing, less room on the disk than their files take. Tells the observer what is to be done.
///
/// # Errors
/// The first reason; those of the walk through the pipeline.
pub(crate) fn check_work(session: &Session<'_>) -> Result<()> {
    check_data(session)?;
    let planning = session.context.for_planning();
    run_pipeline(&Session { context: &planning, ..session.clone() }, None)?;
    let steps = planning.plan().expect("made for planning").take().steps;
    let work = |(step, flops): (&PlannedStep, f64)| {
        let stage = step.stage.name().to_owned();
        PlannedWork { stage, flops, is_done: step.is_done && !session.context.is_forced(&step.stage) }
    };
    session.context.event(&RunEvent::Planned { stages: steps.iter().zip(flops(&steps)).map(work).collect() });
    let store = session.context.stages_dir();
    let Some(n_bytes) = missing_bytes(store, &steps) else { return Ok(()) };
    check_writable(store)?;
    // under `--force`, artifacts take the place of earlier ones, which may be another user's
    let mut replaced = steps.iter().filter(|step| !step.is_done).filter_map(|step| step.stage.artifact(store));
    replaced.try_for_each(|folder| check_writable(&folder))?;
    match shortage(store, n_bytes) {
        Some(what) => Err(ExperimentError::Failed(anyhow::anyhow!("{what}"))),
        None => Ok(()),
    }
}

/// Refuses labels that the student's folder cannot hold.
///
/// # Errors
/// The first such label.
pub(crate) fn check_data(session: &Session<'_>) -> Result<()> {
    check_labels(&session.data.labels).map_err(|error| ExperimentError::BadData(anyhow::anyhow!("data: {error}")))
}

/// Bytes that the stages which are not there yet will take; none if all are there. What an earlier run wrote of a stage is on
/// the disk already.
pub(crate) fn missing_bytes(store: &Path, steps: &[PlannedStep]) -> Option<u64> {
    let missing = steps.iter().filter(|step| !step.is_done);
    let bytes = |step: &PlannedStep| step.work.disk_bytes().saturating_sub(used_bytes(&step.stage.partial(store)));
    missing.map(bytes).reduce(u64::saturating_add)
}

/// Says that a store's disk has less room than is needed, if that is so.
pub(crate) fn shortage(store: &Path, n_bytes: u64) -> Option<String> {
    shortage_of(store, n_bytes, free_bytes(store)?)
}

fn shortage_of(store: &Path, n_bytes: u64, n_free: u64) -> Option<String> {
    if n_bytes <= n_free {
        return None;
    }
    let (needed, free) = (bytes(n_bytes), bytes(n_free));
    Some(format!(
        "{}: the missing stages take about {needed} ({n_bytes} bytes), but {free} ({n_free} bytes) are free on this disk\n  \
         hint: free some space, or put the stages on another disk with --stages",
        store.display()
    ))
}

/// Refuses a store in which no file can be made.
fn check_writable(store: &Path) -> Result<()> {
    let probe = std::fs::create_dir_all(store).and_then(|()| stillhouse_files::NewFile::create(&store.join("probe")));
    // dropped without being kept, so nothing stays
    probe.map(drop).map_err(|error| {
        let what = "stages are to be computed, and cannot be written here";
        system_error(store, what, &error).hint("give another folder with --stages")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigSource;
    use crate::observer::{Interrupt, Silent};
    use crate::options::RunOptions;
    use std::fs;

    const GLYPHS: &str = include_str!("../../../configs/glyphs.toml");

    /// The error of a run into a folder, which has to come before any stage.
    fn refusal(folder: &Path, overrides: &[&str]) -> ExperimentError {
        let path = folder.join("glyphs.toml");
        fs::write(&path, GLYPHS).unwrap();
        let small = ["data.n_classes=12", "data.train_per_class=20", "data.test_per_class=4"];
        let overrides: Vec<String> = small.iter().chain(overrides).map(|text| (*text).to_owned()).collect();
        let experiment = Experiment::load(&ConfigSource::File(path), &overrides).unwrap();
        let options = RunOptions { out: Some(folder.join("out")), ..RunOptions::quiet() };
        let error = crate::run::run(&experiment, &options, &Silent, &Interrupt::new()).unwrap_err();
        let stages = stillhouse_files::entries(&folder.join("out/stages")).unwrap_or_default();
        assert_eq!(stages, [] as [std::path::PathBuf; 0], "{error}");
        error
    }

    #[test]
    fn a_run_without_room_is_refused_before_its_first_stage() {
        let folder = tempfile::tempdir().unwrap();
        // three terabytes of soft targets
        let many = ["student.views=1000000", "data.n_classes=120", "data.train_per_class=60"];
        let error = refusal(folder.path(), &many);
        assert_eq!(error.exit_code(), 1, "{error}");
        assert!(error.to_string().contains("are free on this disk"), "{error}");
    }

    #[test]
    fn names_in_the_way_are_refused_before_anything_is_written() {
        for (name, code) in [
            ("student/thesis.txt", 3),
            ("report.md", 2),
            ("predictions.csv", 2),
            ("config.toml", 2),
            ("report.html/x", 2),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("out").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "mine").unwrap();
            let error = refusal(folder.path(), &[]);
            assert_eq!(error.exit_code(), code, "{error}");
            let found = stillhouse_files::names_below(&folder.path().join("out")).unwrap();
            assert_eq!((found, fs::read_to_string(path).unwrap()), (vec![name.to_owned()], "mine".to_owned()));
        }
    }

    #[test]
    fn a_shortage_is_told_in_bytes() {
        let store = Path::new("stages");
        assert_eq!(shortage_of(store, 1000, 1000), None);
        let text = shortage_of(store, 12_000_000_000, 3_000_000).unwrap();
        assert!(
            text.contains("12000000000 bytes") && text.contains("3000000 bytes") && text.contains("hint:"),
            "{text}"
        );
    }

    #[test]
    fn a_store_that_cannot_be_made_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        let error = check_writable(&file.join("stages")).unwrap_err();
        assert!(error.to_string().contains("--stages"), "{error}");
        check_writable(&folder.path().join("a/b")).unwrap();
        assert_eq!(stillhouse_files::names_below(folder.path()).unwrap(), ["file"]);
    }
}
