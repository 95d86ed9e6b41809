//! The teachers' predictions for every example that a student learns from, computed once and stored on disk for all students; or,
//! with `keep = "one_view"`, by each student's training as it goes.

use crate::error::{Result, unusable_store};
use crate::networks::artifacts::StoredTargets;
use crate::networks::member::Member;
use crate::networks::student_targets::StudentTargets;
use crate::networks::targets::{OpenStore, layout, rows_of_views, store_bytes, targets_info, write_stores};
use crate::networks::teacher::Teacher;
use crate::networks::teachers::Wanted;
use crate::planning::Work;
use crate::role::Role;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stages;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillhouse_ensemble::Soften;
use stillhouse_targets::{KeepTargets, Layout, SoftTargets, TargetsInfo};

/// Raise this when soft targets are computed or stored in another way.
const CODE_VERSION: u32 = 8;
const TARGETS: &str = "targets.safetensors";

/// The stage that stores a teacher's soft targets.
fn targets_stage(session: &Session<'_>, wanted: &Wanted<'_>) -> Stage {
    let is_merged = matches!(wanted.teacher, Teacher::Merged(_));
    let merge = &session.config.merge;
    let temperature = (merge.soften == Soften::BeforeMerge).then(|| session.config.student.temperature());
    let merge = is_merged.then_some((merge, temperature));
    let teachers = wanted.teacher.stages();
    // an example itself is not its only view
    let n_views = if session.config.is_plain_for_students() { 0 } else { session.student_views().len() };
    let (examples, name) = (&session.student.fingerprint, store_of(wanted.student));
    match session.config.soft_targets.keep {
        KeepTargets::AllViews => {
            let layout = layout(session, session.student_views().len());
            Stage::new(name, CODE_VERSION, None, &(examples, teachers, merge, n_views, layout))
        }
        keep @ KeepTargets::OneView => {
            Stage::new(name, CODE_VERSION, None, &(examples, teachers, merge, n_views, layout(session, 1), keep))
        }
    }
}

/// Name of the stage that stores the soft targets for a student.
fn store_of(student: Role) -> &'static str {
    match student {
        Role::TwinOnGeneralist => "soft_targets_generalist",
        Role::TwinOnPlainEnsemble => "soft_targets_ensemble",
        _ => "soft_targets",
    }
}

/// The soft targets of the students, in the order of `wanted`.
pub(crate) fn store_soft_targets<'a>(
    session: &Session<'_>,
    wanted: &'a [Wanted<'a>],
) -> Result<Vec<StudentTargets<'a>>> {
    let stages: Vec<Stage> = wanted.iter().map(|wanted| targets_stage(session, wanted)).collect();
    Ok(match session.config.soft_targets.keep {
        KeepTargets::AllViews => {
            store_all_views(session, wanted, &stages)?.into_iter().map(StudentTargets::Stored).collect()
        }
        KeepTargets::OneView => {
            let in_passing =
                |(stage, wanted): (Stage, &'a Wanted<'a>)| StudentTargets::InPassing(stage, &wanted.teacher);
            stages.into_iter().zip(wanted).map(in_passing).collect()
        }
    })
}

/// Writes the soft targets of several teachers for all views of all examples that a student learns from, or opens stores that were
/// written before. One pass over the examples serves all stores that are still to be written.
fn store_all_views(session: &Session<'_>, wanted: &[Wanted<'_>], stages: &[Stage]) -> Result<Vec<StoredTargets>> {
    let views = session.student_views();
    let plan = |index: usize| {
        let n_rows = session.student.all.len() * views.len();
        let members = wanted[index].teacher.members();
        let networks = members.iter().map(Member::stage);
        let work = Work::stored_prediction(networks, n_rows, store_bytes(session, views.len()));
        Ok((work, StoredTargets { stage: stages[index].clone(), targets: None }))
    };
    let produce = |folders: &[(usize, PathBuf)]| {
        let rows = rows_of_views(session, &views);
        let mut stores = Vec::with_capacity(folders.len());
        for (index, folder) in folders {
            let (name, teacher) = (store_of(wanted[*index].student), &wanted[*index].teacher);
            let info = targets_info(session, teacher, &views);
            session.context.note(name, announcement(&info, rows.len()));
            stores.push(OpenStore::resume(Some(name), teacher, folder.join(TARGETS), info, &rows)?);
        }
        session.context.with_all_threads(|| write_stores(session, &rows, &stores))??;
        stores.into_iter().try_for_each(OpenStore::finish)
    };
    let load = |index: usize, folder: &Path| {
        let path = folder.join(TARGETS);
        let targets = SoftTargets::open(&path).map_err(|error| unusable_store(&error))?;
        targets.check_dataset(&session.student.fingerprint).map_err(|error| unusable_store(&error))?;
        Ok(StoredTargets { stage: stages[index].clone(), targets: Some(Arc::new(targets)) })
    };
    run_stages(session.context, stages, plan, produce, load)
}

/// Size and layout, before anything is written.
fn announcement(info: &TargetsInfo, n_rows: usize) -> String {
    let n_classes = info.n_classes();
    let megabytes = |layout: &Layout| layout.size_bytes(n_rows, n_classes) as f64 / 1e6;
    let size = megabytes(&info.layout);
    match &info.layout {
        Layout::Dense {} => format!("writes {size:.1} MB of soft targets for {n_rows} views of examples"),
        Layout::Sparse(layout) => format!(
            "writes {size:.1} MB of soft targets for {n_rows} views of examples: {} of {n_classes} classes each, and the \
             mass of the others ({:.1} MB with all classes)",
            layout.k,
            megabytes(&Layout::Dense {})
        ),
    }
}
