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
use super::problem::{Problem, Solution};
use std::borrow::Cow;

/// Relative error of every product at which the solution is good to rounding after the quadratic last step.
const TOLERANCE: f64 = 1e-11;
/// Far above the worst case seen; the bound only guards against a loop that rounding keeps alive.
const MAX_ITERATIONS: usize = 300;
/// Share of the way to the border of the positive region that a step may go.
const TO_THE_BORDER: f64 = 0.995;
/// A full step that brings the worst error down to this share is good without asking for the gap.
const CLEAR_PROGRESS: f64 = 0.25;
/// Share of the predicted decrease of the gap that a step must bring (Armijo).
const SUFFICIENT_DECREASE: f64 = 1e-4;
const MAX_HALVINGS: usize = 40;
/// Share of the whole below which a difference of sums has lost digits, and is summed anew.
const CANCELS: f64 = 1e-3;

/// Minimises equation 5; every dustbin with mass must stand for at least one class.
pub(super) fn solve(problem: &Problem<'_>) -> Solution {
    let system = System::new(problem);
    let mut state = system.start();
    let mut error = system.worst_error(&state);
    let mut n_iterations = 0;
    while n_iterations < MAX_ITERATIONS && error > TOLERANCE {
        let direction = system.direction(&state);
        let Some(next) = system.line_search(&state, error, &direction) else { break };
        state = next;
        error = system.worst_error(&state);
        n_iterations += 1;
    }
    Solution { probs: state.probs, n_iterations }
}

/// The problem without specialists whose dustbin is empty: their term is constant.
struct System<'a> {
    mass: &'a [f64],
    dustbins: Cow<'a, [f64]>,
    /// `B`, `[G, M]`
    outside: Cow<'a, [f64]>,
    /// `[G]`: the sets that hold a group
    inside: Cow<'a, [Vec<usize>]>,
}

struct State {
    probs: Vec<f64>,
    divisors: Vec<f64>,
    ratios: Vec<f64>,
    outside_mass: Vec<f64>,
}

impl<'a> System<'a> {
    fn new(problem: &'a Problem<'_>) -> Self {
        let (groups, mass) = (problem.groups, &problem.mass);
        let n_sets = groups.n_sets();
        let open: Vec<usize> = (0..n_sets).filter(|set| problem.dustbins[*set] > 0.0).collect();
        if open.len() == n_sets {
            let dustbins = Cow::Borrowed(&problem.dustbins[..]);
            return Self {
                mass,
                dustbins,
                outside: Cow::Borrowed(groups.outside()),
                inside: Cow::Borrowed(groups.inside()),
            };
        }
        let rows = groups.outside().chunks_exact(n_sets);
        let renumbered =
            |sets: &Vec<usize>| (0..open.len()).filter(|position| sets.contains(&open[*position])).collect();
        Self {
            mass,
            dustbins: open.iter().map(|set| problem.dustbins[*set]).collect(),
            outside: rows.flat_map(|row| open.iter().map(|set| row[*set])).collect(),
            inside: groups.inside().iter().map(renumbered).collect(),
        }
    }

    fn n_sets(&self) -> usize {
        self.dustbins.len()
    }

    fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.outside.chunks_exact(self.n_sets().max(1))
    }

    /// `B r`, `[G]`: all sets but the few that hold the group.
    fn sum_over_sets(&self, ratios: &[f64]) -> Vec<f64> {
        let total: f64 = ratios.iter().sum();
        let outside = |sets: &Vec<usize>| total - sets.iter().map(|set| ratios[*set]).sum::<f64>();
        self.inside.iter().map(outside).collect()
    }

    /// `B' y`, `[M]`: all groups but those inside. For sets that are `tight`, with little outside of them, that
    /// difference would cancel, and the few that are outside are summed instead.
    fn sum_over_groups(&self, values: &[f64], is_tight: impl Fn(usize, f64, f64) -> bool) -> Vec<f64> {
        let total: f64 = values.iter().sum();
        let mut sums = vec![total; self.n_sets()];
        for (sets, value) in self.inside.iter().zip(values) {
            sets.iter().for_each(|set| sums[*set] -= value);
        }
        for (set, sum) in sums.iter_mut().enumerate() {
            if is_tight(set, *sum, total) {
                *sum = self.rows().zip(values).map(|(row, value)| row[set] * value).sum();
            }
        }
        sums
    }

    /// `B' y` of numbers above 0.
    fn outside_sums(&self, values: &[f64]) -> Vec<f64> {
        self.sum_over_groups(values, |_, sum, total| sum < CANCELS * total)
    }

    /// `r = D` leaves every divisor positive, as masses and dustbins sum to 1; `y = A / s` meets half the equations.
    fn start(&self) -> State {
        let ratios = self.dustbins.to_vec();
        let total_mass: f64 = self.mass.iter().sum();
        let inside = |sets: &Vec<usize>| -> f64 { sets.iter().map(|set| ratios[*set]).sum() };
        let divisors: Vec<f64> = self.inside.iter().map(|sets| total_mass + inside(sets)).collect();
        let probs: Vec<f64> = self.mass.iter().zip(&divisors).map(|(mass, divisor)| mass / divisor).collect();
        let outside_mass = self.outside_sums(&probs);
        State { probs, divisors, ratios, outside_mass }
    }

    /// Products and their targets, `[G + M]`.
    fn products<'s>(&'s self, state: &'s State) -> impl Iterator<Item = (f64, f64)> + 's {
        let primal = state.probs.iter().zip(&state.divisors).zip(self.mass);
        let dual = state.ratios.iter().zip(&state.outside_mass).zip(self.dustbins.iter());
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
        let mut ratios = self.outside_sums(&pull);
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
        let whole: f64 = state.probs.iter().sum();
        let outside_mass = self.sum_over_groups(&probs, |set, _, _| state.outside_mass[set] < CANCELS * whole);
        State { probs, divisors: change.iter().map(|change| -change).collect(), ratios, outside_mass }
    }

    /// Lower triangle of `B' diag(v) B`, `[M, M]`.
    ///
    /// A group lies inside few sets, so with `I = 1 - B` the product is cheaper as
    /// `sum(v) 1 1' - 1 (I' v)' - (I' v) 1' + I' diag(v) I`. Where a set leaves little outside, the differences cancel
    /// and its row and column are summed directly.
    fn weighted_gram(&self, weights: &[f64]) -> Vec<f64> {
        let n_sets = self.n_sets();
        let total: f64 = weights.iter().sum();
        let mut inside_mass = vec![0.0; n_sets];
        let mut matrix = vec![0.0; n_sets * n_sets];
        for (sets, weight) in self.inside.iter().zip(weights) {
            for (position, set) in sets.iter().enumerate() {
                inside_mass[*set] += weight;
                let line = &mut matrix[set * n_sets..][..n_sets];
                sets[..=position].iter().for_each(|other| line[*other] += weight);
            }
        }
        for set in 0..n_sets {
            let line = &mut matrix[set * n_sets..][..=set];
            let rest = total - inside_mass[set];
            line.iter_mut().zip(&inside_mass).for_each(|(entry, inside)| *entry += rest - inside);
        }
        for set in (0..n_sets).filter(|set| total - inside_mass[*set] < CANCELS * total) {
            self.gram_row(weights, set, &mut matrix);
        }
        matrix
    }

    /// One row and column of `B' diag(v) B`, term by term.
    fn gram_row(&self, weights: &[f64], set: usize, matrix: &mut [f64]) {
        let n_sets = self.n_sets();
        let outside_of_set = self.rows().zip(weights).map(|(row, weight)| row[set] * weight).collect::<Vec<_>>();
        for (other, value) in self.sum_over_groups(&outside_of_set, |_, _, _| true).into_iter().enumerate() {
            matrix[set.max(other) * n_sets + set.min(other)] = value;
        }
    }

    /// The longest of a halving sequence of steps that brings the gap down; none when rounding allows no more.
    fn line_search(&self, state: &State, error: f64, direction: &State) -> Option<State> {
        let mut length = (TO_THE_BORDER * room(state, direction)).min(1.0);
        if length == 1.0 {
            let next = advance(state, direction, length);
            if self.worst_error(&next) < CLEAR_PROGRESS * error {
                return Some(next);
            }
        }
        let gap = self.gap(state);
        let slope: f64 = self.products(state).map(|(product, target)| (product - target).powi(2) / product).sum();
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
