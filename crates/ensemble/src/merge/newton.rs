//! A primal-dual Newton method for equation 5.
//!
//! G signature groups, M specialists, `B[k, m]` is 1 where group `k` lies outside the set of specialist `m`.
//!
//! ```text
//! unknowns        y [G]  probability of each group          s [G]  its divisor, s = 1 - B r
//!                 r [M]  ratio D_m / Q_m                    Q [M]  probability outside each set, Q = B' y
//! to be solved    y_k s_k = A_k   and   r_m Q_m = D_m
//! ```
//!
//! With `x` for all `G + M` products and `t` for their targets (`A` and `D`), the duality gap is
//! `sum_j x_j - t_j - t_j log(x_j / t_j)`: convex in `(y, r)`, zero exactly at the solution, and every Newton step
//! points downhill on it. Halving the step until it falls makes the method converge from anywhere, and near the
//! solution quadratically. Each step solves one `[M, M]` system, however many classes there are. Working with both
//! sides avoids the cancellation in `A_k / (1 - (B r)_k)` that extreme dustbins bring to a purely dual method.

use super::linear;
use super::problem::Problem;

/// Relative error of every product at which the solution is good to rounding after the quadratic last step.
const TOLERANCE: f64 = 1e-11;
/// Far above the worst case seen; the bound only guards against a loop that rounding keeps alive.
const MAX_ITERATIONS: usize = 300;
/// Share of the way to the border of the positive region that a step may go.
const TO_THE_BORDER: f64 = 0.995;
/// Share of the predicted decrease of the gap that a step must bring (Armijo).
const SUFFICIENT_DECREASE: f64 = 1e-4;
const MAX_HALVINGS: usize = 40;

pub(super) struct Solution {
    /// `[G]`
    pub(super) group_probs: Vec<f64>,
    pub(super) n_iterations: usize,
}

/// Minimises equation 5; every dustbin with mass must stand for at least one class.
pub(super) fn solve(problem: &Problem<'_>) -> Solution {
    let system = System::new(problem);
    let mut state = system.start();
    let mut n_iterations = 0;
    while n_iterations < MAX_ITERATIONS && system.worst_error(&state) > TOLERANCE {
        let direction = system.direction(&state);
        let Some(next) = system.line_search(&state, &direction) else { break };
        state = next;
        n_iterations += 1;
    }
    Solution { group_probs: state.probs, n_iterations }
}

/// The problem without specialists whose dustbin is empty: their term is constant.
struct System<'a> {
    mass: &'a [f64],
    dustbins: Vec<f64>,
    /// `B`, `[G, M]`
    outside: Vec<f64>,
}

struct State {
    probs: Vec<f64>,
    divisors: Vec<f64>,
    ratios: Vec<f64>,
    outside_mass: Vec<f64>,
}

impl<'a> System<'a> {
    fn new(problem: &'a Problem<'_>) -> Self {
        let n_sets = problem.dustbins.len();
        let open: Vec<usize> = (0..n_sets).filter(|set| problem.dustbins[*set] > 0.0).collect();
        let rows = problem.groups.outside().chunks_exact(n_sets.max(1));
        Self {
            mass: &problem.group_mass,
            dustbins: open.iter().map(|set| problem.dustbins[*set]).collect(),
            outside: rows.flat_map(|row| open.iter().map(|set| row[*set])).collect(),
        }
    }

    fn n_sets(&self) -> usize {
        self.dustbins.len()
    }

    /// `B r`, `[G]`
    fn sum_over_sets(&self, ratios: &[f64]) -> Vec<f64> {
        let row_sum = |row: &[f64]| row.iter().zip(ratios).map(|(out, ratio)| out * ratio).sum();
        self.outside.chunks_exact(self.n_sets().max(1)).map(row_sum).collect()
    }

    /// `B' y`, `[M]`
    fn sum_over_groups(&self, probs: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.n_sets()];
        for (row, prob) in self.outside.chunks_exact(self.n_sets().max(1)).zip(probs) {
            sums.iter_mut().zip(row).for_each(|(sum, out)| *sum += out * prob);
        }
        sums
    }

    /// `r = D` leaves every divisor positive, as masses and dustbins sum to 1; `y = A / s` meets half the equations.
    fn start(&self) -> State {
        let ratios = self.dustbins.clone();
        let total_mass: f64 = self.mass.iter().sum();
        let inside = |row: &[f64]| -> f64 { row.iter().zip(&ratios).map(|(out, ratio)| (1.0 - out) * ratio).sum() };
        let divisors: Vec<f64> = match self.n_sets() {
            0 => vec![total_mass; self.mass.len()],
            n_sets => self.outside.chunks_exact(n_sets).map(|row| total_mass + inside(row)).collect(),
        };
        let probs: Vec<f64> = self.mass.iter().zip(&divisors).map(|(mass, divisor)| mass / divisor).collect();
        let outside_mass = self.sum_over_groups(&probs);
        State { probs, divisors, ratios, outside_mass }
    }

    /// Products and their targets, `[G + M]`.
    fn products<'s>(&'s self, state: &'s State) -> impl Iterator<Item = (f64, f64)> + 's {
        let primal = state.probs.iter().zip(&state.divisors).zip(self.mass);
        let dual = state.ratios.iter().zip(&state.outside_mass).zip(&self.dustbins);
        primal.chain(dual).map(|((a, b), target)| (a * b, *target))
    }

    fn worst_error(&self, state: &State) -> f64 {
        self.products(state).map(|(product, target)| (product / target - 1.0).abs()).fold(0.0, f64::max)
    }

    fn gap(&self, state: &State) -> f64 {
        let term = |(product, target): (f64, f64)| {
            let excess = product / target - 1.0;
            target * (excess - excess.ln_1p())
        };
        self.products(state).map(term).sum()
    }

    /// Eliminating `y` from the linearised equations leaves
    /// `(diag(Q / r) + B' diag(y / s) B) dr = D / r - B' (A / s)`.
    fn direction(&self, state: &State) -> State {
        let n_sets = self.n_sets();
        let curvature: Vec<f64> =
            state.probs.iter().zip(&state.divisors).map(|(prob, divisor)| prob / divisor).collect();
        let pull: Vec<f64> = self.mass.iter().zip(&state.divisors).map(|(mass, divisor)| mass / divisor).collect();
        let mut matrix = self.weighted_gram(&curvature);
        let mut ratios = self.sum_over_groups(&pull);
        for set in 0..n_sets {
            matrix[set * n_sets + set] += state.outside_mass[set] / state.ratios[set];
            ratios[set] = self.dustbins[set] / state.ratios[set] - ratios[set];
        }
        linear::solve_in_place(&mut matrix, &mut ratios);
        let change = self.sum_over_sets(&ratios);
        let prob_change = |group: usize| {
            let (prob, divisor) = (state.probs[group], state.divisors[group]);
            (self.mass[group] - prob * divisor + prob * change[group]) / divisor
        };
        let probs: Vec<f64> = (0..change.len()).map(prob_change).collect();
        let outside_mass = self.sum_over_groups(&probs);
        State { probs, divisors: change.iter().map(|change| -change).collect(), ratios, outside_mass }
    }

    /// Lower triangle of `B' diag(v) B`, `[M, M]`. `B` holds only 0 and 1, so this is a sum of rows of `B`.
    fn weighted_gram(&self, weights: &[f64]) -> Vec<f64> {
        let n_sets = self.n_sets();
        let mut matrix = vec![0.0; n_sets * n_sets];
        for (row, weight) in self.outside.chunks_exact(n_sets).zip(weights) {
            for (set, _) in row.iter().enumerate().filter(|(_, out)| **out > 0.0) {
                let line = &mut matrix[set * n_sets..][..=set];
                line.iter_mut().zip(row).for_each(|(entry, out)| *entry += weight * out);
            }
        }
        matrix
    }

    /// The longest of a halving sequence of steps that brings the gap down; none when rounding allows no more.
    fn line_search(&self, state: &State, direction: &State) -> Option<State> {
        let gap = self.gap(state);
        let slope: f64 = self.products(state).map(|(product, target)| (product - target).powi(2) / product).sum();
        let mut length = (TO_THE_BORDER * room(state, direction)).min(1.0);
        for _ in 0..MAX_HALVINGS {
            let next = advance(state, direction, length);
            if self.gap(&next) <= gap - SUFFICIENT_DECREASE * length * slope {
                return Some(next);
            }
            length /= 2.0;
        }
        None
    }
}

/// The step length at which the first of the unknowns reaches zero.
fn room(state: &State, direction: &State) -> f64 {
    let pairs = [
        (&state.probs, &direction.probs),
        (&state.divisors, &direction.divisors),
        (&state.ratios, &direction.ratios),
        (&state.outside_mass, &direction.outside_mass),
    ];
    let steepest = pairs
        .iter()
        .flat_map(|(values, changes)| values.iter().zip(changes.iter()))
        .map(|(value, change)| -change / value)
        .fold(0.0, f64::max);
    1.0 / steepest
}

fn advance(state: &State, direction: &State, length: f64) -> State {
    let along = |values: &[f64], changes: &[f64]| -> Vec<f64> {
        values.iter().zip(changes).map(|(value, change)| value + length * change).collect()
    };
    State {
        probs: along(&state.probs, &direction.probs),
        divisors: along(&state.divisors, &direction.divisors),
        ratios: along(&state.ratios, &direction.ratios),
        outside_mass: along(&state.outside_mass, &direction.outside_mass),
    }
}
