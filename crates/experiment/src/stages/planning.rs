//! What `plan` asks of the stages: their keys, and artifacts that exist, without computing any.

use super::specialists::specialist_recipes;
use super::training::{Recipe, train_model};
use super::{Clustered, Trained, Workshop, cluster_classes, held_out};
use crate::error::Result;
use crate::store::Stage;
use stillhouse_core::ClassSubset;
use stillhouse_train::FORWARD_PASSES_PER_STEP;

pub(crate) use super::baselines::n_equal_cost_members;
pub(crate) use super::evaluation::evaluation_stage;
pub(crate) use super::generalist::generalist_recipe;
pub(crate) use super::merged::merged_stage;
pub(crate) use super::selection::selection_stage;
pub(crate) use super::soft_targets::{layout, targets_stage};
pub(crate) use super::student::student_stage;
pub(crate) use super::tokenizer::planned_input;
pub(crate) use super::training::{folder_error, model_error, new_model};
pub(crate) use super::validation::check_stage;

/// The stage of a generalist, or of another member of the plain ensemble.
pub(crate) fn generalist_stage(shop: &Workshop<'_>, member: usize) -> Stage {
    generalist_recipe(shop, member).stage(shop)
}

/// The stage of a generalist that is trained on all but one fold.
pub(crate) fn fold_stage(shop: &Workshop<'_>, fold_idx: usize, n_folds: usize) -> Stage {
    held_out::fold_recipe(shop, fold_idx, n_folds).stage(shop)
}

/// Floating-point operations of a recipe's training.
pub(crate) fn recipe_flops(shop: &Workshop<'_>, recipe: &Recipe<'_>) -> Result<f64> {
    let (input, _) = planned_input(shop, recipe.tokenizer)?;
    let model = new_model(shop, recipe.model, &input, recipe.n_outputs, None)?;
    let n_examples = recipe.n_examples_seen(shop) as f64;
    let (whole, body) = (model.flops_per_example() as f64, model.body_flops_per_example() as f64);
    let (trained, of_body) = match recipe.frozen {
        Some(frozen) => (whole - body, body * shop.train.len() as f64 / frozen.n_sharing as f64),
        None => (whole, 0.0),
    };
    Ok((FORWARD_PASSES_PER_STEP * trained + recipe.flops_beside) * n_examples + of_body)
}

/// Floating-point operations of the trainings on all but one fold each.
pub(crate) fn folds_flops(shop: &Workshop<'_>, n_folds: usize) -> Result<f64> {
    let flops = |fold_idx| {
        let shop = held_out::without_fold(shop, fold_idx, n_folds);
        recipe_flops(&shop, &held_out::fold_recipe(&shop, fold_idx, n_folds))
    };
    (0..n_folds).map(flops).sum()
}

/// Floating-point operations of all specialists' trainings.
pub(crate) fn specialists_flops(
    shop: &Workshop<'_>,
    generalists: &[Trained],
    clustered: Option<&Clustered>,
) -> Result<f64> {
    let Some(clustered) = clustered else { return Ok(0.0) };
    let recipes = specialist_recipes(shop, generalists, clustered)?;
    recipes.iter().map(|recipe| recipe_flops(shop, recipe)).sum()
}

/// The generalists, if all are trained.
pub(crate) fn finished_generalists(shop: &Workshop<'_>) -> Result<Option<Vec<Trained>>> {
    let recipes: Vec<_> = (0..shop.config.n_generalists()).map(|member| generalist_recipe(shop, member)).collect();
    let all_done = recipes.iter().all(|recipe| recipe.stage(shop).is_done(shop.context.stages_dir()));
    let read_back = |recipe| shop.context.alone(|share| train_model(shop, recipe, share))?;
    all_done.then(|| recipes.iter().map(read_back).collect()).transpose()
}

/// The clustering, if it is made.
pub(crate) fn finished_clustering(shop: &Workshop<'_>, generalists: &[Trained]) -> Result<Option<Clustered>> {
    let stage = super::clustering::clustering_stage(shop, generalists)?;
    match stage.is_done(shop.context.stages_dir()) {
        true => cluster_classes(shop, generalists),
        false => Ok(None),
    }
}

/// A specialist whose cluster is known.
pub(crate) struct PlannedSpecialist {
    pub stage: Stage,
    /// Its classes.
    pub n_own: usize,
    /// Examples of each of its epochs.
    pub n_rows: usize,
}

/// Each specialist, once the clusters are known.
pub(crate) fn specialist_stages(
    shop: &Workshop<'_>,
    generalists: &[Trained],
    clustered: &Clustered,
) -> Result<Vec<PlannedSpecialist>> {
    let recipes = specialist_recipes(shop, generalists, clustered)?;
    let planned = |(recipe, cluster): (&Recipe<'_>, &ClassSubset)| PlannedSpecialist {
        stage: recipe.stage(shop),
        n_own: cluster.len(),
        n_rows: recipe.epoch_len(shop),
    };
    Ok(recipes.iter().zip(clustered.clustering.clusters()).map(planned).collect())
}
