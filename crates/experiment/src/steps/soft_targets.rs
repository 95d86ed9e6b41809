//! The teachers' predictions for every example that a student learns from, computed once and stored on disk for all students.
//!
//! N examples, V views of each, C classes.

use crate::error::{ExperimentError, Result, store_error, unusable_store};
use crate::networks::artifacts::StoredTargets;
use crate::networks::member::Member;
use crate::networks::predictions::{PROBS_AT_ONCE, Predictions, distinct};
use crate::networks::teacher::Teacher;
use crate::networks::teachers::Wanted;
use crate::planning::Work;
use crate::role::Role;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stages;
use rayon::prelude::*;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillhouse_core::ExampleView;
use stillhouse_ensemble::Soften;
use stillhouse_targets::{Layout, SoftTargets, TargetsError, TargetsInfo, TargetsWriter, TeacherInfo};

/// Raise this when soft targets are computed or stored in another way.
const CODE_VERSION: u32 = 8;
const TARGETS: &str = "targets.safetensors";
/// Rows after which progress is told and kept, and an interruption noticed: some seconds' work of a slow teacher.
const ROWS_AT_ONCE: usize = 1 << 15;

/// The stage that stores a teacher's soft targets.
fn targets_stage(session: &Session<'_>, wanted: &Wanted<'_>) -> Stage {
    let is_merged = matches!(wanted.teacher, Teacher::Merged(_));
    let merge = &session.config.merge;
    let temperature = (merge.soften == Soften::BeforeMerge).then(|| session.config.student.temperature());
    let merge = is_merged.then_some((merge, temperature));
    let teachers = wanted.teacher.stages();
    // an example itself is not its only view
    let n_views = if session.config.is_plain_for_students() { 0 } else { session.student_views().len() };
    let inputs = (&session.student.fingerprint, teachers, merge, n_views, layout(session));
    Stage::new(store_of(wanted.student), CODE_VERSION, None, &inputs)
}

/// What is kept of each distribution.
fn layout(session: &Session<'_>) -> Layout {
    let n_rows = session.student.all.len() * session.student_views().len();
    session.config.soft_targets_layout(n_rows, session.data.n_classes())
}

/// Name of the stage that stores the soft targets for a student.
fn store_of(student: Role) -> &'static str {
    match student {
        Role::TwinOnGeneralist => "soft_targets_generalist",
        Role::TwinOnPlainEnsemble => "soft_targets_ensemble",
        _ => "soft_targets",
    }
}

/// Writes the soft targets of several teachers for all examples that a student learns from, or opens stores that were written
/// before; in the order of `wanted`. One pass over the examples serves all stores that are still to be written.
pub(crate) fn store_soft_targets(session: &Session<'_>, wanted: &[Wanted<'_>]) -> Result<Vec<StoredTargets>> {
    let stages: Vec<Stage> = wanted.iter().map(|wanted| targets_stage(session, wanted)).collect();
    let plan = |index: usize| {
        let n_rows = session.student.all.len() * session.student_views().len();
        let disk_bytes = layout(session).size_bytes(n_rows, session.data.n_classes());
        let members = wanted[index].teacher.members();
        let work = Work::stored_prediction(members.iter().map(Member::stage), n_rows, disk_bytes);
        Ok((work, StoredTargets { stage: stages[index].clone(), targets: None }))
    };
    let produce = |folders: &[(usize, PathBuf)]| {
        let rows = rows(session);
        let keys: Vec<ExampleView> = rows.iter().map(|(key, _)| *key).collect();
        let mut stores = Vec::with_capacity(folders.len());
        for (index, folder) in folders {
            let (name, teacher) = (store_of(wanted[*index].student), &wanted[*index].teacher);
            let path = folder.join(TARGETS);
            let info = info(session, teacher);
            session.context.note(name, announcement(&info, rows.len()));
            let writer = TargetsWriter::resume(&path, info, keys.clone());
            let writer = writer.map_err(|error| store_error(&path, &error))?;
            stores.push(OpenStore { name, teacher, path, writer });
        }
        session.context.with_all_threads(|| write(session, &rows, &stores))??;
        stores.into_iter().try_for_each(OpenStore::finish)
    };
    let load = |index: usize, folder: &Path| {
        let path = folder.join(TARGETS);
        let targets = SoftTargets::open(&path).map_err(|error| unusable_store(&error))?;
        targets.check_dataset(&session.student.fingerprint).map_err(|error| unusable_store(&error))?;
        Ok(StoredTargets { stage: stages[index].clone(), targets: Some(Arc::new(targets)) })
    };
    run_stages(session.context, &stages, plan, produce, load)
}

/// A store that is being written.
struct OpenStore<'a> {
    name: &'a str,
    teacher: &'a Teacher<'a>,
    path: PathBuf,
    writer: TargetsWriter,
}

impl OpenStore<'_> {
    /// Chunks among these that are still to be written, ascending.
    fn missing(&self, chunks: &Range<usize>) -> Vec<usize> {
        self.writer.missing_chunks().into_iter().filter(|chunk| chunks.contains(chunk)).collect()
    }

    /// Writes the missing chunks among these; `probs` are those of all of them, `[rows, C]`.
    fn write(&self, chunks: &Range<usize>, probs: &[f32]) -> Result<()> {
        let n_classes = self.writer.n_classes();
        let first = self.writer.chunk_rows(chunks.start).start;
        let of_chunk = |chunk: usize| {
            let rows = self.writer.chunk_rows(chunk);
            &probs[(rows.start - first) * n_classes..(rows.end - first) * n_classes]
        };
        let written =
            self.missing(chunks).into_par_iter().try_for_each(|chunk| self.writer.write_chunk(chunk, of_chunk(chunk)));
        written.map_err(failed)
    }

    fn finish(self) -> Result<()> {
        self.writer.finish().map_err(|error| store_error(&self.path, &error))
    }
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

fn info(session: &Session<'_>, teacher: &Teacher<'_>) -> TargetsInfo {
    TargetsInfo {
        layout: layout(session),
        dataset: session.student.fingerprint.clone(),
        teachers: teacher
            .members()
            .iter()
            .map(|member| TeacherInfo { name: member.name().to_owned(), fingerprint: member.stage().key().to_owned() })
            .collect(),
        transform: transform(session),
        labels: session.data.labels.clone(),
    }
}

/// What was done to the examples, in words.
fn transform(session: &Session<'_>) -> String {
    let n_views = session.student_views().len();
    match (&session.config.student.mix, session.config.student_has_views()) {
        (_, false) => "none".to_owned(),
        (None, true) => format!("{n_views} augmented views"),
        (Some(mix), true) => format!("{n_views} views, {:.0} % of them mixed with another example", 100.0 * mix.share),
    }
}

/// The store's rows in their order: what is seen, and the row of the student's examples.
fn rows(session: &Session<'_>) -> Vec<(ExampleView, usize)> {
    let (views, examples) = (session.student_views(), &session.student.all);
    let of_row = |row: usize| {
        let example = examples.example_id(row);
        views.iter().map(move |view| (ExampleView { example, view: *view }, row))
    };
    let mut rows: Vec<_> = (0..examples.len()).flat_map(of_row).collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    rows
}

/// Predicts and writes the chunks that are still missing. Chunks are predicted in groups by their numbers, and a group always as
/// a whole: after an interruption the same rows are predicted together as without one.
fn write(session: &Session<'_>, rows: &[(ExampleView, usize)], stores: &[OpenStore<'_>]) -> Result<()> {
    // all stores have the same rows and layout, and so the same chunks
    let Some(OpenStore { writer, .. }) = stores.first() else { return Ok(()) };
    let n_chunks = writer.n_chunks();
    let rows_at_once = (PROBS_AT_ONCE / session.data.n_classes()).min(ROWS_AT_ONCE);
    let chunks_at_once = (rows_at_once / writer.chunk_rows(0).len()).max(1);
    for start in (0..n_chunks).step_by(chunks_at_once) {
        let chunks = start..(start + chunks_at_once).min(n_chunks);
        let unfinished: Vec<&OpenStore<'_>> =
            stores.iter().filter(|store| !store.missing(&chunks).is_empty()).collect();
        unfinished.iter().for_each(|store| session.context.progress(store.name, start as u64, n_chunks as u64));
        let teachers: Vec<&Teacher<'_>> = unfinished.iter().map(|store| store.teacher).collect();
        let rows = &rows[writer.chunk_rows(chunks.start).start..writer.chunk_rows(chunks.end - 1).end];
        let probs = soft_targets_of(session, &teachers, rows)?;
        unfinished.iter().zip(probs).try_for_each(|(store, probs)| store.write(&chunks, &probs))?;
    }
    Ok(())
}

/// The soft targets of several teachers for some views of examples, `[rows, C]` each; every network predicts once.
pub(crate) fn soft_targets_of(
    session: &Session<'_>,
    teachers: &[&Teacher<'_>],
    rows: &[(ExampleView, usize)],
) -> Result<Vec<Vec<f32>>> {
    let n_classes = session.data.n_classes();
    let mut probs = vec![vec![0.0; rows.len() * n_classes]; teachers.len()];
    if teachers.is_empty() {
        return Ok(probs);
    }
    let members = distinct(teachers.iter().flat_map(|teacher| teacher.members()));
    for view in session.student_views() {
        let positions: Vec<usize> = (0..rows.len()).filter(|position| rows[*position].0.view == view).collect();
        let of_split: Vec<usize> = positions.iter().map(|position| rows[*position].1).collect();
        let split = session.student.all.select(&of_split);
        let predictions = Predictions::new(session, &members, &split, view)?;
        for (teacher, probs) in teachers.iter().zip(&mut probs) {
            let targets = teacher.soft_targets(session, &predictions.of_all(&teacher.members()))?;
            for (position, targets) in positions.iter().zip(targets.chunks_exact(n_classes)) {
                probs[position * n_classes..][..n_classes].copy_from_slice(targets);
            }
        }
    }
    Ok(probs)
}

fn failed(error: TargetsError) -> ExperimentError {
    ExperimentError::Failed(error.into())
}
