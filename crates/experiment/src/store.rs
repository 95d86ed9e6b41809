//! Stages and their artifacts: the one rule behind resuming, sharing and splitting work.
//!
//! A stage's key hashes everything that its artifact depends on: its own config, the keys of its inputs, the data and
//! the version of the code of its kind. The artifact lives in `<stage>-<key>/` under the stage store. It is computed in
//! `<stage>-<key>.partial/`, sealed with the checksums of its files, and renamed; a stage whose folder exists is not run
//! again, and always read back from disk, so that a resumed run sees the same bytes as an undisturbed one.

use crate::context::RunContext;
use crate::error::{ExperimentError, Result, system_error};
use crate::files::sync_folder;
use crate::observer::RunEvent;
use crate::planning::Work;
use crate::seal::{check_seal, write_seal};
use crate::stage::Stage;
use crate::stage_lock::lock_stages;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Returns a stage's artifact: reads it if it exists, otherwise produces it first.
///
/// A run calls `produce` if the artifact is missing, then `load`; a context that only reads calls `load` or fails; a plan
/// calls `plan` alone, for the work to record and a stand-in of the artifact. `produce` writes files into the folder that
/// it is given, which survives an interruption; `load` reads them. Several programs may share a store: the second waits for
/// the first one's artifact, and an interruption ends the wait. A finished artifact is read without a lock, so that a store
/// may be one that nobody can write.
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
            recorder.step(stage, !context.is_to_do(stage), work);
            Ok(stand_in)
        };
        return stages.iter().enumerate().map(plan_one).collect();
    }
    if let Some(stage) = stages.iter().find(|stage| context.reads_only() && !stage.is_done(store)) {
        let (store, name, unit) = (store.display(), stage.name(), stillhouse_train::vector_unit());
        let what = format!("{store}: no finished stage {name} of a machine with {unit} vectors");
        return Err(ExperimentError::Usage(format!("{what}\n  hint: `stillhouse run` with the run's config makes it")));
    }
    let missing: Vec<&Stage> = stages.iter().filter(|stage| context.is_to_do(stage)).collect();
    let locks = lock_stages(context, &missing)?;
    // looked at again: another program may have made some of them while this one waited
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
        let folders: Vec<(usize, PathBuf)> =
            to_do.iter().map(|index| (*index, stages[*index].partial(store))).collect();
        for (_, folder) in &folders {
            fs::create_dir_all(folder).map_err(|error| system_error(folder, "cannot be created", &error))?;
            clear_leftovers(folder)?;
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

/// Removes temporary files of a program that was killed: they would be sealed with the artifact and stay for ever.
fn clear_leftovers(partial: &Path) -> Result<()> {
    stillhouse_files::remove_leftovers(partial, true)
        .map_err(|error| system_error(&error.path, "cannot be removed", &error.source))
}

/// Writes the checksums of a stage's files and puts them into their place.
fn seal(store: &Path, stage: &Stage, partial: &Path) -> Result<()> {
    let folder = store.join(stage.folder());
    clear_leftovers(partial)?;
    write_seal(partial, stage)?;
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
    fn leftovers_of_a_killed_program_are_not_sealed() {
        in_context(|context| {
            let stage = Stage::new("s", 1, None, &1);
            let partial = stage.partial(context.stages_dir());
            fs::create_dir_all(&partial).unwrap();
            for name in [".tmpAb12Cd", "checkpoint"] {
                fs::write(partial.join(name), "x").unwrap();
            }
            let produce = |folder: &Path| {
                assert!(folder.join("checkpoint").exists(), "what a run goes on from stays");
                // one that this very run left
                fs::write(folder.join(".tmp-stillhouse-x"), "x").unwrap();
                produce_text(folder, "value")
            };
            run_stage(context, &stage, no_plan, produce, load).unwrap();
            let found = stillhouse_files::names_below(&context.stages_dir().join(stage.folder())).unwrap();
            assert_eq!(found, ["checkpoint", "stage.json", "value"]);
        });
    }

    #[cfg(unix)]
    #[test]
    fn finished_stages_are_read_where_nobody_may_write() {
        use std::os::unix::fs::PermissionsExt;
        in_context(|context| {
            let (done, missing) = (Stage::new("s", 1, None, &1), Stage::new("s", 1, None, &2));
            run_stage(context, &done, no_plan, produce("value"), load).unwrap();
            let store = context.stages_dir();
            for entry in stillhouse_files::entries(store).unwrap().iter().filter(|path| path.is_file()) {
                fs::remove_file(entry).unwrap();
            }
            fs::set_permissions(store, fs::Permissions::from_mode(0o555)).unwrap();
            assert_eq!(run_stage(context, &done, no_plan, produce("again"), load).unwrap(), "value");
            let is_root = fs::write(store.join("probe"), "").is_ok();
            if !is_root {
                let error = run_stage(context, &missing, no_plan, produce("value"), load).unwrap_err();
                assert_eq!(error.exit_code(), 1);
            }
            let locks = stillhouse_files::entries(store).unwrap().iter().any(|path| path.ends_with(".lock"));
            assert!(!locks, "reading takes no lock");
            fs::set_permissions(store, fs::Permissions::from_mode(0o755)).unwrap();
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
