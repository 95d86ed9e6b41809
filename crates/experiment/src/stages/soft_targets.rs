//! What a teacher says about every training example, once, on disk, for all students that ask.

use super::{Teacher, Workshop};
use crate::error::{ExperimentError, Result, file_error};
use crate::store::{Stage, run_stage};
use std::path::Path;
use std::sync::Arc;
use stillhouse_core::{ExampleView, Temperature, ViewId};
use stillhouse_ensemble::Soften;
use stillhouse_targets::{SoftTargets, SoftTargetsBuilder, TargetsInfo, TeacherInfo, size_bytes};

const TARGETS: &str = "targets.safetensors";

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
    Stage::new(name, None, &(&shop.fingerprint, teacher_keys, merge, views(shop).len()))
}

fn views(shop: &Workshop<'_>) -> Vec<Option<ViewId>> {
    match shop.augmented {
        true => (0..shop.config.student.views).map(|view| Some(ViewId(view))).collect(),
        false => vec![None],
    }
}

/// Writes a teacher's soft targets for the training split, or opens those that were written before.
pub(crate) fn store_soft_targets(shop: &Workshop<'_>, name: &str, teacher: &Teacher<'_>) -> Result<StoredTargets> {
    let keys = teacher.keys();
    let views = views(shop);
    let stage = targets_stage(shop, name, &keys, matches!(teacher, Teacher::Merged { .. }));
    let produce = |folder: &Path| {
        let n_bytes = size_bytes(shop.train.len() * views.len(), shop.n_classes());
        shop.context.note(name, format!("writes {:.0} kB of soft targets", n_bytes as f64 / 1e3));
        let targets = shop.context.with_all_threads(|| collect(shop, name, teacher, &views))??;
        let path = folder.join(TARGETS);
        targets.write(&path).map_err(|error| file_error(&path, "cannot be written", error))
    };
    let load = |folder: &Path| {
        let path = folder.join(TARGETS);
        let targets = SoftTargets::open(&path).map_err(|error| file_error(&path, "soft targets", error))?;
        targets.check_dataset(&shop.fingerprint).map_err(|error| file_error(&path, "soft targets", error))?;
        Ok(StoredTargets { key: stage.key().to_owned(), targets: Arc::new(targets) })
    };
    run_stage(shop.context, &stage, produce, load)
}

fn collect(shop: &Workshop<'_>, name: &str, teacher: &Teacher<'_>, views: &[Option<ViewId>]) -> Result<SoftTargets> {
    let info = TargetsInfo {
        labels: shop.labels.clone(),
        dataset: shop.fingerprint.clone(),
        teachers: teacher
            .members()
            .iter()
            .map(|trained| TeacherInfo { name: trained.name.clone(), fingerprint: trained.key.clone() })
            .collect(),
        transform: if shop.augmented { format!("{} augmented views", views.len()) } else { "none".into() },
        temperature: Temperature::ONE,
    };
    let mut builder = SoftTargetsBuilder::with_capacity(info, shop.train.len() * views.len());
    for (n_done, view) in views.iter().enumerate() {
        shop.context.progress(name, n_done as u64, views.len() as u64);
        let probs = teacher.soft_targets(shop, &shop.train, *view)?;
        for (row, probs) in probs.chunks_exact(shop.n_classes()).enumerate() {
            let key = ExampleView { example: shop.train.example_id(row), view: *view };
            builder.push(key, probs).map_err(failed)?;
        }
    }
    builder.finish().map_err(failed)
}

fn failed(error: stillhouse_targets::TargetsError) -> ExperimentError {
    ExperimentError::Failed(error.into())
}
