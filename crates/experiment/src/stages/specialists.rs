//! The networks for one cluster each, trained side by side (paper, sec. 5.1).

use super::training::{Frozen, Recipe, Trained, train_side_by_side};
use super::{Clustered, Workshop};
use crate::config::{SpecialistBody, SpecialistHead, SpecialistInit};
use crate::error::{ExperimentError, Result};
use std::sync::Arc;
use stillhouse_core::{ClassSubset, Seed};
use stillhouse_data::Split;
use stillhouse_ensemble::PriorCorrection;
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

/// Trains one specialist for each cluster, none without clusters. One that fails is reported and left out; the others go on.
///
/// # Errors
/// An interruption, or the failure of every specialist.
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
    let mut specialists = Vec::new();
    let mut last_failure = None;
    for (cluster_idx, result) in train_side_by_side(shop, &recipes)?.into_iter().enumerate() {
        match result {
            Ok(trained) => specialists.push(Specialist {
                trained,
                cluster_idx,
                subset: clusters[cluster_idx].clone(),
                head: config.head,
                prior_correction: correction(shop, &clusters[cluster_idx])?,
                refit_shift: 0.0,
            }),
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
    let seed = shop.seed.derive("specialist", cluster_idx as u64);
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
        kind: "specialist",
        index: Some(cluster_idx),
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
    let correction = PriorCorrection::new(special_prior, training_share);
    Ok(correction.map_err(|error| ExperimentError::Usage(format!("specialists: {error}")))?.dustbin_logit_shift())
}

/// The validation examples of a specialist's classes and as many others: what its training looks like.
fn balanced(valid: &Split, subset: &ClassSubset, seed: Seed) -> Split {
    let sampler = Sampler::half_and_half(valid, subset);
    valid.select(&sampler.epoch_rows(valid.len(), seed.derive("validation", 0), 0))
}
