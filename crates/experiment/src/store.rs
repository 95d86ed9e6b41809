//! Stages and their artifacts: the one rule behind resuming, sharing and splitting work.
//!
//! A stage's key hashes everything that its artifact depends on: its own config, the keys of its inputs, the data and
//! the version of the code of its kind. The artifact lives in `<stage>-<key>/` under the stage store. It is computed in
//! `<stage>-<key>.partial/`, sealed with the checksums of its files, and renamed; a stage whose folder exists is not run
//! again, and always read back from disk, so that a resumed run sees the same bytes as an undisturbed one.

use crate::context::RunContext;
use crate::error::{ExperimentError, Result, system_error};
use crate::files::{read_json, sync_folder, write_json};
use crate::observer::RunEvent;
use crate::planning::Work;
use crate::stage::{SEAL, Stage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Checksums of an artifact's files; written last.
#[derive(Serialize, Deserialize)]
struct Seal {
    stage: String,
    key: String,
    /// file name to blake3 hash
    files: BTreeMap<String, String>,
}

/// Returns a stage's artifact: reads it if it exists, otherwise produces it first.
///
/// A run calls `produce` if the artifact is missing, then `load`; a context that only reads calls `load` or fails; a plan
/// calls `plan` alone, for the work to record and a stand-in of the artifact. `produce` writes files into the folder that
/// it is given, which survives an interruption; `load` reads them. Several programs may share a store: the second waits for
/// the first one's artifact.
///
/// # Errors
/// Those of `produce`, `load` and `plan`, and an artifact whose files changed since they were sealed.
pub(crate) fn run_stage<T>(
    context: &RunContext<'_>,
    stage: &Stage,
    plan: impl FnOnce() -> Result<(Work, T)>,
    produce: impl FnOnce(&Path) -> Result<()>,
    load: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    let mut plan = Some(plan);
    let mut load = Some(load);
    let produce = |folders: &[(usize, PathBuf)]| produce(&folders[0].1);
    let load = |_: usize, folder: &Path| (load.take().expect("there is one stage"))(folder);
    let plan = |_: usize| (plan.take().expect("there is one stage"))();
    run_stages(context, std::slice::from_ref(stage), plan, produce, load).map(|mut artifacts| artifacts.remove(0))
}

/// The same for several stages whose missing artifacts are produced together: `produce` is given the positions and
/// folders of the missing stages; `load` and `plan` are called for each stage.
///
/// # Errors
/// As [`run_stage`].
pub(crate) fn run_stages<T>(
    context: &RunContext<'_>,
    stages: &[Stage],
    mut plan: impl FnMut(usize) -> Result<(Work, T)>,
    produce: impl FnOnce(&[(usize, PathBuf)]) -> Result<()>,
    mut load: impl FnMut(usize, &Path) -> Result<T>,
) -> Result<Vec<T>> {
    context.check_interrupt()?;
    let store = context.stages_dir();
    if let Some(recorder) = context.plan() {
        let plan_one = |(index, stage): (usize, &Stage)| {
            let (work, stand_in) = plan(index)?;
            recorder.step(stage, stage.is_done(store), work);
            Ok(stand_in)
        };
        return stages.iter().enumerate().map(plan_one).collect();
    }
    if let Some(stage) = stages.iter().find(|stage| context.reads_only() && !stage.is_done(store)) {
        let (store, name, unit) = (store.display(), stage.name(), stillhouse_train::vector_unit());
        let what = format!("{store}: no finished stage {name} of a machine with {unit} vectors");
        return Err(ExperimentError::Usage(format!("{what}\n  hint: `stillhouse run` with the run's config makes it")));
    }
    fs::create_dir_all(store).map_err(|error| system_error(store, "cannot be created", &error))?;
    let locks = lock_stages(store, stages)?;
    let (to_do, done): (Vec<usize>, Vec<usize>) =
        (0..stages.len()).partition(|index| context.is_to_do(&stages[*index]));
    for index in done {
        context.event(&RunEvent::StageCached { stage: stages[index].name().to_owned() });
    }
    if !to_do.is_empty() {
        compute(context, stages, &to_do, produce)?;
    }
    drop(locks);
    let load_one = |(index, stage): (usize, &Stage)| {
        let folder = store.join(stage.folder());
        check_seal(&folder)?;
        load(index, &folder).map_err(|error| error.context(format_args!("stage {}", stage.name())))
    };
    stages.iter().enumerate().map(load_one).collect()
}

/// Produces the artifacts of the stages at these positions and tells of it.
fn compute(
    context: &RunContext<'_>,
    stages: &[Stage],
    to_do: &[usize],
    produce: impl FnOnce(&[(usize, PathBuf)]) -> Result<()>,
) -> Result<()> {
    let (store, start) = (context.stages_dir(), Instant::now());
    for &index in to_do {
        context.event(&RunEvent::StageStarted { stage: stages[index].name().to_owned() });
    }
    let produce_all = || {
        let partial = |index: &usize| store.join(format!("{}.partial", stages[*index].folder()));
        let folders: Vec<(usize, PathBuf)> = to_do.iter().map(|index| (*index, partial(index))).collect();
        for (_, folder) in &folders {
            fs::create_dir_all(folder).map_err(|error| system_error(folder, "cannot be created", &error))?;
        }
        produce(&folders)?;
        folders.iter().try_for_each(|(index, folder)| seal(store, &stages[*index], folder))
    };
    let made = produce_all();
    for &index in to_do {
        match &made {
            Err(error) => report_failure(context, &stages[index], error),
            Ok(()) => {
                context.mark_computed(&stages[index]);
                let (stage, elapsed_s) = (stages[index].name().to_owned(), start.elapsed().as_secs_f64());
                context.event(&RunEvent::StageFinished { stage, elapsed_s });
            }
        }
    }
    made
}

fn report_failure(context: &RunContext<'_>, stage: &Stage, error: &ExperimentError) {
    if !matches!(error, ExperimentError::Interrupted) {
        context.event(&RunEvent::StageFailed { stage: stage.name().to_owned(), error: error.to_string() });
    }
}

/// Writes the checksums of a stage's files and puts them into their place.
fn seal(store: &Path, stage: &Stage, partial: &Path) -> Result<()> {
    let folder = store.join(stage.folder());
    let seal = Seal { stage: stage.name().to_owned(), key: stage.key().to_owned(), files: checksums(partial)? };
    write_json(&partial.join(SEAL), &seal)?;
    sync_folder(partial);
    let replace = || -> std::io::Result<()> {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::rename(partial, &folder)
    };
    replace().map_err(|error| system_error(&folder, "cannot be put in place", &error))?;
    sync_folder(store);
    Ok(())
}

/// Hashes of every file in a folder but the seal and hidden ones, with their paths relative to it.
fn checksums(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let found = stillhouse_files::files_below(folder)
        .map_err(|error| system_error(&error.path, "cannot be read", &error.source))?;
    for path in found.into_iter().filter(|path| path.file_name().is_some_and(|name| name != SEAL)) {
        let name = path.strip_prefix(folder).expect("below the folder").to_string_lossy().into_owned();
        files.insert(name, hash_file(&path)?);
    }
    Ok(files)
}

fn hash_file(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(path).map_err(|error| system_error(path, "cannot be read", &error))?;
    std::io::copy(&mut file, &mut hasher).map_err(|error| system_error(path, "cannot be read", &error))?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn check_seal(folder: &Path) -> Result<()> {
    let remedy = format!("remove the folder {} to compute the stage again", folder.display());
    let seal: Result<Seal> = read_json(&folder.join(SEAL));
    let seal = seal.map_err(|error| match error {
        ExperimentError::BadData(error) => ExperimentError::BadData(anyhow::anyhow!("{error:#}\n  hint: {remedy}")),
        error => error,
    })?;
    let found = checksums(folder)?;
    let changed = seal.files.iter().find(|(name, hash)| found.get(*name) != Some(*hash));
    let Some((name, expected)) = changed else { return Ok(()) };
    let what = match found.get(name) {
        Some(hash) => format!("changed since it was written (checksum {}, expected {})", &hash[..12], &expected[..12]),
        None => "missing".to_owned(),
    };
    Err(ExperimentError::BadData(anyhow::anyhow!("{}: {what}\n  hint: {remedy}", folder.join(name).display())))
}

/// One writer of a stage at a time, also across programs: locks in the order of their names, so that two programs never wait
/// for each other. A lock ends with the file handle; the empty file stays, since removing it would let two waiting programs
/// lock two different files of one name.
fn lock_stages(store: &Path, stages: &[Stage]) -> Result<Vec<File>> {
    let mut paths: Vec<PathBuf> = stages.iter().map(|stage| store.join(format!(".{}.lock", stage.folder()))).collect();
    paths.sort();
    let lock = |path: PathBuf| {
        let file = File::create(&path).map_err(|error| system_error(&path, "cannot be created", &error))?;
        file.lock().map_err(|error| system_error(&path, "cannot be locked", &error))?;
        Ok(file)
    };
    paths.into_iter().map(lock).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::{Interrupt, Silent};
    use crate::options::RunOptions;

    fn in_context<T>(test: impl FnOnce(&RunContext<'_>) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::new();
        let options = RunOptions::quiet();
        test(&RunContext::new(folder.path(), &options, &Silent, &interrupt).unwrap())
    }

    fn produce_text(folder: &Path, text: &str) -> Result<()> {
        crate::files::write_whole(&folder.join("value"), text.as_bytes())
    }

    fn produce(text: &'static str) -> impl FnOnce(&Path) -> Result<()> {
        move |folder| produce_text(folder, text)
    }

    fn load(folder: &Path) -> Result<String> {
        Ok(fs::read_to_string(folder.join("value")).unwrap())
    }

    fn no_plan() -> Result<(Work, String)> {
        unreachable!("the context is no plan's")
    }

    #[test]
    fn a_finished_stage_is_not_run_again() {
        in_context(|context| {
            let stage = Stage::new("s", 1, None, &1);
            assert_eq!(run_stage(context, &stage, no_plan, produce("first"), load).unwrap(), "first");
            assert_eq!(run_stage(context, &stage, no_plan, produce("second"), load).unwrap(), "first");
        });
    }

    #[test]
    fn a_failed_stage_leaves_nothing_that_looks_done() {
        in_context(|context| {
            let stage = Stage::new("s", 1, None, &1);
            let fail = |_: &Path| Err(ExperimentError::Usage("no".into()));
            assert!(run_stage(context, &stage, no_plan, fail, load).is_err());
            assert!(!stage.is_done(context.stages_dir()));
        });
    }

    #[test]
    fn stages_produced_together_are_stages_of_their_own() {
        in_context(|context| {
            let stages = [1, 2, 3].map(|input| Stage::new("s", 1, None, &input));
            run_stage(context, &stages[1], no_plan, produce("alone"), load).unwrap();
            let write = |folders: &[(usize, PathBuf)]| {
                let text = |index: usize| format!("together {index}");
                folders.iter().try_for_each(|(index, folder)| produce_text(folder, &text(*index)))
            };
            let texts = run_stages(context, &stages, |_| no_plan(), write, |_, folder| load(folder)).unwrap();
            assert_eq!(texts, ["together 0", "alone", "together 2"]);
            assert_eq!(run_stage(context, &stages[2], no_plan, produce("again"), load).unwrap(), "together 2");
        });
    }

    #[test]
    fn a_flipped_byte_is_found() {
        in_context(|context| {
            let stage = Stage::new("s", 1, None, &1);
            run_stage(context, &stage, no_plan, produce("value"), load).unwrap();
            fs::write(context.stages_dir().join(stage.folder()).join("value"), "vblue").unwrap();
            let error = run_stage(context, &stage, no_plan, produce("value"), load).unwrap_err();
            assert_eq!(error.exit_code(), 3);
            assert!(error.to_string().contains("changed since it was written"), "{error}");
        });
    }
}
