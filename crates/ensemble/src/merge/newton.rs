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
//! with both sides avoids the cancellation in `A_k / (1 - (B r)_k)` that extreme dustbins bring to a purely dual
//! method.
//!
//! Newton's method is tried first, from `r = D`: four or five steps are usual. Where teachers contradict each other,
//! its steps can get stuck at the border of the positive region, with tiny products far from their targets. Such an
//! example takes a *detour*: the targets become `max(target, mu)` with `mu` falling from 1, as in interior-point
//! methods (target following, Jansen, Roos, Terlaky and Vial 1996). A detour takes 10 to 30 steps as a rule, 50 in the
//! worst of ten thousand cases (`experiments/merge_speed`).
//!
//! Examples are solved in [lanes](super::lanes), each as if it were alone; a lane whose example is solved takes the
//! next one. With 54 specialists and 443 classes an example takes 44 us in lanes and took 151 us alone.

#![expect(clippy::needless_range_loop, reason = "a lane is an index into several arrays")]

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

/// Lanes that have to be free before they get new examples: their start is computed for all lanes at once.
const FREE_LANES: usize = 2;

/// Minimises equation 5 for examples with the same groups, in their order; every dustbin with mass must have at
/// least one class outside of its set.
pub(super) fn solve(problems: &[&Problem<'_>]) -> Vec<Solution> {
    let is_open = |problem: &Problem<'_>| problem.dustbins.iter().all(|dustbin| *dustbin > DUSTBIN_FLOOR);
    if problems.len() == 1 || problems.iter().all(|problem| is_open(problem)) {
        return pulp::Arch::new().dispatch(Kernel { problems });
    }
    // an example with an empty dustbin is solved alone, so that the others keep the system of all sets
    let open: Vec<&Problem<'_>> = problems.iter().copied().filter(|problem| is_open(problem)).collect();
    let mut of_open = if open.is_empty() { Vec::new() } else { solve(&open) }.into_iter();
    let solution = |problem: &&Problem<'_>| match is_open(problem) {
        true => of_open.next().expect("a solution for each problem"),
        false => solve(&[*problem]).remove(0),
    };
    problems.iter().map(solution).collect()
}

/// Compiled for every kind of vectors that processors have, and run with the widest.
struct Kernel<'a> {
    problems: &'a [&'a Problem<'a>],
}

impl pulp::NullaryFnOnce for Kernel<'_> {
    type Output = Vec<Solution>;

    #[inline(always)]
    fn call(self) -> Vec<Solution> {
        let mut solver = Solver::new(self.problems);
        while solver.hand_out_work() {
            solver.step();
        }
        solver.solutions
    }
}

/// The problems without specialists whose dustbin is empty: their term is constant.
struct System<'a> {
    /// The sets whose dustbin is not empty, `[M]`.
    open: Vec<usize>,
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

/// The example that a lane is solving.
#[derive(Clone, Copy)]
struct Task {
    problem: usize,
    is_detour: bool,
    /// Steps that are left before the lane takes the detour or gives up.
    n_left: usize,
}

/// Lanes that solve one example after the other. Most examples take three steps and a few take fifty, so a lane whose
/// example is solved does not wait for the others.
struct Solver<'a> {
    problems: &'a [&'a Problem<'a>],
    /// Of the problems that are in the lanes.
    system: System<'a>,
    state: State,
    /// Largest relative error of a product.
    error: Lanes,
    /// `mu`, to which smaller targets are raised: 0 on the direct way.
    floor: Lanes,
    /// Share of the way to the border that a step may go.
    to_the_border: Lanes,
    tasks: [Option<Task>; LANES],
    /// The first problem that no lane has taken.
    next: usize,
    /// In the order of the problems; without numbers where a problem is not solved yet.
    solutions: Vec<Solution>,
}

impl<'a> Solver<'a> {
    #[inline(always)]
    fn new(problems: &'a [&'a Problem<'a>]) -> Self {
        let system = System::new(problems);
        let state = system.direct_start();
        let blank = Solution { probs: Vec::new(), n_iterations: 0, is_converged: false };
        Self {
            problems,
            error: system.worst_error(&state),
            system,
            state,
            floor: Lanes::ZERO,
            to_the_border: Lanes::splat(TO_THE_BORDER),
            tasks: [None; LANES],
            next: 0,
            solutions: vec![blank; problems.len()],
        }
    }

    /// Takes the results of lanes whose example is solved, and gives these lanes the next examples; returns whether
    /// there is work left.
    #[inline(always)]
    fn hand_out_work(&mut self) -> bool {
        let mut detours = [false; LANES];
        let mut n_free = 0;
        for lane in 0..LANES {
            if let Some(task) = self.tasks[lane] {
                let has_arrived = self.error.0[lane] <= TOLERANCE;
                if has_arrived || task.n_left == 0 {
                    let is_converged = has_arrived || self.system.gap(&self.state, lane) <= GAP_TOLERANCE;
                    if is_converged || task.is_detour {
                        self.solutions[task.problem].is_converged = is_converged;
                        self.solutions[task.problem].probs = lane_of(&self.state.probs, lane);
                        self.tasks[lane] = None;
                    } else {
                        self.tasks[lane] = Some(Task { is_detour: true, n_left: MAX_DETOUR, ..task });
                        detours[lane] = true;
                    }
                }
            }
            n_free += usize::from(self.tasks[lane].is_none());
        }
        if detours.contains(&true) {
            let start = self.system.detour_start();
            self.start(&start, &detours, 1.0, DETOUR_TO_THE_BORDER);
        }
        if self.next < self.problems.len() && n_free >= FREE_LANES {
            self.take_next();
        }
        self.tasks.iter().any(Option::is_some)
    }

    /// Gives free lanes the next examples.
    #[inline(always)]
    fn take_next(&mut self) {
        let mut fresh = [false; LANES];
        for lane in 0..LANES {
            if self.tasks[lane].is_none() && self.next < self.problems.len() {
                self.system.load(lane, self.problems[self.next]);
                self.tasks[lane] = Some(Task { problem: self.next, is_detour: false, n_left: MAX_DIRECT });
                self.next += 1;
                fresh[lane] = true;
            }
        }
        let start = self.system.direct_start();
        self.start(&start, &fresh, 0.0, TO_THE_BORDER);
    }

    /// Sets some lanes to a starting state.
    #[inline(always)]
    fn start(&mut self, start: &State, which: &[bool; LANES], floor: f64, to_the_border: f64) {
        let error = self.system.worst_error(start);
        for lane in 0..LANES {
            if which[lane] {
                for (values, starts) in self.state.parts_mut().into_iter().zip(start.parts()) {
                    for (value, start) in values.iter_mut().zip(starts) {
                        value.0[lane] = start.0[lane];
                    }
                }
                self.error.0[lane] = error.0[lane];
                self.floor.0[lane] = floor;
                self.to_the_border.0[lane] = to_the_border;
            }
        }
    }

    /// Takes one step in every lane whose example is not solved yet.
    #[inline(always)]
    fn step(&mut self) {
        let direction = self.system.direction(&self.state, self.floor);
        let length = self.state.room(&direction, self.to_the_border);
        // a lane whose example is solved stays as it is
        let length = length.where_less(Lanes::splat(TOLERANCE), self.error, Lanes::ZERO);
        self.state.advance(&direction, length);
        for lane in 0..LANES {
            if let Some(task) = &mut self.tasks[lane] {
                self.solutions[task.problem].n_iterations += usize::from(self.error.0[lane] > TOLERANCE);
                task.n_left -= 1;
            }
        }
        let lowered = self.floor * Lanes::splat(DETOUR_FALL);
        self.floor = lowered.where_less(Lanes::splat(LONG_STEP), length, self.floor);
        self.error = self.system.worst_error(&self.state);
    }
}

/// One lane's numbers.
#[inline(always)]
fn lane_of(values: &[Lanes], lane: usize) -> Vec<f64> {
    let mut of_lane = Vec::with_capacity(values.len());
    for value in values {
        of_lane.push(value.0[lane]);
    }
    of_lane
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

    /// The step length, at most 1: this share of the length at which the first of the unknowns would reach zero.
    #[inline(always)]
    fn room(&self, direction: &Self, share: Lanes) -> Lanes {
        let mut steepest = Lanes::ZERO;
        for (values, changes) in self.parts().into_iter().zip(direction.parts()) {
            for (value, change) in values.iter().zip(changes) {
                steepest = (Lanes::ZERO - *change / *value).max(steepest);
            }
        }
        (share / steepest).min(Lanes::splat(1.0))
    }

    #[inline(always)]
    fn advance(&mut self, direction: &Self, length: Lanes) {
        for (values, changes) in self.parts_mut().into_iter().zip(direction.parts()) {
            for (value, change) in values.iter_mut().zip(changes) {
                *value += length * *change;
            }
        }
    }
}

impl<'a> System<'a> {
    /// The system of the first problems, the last of them in the lanes that are left over.
    #[inline(always)]
    fn new(problems: &[&'a Problem<'a>]) -> Self {
        let groups = problems[0].groups;
        let n_sets = groups.n_sets();
        let open: Vec<usize> = (0..n_sets).filter(|set| problems[0].dustbins[*set] > DUSTBIN_FLOOR).collect();
        let (inside, outside) = if open.len() == n_sets {
            (Cow::Borrowed(groups.inside()), Cow::Borrowed(groups.groups_outside()))
        } else {
            let renumbered =
                |sets: &Vec<usize>| (0..open.len()).filter(|position| sets.contains(&open[*position])).collect();
            let inside = groups.inside().iter().map(renumbered).collect();
            (Cow::Owned(inside), open.iter().map(|set| groups.groups_outside()[*set].clone()).collect())
        };
        let (mass, dustbins) = (vec![Lanes::ZERO; groups.len()], vec![Lanes::ZERO; open.len()]);
        let mut system = Self { open, mass, dustbins, inside, outside };
        for lane in 0..LANES {
            system.load(lane, problems[lane.min(problems.len() - 1)]);
        }
        system
    }

    /// Puts a problem into a lane.
    #[inline(always)]
    fn load(&mut self, lane: usize, problem: &Problem<'_>) {
        for (mass, value) in self.mass.iter_mut().zip(&problem.mass) {
            mass.0[lane] = *value;
        }
        for (dustbin, set) in self.dustbins.iter_mut().zip(&self.open) {
            dustbin.0[lane] = problem.dustbins[*set];
        }
    }

    /// The start of plain Newton steps: `r = D` leaves every divisor positive, as masses and dustbins sum to 1, and
    /// with `y = A / s` half the equations are met.
    #[inline(always)]
    fn direct_start(&self) -> State {
        let ratios = self.dustbins.clone();
        let divisors = self.divisors(&ratios);
        let mut probs = Vec::with_capacity(self.mass.len());
        for (mass, divisor) in self.mass.iter().zip(&divisors) {
            probs.push(*mass / *divisor);
        }
        let outside_mass = self.outside_sums(&probs);
        State { probs, divisors, ratios, outside_mass }
    }

    /// The start of the detour: all targets are alike at first, and become the final ones from the largest to the
    /// smallest.
    #[inline(always)]
    fn detour_start(&self) -> State {
        let n_groups = self.mass.len();
        let ratios = vec![Lanes::splat(0.5 / self.n_sets() as f64); self.n_sets()];
        let divisors = self.divisors(&ratios);
        let probs = vec![Lanes::splat(1.0 / n_groups as f64); n_groups];
        let outside_mass = self.outside_sums(&probs);
        State { probs, divisors, ratios, outside_mass }
    }

    #[inline(always)]
    fn n_sets(&self) -> usize {
        self.open.len()
    }

    /// `1 - B r`, `[G]`: 1 less all sets but the few that hold the group.
    #[inline(always)]
    fn divisors(&self, ratios: &[Lanes]) -> Vec<Lanes> {
        let total_mass = sum(&self.mass);
        let unused = sum(&self.dustbins) - sum(ratios);
        let mut divisors = Vec::with_capacity(self.inside.len());
        for sets in self.inside.iter() {
            divisors.push(total_mass + (unused + sum_at(ratios, sets)));
        }
        divisors
    }

    /// `B' y`, `[M]`: the sum over all groups less the groups inside. Where that difference would cancel, in lanes
    /// whose `reference` is small compared with `whole`, the few groups outside are summed instead.
    #[inline(always)]
    fn sum_over_groups(&self, values: &[Lanes], reference: Option<&[Lanes]>, whole: Lanes) -> Vec<Lanes> {
        let mut sums = vec![sum(values); self.n_sets()];
        for (sets, value) in self.inside.iter().zip(values) {
            for set in sets {
                sums[*set] -= *value;
            }
        }
        let border = whole * Lanes::splat(CANCELS);
        for (set, total) in sums.iter_mut().enumerate() {
            let reference = match reference {
                Some(reference) => reference[set],
                None => *total,
            };
            if reference.any_less(border) {
                *total = sum_at(values, &self.outside[set]).where_less(reference, border, *total);
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
    /// `(diag(Q / r) + B' diag(y / s) B) dr = D / r - B' (A / s)`; `A` and `D` are raised to the floor.
    #[inline(always)]
    fn direction(&self, state: &State, floor: Lanes) -> State {
        let n_sets = self.n_sets();
        let (mut curvature, mut pull) = (Vec::with_capacity(self.mass.len()), Vec::with_capacity(self.mass.len()));
        for ((prob, divisor), mass) in state.probs.iter().zip(&state.divisors).zip(&self.mass) {
            curvature.push(*prob / *divisor);
            pull.push(mass.max(floor) / *divisor);
        }
        let mut system = self.weighted_gram(&curvature);
        let pulls = self.outside_sums(&pull);
        for set in 0..n_sets {
            system[set * n_sets + set] += state.outside_mass[set] / state.ratios[set];
            system.push(self.dustbins[set].max(floor) / state.ratios[set] - pulls[set]);
        }
        linear::solve_in_place(&mut system, n_sets);
        let ratios = system.split_off(n_sets * n_sets);
        let total = sum(&ratios);
        let (mut probs, mut divisors) = (Vec::with_capacity(pull.len()), Vec::with_capacity(pull.len()));
        for (group, sets) in self.inside.iter().enumerate() {
            let change = sum_at(&ratios, sets) - total;
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
        let n_sets = self.n_sets();
        let total = sum(weights);
        let mut inside_mass = vec![Lanes::ZERO; n_sets];
        let mut matrix = Vec::with_capacity((n_sets + 1) * n_sets);
        matrix.resize(n_sets * n_sets, Lanes::ZERO);
        for (sets, weight) in self.inside.iter().zip(weights) {
            for (position, set) in sets.iter().enumerate() {
                inside_mass[*set] += *weight;
                let line = &mut matrix[set * n_sets..][..n_sets];
                for other in &sets[..=position] {
                    line[*other] += *weight;
                }
            }
        }
        let border = total * Lanes::splat(CANCELS);
        for set in 0..n_sets {
            let line = &mut matrix[set * n_sets..][..=set];
            let rest = total - inside_mass[set];
            for (entry, inside) in line.iter_mut().zip(&inside_mass) {
                *entry += rest - *inside;
            }
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
        let n_sets = self.n_sets();
        let mut outside_both = vec![Lanes::ZERO; n_sets];
        let mut outside = Lanes::ZERO;
        for group in &self.outside[set] {
            outside += weights[*group];
            for other in &self.inside[*group] {
                outside_both[*other] += weights[*group];
            }
        }
        for (other, inside) in outside_both.into_iter().enumerate() {
            let entry = &mut matrix[set.max(other) * n_sets + set.min(other)];
            *entry = (outside - inside).where_less(rest, border, *entry);
        }
    }
}

#[inline(always)]
fn sum(values: &[Lanes]) -> Lanes {
    let mut sum = Lanes::ZERO;
    for value in values {
        sum += *value;
    }
    sum
}

/// The sum of the values at these positions.
#[inline(always)]
fn sum_at(values: &[Lanes], places: &[usize]) -> Lanes {
    let mut sum = Lanes::ZERO;
    for place in places {
        sum += values[*place];
    }
    sum
}
