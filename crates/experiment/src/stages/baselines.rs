//! What the same compute buys without specialists: a plain ensemble of generalists.

use super::generalist::generalist_recipe;
use super::training::{Trained, train_side_by_side};
use super::{Clustered, Specialist, Workshop};
use crate::error::Result;

/// A member more is trained once the specialists cost this share of one.
const WORTH_A_MEMBER: f64 = 0.05;

/// Number of generalists that cost at least as much training as `n_models` of them and the specialists, in
/// floating-point operations with the head included; two at least, or it would be no ensemble. Rounded up: the baseline
/// gets the benefit.
pub(crate) fn n_equal_cost_members(n_models: usize, generalist_flops: f64, specialists_flops: f64) -> usize {
    let ratio = n_models as f64 + specialists_flops / generalist_flops;
    ((ratio - WORTH_A_MEMBER).ceil() as usize).max(2)
}

/// Trains the generalists that stand beside the run's own in the plain ensemble that costs as much as these, the search
/// for clusters and the specialists.
pub(crate) fn train_generalist_ensemble(
    shop: &Workshop<'_>,
    generalists: &[Trained],
    clustered: Option<&Clustered>,
    specialists: &[Specialist],
) -> Result<Vec<Trained>> {
    let Some(generalist) = generalists.first() else { return Ok(Vec::new()) };
    let specialists_flops: f64 = specialists.iter().map(|specialist| specialist.trained.fit.train_flops).sum();
    let specialists_flops = specialists_flops + clustered.map_or(0.0, |clustered| clustered.train_flops);
    let n_members = n_equal_cost_members(generalists.len(), generalist.fit.train_flops, specialists_flops);
    let recipes: Vec<_> = (generalists.len()..n_members).map(|member| generalist_recipe(shop, member)).collect();
    train_side_by_side(shop, &recipes)?.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_never_gets_clearly_less_compute() {
        assert_eq!(n_equal_cost_members(1, 1.0, 0.3), 2);
        assert_eq!(n_equal_cost_members(1, 1.0, 1.02), 2);
        assert_eq!(n_equal_cost_members(1, 1.0, 1.2), 3);
        assert_eq!(n_equal_cost_members(1, 1.0, 0.0), 2);
        assert_eq!(n_equal_cost_members(3, 1.0, 0.6), 4);
    }
}
