//! The small network that is shipped, and its twins on other targets.

use super::Workshop;
use super::soft_targets::StoredTargets;
use super::training::{Recipe, Trained, global_validation, train_side_by_side};
use crate::error::Result;
use crate::role::Role;
use crate::store::Stage;
use stillhouse_train::{LabelView, Objective, Sampler};

/// The student and its twins: the same architecture, initial weights, epochs and order of examples; texts without labels
/// are for those on soft targets.
pub(crate) struct Students {
    /// On the merged soft targets.
    pub student: Trained,
    /// On hard labels, on the generalist's targets, on the plain ensemble's.
    pub twins: Vec<Trained>,
}

/// Trains the student and its twins side by side; `targets` are pairs of role and soft targets, the student's first.
pub(crate) fn train_students(shop: &Workshop<'_>, targets: Vec<(Role, StoredTargets)>) -> Result<Students> {
    let config = &shop.config.student.distillation;
    let distilled = targets.into_iter().map(|(role, StoredTargets { key, targets })| {
        let objective = Objective::Distillation { targets, config: config.clone() };
        Recipe { objective, ..distilled(shop, role, &key) }
    });
    let recipes: Vec<Recipe<'_>> = distilled.chain([on_hard_labels(shop)]).collect();
    let trained: Vec<Trained> = train_side_by_side(shop, &recipes)?.into_iter().collect::<Result<_>>()?;
    let mut trained = trained.into_iter();
    let student = trained.next().expect("the student comes first");
    Ok(Students { student, twins: trained.collect() })
}

/// The stage of a student on the soft targets that another stage stored.
pub(crate) fn student_stage(shop: &Workshop<'_>, role: Role, targets_key: Option<&str>) -> Stage {
    match targets_key {
        Some(key) => distilled(shop, role, key).stage(shop),
        None => on_hard_labels(shop).stage(shop),
    }
}

/// A student's recipe but for its objective, which the key of the targets' stage stands for.
fn distilled<'a>(shop: &Workshop<'a>, role: Role, targets_key: &str) -> Recipe<'a> {
    let loss = serde_json::to_string(&shop.config.student.distillation).expect("a loss of numbers and names");
    let depends_on = vec![targets_key.to_owned(), loss];
    Recipe {
        role,
        kind: role.kind(),
        with_transfer: true,
        views: shop.stored_views(),
        depends_on,
        ..on_hard_labels(shop)
    }
}

/// The hard-label twin sees a new view in every epoch, as hard labels allow.
fn on_hard_labels<'a>(shop: &Workshop<'a>) -> Recipe<'a> {
    let config = &shop.config.student;
    Recipe {
        role: Role::TwinOnLabels,
        kind: Role::TwinOnLabels.kind(),
        index: None,
        model: &config.model,
        tokenizer: config.tokenizer.as_ref(),
        training: &config.training,
        seed: shop.seed.derive(Role::Student.kind(), 0),
        start: None,
        n_outputs: shop.n_classes(),
        with_transfer: false,
        sampler: Sampler::All,
        objective: Objective::HardLabels(LabelView::Global),
        views: shop.fresh_views(),
        validation: global_validation(shop),
        frozen: None,
        frozen_features: None,
        bias_corrections: Vec::new(),
        flops_beside: 0.0,
        depends_on: Vec::new(),
    }
}
