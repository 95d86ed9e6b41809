//! Minimises equation 5 for dustbin specialists with disjoint sets: one equation in one unknown.
//!
//! G groups: one for each set `m`, with mass `A_m` and probability `y_m`, and the classes in no set, with mass `A_0`.
//!
//! The optimality condition of [`merge`](super) reads `y_m (1 - sum_{n != m} D_n / Q_n) = A_m` with `Q_m = 1 - y_m`.
//! Let `t = 1 - sum_n D_n / Q_n` be the divisor of the classes in no set; then each `y_m` follows from `t` alone:
//!
//! ```text
//! y_m (t + D_m / (1 - y_m)) = A_m,        A_0 / t + sum_m y_m(t) = 1
//! ```
//!
//! The left side of the second equation falls with `t`, so a bracketed Newton iteration finds the root. Where the sets
//! cover every class, `A_0` is missing and `t` may be negative.

use super::problem::{Problem, Solution};

/// Relative error of `t` at which the root is good to rounding.
const TOLERANCE: f64 = 4.0 * f64::EPSILON;
/// Each step at least halves the bracket once Newton fails.
const MAX_ITERATIONS: usize = 200;

/// Minimises equation 5 for disjoint sets.
pub(super) fn solve(problem: &Problem<'_>) -> Solution {
    let dustbin = |sets: &Vec<usize>| sets.first().map(|set| problem.dustbins[*set]).filter(|dustbin| *dustbin > 0.0);
    let sets: Vec<Set> = problem
        .groups
        .inside()
        .iter()
        .zip(&problem.mass)
        .map(|(sets, mass)| Set { mass: *mass, dustbin: dustbin(sets) })
        .collect();
    let (mut low, mut high) = bracket(&sets);
    let mut divisor = if low > 0.0 { (low * high).sqrt() } else { 0.5 * (low + high) };
    let mut last_excess = f64::INFINITY;
    let mut n_iterations = 0;
    while n_iterations < MAX_ITERATIONS {
        n_iterations += 1;
        let (excess, slope) = excess(&sets, divisor);
        if excess == 0.0 {
            break;
        }
        (low, high) = if excess > 0.0 { (divisor, high) } else { (low, divisor) };
        // without the second condition Newton may jump to and fro inside the bracket for ever
        let newton = divisor - excess / slope;
        let is_last = (newton - divisor).abs() <= TOLERANCE * divisor.abs();
        let may_step = newton >= low && newton <= high && (is_last || excess.abs() <= 0.5 * last_excess);
        last_excess = excess.abs();
        let next = if may_step { newton } else { 0.5 * (low + high) };
        let moved = (next - divisor).abs();
        divisor = next;
        if moved <= TOLERANCE * divisor.abs() {
            break;
        }
    }
    // a bracket that has been halved that often is a root to rounding
    Solution { probs: sets.iter().map(|set| set.prob(divisor)).collect(), n_iterations, is_converged: true }
}

/// A group: one specialist's classes, or the classes in no set. An empty dustbin adds nothing, as if there were none.
struct Set {
    mass: f64,
    dustbin: Option<f64>,
}

impl Set {
    /// The probability of the group: the smaller root of the quadratic, in the form that does not cancel.
    fn prob(&self, divisor: f64) -> f64 {
        let Some(dustbin) = self.dustbin else { return self.mass / divisor };
        let (b, root) = (divisor + dustbin + self.mass, self.root(divisor, dustbin));
        if b > 0.0 { 2.0 * self.mass / (b + root) } else { (b - root) / (2.0 * divisor) }
    }

    /// `1 - prob`, without the cancellation where it is small.
    fn outside(&self, divisor: f64, dustbin: f64) -> f64 {
        let (b, root) = (self.mass + dustbin - divisor, self.root(divisor, dustbin));
        if b > 0.0 { 2.0 * dustbin / (b + root) } else { (root - b) / (2.0 * divisor) }
    }

    /// Root of the discriminant `(t + d + A)^2 - 4 t A`, written as a sum of squares.
    fn root(&self, divisor: f64, dustbin: f64) -> f64 {
        let difference = divisor + dustbin - self.mass;
        (difference * difference + 4.0 * dustbin * self.mass).sqrt()
    }
}

/// The sum of all probabilities minus 1, and its derivative.
fn excess(sets: &[Set], divisor: f64) -> (f64, f64) {
    let mut sums = (-1.0, 0.0);
    for set in sets {
        let prob = set.prob(divisor);
        let slope = match set.dustbin {
            None => -prob / divisor,
            Some(dustbin) => {
                let outside = set.outside(divisor, dustbin);
                -prob / (divisor + dustbin / outside + prob * dustbin / (outside * outside))
            }
        };
        sums = (sums.0 + prob, sums.1 + slope);
    }
    sums
}

/// The divisor is at most 1, the sum of all masses and dustbins.
fn bracket(sets: &[Set]) -> (f64, f64) {
    let has_rest = sets.iter().any(|set| set.dustbin.is_none());
    let mut low = if has_rest { 0.5 } else { -1.0 };
    while excess(sets, low).0 < 0.0 {
        low = if has_rest { low / 4.0 } else { low * 4.0 };
    }
    (low, 1.0)
}
