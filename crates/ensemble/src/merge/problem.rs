//! The problem that the solvers minimise, in group coordinates, and its solution.
//!
//! M partial teachers (dustbin or conditional), G signature groups. Weights are normalised, so masses and
//! dustbins together sum to 1.

use super::groups::SignatureGroups;

/// Least mean mass of a group's classes. A group without mass could still receive probability from dustbins, and its
/// split among the classes would not be unique.
pub(super) const MASS_FLOOR: f64 = 1e-12;

/// Equation 5 for one example, in group coordinates.
pub(super) struct Problem<'a> {
    pub(super) groups: &'a SignatureGroups,
    /// `A`, `[G]`: weighted probability that teachers give by name
    pub(super) mass: Vec<f64>,
    /// `D`, `[M]`: weighted dustbins, 0 for conditional teachers
    pub(super) dustbins: Vec<f64>,
    /// `[M]`: weights of conditional teachers, 0 for those with a dustbin
    pub(super) conditional: Vec<f64>,
}

/// A merged distribution over groups.
#[derive(Clone)]
pub(super) struct Solution {
    /// `[G]`
    pub(super) probs: Vec<f64>,
    pub(super) n_iterations: usize,
    /// Whether the solver met its tolerance.
    pub(super) is_converged: bool,
}

impl Problem<'_> {
    /// Weight of the teachers that see every class.
    pub(super) fn full_weight(&self) -> f64 {
        (1.0 - self.conditional.iter().sum::<f64>()).max(0.0)
    }

    pub(super) fn has_conditional(&self) -> bool {
        self.conditional.iter().any(|weight| *weight > 0.0)
    }

    /// Probability outside of each dustbin teacher's set and inside each conditional one's, `[M]`.
    pub(super) fn seen_mass(&self, probs: &[f64]) -> Vec<f64> {
        let n_sets = self.groups.n_sets();
        let mut seen = vec![0.0; n_sets];
        for (row, prob) in self.groups.outside().chunks_exact(n_sets.max(1)).zip(probs) {
            for set in 0..n_sets {
                let share = if self.conditional[set] > 0.0 { 1.0 - row[set] } else { row[set] };
                seen[set] += share * prob;
            }
        }
        seen
    }

    /// The teachers' mass without any dustbin, normalised: where iterations start.
    pub(super) fn start(&self) -> Vec<f64> {
        let total: f64 = self.mass.iter().sum();
        self.mass.iter().map(|mass| mass / total).collect()
    }
}
