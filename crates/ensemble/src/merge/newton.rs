//! A primal-dual Newton method for equation 5, on several examples at once.
//!
//! G signature groups, M specialists, `B[k, m]` is 1 where group `k` lies outside the set of specialist `m`.
//!
//! ```text
//! unknowns        y [G]  probability of each group          s [G]  its divisor, s = 1 - B r
//!                 r [M]  ratio D_m / Q_m                    Q [M]  probability outside each set, Q = B' y
//! to be solved    y_k s_k = A_k   and   r_m Q_m = D_m
//! ```
//!
//! All unknowns are positive, and each Newton step solves one `[M, M]` system, however many classes there are. Working
//! with both sides avoids the cancellation in `A_k / (1 - (B r)_k)` that extreme dustbins bring to a purely dual method.
//!
//! Newton's method is tried first, from `r = D`: four or five steps are usual. Teachers that contradict each other can
//! jam it at the border, where tiny products are far from their targets. For them there is a [detour](Targets): the
//! products are led to `max(target, mu)` with `mu` falling from 1, as interior-point methods do (target following,
//! Jansen, Roos, Terlaky and Vial 1996). It takes 10 to 30 steps as a rule, 50 in the worst of ten thousand cases.
//!
//! Examples are solved in [lanes](super::lanes), each as if it were alone.

use super::lanes::{LANES, Lanes};
use super::linear;
use super::problem::{Problem, Solution};
use std::borrow::Cow;

/// Relative error of every product at which the solution is good to rounding after the quadratic last step.
const TOLERANCE: f64 = 1e-11;
/// Duality gap (in nats) below which a solution is as good, where rounding keeps tiny products from their targets: a
/// product whose target is `t` is then off by `sqrt(2 t gap)` at most.
const GAP_TOLERANCE: f64 = 1e-20;
/// A dustbin below it counts as empty: it changes no probability, and quotients with it would overflow.
const DUSTBIN_FLOOR: f64 = 1e-200;
/// Newton steps before the detour is taken.
const MAX_DIRECT: usize = 12;
/// Steps of the detour; twice the worst seen.
const MAX_DETOUR: usize = 100;
/// Share of the way to the border of the positive region that a step may go, directly and on the detour.
const TO_THE_BORDER: f64 = 0.995;
const DETOUR_TO_THE_BORDER: f64 = 0.9;
/// Share of a full step from which the detour's next target is lowered, by [`DETOUR_FALL`].
const LONG_STEP: f64 = 0.5;
const DETOUR_FALL: f64 = 0.1;
/// Share of the whole below which a difference of sums has lost digits, and is summed anew.
const CANCELS: f64 = 1e-3;

/// Minimises equation 5 for up to [`LANES`] examples with the same groups; every dustbin with mass must stand for at
/// least one class.
///
/// # Panics
/// If there is no problem or one too many: a bug in this program.
pub(super) fn solve(problems: &[Problem<'_>]) -> Vec<Solution> {
    assert!((1..=LANES).contains(&problems.len()), "one problem for each lane");
    let is_open = |problem: &Problem<'_>| problem.dustbins.iter().all(|dustbin| *dustbin > DUSTBIN_FLOOR);
    if problems.len() == 1 || problems.iter().all(is_open) {
        pulp::Arch::new().dispatch(Kernel { problems })
    } else {
        // a specialist whose dustbin is empty for one example only leaves the others' system as it is
        problems.chunks(1).flat_map(solve).collect()
    }
}

/// Compiled for every kind of vectors that processors have, and run with the widest.
struct Kernel<'a> {
    problems: &'a [Problem<'a>],
}

impl pulp::NullaryFnOnce for Kernel<'_> {
    type Output = Vec<Solution>;

    #[inline(always)]
    fn call(self) -> Vec<Solution> {
        let system = System::new(self.problems);
        let mut run = system.newton();
        if run.is_unfinished(&system) {
            run.adopt(&system, &system.detour());
        }
        run.solutions(&system, self.problems.len())
    }
}

/// The problems without specialists whose dustbin is empty: their term is constant.
struct System<'a> {
    n_sets: usize,
    /// `A`, `[G]`
    mass: Vec<Lanes>,
    /// `D`, `[M]`
    dustbins: Vec<Lanes>,
    /// `[G]`: the sets that hold a group
    inside: Cow<'a, [Vec<usize>]>,
    /// `[M]`: the groups outside of a set
    outside: Cow<'a, [Vec<usize>]>,
}

struct State {
    probs: Vec<Lanes>,
    divisors: Vec<Lanes>,
    ratios: Vec<Lanes>,
    outside_mass: Vec<Lanes>,
}

/// What the products are led to: each one's target, but at least `floor`.
#[derive(Clone, Copy)]
struct Targets {
    floor: Lanes,
}

impl Targets {
    /// `A` and `D` themselves.
    const FINAL: Self = Self { floor: Lanes::ZERO };

    #[inline(always)]
    fn raise(self, target: Lanes) -> Lanes {
        target.max(self.floor)
    }
}

/// Where an iteration stands.
struct Run {
    state: State,
    /// Largest relative error of a product.
    error: Lanes,
    n_iterations: [usize; LANES],
}

impl Run {
    #[inline(always)]
    fn new(system: &System<'_>, state: State) -> Self {
        let error = system.worst_error(&state);
        Self { state, error, n_iterations: [0; LANES] }
    }

    /// Goes along the direction in every lane that has not arrived; returns how far.
    #[inline(always)]
    fn step(&mut self, system: &System<'_>, targets: Targets, to_the_border: f64) -> Lanes {
        let direction = system.direction(&self.state, targets);
        let length = self.state.room(&direction, to_the_border);
        // a lane that has arrived stays
        let length = length.where_less(Lanes::splat(TOLERANCE), self.error, Lanes::ZERO);
        self.state.advance(&direction, length);
        for lane in 0..LANES {
            self.n_iterations[lane] += usize::from(self.error.0[lane] > TOLERANCE);
        }
        self.error = system.worst_error(&self.state);
        length
    }

    #[inline(always)]
    fn is_going(&self) -> bool {
        Lanes::splat(TOLERANCE).any_less(self.error)
    }

    #[inline(always)]
    fn is_converged(&self, system: &System<'_>, lane: usize) -> bool {
        self.error.0[lane] <= TOLERANCE || system.gap(&self.state, lane) <= GAP_TOLERANCE
    }

    #[inline(always)]
    fn is_unfinished(&self, system: &System<'_>) -> bool {
        (0..LANES).any(|lane| !self.is_converged(system, lane))
    }

    /// Takes the lanes of another run that has come further.
    #[inline(always)]
    fn adopt(&mut self, system: &System<'_>, other: &Self) {
        for lane in (0..LANES).filter(|lane| !self.is_converged(system, *lane)).collect::<Vec<_>>() {
            for (values, others) in self.state.parts_mut().into_iter().zip(other.state.parts()) {
                values.iter_mut().zip(others).for_each(|(value, other)| value.0[lane] = other.0[lane]);
            }
            self.error.0[lane] = other.error.0[lane];
            self.n_iterations[lane] += other.n_iterations[lane];
        }
    }

    #[inline(always)]
    fn solutions(&self, system: &System<'_>, n_problems: usize) -> Vec<Solution> {
        let solution = |lane: usize| Solution {
            probs: self.state.probs.iter().map(|prob| prob.0[lane]).collect(),
            n_iterations: self.n_iterations[lane],
            is_converged: self.is_converged(system, lane),
        };
        (0..n_problems).map(solution).collect()
    }
}

impl State {
    #[inline(always)]
    fn parts(&self) -> [&[Lanes]; 4] {
        [&self.probs, &self.divisors, &self.ratios, &self.outside_mass]
    }

    #[inline(always)]
    fn parts_mut(&mut self) -> [&mut [Lanes]; 4] {
        [&mut self.probs, &mut self.divisors, &mut self.ratios, &mut self.outside_mass]
    }

    /// The step length, at most 1, that goes this share of the way to where the first of the unknowns reaches zero.
    #[inline(always)]
    fn room(&self, direction: &Self, share: f64) -> Lanes {
        let mut steepest = Lanes::ZERO;
        for (values, changes) in self.parts().into_iter().zip(direction.parts()) {
            for (value, change) in values.iter().zip(changes) {
                steepest = (Lanes::ZERO - *change / *value).max(steepest);
            }
        }
        (Lanes::splat(share) / steepest).min(Lanes::splat(1.0))
    }

    #[inline(always)]
    fn advance(&mut self, direction: &Self, length: Lanes) {
        for (values, changes) in self.parts_mut().into_iter().zip(direction.parts()) {
            values.iter_mut().zip(changes).for_each(|(value, change)| *value += length * *change);
        }
    }
}

impl<'a> System<'a> {
    #[inline(always)]
    fn new(problems: &'a [Problem<'_>]) -> Self {
        let groups = problems[0].groups;
        let n_sets = groups.n_sets();
        // lanes without a problem of their own repeat the last one
        let beside = |value: &dyn Fn(&Problem<'_>) -> f64| {
            Lanes(std::array::from_fn(|lane| value(&problems[lane.min(problems.len() - 1)])))
        };
        let mass = (0..groups.len()).map(|group| beside(&|problem| problem.mass[group])).collect();
        let open: Vec<usize> = (0..n_sets).filter(|set| problems[0].dustbins[*set] > DUSTBIN_FLOOR).collect();
        let dustbins = open.iter().map(|set| beside(&|problem| problem.dustbins[*set])).collect();
        let (inside, outside) = if open.len() == n_sets {
            (Cow::Borrowed(groups.inside()), Cow::Borrowed(groups.groups_outside()))
        } else {
            let renumbered =
                |sets: &Vec<usize>| (0..open.len()).filter(|position| sets.contains(&open[*position])).collect();
            let inside = groups.inside().iter().map(renumbered).collect();
            (Cow::Owned(inside), open.iter().map(|set| groups.groups_outside()[*set].clone()).collect())
        };
        Self { n_sets: open.len(), mass, dustbins, inside, outside }
    }

    /// Plain Newton steps from `r = D`, which leaves every divisor positive, as masses and dustbins sum to 1; with
    /// `y = A / s` half the equations are met.
    #[inline(always)]
    fn newton(&self) -> Run {
        let ratios = self.dustbins.clone();
        let divisors = self.divisors(&ratios);
        let probs: Vec<Lanes> = self.mass.iter().zip(&divisors).map(|(mass, divisor)| *mass / *divisor).collect();
        let outside_mass = self.outside_sums(&probs);
        let mut run = Run::new(self, State { probs, divisors, ratios, outside_mass });
        for _ in 0..MAX_DIRECT {
            if !run.is_going() {
                break;
            }
            run.step(self, Targets::FINAL, TO_THE_BORDER);
        }
        run
    }

    /// Newton steps to targets that start out alike and become the final ones from the largest to the smallest.
    #[inline(always)]
    fn detour(&self) -> Run {
        let n_groups = self.mass.len();
        let ratios = vec![Lanes::splat(0.5 / self.n_sets as f64); self.n_sets];
        let divisors = self.divisors(&ratios);
        let probs = vec![Lanes::splat(1.0 / n_groups as f64); n_groups];
        let outside_mass = self.outside_sums(&probs);
        let mut run = Run::new(self, State { probs, divisors, ratios, outside_mass });
        let mut targets = Targets { floor: Lanes::splat(1.0) };
        for _ in 0..MAX_DETOUR {
            if !run.is_going() {
                break;
            }
            let length = run.step(self, targets, DETOUR_TO_THE_BORDER);
            let lowered = targets.floor * Lanes::splat(DETOUR_FALL);
            targets.floor = lowered.where_less(Lanes::splat(LONG_STEP), length, targets.floor);
        }
        run
    }

    /// `1 - B r`, `[G]`: 1 less all sets but the few that hold the group.
    #[inline(always)]
    fn divisors(&self, ratios: &[Lanes]) -> Vec<Lanes> {
        let total_mass = sum(&self.mass);
        let unused = sum(&self.dustbins) - sum(ratios);
        let inside = |sets: &Vec<usize>| sets.iter().fold(Lanes::ZERO, |sum, set| sum + ratios[*set]);
        self.inside.iter().map(|sets| total_mass + (unused + inside(sets))).collect()
    }

    /// `B' y`, `[M]`: all groups but those inside. Where that difference would cancel, in lanes whose `reference` is
    /// small beside its `whole`, the few groups outside are summed instead.
    #[inline(always)]
    fn sum_over_groups(&self, values: &[Lanes], reference: Option<&[Lanes]>, whole: Lanes) -> Vec<Lanes> {
        let mut sums = vec![sum(values); self.n_sets];
        for (sets, value) in self.inside.iter().zip(values) {
            sets.iter().for_each(|set| sums[*set] -= *value);
        }
        let border = whole * Lanes::splat(CANCELS);
        for (set, total) in sums.iter_mut().enumerate() {
            let reference = reference.map_or(*total, |reference| reference[set]);
            if reference.any_less(border) {
                let direct = self.outside[set].iter().fold(Lanes::ZERO, |sum, group| sum + values[*group]);
                *total = direct.where_less(reference, border, *total);
            }
        }
        sums
    }

    /// `B' y` of numbers above 0.
    #[inline(always)]
    fn outside_sums(&self, values: &[Lanes]) -> Vec<Lanes> {
        self.sum_over_groups(values, None, sum(values))
    }

    #[inline(always)]
    fn worst_error(&self, state: &State) -> Lanes {
        let products =
            [(&state.probs, &state.divisors, &self.mass), (&state.ratios, &state.outside_mass, &self.dustbins)];
        let mut worst = Lanes::ZERO;
        for (a, b, targets) in products {
            for ((a, b), target) in a.iter().zip(b).zip(targets) {
                worst = (*a * *b / *target - Lanes::splat(1.0)).map(f64::abs).max(worst);
            }
        }
        worst
    }

    /// The duality gap `sum_j x_j - t_j - t_j log(x_j / t_j)` over all products `x` and their targets `t`: how far the
    /// objective is from its minimum, at most.
    fn gap(&self, state: &State, lane: usize) -> f64 {
        let primal = state.probs.iter().zip(&state.divisors).zip(&self.mass);
        let dual = state.ratios.iter().zip(&state.outside_mass).zip(&self.dustbins);
        let term = |((a, b), target): ((&Lanes, &Lanes), &Lanes)| {
            let excess = a.0[lane] * b.0[lane] / target.0[lane] - 1.0;
            target.0[lane] * (excess - excess.ln_1p())
        };
        primal.chain(dual).map(term).sum()
    }

    /// Eliminating `y` from the equations, linearised about the state, leaves
    /// `(diag(Q / r) + B' diag(y / s) B) dr = D / r - B' (A / s)`.
    #[inline(always)]
    fn direction(&self, state: &State, targets: Targets) -> State {
        let n_sets = self.n_sets;
        let (mut curvature, mut pull) = (Vec::with_capacity(self.mass.len()), Vec::with_capacity(self.mass.len()));
        for ((prob, divisor), mass) in state.probs.iter().zip(&state.divisors).zip(&self.mass) {
            curvature.push(*prob / *divisor);
            pull.push(targets.raise(*mass) / *divisor);
        }
        let mut system = self.weighted_gram(&curvature);
        let pulls = self.outside_sums(&pull);
        for set in 0..n_sets {
            system[set * n_sets + set] += state.outside_mass[set] / state.ratios[set];
            system.push(targets.raise(self.dustbins[set]) / state.ratios[set] - pulls[set]);
        }
        linear::solve_in_place(&mut system, n_sets);
        let ratios = system.split_off(n_sets * n_sets);
        let total = sum(&ratios);
        let (mut probs, mut divisors) = (Vec::with_capacity(pull.len()), Vec::with_capacity(pull.len()));
        for (group, sets) in self.inside.iter().enumerate() {
            let change = sets.iter().fold(Lanes::ZERO, |sum, set| sum + ratios[*set]) - total;
            divisors.push(change);
            probs.push(pull[group] - state.probs[group] - curvature[group] * change);
        }
        let outside_mass = self.sum_over_groups(&probs, Some(&state.outside_mass), sum(&state.probs));
        State { probs, divisors, ratios, outside_mass }
    }

    /// Lower triangle of `B' diag(v) B`, `[M, M]`, with room for one more row.
    ///
    /// A group lies inside few sets, so with `I = 1 - B` the product is cheaper as
    /// `sum(v) 1 1' - 1 (I' v)' - (I' v) 1' + I' diag(v) I`. Where a set leaves little outside, the differences cancel
    /// and its row and column are summed directly.
    #[inline(always)]
    fn weighted_gram(&self, weights: &[Lanes]) -> Vec<Lanes> {
        let n_sets = self.n_sets;
        let total = sum(weights);
        let mut inside_mass = vec![Lanes::ZERO; n_sets];
        let mut matrix = Vec::with_capacity((n_sets + 1) * n_sets);
        matrix.resize(n_sets * n_sets, Lanes::ZERO);
        for (sets, weight) in self.inside.iter().zip(weights) {
            for (position, set) in sets.iter().enumerate() {
                inside_mass[*set] += *weight;
                let line = &mut matrix[set * n_sets..][..n_sets];
                sets[..=position].iter().for_each(|other| line[*other] += *weight);
            }
        }
        let border = total * Lanes::splat(CANCELS);
        for set in 0..n_sets {
            let line = &mut matrix[set * n_sets..][..=set];
            let rest = total - inside_mass[set];
            line.iter_mut().zip(&inside_mass).for_each(|(entry, inside)| *entry += rest - *inside);
        }
        for (set, inside) in inside_mass.into_iter().enumerate() {
            let rest = total - inside;
            if rest.any_less(border) {
                self.gram_row(weights, set, rest, border, &mut matrix);
            }
        }
        matrix
    }

    /// One row and column of `B' diag(v) B`, term by term, in the lanes where `rest` is below the border.
    #[inline(always)]
    fn gram_row(&self, weights: &[Lanes], set: usize, rest: Lanes, border: Lanes, matrix: &mut [Lanes]) {
        let n_sets = self.n_sets;
        let mut outside_both = vec![Lanes::ZERO; n_sets];
        let mut outside = Lanes::ZERO;
        for group in &self.outside[set] {
            outside += weights[*group];
            self.inside[*group].iter().for_each(|other| outside_both[*other] += weights[*group]);
        }
        for (other, inside) in outside_both.into_iter().enumerate() {
            let entry = &mut matrix[set.max(other) * n_sets + set.min(other)];
            *entry = (outside - inside).where_less(rest, border, *entry);
        }
    }
}

#[inline(always)]
fn sum(values: &[Lanes]) -> Lanes {
    values.iter().fold(Lanes::ZERO, |sum, value| sum + *value)
}
