//! The networks for one cluster each, trained side by side (paper, sec. 5.1).

use super::training::{Recipe, Trained, train_side_by_side};
use super::{Clustered, Workshop};
use crate::config::{SpecialistHead, SpecialistInit};
use crate::error::{ExperimentError, Result};
use stillhouse_core::{ClassSubset, Seed};
use stillhouse_data::Split;
use stillhouse_ensemble::PriorCorrection;
use stillhouse_models::HeadInit;
use stillhouse_train::{LabelView, Objective, Sampler, Validation};

/// A trained specialist and the cluster that it knows.
pub(crate) struct Specialist {
    pub trained: Trained,
    pub cluster_idx: usize,
    pub subset: ClassSubset,
    /// What was added to its dustbin logit.
    pub dustbin_correction: f64,
}

/// Trains one specialist for each cluster. One that fails is reported and left out; the others go on.
///
/// # Errors
/// An interruption, or the failure of every specialist.
pub(crate) fn train_specialists(
    shop: &Workshop<'_>,
    generalist: &Trained,
    clustered: &Clustered,
) -> Result<Vec<Specialist>> {
    let clusters = clustered.clustering.clusters();
    let recipes = specialist_recipes(shop, generalist, clustered)?;
    let mut specialists = Vec::new();
    let mut last_failure = None;
    for (cluster_idx, result) in train_side_by_side(shop, &recipes)?.into_iter().enumerate() {
        match result {
            Ok(trained) => {
                let subset = clusters[cluster_idx].clone();
                let dustbin_correction = recipes[cluster_idx].bias_correction.map_or(0.0, |(_, shift)| shift);
                specialists.push(Specialist { trained, cluster_idx, subset, dustbin_correction });
            }
            Err(ExperimentError::Interrupted) => return Err(ExperimentError::Interrupted),
            Err(error) => {
                shop.context.note("specialists", format!("specialist {cluster_idx} failed and is left out: {error}"));
                last_failure = Some(error);
            }
        }
    }
    match last_failure {
        Some(error) if specialists.is_empty() => Err(error.context("every specialist failed; the last one")),
        _ => Ok(specialists),
    }
}

/// One recipe for each cluster.
pub(crate) fn specialist_recipes<'a>(
    shop: &Workshop<'a>,
    generalist: &'a Trained,
    clustered: &'a Clustered,
) -> Result<Vec<Recipe<'a>>> {
    let clusters = clustered.clustering.clusters().iter().enumerate();
    clusters.map(|(cluster_idx, subset)| recipe(shop, generalist, cluster_idx, subset)).collect()
}

/// The specialist's training: half of its examples from its own classes, half from the rest, the latter all labelled
/// dustbin; afterwards the dustbin's logit is raised from the training odds to the true ones.
fn recipe<'a>(
    shop: &Workshop<'a>,
    generalist: &'a Trained,
    cluster_idx: usize,
    subset: &'a ClassSubset,
) -> Result<Recipe<'a>> {
    let config = &shop.config.specialists;
    let SpecialistHead::Dustbin = config.head;
    let seed = shop.seed.derive("specialist", cluster_idx as u64);
    let labels = LabelView::Dustbin(subset.clone());
    let members: Vec<String> = subset.members().iter().map(ToString::to_string).collect();
    Ok(Recipe {
        kind: "specialist",
        index: Some(cluster_idx),
        model: &shop.config.generalist.model,
        training: &config.training,
        seed,
        start: match config.init {
            SpecialistInit::Generalist => Some((generalist, HeadInit::Dustbin { subset })),
            SpecialistInit::Scratch => None,
        },
        n_outputs: subset.len() + 1,
        sampler: Sampler::half_and_half(&shop.train, subset),
        objective: Objective::HardLabels(labels.clone()),
        views: shop.fresh_views(),
        validation: Validation { split: balanced(&shop.valid, subset, seed), labels },
        bias_correction: Some((subset.len(), correction(shop, subset)?)),
        depends_on: vec![members.join(",")],
    })
}

/// Raises the dustbin from the odds that training showed to the odds of the training split, both counted.
fn correction(shop: &Workshop<'_>, subset: &ClassSubset) -> Result<f64> {
    let n_own = shop.train.labels().iter().filter(|class| subset.contains(**class)).count();
    let special_prior = n_own as f64 / shop.train.len() as f64;
    let training_share = Sampler::half_and_half(&shop.train, subset).own_share();
    let correction = PriorCorrection::new(special_prior, training_share);
    Ok(correction.map_err(|error| ExperimentError::Usage(format!("specialists: {error}")))?.dustbin_logit_shift())
}

/// The validation examples of a specialist's classes and as many others: what its training looks like.
fn balanced(valid: &Split, subset: &ClassSubset, seed: Seed) -> Split {
    let sampler = Sampler::half_and_half(valid, subset);
    valid.select(&sampler.epoch_rows(valid.len(), seed.derive("validation", 0), 0))
}
