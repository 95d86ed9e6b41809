//! The network that knows every class (paper, sec. 5.1).

use super::Workshop;
use super::training::{Recipe, Trained, global_validation, train_model, train_side_by_side};
use crate::error::Result;
use crate::role::Role;
use stillhouse_train::{LabelView, Objective, Sampler};

/// Trains the generalists, one with all threads, several side by side; none where the config has external ones only.
pub(crate) fn train_generalists(shop: &Workshop<'_>) -> Result<Vec<Trained>> {
    match shop.config.n_generalists() {
        0 => Ok(Vec::new()),
        1 => Ok(vec![shop.context.alone(|share| train_model(shop, &generalist_recipe(shop, 0), share))??]),
        n_models => {
            let recipes: Vec<_> = (0..n_models).map(|member| generalist_recipe(shop, member)).collect();
            train_side_by_side(shop, &recipes)?.into_iter().collect()
        }
    }
}

/// The generalist (0), or another one that differs in its seed alone: a member of the plain ensemble.
pub(crate) fn generalist_recipe<'a>(shop: &Workshop<'a>, member: usize) -> Recipe<'a> {
    let config = shop.config.generalist.as_ref().expect("only configs with a generalist train any");
    Recipe {
        role: Role::Generalist,
        kind: Role::Generalist.kind(),
        index: (member > 0).then_some(member),
        model: &config.model,
        tokenizer: config.tokenizer.as_ref(),
        training: &config.training,
        seed: shop.seed.derive(Role::Generalist.kind(), member as u64),
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
