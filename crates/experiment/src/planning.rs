//! A plan: the pipeline walked without computing anything.
//!
//! In a plan, each step of [`crate::pipeline`] records its stage and its work here instead of doing the work, and hands
//! a stand-in of its artifact to the next step: a network of zeros, or clusters of equal size. Only the clustering and the
//! records of finished trainings are read if they are there, since they decide which networks follow. Keys hash inputs, not
//! artifacts, so a plan finds every finished stage whose inputs are known. `plan`, its memory and its times are sums over
//! the recorded steps.

use crate::error::Result;
use crate::role::Section;
use crate::stage::Stage;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use stillhouse_models::Model;
use stillhouse_train::{FORWARD_PASSES_PER_STEP, TrainingConfig};

/// What a step would compute.
pub(crate) enum Work {
    /// A training.
    Training(Box<PlannedTraining>),
    /// Predictions.
    Prediction {
        /// Keys of the networks that predict.
        networks: Vec<String>,
        /// Examples that each of them predicts.
        n_rows: usize,
        /// Size of the artifact.
        disk_bytes: u64,
    },
    /// Something that takes no time worth planning.
    Other,
}

const BYTES_PER_NUMBER: u64 = 4;

impl Work {
    /// Size of the artifact.
    pub fn disk_bytes(&self) -> u64 {
        match self {
            Self::Training(training) => {
                let targets = training.targets.as_ref().map_or(0, |targets| targets.disk_bytes);
                training.model.n_parameters() as u64 * BYTES_PER_NUMBER + targets
            }
            Self::Prediction { disk_bytes, .. } => *disk_bytes,
            Self::Other => 0,
        }
    }

    /// Predictions of the networks that these stages trained, for so many examples.
    pub fn prediction<'a>(networks: impl IntoIterator<Item = &'a Stage>, n_rows: usize) -> Self {
        Self::stored_prediction(networks, n_rows, 0)
    }

    /// Predictions that are stored in so many bytes.
    pub fn stored_prediction<'a>(
        networks: impl IntoIterator<Item = &'a Stage>,
        n_rows: usize,
        disk_bytes: u64,
    ) -> Self {
        let networks = networks.into_iter().map(|stage| stage.key().to_owned()).collect();
        Self::Prediction { networks, n_rows, disk_bytes }
    }
}

/// A training that is not made.
pub(crate) struct PlannedTraining {
    /// The architecture. Its weights mean nothing.
    pub model: Arc<Model>,
    pub config: TrainingConfig,
    /// Examples that it sees in all epochs.
    pub n_examples: usize,
    /// Where only the head is trained: the frozen body.
    pub frozen: Option<FrozenBody>,
    /// Soft targets that are computed in passing.
    pub targets: Option<PlannedTargets>,
}

/// Soft targets that a training computes itself, one view at a time.
pub(crate) struct PlannedTargets {
    /// Keys of the networks that predict.
    pub networks: Vec<String>,
    /// Examples that each of them predicts, in all epochs.
    pub n_rows: usize,
    /// Size of one view's, on disk as long as the training lasts.
    pub disk_bytes: u64,
}

/// The body of a training of the head alone.
pub(crate) struct FrozenBody {
    /// Key of the training that made the body.
    pub key: String,
    /// Examples that the body computes features of for this training: its share of the training split, and its validation
    /// examples.
    pub n_rows: usize,
}

/// One recorded step.
pub(crate) struct PlannedStep {
    pub stage: Stage,
    /// Whether its artifact exists.
    pub is_done: bool,
    pub work: Work,
}

/// Floating-point operations of the steps, in their order: to say how far a run is.
pub(crate) fn flops(steps: &[PlannedStep]) -> Vec<f64> {
    let mut per_row: HashMap<&str, f64> = HashMap::new();
    let of_step = |step| {
        let PlannedStep { stage, work, .. }: &PlannedStep = step;
        let rows = |networks: &[String], n_rows: usize, per_row: &HashMap<&str, f64>| {
            n_rows as f64 * networks.iter().filter_map(|key| per_row.get(key.as_str())).sum::<f64>()
        };
        match work {
            Work::Training(training) => {
                let of_body = |frozen: &FrozenBody| rows(std::slice::from_ref(&frozen.key), frozen.n_rows, &per_row);
                let of_body = training.frozen.as_ref().map_or(0.0, of_body);
                let targets = training.targets.as_ref();
                let of_targets = targets.map_or(0.0, |targets| rows(&targets.networks, targets.n_rows, &per_row));
                let per_example = training.model.flops_per_example() as f64;
                per_row.insert(stage.key(), per_example);
                FORWARD_PASSES_PER_STEP * per_example * training.n_examples as f64 + of_body + of_targets
            }
            Work::Prediction { networks, n_rows, .. } => rows(networks, *n_rows, &per_row),
            Work::Other => 0.0,
        }
    };
    steps.iter().map(of_step).collect()
}

/// Trainings that may run side by side.
pub(crate) struct TrainingGroup {
    pub section: Section,
    pub n_trainings: usize,
    /// How many of them fit into the memory that the run may take.
    pub n_fit: usize,
    /// Memory of the largest of them.
    pub bytes_each: u64,
}

/// Everything that a walk through the pipeline recorded, in its order.
#[derive(Default)]
pub(crate) struct Recorded {
    pub steps: Vec<PlannedStep>,
    pub groups: Vec<TrainingGroup>,
    /// Plain sentences.
    pub notes: Vec<String>,
    /// Stand-ins of networks: trainings of one architecture share one, since a plan is to fit where the run does.
    models: HashMap<String, Arc<Model>>,
}

/// Where a plan's steps are recorded.
#[derive(Default)]
pub(crate) struct PlanRecorder(Mutex<Recorded>);

impl PlanRecorder {
    /// Records a step; one that two steps share is recorded once.
    pub fn step(&self, stage: &Stage, is_done: bool, work: Work) {
        let mut recorded = self.0.lock().expect("no holder panics");
        if recorded.steps.iter().all(|step| step.stage.key() != stage.key()) {
            recorded.steps.push(PlannedStep { stage: stage.clone(), is_done, work });
        }
    }

    /// Records trainings that may run side by side.
    pub fn group(&self, group: TrainingGroup) {
        self.0.lock().expect("no holder panics").groups.push(group);
    }

    /// Records a sentence for the reader of the plan.
    pub fn note(&self, text: impl Into<String>) {
        self.0.lock().expect("no holder panics").notes.push(text.into());
    }

    /// The stand-in of a network that is described by `architecture`, which `make` makes for the first of them.
    pub fn model(&self, architecture: String, make: impl FnOnce() -> Result<Model>) -> Result<Arc<Model>> {
        if let Some(known) = self.0.lock().expect("no holder panics").models.get(&architecture) {
            return Ok(known.clone());
        }
        let model = Arc::new(make()?);
        self.0.lock().expect("no holder panics").models.insert(architecture, model.clone());
        Ok(model)
    }

    /// Hands out everything recorded so far, and forgets it.
    pub fn take(&self) -> Recorded {
        std::mem::take(&mut self.0.lock().expect("no holder panics"))
    }
}
