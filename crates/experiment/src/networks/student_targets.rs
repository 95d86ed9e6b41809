//! Where a student's soft targets come from: a store of all views, or one view at a time, computed as the training goes.
//!
//! N examples, C classes.

use crate::error::{ExperimentError, Result, unusable_store};
use crate::networks::artifacts::StoredTargets;
use crate::networks::targets::{OpenStore, rows_of_views, store_bytes, targets_info, write_stores};
use crate::networks::teacher::Teacher;
use crate::planning::PlannedTargets;
use crate::session::Session;
use crate::stage::Stage;
use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use stillhouse_core::ViewId;
use stillhouse_targets::SoftTargets;
use stillhouse_train::{DistillationConfig, EpochObjective, Objective, TrainError};

/// The soft targets that a student learns from.
#[derive(Clone)]
pub(crate) enum StudentTargets<'a> {
    /// All views, in a store that was written before.
    Stored(StoredTargets),
    /// Each view when its epoch begins. The stage names what they depend on; it is not made.
    InPassing(Stage, &'a Teacher<'a>),
}

impl StudentTargets<'_> {
    /// The stage that a training on these targets depends on.
    pub fn stage(&self) -> &Stage {
        match self {
            Self::Stored(stored) => &stored.stage,
            Self::InPassing(stage, _) => stage,
        }
    }

    /// The store of all views. None where there is no such store, and in a plan.
    pub fn store(&self) -> Option<&Arc<SoftTargets>> {
        match self {
            Self::Stored(stored) => stored.targets.as_ref(),
            Self::InPassing(..) => None,
        }
    }

    /// What a training of so many epochs computes of them.
    pub fn planned(&self, session: &Session<'_>, n_epochs: usize) -> Option<PlannedTargets> {
        let Self::InPassing(_, teacher) = self else { return None };
        Some(PlannedTargets {
            networks: teacher.members().iter().map(|member| member.stage().key().to_owned()).collect(),
            n_rows: session.student.all.len() * n_epochs,
            disk_bytes: store_bytes(session, 1),
        })
    }
}

/// The file in the training's folder that holds one view.
const ONE_VIEW: &str = "targets_of_epoch.safetensors";

/// Removes the last epoch's targets from the folder of a training that has ended.
pub(crate) fn remove_passing_targets(folder: &Path) {
    // without it, the file is sealed with the stage: more bytes, no harm
    let _ = std::fs::remove_file(folder.join(ONE_VIEW));
}

/// The loss of a student whose targets are computed before each epoch, in the pool of the training.
pub(crate) struct TargetsInPassing<'a> {
    session: &'a Session<'a>,
    teacher: &'a Teacher<'a>,
    loss: &'a DistillationConfig,
    folder: &'a Path,
    /// The view that is in the file, and the file.
    current: Mutex<Option<(Option<ViewId>, Arc<SoftTargets>)>>,
}

impl<'a> TargetsInPassing<'a> {
    /// Targets of a training whose files are in this folder.
    pub fn new(
        session: &'a Session<'a>,
        teacher: &'a Teacher<'a>,
        loss: &'a DistillationConfig,
        folder: &'a Path,
    ) -> Self {
        Self { session, teacher, loss, folder, current: Mutex::new(None) }
    }

    /// The targets of a view: those in the file if they are these, which they are after an interruption.
    fn of_view(&self, view: Option<ViewId>) -> Result<Arc<SoftTargets>> {
        let path = self.folder.join(ONE_VIEW);
        let rows = rows_of_views(self.session, &[view]);
        let info = targets_info(self.session, self.teacher, &[view]);
        if let Ok(targets) = SoftTargets::open(&path)
            && *targets.info() == info
            && targets.keys().iter().eq(rows.iter().map(|(key, _)| key))
        {
            return Ok(Arc::new(targets));
        }
        let store = OpenStore::resume(None, self.teacher, path.clone(), info, &rows)?;
        write_stores(self.session, &rows, std::slice::from_ref(&store))?;
        store.finish()?;
        SoftTargets::open(&path).map(Arc::new).map_err(|error| unusable_store(&error))
    }
}

impl EpochObjective for TargetsInPassing<'_> {
    fn of_epoch(&self, epoch: usize) -> std::result::Result<Cow<'_, Objective>, TrainError> {
        let view = self.session.stored_views().view(epoch);
        let mut current = self.current.lock().expect("no holder panics");
        let targets = match &*current {
            Some((known, targets)) if *known == view => targets.clone(),
            _ => self.of_view(view).map_err(train_error)?,
        };
        *current = Some((view, targets.clone()));
        Ok(Cow::Owned(Objective::Distillation { targets, config: self.loss.clone() }))
    }
}

fn train_error(error: ExperimentError) -> TrainError {
    match error {
        ExperimentError::Interrupted => TrainError::Interrupted,
        error => TrainError::EpochTargets(Box::new(error)),
    }
}
