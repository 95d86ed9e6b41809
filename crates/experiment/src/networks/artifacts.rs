//! What the stages produce: trained networks, clusters, checked specialists, stored soft targets.

use crate::config::SpecialistHead;
use crate::role::Role;
use crate::stage::Stage;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use stillhouse_core::{ClassClustering, ClassSubset, Temperature};
use stillhouse_ensemble::{Diagnosis, DustbinCalibration};
use stillhouse_models::Model;
use stillhouse_targets::SoftTargets;
use stillhouse_train::FitSummary;

/// A trained network with the record of its training.
pub(crate) struct Trained {
    pub role: Role,
    /// The stage that trained it. `generalist_2` is a generalist too.
    pub stage: Stage,
    /// The key of the training that made its body: another one's where the body was frozen.
    pub body_key: String,
    pub model: Arc<Model>,
    pub fit: FitSummary,
}

/// The clustering and what it promises.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Clustered {
    pub clustering: ClassClustering,
    pub diagnosis: Diagnosis,
    /// Floating-point operations of trainings that only served to find the clusters.
    #[serde(default)]
    pub train_flops: f64,
}

/// A trained specialist and the cluster that it knows.
pub(crate) struct Specialist {
    pub trained: Trained,
    pub cluster_idx: usize,
    pub subset: ClassSubset,
    pub head: SpecialistHead,
    /// What counted priors added to its dustbin logit; with a full softmax, took from the logits of its own classes.
    pub counted_shift: f64,
    /// What the refit on the validation split added to its dustbin logit on top.
    pub refit_shift: f64,
}

impl Specialist {
    /// Its probabilities of its own classes in a row of its outputs, in the order of the subset.
    pub fn own_probs<'r>(&'r self, row: &'r [f32]) -> impl Iterator<Item = f32> + 'r {
        self.subset.members().iter().enumerate().map(|(local, class)| match self.head {
            SpecialistHead::Dustbin => row[local],
            SpecialistHead::FullSoftmax => row[class.index()],
        })
    }
}

/// One specialist on the validation split.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SpecialistCheck {
    /// Examples of its own classes.
    pub n_own: usize,
    /// Top-1 on them of the generalist that it is compared with, predictions restricted to them.
    pub generalist_top1: f64,
    /// The same of the specialist.
    pub specialist_top1: f64,
    pub dustbin: Option<DustbinCheck>,
}

/// A dustbin as it came out of the training, after the correction by counted priors, and after a refit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct DustbinCheck {
    pub uncorrected: DustbinCalibration,
    pub counted: DustbinCalibration,
    pub refit: DustbinCalibration,
    pub refit_shift: f64,
}

/// All specialists that were trained, with what the validation split says of them.
pub(crate) struct CheckedSpecialists {
    /// The stage that chose among them.
    pub stage: Stage,
    pub specialists: Vec<Specialist>,
    pub checks: Vec<SpecialistCheck>,
    /// Positions of the specialists that are merged.
    pub kept: Vec<usize>,
    pub fitted: FittedMerge,
}

impl CheckedSpecialists {
    /// The specialists that are merged.
    pub fn kept(&self) -> Vec<&Specialist> {
        self.kept.iter().map(|idx| &self.specialists[*idx]).collect()
    }
}

/// The numbers of a merge that can be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FittedMerge {
    /// The weight of each specialist, a generalist's being 1.
    pub specialist_weight: f64,
    /// What the merged logits are divided by.
    pub temperature: Temperature,
}

/// Weights and temperatures are fitted between 1/20 and 20: from here on, a factor is at the end of its range.
const EXTREME_FACTOR: f64 = 19.0;

impl FittedMerge {
    /// Whether a fit ended where its range does: the validation split knows of no best value.
    pub fn is_extreme(&self) -> bool {
        let is_extreme = |factor: f64| factor > EXTREME_FACTOR || factor < EXTREME_FACTOR.recip();
        is_extreme(self.temperature.get()) || (self.specialist_weight > 0.0 && is_extreme(self.specialist_weight))
    }

    /// Nothing is fitted: all weigh the same, and the merge is taken as it is.
    pub const NONE: Self = Self { specialist_weight: 1.0, temperature: Temperature::ONE };
}

/// A teacher's soft targets, with the stage that wrote them.
#[derive(Clone)]
pub(crate) struct StoredTargets {
    pub stage: Stage,
    /// None in a plan.
    pub targets: Option<Arc<SoftTargets>>,
}
