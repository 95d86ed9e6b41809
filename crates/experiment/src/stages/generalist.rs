//! The network that knows every class (paper, sec. 5.1).

use super::Workshop;
use super::training::{Recipe, Trained, global_validation, train_model};
use crate::error::Result;
use stillhouse_train::{LabelView, Objective, Sampler};

/// Trains the generalist.
pub(crate) fn train_generalist(shop: &Workshop<'_>) -> Result<Trained> {
    let recipe = generalist_recipe(shop, 0);
    shop.context.with_all_threads(|| train_model(shop, &recipe))?
}

/// The generalist (0), or another one that differs in its seed alone: a member of the plain ensemble.
pub(crate) fn generalist_recipe<'a>(shop: &Workshop<'a>, member: usize) -> Recipe<'a> {
    let config = &shop.config.generalist;
    Recipe {
        kind: "generalist",
        index: (member > 0).then_some(member),
        model: &config.model,
        training: &config.training,
        seed: shop.seed.derive("generalist", member as u64),
        start: None,
        n_outputs: shop.n_classes(),
        sampler: Sampler::All,
        objective: Objective::HardLabels(LabelView::Global),
        views: shop.fresh_views(),
        validation: global_validation(shop),
        bias_correction: None,
        depends_on: Vec::new(),
    }
}
