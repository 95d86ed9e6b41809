//! The merge with conditional teachers: networks with outputs for some classes only and without a dustbin.
//!
//! G signature groups, M partial teachers.
//!
//! A conditional teacher gives `p_c(i)` for `i` in `S_c`, given that the truth lies in `S_c`. Its divergence from
//! `q_i / Q_c`, with `Q_c = sum_{i in S_c} q_i`, adds `- sum_i w_c p_c(i) log q_i + w_c log Q_c` to equation 5. With
//! `u = log q`, weights summing to 1 and `w_full` that of all other teachers, the whole objective is
//!
//! ```text
//! F(u) = - sum_i a_i u_i - sum_m D_m log Q_m + sum_c w_c log Q_c + w_full log sum_i exp u_i
//! ```
//!
//! and at its minimum `q_i = a_i / (w_full - sum_{m: i not in S_m} D_m / Q_m + sum_{c: i in S_c} w_c / Q_c)`. The
//! divisor is the same within a signature group, so the reduction to groups holds. Without dustbins every term is
//! linear or a logarithm of a sum of exponentials: convex in `u`, with one minimum (the setting of "Unifying
//! heterogeneous classifiers with distillation", Vongkulbhisal et al. 2019). With dustbins and conditional teachers
//! together it is convex neither in `u` nor in `q`; the result is then a stationary point, reached downhill from one
//! step of expectation maximisation.
//!
//! Newton's method on `u`, in groups, with EM steps where it does not go downhill. The second derivative is a diagonal
//! and one rank for each teacher, so by the Woodbury identity a step solves a system of `M + 1` unknowns.

use super::em;
use super::problem::{Problem, Solution};

/// Largest error of a group's optimality condition, relative to its mass.
const TOLERANCE: f64 = 1e-12;
const MAX_ITERATIONS: usize = 2000;
const SUFFICIENT_DECREASE: f64 = 1e-4;
const MAX_HALVINGS: usize = 30;
/// Largest change of a logarithm in one step: beyond it the quadratic model says nothing.
const MAX_CHANGE: f64 = 4.0;

/// A stationary point of `F`; its minimum without dustbins.
pub(super) fn solve(problem: &Problem<'_>) -> Solution {
    let mut probs = em::step(problem, &problem.start());
    let mut objective = value(problem, &probs);
    for n_iterations in 0..MAX_ITERATIONS {
        let point = Point::new(problem, &probs);
        if point.worst_error(problem) < TOLERANCE {
            return Solution { probs, n_iterations, is_converged: true };
        }
        let next = point.newton_step(problem).and_then(|change| descend(problem, &probs, objective, &point, &change));
        let next = next.unwrap_or_else(|| em::step(problem, &probs));
        let reached = value(problem, &next);
        if next == probs {
            // neither Newton nor EM moves: as good as rounding allows
            return Solution { probs, n_iterations, is_converged: true };
        }
        (probs, objective) = (next, reached);
    }
    Solution { probs, n_iterations: MAX_ITERATIONS, is_converged: false }
}

/// `F` of normalised group probabilities, up to a constant.
fn value(problem: &Problem<'_>, probs: &[f64]) -> f64 {
    let named: f64 = problem.mass.iter().zip(probs).map(|(mass, prob)| -mass * prob.ln()).sum();
    let seen = problem.seen_mass(probs);
    let weights = problem.conditional.iter().zip(&problem.dustbins).map(|(conditional, dustbin)| conditional - dustbin);
    named
        + weights.zip(&seen).filter(|(weight, _)| *weight != 0.0).map(|(weight, seen)| weight * seen.ln()).sum::<f64>()
}

/// Goes along a direction until the objective falls enough.
fn descend(problem: &Problem<'_>, probs: &[f64], objective: f64, point: &Point, change: &[f64]) -> Option<Vec<f64>> {
    let slope: f64 = point.gradient.iter().zip(change).map(|(gradient, change)| gradient * change).sum();
    let largest = change.iter().map(|change| change.abs()).fold(0.0, f64::max);
    if slope >= 0.0 || !largest.is_finite() {
        return None;
    }
    let mut length = (MAX_CHANGE / largest).min(1.0);
    for _ in 0..MAX_HALVINGS {
        let mut next: Vec<f64> =
            probs.iter().zip(change).map(|(prob, change)| prob * (length * change).exp()).collect();
        let total: f64 = next.iter().sum();
        next.iter_mut().for_each(|prob| *prob /= total);
        // near the minimum rounding hides the decrease, but a step that solves the conditions better is a good one
        let is_lower = value(problem, &next) <= objective + SUFFICIENT_DECREASE * length * slope;
        if is_lower
            || (length == 1.0 && Point::new(problem, &next).worst_error(problem) < 0.5 * point.worst_error(problem))
        {
            return Some(next);
        }
        length /= 2.0;
    }
    None
}

/// Derivatives at one distribution.
struct Point {
    probs: Vec<f64>,
    /// `[M]`: probability outside of a dustbin teacher's set, inside of a conditional one's
    seen: Vec<f64>,
    /// `[G]`: the divisor of the optimality condition
    divisors: Vec<f64>,
    /// `[G]`: of `F` with respect to the logarithms
    gradient: Vec<f64>,
}

impl Point {
    fn new(problem: &Problem<'_>, probs: &[f64]) -> Self {
        let n_sets = problem.groups.n_sets();
        let seen = problem.seen_mass(probs);
        let full_weight = problem.full_weight();
        let divisor = |group: usize| -> f64 {
            let outside = &problem.groups.outside()[group * n_sets..][..n_sets];
            let terms = (0..n_sets).map(|set| match problem.conditional[set] {
                weight if weight > 0.0 => (1.0 - outside[set]) * weight / seen[set],
                _ if problem.dustbins[set] > 0.0 => -outside[set] * problem.dustbins[set] / seen[set],
                _ => 0.0,
            });
            full_weight + terms.sum::<f64>()
        };
        let divisors: Vec<f64> = (0..probs.len()).map(divisor).collect();
        let gradient = (0..probs.len()).map(|group| probs[group] * divisors[group] - problem.mass[group]).collect();
        Self { probs: probs.to_vec(), seen, divisors, gradient }
    }

    fn worst_error(&self, problem: &Problem<'_>) -> f64 {
        self.gradient.iter().zip(&problem.mass).map(|(gradient, mass)| (gradient / mass).abs()).fold(0.0, f64::max)
    }

    /// `-H^-1 g` by the Woodbury identity; none where the diagonal is not positive or the small system is singular.
    ///
    /// `H = diag(y s) + sum_j z_j v_j v_j'`: the full teachers with `v = y` (their weight enters with a minus, and the
    /// free scale of `y` is pinned by a plus 1), dustbins with plus `D_m`, conditional teachers with minus `w_c`, each
    /// with `v = y / Q` on the groups outside (dustbin) or inside (conditional) of its set, 0 elsewhere.
    fn newton_step(&self, problem: &Problem<'_>) -> Option<Vec<f64>> {
        let n_groups = self.probs.len();
        let n_sets = problem.groups.n_sets();
        let diagonal: Vec<f64> = self.probs.iter().zip(&self.divisors).map(|(prob, divisor)| prob * divisor).collect();
        if diagonal.iter().any(|value| *value <= 0.0) {
            return None;
        }
        let mut ranks: Vec<(f64, Vec<f64>)> = vec![(1.0 - problem.full_weight(), self.probs.clone())];
        for set in 0..n_sets {
            let (conditional, dustbin) = (problem.conditional[set], problem.dustbins[set]);
            let sees = |group: usize| {
                let outside = problem.groups.outside()[group * n_sets + set];
                if conditional > 0.0 { 1.0 - outside } else { outside }
            };
            let column = (0..n_groups).map(|group| sees(group) * self.probs[group] / self.seen[set]).collect();
            ranks.push((dustbin - conditional, column));
        }
        ranks.retain(|(factor, _)| *factor != 0.0);
        let n = ranks.len();
        let scaled = |column: &[f64]| -> Vec<f64> { column.iter().zip(&diagonal).map(|(v, d)| v / d).collect() };
        let solved: Vec<Vec<f64>> = ranks.iter().map(|(_, column)| scaled(column)).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut matrix = vec![0.0; n * n];
        for row in 0..n {
            for column in 0..n {
                matrix[row * n + column] = dot(&ranks[row].1, &solved[column]);
            }
            matrix[row * n + row] += 1.0 / ranks[row].0;
        }
        let free = scaled(&self.gradient);
        let mut rhs: Vec<f64> = ranks.iter().map(|(_, column)| dot(column, &free)).collect();
        eliminate(&mut matrix, &mut rhs).then(|| {
            let correction = |group: usize| -> f64 { (0..n).map(|rank| solved[rank][group] * rhs[rank]).sum() };
            (0..n_groups).map(|group| correction(group) - free[group]).collect()
        })
    }
}

/// Gaussian elimination with partial pivoting, in place; false for a singular matrix.
fn eliminate(matrix: &mut [f64], rhs: &mut [f64]) -> bool {
    let n = rhs.len();
    for column in 0..n {
        let largest = |row: &usize| matrix[row * n + column].abs();
        let pivot = (column..n).max_by(|a, b| largest(a).total_cmp(&largest(b))).expect("rows are left");
        if matrix[pivot * n + column] == 0.0 || !matrix[pivot * n + column].is_finite() {
            return false;
        }
        rhs.swap(column, pivot);
        (0..n).for_each(|entry| matrix.swap(column * n + entry, pivot * n + entry));
        for row in column + 1..n {
            let factor = matrix[row * n + column] / matrix[column * n + column];
            (column..n).for_each(|entry| matrix[row * n + entry] -= factor * matrix[column * n + entry]);
            rhs[row] -= factor * rhs[column];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|column| matrix[row * n + column] * rhs[column]).sum();
        rhs[row] = (rhs[row] - known) / matrix[row * n + row];
    }
    true
}
