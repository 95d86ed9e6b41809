//! The network that knows every class (paper, sec. 5.1), and the plain ensemble of generalists that costs as much as the
//! specialists.

use crate::error::Result;
use crate::networks::artifacts::{Clustered, Specialist, Trained};
use crate::networks::recipe::Recipe;
use crate::networks::training::train_side_by_side;
use crate::session::Session;

/// Trains the generalists; none where the config has external teachers only.
pub(crate) fn train_generalists(session: &Session<'_>) -> Result<Vec<Trained>> {
    train_members(session, 0..session.config.n_generalists())
}

/// Trains the further generalists of the control: the plain ensemble that costs as much training as the generalists, the
/// search for clusters and the specialists.
pub(crate) fn train_generalist_ensemble(
    session: &Session<'_>,
    generalists: &[Trained],
    clustered: Option<&Clustered>,
    specialists: &[Specialist],
) -> Result<Vec<Trained>> {
    let Some(generalist) = generalists.first() else { return Ok(Vec::new()) };
    if session.config.has_one_teacher() {
        // there is nothing that it could be compared with
        return Ok(Vec::new());
    }
    let specialists_flops: f64 = specialists.iter().map(|specialist| specialist.trained.fit.train_flops).sum();
    let specialists_flops = specialists_flops + clustered.map_or(0.0, |clustered| clustered.train_flops);
    let n_members = n_equal_cost_members(generalists.len(), generalist.fit.train_flops, specialists_flops);
    train_members(session, generalists.len()..n_members)
}

fn train_members(session: &Session<'_>, members: std::ops::Range<usize>) -> Result<Vec<Trained>> {
    let recipes: Vec<_> = members.map(|member| Recipe::generalist(session, member)).collect();
    train_side_by_side(session, &recipes)?.into_iter().collect()
}

/// Share of one generalist's cost above which the control ensemble gets one more member.
const WORTH_A_MEMBER: f64 = 0.05;

/// Number of generalists that cost at least as much training as `n_models` of them and the specialists, in
/// floating-point operations with the head included; two at least, or it would be no ensemble. Rounded up: the baseline
/// gets the benefit of the doubt.
fn n_equal_cost_members(n_models: usize, generalist_flops: f64, specialists_flops: f64) -> usize {
    let ratio = n_models as f64 + specialists_flops / generalist_flops;
    ((ratio - WORTH_A_MEMBER).ceil() as usize).max(2)
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
