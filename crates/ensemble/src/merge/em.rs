//! Expectation maximisation: split each dustbin over its classes as the current estimate has them, then average.
//!
//! Monotone and without step size, exact after one step for one specialist, but slow when many specialists put nearly
//! everything into their dustbins (thousands of steps), which is why it does not solve the `exact` rule. A conditional
//! teacher's term is replaced by its tangent, which lies above it, so every step still brings the objective down.
//!
//! G signature groups, M partial teachers.

use super::problem::Problem;

/// `y_k <- (A_k + sum_m D_m y_k / Q_m) / (w_full + sum_c w_c / Q_c)`, normalised; over the dustbin teachers `m` whose
/// set group `k` lies outside of and the conditional ones `c` whose set holds it.
pub(super) fn step(problem: &Problem<'_>, probs: &[f64]) -> Vec<f64> {
    let n_sets = problem.groups.n_sets();
    let seen = problem.seen_mass(probs);
    let ratio = |weight: f64, mass: f64| if weight > 0.0 { weight / mass } else { 0.0 };
    let dustbins: Vec<f64> = problem.dustbins.iter().zip(&seen).map(|(weight, mass)| ratio(*weight, *mass)).collect();
    let conditional: Vec<f64> =
        problem.conditional.iter().zip(&seen).map(|(weight, mass)| ratio(*weight, *mass)).collect();
    let full_weight = problem.full_weight();
    let updated = |group: usize| {
        let outside = &problem.groups.outside()[group * n_sets..][..n_sets];
        let share: f64 = outside.iter().zip(&dustbins).map(|(out, ratio)| out * ratio).sum();
        let pull: f64 = problem.groups.inside()[group].iter().map(|set| conditional[*set]).sum();
        (problem.mass[group] + probs[group] * share) / (full_weight + pull)
    };
    let mut next: Vec<f64> = (0..probs.len()).map(updated).collect();
    let total: f64 = next.iter().sum();
    next.iter_mut().for_each(|prob| *prob /= total);
    next
}
