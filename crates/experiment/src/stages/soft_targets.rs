//! What a teacher says about every example that a student learns from, once, on disk, for all students that ask.
//!
//! N examples, V views of each, C classes.

use super::Workshop;
use super::teacher::{PROBS_AT_ONCE, Teacher};
use crate::error::{ExperimentError, Result, file_error};
use crate::store::{Stage, run_stage};
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;
use stillhouse_core::{ExampleView, ViewId};
use stillhouse_ensemble::Soften;
use stillhouse_targets::{Layout, SoftTargets, TargetsError, TargetsInfo, TargetsWriter, TeacherInfo};

const TARGETS: &str = "targets.safetensors";
/// Rows after which progress is told and kept, and an interruption heard: some seconds' work of a slow teacher.
const ROWS_AT_ONCE: usize = 1 << 15;

/// A teacher's soft targets, with the key of the stage that wrote them.
#[derive(Clone)]
pub(crate) struct StoredTargets {
    pub key: String,
    pub targets: Arc<SoftTargets>,
}

/// The stage that stores what the teachers with these keys say.
pub(crate) fn targets_stage(shop: &Workshop<'_>, name: &str, teacher_keys: &[String], is_merged: bool) -> Stage {
    let merge = &shop.config.merge;
    let temperature = (merge.soften == Soften::BeforeMerge).then(|| shop.config.student.temperature());
    let merge = is_merged.then_some((merge, temperature));
    Stage::new(name, None, &(shop.student_fingerprint(), teacher_keys, merge, views(shop).len(), layout(shop)))
}

/// What is kept of each distribution.
pub(crate) fn layout(shop: &Workshop<'_>) -> Layout {
    let n_rows = shop.student_examples().len() * views(shop).len();
    shop.config.soft_targets.layout(n_rows, shop.n_classes(), &shop.config.student)
}

fn views(shop: &Workshop<'_>) -> Vec<Option<ViewId>> {
    match shop.augmented {
        true => (0..shop.config.student.views).map(|view| Some(ViewId(view))).collect(),
        false => vec![None],
    }
}

/// Writes a teacher's soft targets for all that a student learns from, or opens those that were written before.
pub(crate) fn store_soft_targets(shop: &Workshop<'_>, name: &str, teacher: &Teacher<'_>) -> Result<StoredTargets> {
    let keys = teacher.keys();
    let stage = targets_stage(shop, name, &keys, matches!(teacher, Teacher::Merged { .. }));
    let produce = |folder: &Path| {
        let path = folder.join(TARGETS);
        let wrong = |error| file_error(&path, "cannot be written", error);
        let rows = rows(shop);
        let info = info(shop, teacher);
        shop.context.note(name, announcement(&info, rows.len()));
        let writer = TargetsWriter::resume(&path, info, rows.iter().map(|(key, _)| *key).collect()).map_err(wrong)?;
        shop.context.with_all_threads(|| write(shop, name, teacher, &rows, &writer))??;
        writer.finish().map_err(wrong)
    };
    let load = |folder: &Path| {
        let path = folder.join(TARGETS);
        let targets = SoftTargets::open(&path).map_err(|error| file_error(&path, "soft targets", error))?;
        targets.check_dataset(&shop.student_fingerprint()).map_err(|error| file_error(&path, "soft targets", error))?;
        Ok(StoredTargets { key: stage.key().to_owned(), targets: Arc::new(targets) })
    };
    run_stage(shop.context, &stage, produce, load)
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

fn info(shop: &Workshop<'_>, teacher: &Teacher<'_>) -> TargetsInfo {
    TargetsInfo {
        layout: layout(shop),
        dataset: shop.student_fingerprint(),
        teachers: teacher
            .members()
            .iter()
            .map(|member| TeacherInfo { name: member.name().to_owned(), fingerprint: member.key().to_owned() })
            .collect(),
        transform: if shop.augmented { format!("{} augmented views", views(shop).len()) } else { "none".into() },
        labels: shop.labels.clone(),
    }
}

/// The store's rows in their order: what is seen, and the row of the student's examples.
fn rows(shop: &Workshop<'_>) -> Vec<(ExampleView, usize)> {
    let (views, examples) = (views(shop), shop.student_examples());
    let of_row = |row: usize| {
        let example = examples.example_id(row);
        views.iter().map(move |view| (ExampleView { example, view: *view }, row))
    };
    let mut rows: Vec<_> = (0..examples.len()).flat_map(of_row).collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    rows
}

/// Predicts and writes the chunks that are still missing.
fn write(
    shop: &Workshop<'_>,
    name: &str,
    teacher: &Teacher<'_>,
    rows: &[(ExampleView, usize)],
    writer: &TargetsWriter,
) -> Result<()> {
    let n_classes = shop.n_classes();
    let missing = writer.missing_chunks();
    let n_chunks = writer.n_chunks();
    let mut n_done = n_chunks - missing.len();
    let rows_of = |chunk_idx: usize| &rows[writer.chunk_rows(chunk_idx)];
    let rows_at_once = (PROBS_AT_ONCE / n_classes).min(ROWS_AT_ONCE);
    let chunks_at_once = (rows_at_once / rows_of(0).len()).max(1);
    // groups by the numbers of the chunks: after an interruption the same rows are predicted together as without one
    for chunks in missing.chunk_by(|a, b| a / chunks_at_once == b / chunks_at_once) {
        shop.context.check_interrupt()?;
        shop.context.progress(name, n_done as u64, n_chunks as u64);
        let rows: Vec<(ExampleView, usize)> = chunks.iter().flat_map(|chunk| rows_of(*chunk)).copied().collect();
        let probs = soft_targets_of(shop, teacher, &rows)?;
        let mut rest = &probs[..];
        let mut parts = Vec::with_capacity(chunks.len());
        for chunk_idx in chunks {
            let (part, others) = rest.split_at(rows_of(*chunk_idx).len() * n_classes);
            parts.push((*chunk_idx, part));
            rest = others;
        }
        let written = parts.into_par_iter().try_for_each(|(chunk_idx, probs)| writer.write_chunk(chunk_idx, probs));
        written.map_err(failed)?;
        n_done += chunks.len();
    }
    Ok(())
}

/// What the teacher says about some views of examples, `[rows, C]`.
pub(crate) fn soft_targets_of(
    shop: &Workshop<'_>,
    teacher: &Teacher<'_>,
    rows: &[(ExampleView, usize)],
) -> Result<Vec<f32>> {
    let n_classes = shop.n_classes();
    let mut probs = vec![0.0; rows.len() * n_classes];
    for view in views(shop) {
        let positions: Vec<usize> = (0..rows.len()).filter(|position| rows[*position].0.view == view).collect();
        let of_split: Vec<usize> = positions.iter().map(|position| rows[*position].1).collect();
        let said = teacher.soft_targets(shop, &shop.student_examples().select(&of_split), view)?;
        for (position, said) in positions.into_iter().zip(said.chunks_exact(n_classes)) {
            probs[position * n_classes..][..n_classes].copy_from_slice(said);
        }
    }
    Ok(probs)
}

fn failed(error: TargetsError) -> ExperimentError {
    ExperimentError::Failed(error.into())
}
