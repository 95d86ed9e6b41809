//! One step of expectation maximisation (Dempster, Laird and Rubin 1977) for equation 5: splits each dustbin over its
//! classes as the current estimate has them, then averages.
//!
//! G signature groups, M partial teachers.
//!
//! For one specialist a single step from the teachers' own masses is exact. For several, steps lower the objective
//! monotonically but slowly where many specialists put nearly everything into their dustbins: to the minimum they take
//! up to 200 times as long as Newton's method (`experiments/merge_speed`), which is why the rule `exact` does not
//! iterate them. A conditional teacher's term `w_c log Q_c` is concave in `q`; it is replaced by its tangent, which
//! lies above it, so every step still lowers the objective.

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
    let mut next = Vec::with_capacity(probs.len());
    for (group, prob) in probs.iter().enumerate() {
        let outside = &problem.groups.outside()[group * n_sets..][..n_sets];
        let share: f64 = outside.iter().zip(&dustbins).map(|(out, ratio)| out * ratio).sum();
        let pull: f64 = problem.groups.inside()[group].iter().map(|set| conditional[*set]).sum();
        next.push((problem.mass[group] + prob * share) / (full_weight + pull));
    }
    let total: f64 = next.iter().sum();
    next.iter_mut().for_each(|prob| *prob /= total);
    next
}
