//! The experiment that every step is given: config, data, device, seed. The test split is not in here: only the evaluation
//! is given it.

use crate::config::ExperimentConfig;
use crate::context::RunContext;
use crate::error::Result;
use crate::external::External;
use crate::student_examples::StudentExamples;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use stillhouse_core::{Seed, ViewId};
use stillhouse_data::{Split, TrainingData};
use stillhouse_models::Tokenizer;
use stillhouse_targets::SoftTargets;
use stillhouse_train::{Device, ViewPolicy};

/// One run of one config on loaded data.
#[derive(Clone)]
pub(crate) struct Session<'a> {
    pub config: &'a ExperimentConfig,
    pub data: Arc<TrainingData>,
    pub student: Arc<StudentExamples>,
    /// Teachers that were trained elsewhere, known by their predictions.
    pub external: Arc<[External]>,
    pub context: &'a RunContext<'a>,
    pub device: Device,
    pub seed: Seed,
    pub tokenizers: Arc<Tokenizers>,
}

impl Session<'_> {
    /// Views of a training on hard labels: a new one in each epoch, for a student only if it learns from views at all.
    pub fn fresh_views(&self, is_student: bool) -> ViewPolicy {
        let sees_views = self.config.data.is_augmented() && (!is_student || self.config.student.views > 0);
        if sees_views { ViewPolicy::Fresh } else { ViewPolicy::Plain }
    }

    /// The views of an example that students on soft targets see; nothing is the example itself.
    pub fn student_views(&self) -> Vec<Option<ViewId>> {
        match self.config.student_has_views() {
            true => (0..self.config.student.views).map(|view| Some(ViewId(view))).collect(),
            false => vec![None],
        }
    }

    /// The examples that students on soft targets learn from, given the student's own: its twins learn from the same ones. Without
    /// targets, in a plan, all of them.
    ///
    /// # Errors
    /// Soft targets of other examples.
    pub fn taught(&self, targets: Option<&SoftTargets>) -> Result<Split> {
        match (self.config.student.min_confidence, targets) {
            (Some(min_confidence), Some(targets)) => {
                self.student.confident(targets, &self.student_views(), min_confidence)
            }
            _ => Ok(self.student.all.clone()),
        }
    }

    /// Views of a training on soft targets: those for which soft targets are stored.
    pub fn stored_views(&self) -> ViewPolicy {
        match self.config.student_has_views() {
            true => ViewPolicy::Stored { n_views: self.config.student.views },
            false => ViewPolicy::Plain,
        }
    }
}

/// The tokenizers of a run that were made or read so far, by the keys of their stages.
#[derive(Default)]
pub(crate) struct Tokenizers(pub Mutex<HashMap<String, Arc<Tokenizer>>>);
