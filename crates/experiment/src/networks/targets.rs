//! Soft targets on disk: what teachers predict for views of the examples that a student learns from.
//!
//! N examples, V views of each, C classes.

use crate::error::{ExperimentError, Result, store_error};
use crate::networks::member::Member;
use crate::networks::predictions::{PROBS_AT_ONCE, Predictions, distinct};
use crate::networks::teacher::Teacher;
use crate::session::Session;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use stillhouse_core::{ExampleView, ViewId};
use stillhouse_targets::{Layout, TargetsError, TargetsInfo, TargetsWriter, TeacherInfo};

/// Rows after which progress is told and kept, and an interruption noticed: some seconds' work of a slow teacher.
const ROWS_AT_ONCE: usize = 1 << 15;

/// What is kept of each distribution of a store of so many views.
pub(crate) fn layout(session: &Session<'_>, n_views: usize) -> Layout {
    let n_rows = session.student.all.len() * n_views;
    session.config.soft_targets_layout(n_rows, session.data.n_classes())
}

/// Bytes of a store of so many views.
pub(crate) fn store_bytes(session: &Session<'_>, n_views: usize) -> u64 {
    layout(session, n_views).size_bytes(session.student.all.len() * n_views, session.data.n_classes())
}

/// Where the targets of these views come from.
pub(crate) fn targets_info(session: &Session<'_>, teacher: &Teacher<'_>, views: &[Option<ViewId>]) -> TargetsInfo {
    let of_member = |member: &Member<'_>| TeacherInfo {
        name: member.name().to_owned(),
        fingerprint: member.stage().key().to_owned(),
    };
    TargetsInfo {
        layout: layout(session, views.len()),
        dataset: session.student.fingerprint.clone(),
        teachers: teacher.members().iter().map(of_member).collect(),
        transform: transform(session, views),
        labels: session.data.labels.clone(),
    }
}

/// What was done to the examples, in words.
fn transform(session: &Session<'_>, views: &[Option<ViewId>]) -> String {
    let mix = session.config.student.mix.as_ref();
    let kind = if mix.is_some() { "" } else { "augmented " };
    let of_views = match views {
        [None] => return "none".to_owned(),
        [Some(view)] if session.config.student.views > 1 => format!("{kind}view {}", view.0),
        views => format!("{} {kind}views", views.len()),
    };
    let of_mix = mix.map(|mix| format!(", {:.0} % of them mixed with another example", 100.0 * mix.share));
    of_views + &of_mix.unwrap_or_default()
}

/// The rows of a store of these views in their order: what is seen, and the row of the student's examples.
pub(crate) fn rows_of_views(session: &Session<'_>, views: &[Option<ViewId>]) -> Vec<(ExampleView, usize)> {
    let examples = &session.student.all;
    let of_row = |row: usize| {
        let example = examples.example_id(row);
        views.iter().map(move |view| (ExampleView { example, view: *view }, row))
    };
    let mut rows: Vec<_> = (0..examples.len()).flat_map(of_row).collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    rows
}

/// A store that is being written.
pub(crate) struct OpenStore<'a> {
    /// The stage whose progress it is, if it is one.
    stage: Option<&'a str>,
    teacher: &'a Teacher<'a>,
    path: PathBuf,
    writer: TargetsWriter,
}

impl<'a> OpenStore<'a> {
    /// Begins a store, or goes on with an unfinished one of the same rows and teachers.
    pub fn resume(
        stage: Option<&'a str>,
        teacher: &'a Teacher<'a>,
        path: PathBuf,
        info: TargetsInfo,
        rows: &[(ExampleView, usize)],
    ) -> Result<Self> {
        let keys = rows.iter().map(|(key, _)| *key).collect();
        let writer = TargetsWriter::resume(&path, info, keys).map_err(|error| store_error(&path, &error))?;
        Ok(Self { stage, teacher, path, writer })
    }

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

    /// Puts the file in its place when all chunks are written.
    pub fn finish(self) -> Result<()> {
        self.writer.finish().map_err(|error| store_error(&self.path, &error))
    }
}

/// Predicts and writes the chunks that are still missing. Chunks are predicted in groups by their numbers, and a group always as
/// a whole: after an interruption the same rows are predicted together as without one.
pub(crate) fn write_stores(
    session: &Session<'_>,
    rows: &[(ExampleView, usize)],
    stores: &[OpenStore<'_>],
) -> Result<()> {
    // all stores have the same rows and layout, and so the same chunks
    let Some(OpenStore { writer, .. }) = stores.first() else { return Ok(()) };
    let n_chunks = writer.n_chunks();
    let rows_at_once = (PROBS_AT_ONCE / session.data.n_classes()).min(ROWS_AT_ONCE);
    let chunks_at_once = (rows_at_once / writer.chunk_rows(0).len()).max(1);
    for start in (0..n_chunks).step_by(chunks_at_once) {
        let chunks = start..(start + chunks_at_once).min(n_chunks);
        let unfinished: Vec<&OpenStore<'_>> =
            stores.iter().filter(|store| !store.missing(&chunks).is_empty()).collect();
        let told = unfinished.iter().filter_map(|store| store.stage);
        told.for_each(|stage| session.context.progress(stage, start as u64, n_chunks as u64));
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
    let views: BTreeSet<Option<ViewId>> = rows.iter().map(|(key, _)| key.view).collect();
    for view in views {
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
