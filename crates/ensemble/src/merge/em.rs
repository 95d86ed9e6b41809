//! Expectation maximisation for equation 5: split each dustbin over its classes as the current estimate has them, then
//! average. Monotone and without step size, exact after one step for one specialist, but slow when many specialists
//! put nearly everything into their dustbins (thousands of steps), which is why it does not solve the `exact` rule.
//!
//! G signature groups, M specialists.

use super::problem::Problem;

/// The teachers' mass without any dustbin, normalised: where the iteration starts.
pub(super) fn start(problem: &Problem<'_>) -> Vec<f64> {
    let total: f64 = problem.group_mass.iter().sum();
    problem.group_mass.iter().map(|mass| mass / total).collect()
}

/// `y_k <- A_k + sum_m D_m y_k / Q_m` over the sets `m` that group `k` lies outside of.
pub(super) fn step(problem: &Problem<'_>, group_probs: &[f64]) -> Vec<f64> {
    let n_sets = problem.dustbins.len();
    let mut outside_mass = vec![0.0; n_sets];
    for (group, prob) in group_probs.iter().enumerate() {
        let row = &problem.groups.outside()[group * n_sets..][..n_sets];
        outside_mass.iter_mut().zip(row).for_each(|(sum, out)| *sum += out * prob);
    }
    let ratio: Vec<f64> = problem
        .dustbins
        .iter()
        .zip(&outside_mass)
        .map(|(dustbin, mass)| if *dustbin > 0.0 { dustbin / mass } else { 0.0 })
        .collect();
    let share = |group: usize| -> f64 {
        let row = &problem.groups.outside()[group * n_sets..][..n_sets];
        row.iter().zip(&ratio).map(|(out, ratio)| out * ratio).sum()
    };
    (0..group_probs.len()).map(|group| problem.group_mass[group] + group_probs[group] * share(group)).collect()
}
