//! The networks for one cluster each, trained side by side (paper, sec. 5.1).

use super::training::{Frozen, Recipe, Trained, train_side_by_side};
use super::{Clustered, Workshop};
use crate::config::{SpecialistBody, SpecialistHead, SpecialistInit};
use crate::error::{ExperimentError, Result};
use crate::role::{Role, Section};
use std::sync::Arc;
use stillhouse_core::{ClassSubset, Seed};
use stillhouse_data::Split;
use stillhouse_ensemble::dustbin_logit_shift;
use stillhouse_models::HeadInit;
use stillhouse_train::{LabelView, Objective, Sampler, Validation, predict_features};

/// A trained specialist and the cluster that it knows.
pub(crate) struct Specialist {
    pub trained: Trained,
    pub cluster_idx: usize,
    pub subset: ClassSubset,
    pub head: SpecialistHead,
    /// What counted priors added to its dustbin logit; with a full softmax, took from the logits of its own classes.
    pub prior_correction: f64,
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

/// Trains one specialist for each cluster, none without clusters. One whose training diverges, or that has no examples,
/// is reported and left out: that is so in every run of this config.
///
/// # Errors
/// Damaged files and failures of the machine, which would otherwise change the merge from one run to the next; an
/// interruption; no specialist that can be trained.
pub(crate) fn train_specialists(
    shop: &Workshop<'_>,
    generalists: &[Trained],
    clustered: Option<&Clustered>,
) -> Result<Vec<Specialist>> {
    let (Some(config), Some(clustered)) = (&shop.config.specialists, clustered) else { return Ok(Vec::new()) };
    let clusters = clustered.clustering.clusters();
    let mut recipes = specialist_recipes(shop, generalists, clustered)?;
    let bodies = frozen_bodies(shop, generalists, &recipes)?;
    for recipe in &mut recipes {
        let body = recipe.start.as_ref().and_then(|(start, _)| bodies.iter().find(|body| body.key == start.key));
        recipe.frozen_features = body.map(|body| &body.train);
    }
    let leave_out = |cluster_idx: usize, error: &ExperimentError| {
        shop.context.note(
            &Section::Specialists.to_string(),
            format!("specialist {cluster_idx} failed and is left out: {error}"),
        );
    };
    let trained = keep_trained(train_side_by_side(shop, &recipes)?, leave_out)?;
    let specialist = |(cluster_idx, trained): (usize, Trained)| -> Result<Specialist> {
        let subset = clusters[cluster_idx].clone();
        let prior_correction = correction(shop, &subset)?;
        Ok(Specialist { trained, cluster_idx, subset, head: config.head, prior_correction, refit_shift: 0.0 })
    };
    trained.into_iter().map(specialist).collect()
}

/// Those that were trained, with their clusters' numbers. An error other than that a training cannot succeed is
/// everybody's error: left out because of a full disk or a damaged file, a specialist would be missing in one run and
/// there in the next.
fn keep_trained<T>(
    results: Vec<Result<T>>,
    mut leave_out: impl FnMut(usize, &ExperimentError),
) -> Result<Vec<(usize, T)>> {
    let mut kept = Vec::new();
    let mut last_failure = None;
    for (cluster_idx, result) in results.into_iter().enumerate() {
        match result {
            Ok(trained) => kept.push((cluster_idx, trained)),
            Err(error @ ExperimentError::NotTrainable(_)) => {
                leave_out(cluster_idx, &error);
                last_failure = Some(error);
            }
            Err(error) => return Err(error.context(format_args!("specialist {cluster_idx}"))),
        }
    }
    match last_failure {
        Some(error) if kept.is_empty() => Err(error.context("every specialist failed; the last one")),
        _ => Ok(kept),
    }
}

/// What a generalist's frozen body makes of the training split.
struct FrozenBody<'a> {
    key: &'a str,
    train: Split,
}

/// The features that frozen specialists still to be trained will read; none when bodies are trained.
fn frozen_bodies<'a>(
    shop: &Workshop<'_>,
    generalists: &'a [Trained],
    recipes: &[Recipe<'_>],
) -> Result<Vec<FrozenBody<'a>>> {
    let is_missing = |generalist: &&Trained| {
        let starts_here =
            |recipe: &Recipe<'_>| recipe.start.as_ref().is_some_and(|(start, _)| start.key == generalist.key);
        let to_do = |recipe: &&Recipe<'_>| recipe.frozen.is_some() && shop.context.is_to_do(&recipe.stage(shop));
        recipes.iter().filter(to_do).any(starts_here)
    };
    let body = |generalist: &'a Trained| -> Result<FrozenBody<'a>> {
        let features = shop.context.with_all_threads(|| predict_features(&generalist.model, &shop.train, None))??;
        Ok(FrozenBody {
            key: &generalist.key,
            train: shop.train.with_features(features, generalist.model.n_features()),
        })
    };
    generalists.iter().filter(is_missing).map(body).collect()
}

/// One recipe for each cluster.
pub(crate) fn specialist_recipes<'a>(
    shop: &Workshop<'a>,
    generalists: &'a [Trained],
    clustered: &'a Clustered,
) -> Result<Vec<Recipe<'a>>> {
    let clusters = clustered.clustering.clusters();
    let recipe = |(cluster_idx, subset)| recipe(shop, generalists, (cluster_idx, clusters.len()), subset);
    clusters.iter().enumerate().map(recipe).collect()
}

/// The specialist's training: half of its examples from its own classes, half from the rest; afterwards the odds of its
/// own classes are brought back from those of the training to the true ones.
fn recipe<'a>(
    shop: &Workshop<'a>,
    generalists: &'a [Trained],
    (cluster_idx, n_specialists): (usize, usize),
    subset: &'a ClassSubset,
) -> Result<Recipe<'a>> {
    let config = shop.config.specialists.as_ref().expect("only configs with specialists train any");
    let generalist = (!generalists.is_empty()).then(|| &generalists[cluster_idx % generalists.len()]);
    let of_the_run = || generalist.expect("the config asks for a generalist of the run only where there is one");
    let role = Role::Specialist(cluster_idx);
    let seed = shop.seed.derive(role.kind(), cluster_idx as u64);
    let shift = correction(shop, subset)?;
    let sampler = Sampler::half_and_half(&shop.train, subset);
    let is_frozen = config.body == SpecialistBody::Frozen;
    let members: Vec<String> = subset.members().iter().map(ToString::to_string).collect();
    let mut depends_on = vec![members.join(",")];
    let (labels, head, n_outputs, objective, bias_corrections) = match config.head {
        SpecialistHead::Dustbin => {
            let labels = LabelView::Dustbin(subset.clone());
            let objective = Objective::HardLabels(labels.clone());
            (labels, HeadInit::Dustbin { subset }, subset.len() + 1, objective, vec![(subset.len(), shift)])
        }
        SpecialistHead::FullSoftmax => {
            let generalist = of_the_run();
            depends_on.push(format!("full softmax beside {}", generalist.key));
            let source = if is_frozen { Arc::new(head_of(generalist)?) } else { generalist.model.clone() };
            let objective = Objective::FullSoftmax { subset: subset.clone(), generalist: source };
            let own = subset.members().iter().map(|class| (class.index(), -shift)).collect();
            (LabelView::Global, HeadInit::Same, shop.n_classes(), objective, own)
        }
    };
    let flops_beside = match config.head {
        SpecialistHead::Dustbin => 0.0,
        SpecialistHead::FullSoftmax => (1.0 - sampler.own_share()) * of_the_run().model.flops_per_example() as f64,
    };
    Ok(Recipe {
        role,
        kind: role.kind(),
        index: role.index(),
        model: shop.config.specialist_model().expect("checked with the config"),
        tokenizer: shop.config.specialist_tokenizer(),
        training: &config.training,
        seed,
        start: match config.init {
            SpecialistInit::Generalist => Some((of_the_run(), head)),
            SpecialistInit::Scratch => None,
        },
        frozen: is_frozen.then_some(Frozen { n_sharing: n_specialists.div_ceil(generalists.len().max(1)) }),
        frozen_features: None,
        n_outputs,
        validation: Validation { split: balanced(&shop.valid, subset, seed), labels },
        with_transfer: false,
        sampler,
        objective,
        views: if is_frozen { stillhouse_train::ViewPolicy::Plain } else { shop.fresh_views() },
        bias_corrections,
        flops_beside,
        depends_on,
    })
}

fn head_of(generalist: &Trained) -> Result<stillhouse_models::Model> {
    generalist.model.head_alone().map_err(super::training::model_error)
}

/// What raises the dustbin from the odds that training showed to the odds of the training split, both counted.
fn correction(shop: &Workshop<'_>, subset: &ClassSubset) -> Result<f64> {
    let n_own = shop.train.labels().iter().filter(|class| subset.contains(**class)).count();
    let special_prior = n_own as f64 / shop.train.len() as f64;
    let training_share = Sampler::half_and_half(&shop.train, subset).own_share();
    let shift = dustbin_logit_shift(special_prior, training_share);
    shift.map_err(|error| ExperimentError::Usage(format!("specialists: {error}")))
}

/// The validation examples of a specialist's classes and as many others: what its training looks like.
fn balanced(valid: &Split, subset: &ClassSubset, seed: Seed) -> Split {
    let sampler = Sampler::half_and_half(valid, subset);
    valid.select(&sampler.epoch_rows(valid.len(), seed.derive("validation", 0), 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_trainable<T>() -> Result<T> {
        Err(ExperimentError::NotTrainable(anyhow::anyhow!("the loss is NaN")))
    }

    #[test]
    fn a_specialist_that_diverges_is_left_out() {
        let mut left_out = Vec::new();
        let kept = keep_trained(vec![Ok('a'), not_trainable(), Ok('c')], |idx, _| left_out.push(idx)).unwrap();
        assert_eq!(kept, [(0, 'a'), (2, 'c')]);
        assert_eq!(left_out, [1]);
        let error = keep_trained(vec![not_trainable::<char>(), not_trainable()], |_, _| {}).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("every specialist failed"), "{error}");
    }

    #[test]
    fn damage_failures_and_interruptions_end_the_run() {
        let damaged = ExperimentError::BadData(anyhow::anyhow!("changed since it was written"));
        let full_disk = ExperimentError::Failed(anyhow::anyhow!("no space left"));
        for (error, exit_code) in [(damaged, 3), (full_disk, 1), (ExperimentError::Interrupted, 130)] {
            let result = keep_trained(vec![Ok('a'), not_trainable(), Err(error)], |_, _| {});
            assert_eq!(result.unwrap_err().exit_code(), exit_code);
        }
    }
}
