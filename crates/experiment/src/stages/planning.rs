//! What `plan` asks of the stages: their keys, and artifacts that exist, without computing any.

use super::generalist::generalist_recipe;
use super::specialists::specialist_recipes;
use super::training::train_model;
use super::{Clustered, Trained, Workshop, cluster_classes};
use crate::error::Result;
use crate::store::Stage;

pub(crate) use super::baselines::n_equal_cost_members;
pub(crate) use super::selection::selection_stage;
pub(crate) use super::soft_targets::{layout, targets_stage};
pub(crate) use super::student::student_stage;
pub(crate) use super::validation::check_stage;

/// The stage of a generalist, or of another member of the plain ensemble.
pub(crate) fn generalist_stage(shop: &Workshop<'_>, member: usize) -> Stage {
    generalist_recipe(shop, member).stage(shop)
}

/// The generalists, if all are trained.
pub(crate) fn finished_generalists(shop: &Workshop<'_>) -> Result<Option<Vec<Trained>>> {
    let recipes: Vec<_> = (0..shop.config.n_generalists()).map(|member| generalist_recipe(shop, member)).collect();
    let all_done = recipes.iter().all(|recipe| recipe.stage(shop).is_done(shop.context.stages_dir()));
    all_done.then(|| recipes.iter().map(|recipe| train_model(shop, recipe)).collect()).transpose()
}

/// The clustering, if it is made.
pub(crate) fn finished_clustering(shop: &Workshop<'_>, generalists: &[Trained]) -> Result<Option<Clustered>> {
    let stage = super::clustering::clustering_stage(shop, generalists)?;
    match stage.is_done(shop.context.stages_dir()) {
        true => cluster_classes(shop, generalists),
        false => Ok(None),
    }
}

/// Stage and number of classes of each specialist.
pub(crate) fn specialist_stages(
    shop: &Workshop<'_>,
    generalists: &[Trained],
    clustered: &Clustered,
) -> Result<Vec<(Stage, usize)>> {
    let recipes = specialist_recipes(shop, generalists, clustered)?;
    let sizes = clustered.clustering.clusters().iter().map(stillhouse_core::ClassSubset::len);
    Ok(recipes.iter().map(|recipe| recipe.stage(shop)).zip(sizes).collect())
}
