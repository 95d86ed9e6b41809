//! Merges the teachers' rows of each example into one distribution, by the fastest solver that the sets allow.
//!
//! N examples, C classes.

use super::collect::Collected;
use super::config::{Gate, MergeConfig, MergeRule};
use super::gate::{is_open, opening_classes};
use super::groups::SignatureGroups;
use super::lanes::LANES;
use super::problem::{Problem, Solution};
use super::row::{check_result, checked_sum};
use super::scope::TeacherScope;
use super::{conditional, em, means, newton, scalar};
use crate::error::EnsembleError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A merged distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// Probabilities `[C]`, summing to 1.
    pub probs: Vec<f64>,
    /// How it was found.
    pub stats: MergeStats,
}

/// How the merged distribution of one example was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeStats {
    /// Steps that the solver took; 0 where there is a closed form.
    pub n_iterations: usize,
    /// Specialists that the gate let vote.
    pub n_active: usize,
    /// Whether the solver met its tolerance.
    pub is_converged: bool,
}

/// Merges examples of one set of teachers.
///
/// ```
/// use stillhouse_core::{ClassId, ClassSubset};
/// use stillhouse_ensemble::{MergeConfig, Merger, TeacherScope};
/// let subset = ClassSubset::new(4, [ClassId(0), ClassId(1)])?;
/// let scopes = vec![TeacherScope::Full, TeacherScope::Dustbin(subset)];
/// let merger = Merger::new(4, scopes, &[1.0, 1.0], &MergeConfig::default())?;
/// let merged = merger.merge(&[&[0.3, 0.3, 0.3, 0.1], &[0.1, 0.5, 0.4]])?;
/// // One specialist: the mean of both inside its set, the generalist's proportions outside.
/// for (found, expected) in merged.probs.iter().zip([0.2, 0.4, 0.3, 0.1]) {
///     assert!((found - expected).abs() < 1e-12);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Merger {
    n_classes: usize,
    scopes: Vec<TeacherScope>,
    weights: Vec<f64>,
    config: MergeConfig,
    /// Of all teachers, for a gate that is open to all.
    groups: Arc<SignatureGroups>,
}

/// Probabilities and examples that are merged at once, at most.
const PROBS_AT_ONCE: usize = 1 << 18;
const MAX_ROWS_AT_ONCE: usize = 512;

/// The cache of one thread: the signature groups of each set of specialists that voted together.
#[derive(Debug, Default)]
pub struct MergeScratch {
    groups: BTreeMap<Vec<usize>, Arc<SignatureGroups>>,
}

/// Sets of specialists in the cache; beyond that it is emptied.
const MAX_CACHED: usize = 1024;

/// A teacher's vote on an example.
pub(super) struct Vote<'a, P> {
    /// Its number.
    pub(super) teacher: usize,
    pub(super) row: &'a [P],
    /// Sum of the row.
    pub(super) sum: f64,
    /// What the row is multiplied with: the weight that the teacher has among those who vote, over the row's sum.
    pub(super) factor: f64,
}

impl Merger {
    /// Prepares the merge of teachers with these scopes and weights. Only ratios of weights matter: two teachers of
    /// half the weight are one of the whole.
    ///
    /// # Errors
    /// Bad weights, subsets of other datasets, a class that no teacher has, conditional teachers whose sets are not
    /// connected, a gate or rule that needs a generalist where there is none.
    pub fn new(
        n_classes: usize,
        scopes: Vec<TeacherScope>,
        weights: &[f64],
        config: &MergeConfig,
    ) -> Result<Self, EnsembleError> {
        super::check::check_teachers(n_classes, &scopes, weights, config)?;
        let groups = Arc::new(SignatureGroups::new(n_classes, scopes.iter().filter_map(TeacherScope::partial)));
        Ok(Self { n_classes, scopes, weights: in_range(weights), config: config.clone(), groups })
    }

    /// How many examples to give [`Merger::merge_rows`] at once: many keep the solver's lanes busy, and with many
    /// classes fewer bound the memory.
    pub fn rows_at_once(&self) -> usize {
        (PROBS_AT_ONCE / self.n_classes).clamp(LANES, MAX_ROWS_AT_ONCE)
    }

    /// Merges one example: a row of probabilities of each teacher, in their order. Rows may be off by single-precision
    /// rounding and are normalised; the gate is applied here.
    ///
    /// # Errors
    /// Rows that are not distributions or of the wrong length, and a specialist of every class whose dustbin is not
    /// 0.
    pub fn merge<P: Copy + Into<f64>>(&self, rows: &[&[P]]) -> Result<Merged, EnsembleError> {
        let mut probs = vec![0.0; self.n_classes];
        let stats = self.merge_rows(rows, &mut MergeScratch::default(), &mut probs).map_err(|(_, error)| error)?;
        Ok(Merged { probs, stats: stats[0] })
    }

    /// Merges several examples into a buffer `[N, C]`: each teacher gives `[N, outputs]`, one row after the other. An
    /// example has the same bits as alone. [`Merger::rows_at_once`] are several times faster than one by one.
    ///
    /// # Errors
    /// As [`Merger::merge`], with the number of the example.
    ///
    /// # Panics
    /// If the buffer does not hold a whole number of rows: a bug in this program.
    pub fn merge_rows<P: Copy + Into<f64>>(
        &self,
        teachers: &[&[P]],
        scratch: &mut MergeScratch,
        out: &mut [f64],
    ) -> Result<Vec<MergeStats>, (usize, EnsembleError)> {
        assert_eq!(out.len() % self.n_classes, 0, "one place for each class");
        let n_rows = out.len() / self.n_classes;
        let rows: Vec<Vec<&[P]>> = (0..n_rows).map(|row| row_of_each(teachers, row, n_rows)).collect();
        let in_closed_form = Solution { probs: Vec::new(), n_iterations: 0, is_converged: true };
        let is_mean = matches!(self.config.rule, MergeRule::ArithmeticMean | MergeRule::GeometricMean);
        let (mut n_active, mut collected) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for (row, (rows, out)) in rows.iter().zip(out.chunks_exact_mut(self.n_classes)).enumerate() {
            let votes = self.votes(rows).map_err(|error| (row, error))?;
            n_active.push(votes.iter().filter(|vote| self.scopes[vote.teacher].subset().is_some()).count());
            if is_mean {
                self.average(&votes, out);
            } else {
                let groups = self.groups_of(&votes, scratch);
                let example = Collected::new(groups, &self.scopes, &votes, out);
                collected.push(example.map_err(|error| (row, error))?);
            }
        }
        let solutions = if is_mean { vec![in_closed_form; rows.len()] } else { self.solve(&collected) };
        for ((example, solution), out) in collected.iter().zip(&solutions).zip(out.chunks_exact_mut(self.n_classes)) {
            example.spread(&solution.probs, out);
        }
        for (row, probs) in out.chunks_exact(self.n_classes).enumerate() {
            check_result(probs).map_err(|error| (row, error))?;
        }
        let stats = |(n_active, solution): (usize, &Solution)| MergeStats {
            n_iterations: solution.n_iterations,
            n_active,
            is_converged: solution.is_converged,
        };
        Ok(n_active.into_iter().zip(&solutions).map(stats).collect())
    }

    /// Checks the rows of one example and applies the gate.
    fn votes<'a, P: Copy + Into<f64>>(&self, rows: &[&'a [P]]) -> Result<Vec<Vote<'a, P>>, EnsembleError> {
        let sums = self.check_rows(rows)?;
        let active = self.active(rows, &sums);
        let total_weight: f64 = active.iter().map(|teacher| self.weights[*teacher]).sum();
        let n_generalists = active.iter().filter(|teacher| self.scopes[**teacher] == TeacherScope::Full).count();
        // the weights of all that vote may be zero; then the generalists count in equal parts
        let factor = |teacher: usize| match total_weight > 0.0 {
            true => self.weights[teacher] / (sums[teacher] * total_weight),
            false if self.scopes[teacher] == TeacherScope::Full => 1.0 / (sums[teacher] * n_generalists as f64),
            false => 0.0,
        };
        let vote = |teacher: usize| Vote { teacher, row: rows[teacher], sum: sums[teacher], factor: factor(teacher) };
        Ok(active.into_iter().map(vote).collect())
    }

    fn check_rows<P: Copy + Into<f64>>(&self, rows: &[&[P]]) -> Result<Vec<f64>, EnsembleError> {
        let (got, expected) = (rows.len(), self.scopes.len());
        if got != expected {
            return Err(EnsembleError::new(format!("rows of {got} teachers, expected {expected}")));
        }
        let rows = rows.iter().zip(&self.scopes).enumerate();
        rows.map(|(teacher, (row, scope))| checked_sum(teacher, row, scope.n_outputs(self.n_classes))).collect()
    }

    fn active<P: Copy + Into<f64>>(&self, rows: &[&[P]], sums: &[f64]) -> Vec<usize> {
        if self.config.gate == (Gate::All {}) {
            return (0..self.scopes.len()).collect();
        }
        let opening = opening_classes(&self.config.gate, &self.generalist(rows, sums));
        let votes = |scope: &TeacherScope| scope.subset().is_none_or(|subset| is_open(opening.as_deref(), subset));
        (0..self.scopes.len()).filter(|teacher| votes(&self.scopes[*teacher])).collect()
    }

    /// Weighted mean of the full teachers' rows, normalised.
    fn generalist<P: Copy + Into<f64>>(&self, rows: &[&[P]], sums: &[f64]) -> Vec<f64> {
        let full: Vec<usize> = (0..rows.len()).filter(|teacher| self.scopes[*teacher] == TeacherScope::Full).collect();
        let total: f64 = full.iter().map(|teacher| self.weights[*teacher]).sum();
        let mut mean = vec![0.0; self.n_classes];
        for teacher in &full {
            let weight = if total > 0.0 { self.weights[*teacher] / total } else { 1.0 / full.len() as f64 };
            let factor = weight / sums[*teacher];
            mean.iter_mut().zip(rows[*teacher]).for_each(|(mean, prob)| *mean += factor * (*prob).into());
        }
        mean
    }

    /// One of the means. The gate never closes on a full teacher, so all of them are among the votes.
    fn average<P: Copy + Into<f64>>(&self, votes: &[Vote<'_, P>], out: &mut [f64]) {
        let mut rows: Vec<&[P]> = vec![&[]; self.scopes.len()];
        let mut sums = vec![1.0; self.scopes.len()];
        for vote in votes {
            (rows[vote.teacher], sums[vote.teacher]) = (vote.row, vote.sum);
        }
        let generalist = self.generalist(&rows, &sums);
        let mut distributions: Vec<means::Vote<'_>> = Vec::with_capacity(votes.len());
        for vote in votes {
            let probs = vote.row.iter().map(|prob| (*prob).into() / vote.sum).collect();
            distributions.push((&self.scopes[vote.teacher], probs, vote.factor * vote.sum));
        }
        let probs = match self.config.rule {
            MergeRule::GeometricMean => means::geometric(&generalist, &distributions),
            _ => means::arithmetic(&generalist, &distributions),
        };
        let total: f64 = probs.iter().sum();
        out.iter_mut().zip(probs).for_each(|(out, prob)| *out = prob / total);
    }

    /// The solutions of several examples, by the fastest solver that the sets allow.
    fn solve<P: Copy + Into<f64>>(&self, collected: &[Collected<'_, P>]) -> Vec<Solution> {
        let problems: Vec<Problem<'_>> = collected.iter().map(Collected::problem).collect();
        let (for_newton, others): (Vec<usize>, Vec<usize>) =
            (0..problems.len()).partition(|example| self.needs_newton(&problems[*example]));
        let mut solutions: Vec<Option<Solution>> = vec![None; problems.len()];
        for example in others {
            solutions[example] = Some(self.solve_one(&problems[example]));
        }
        // examples with the same groups are solved together, in lanes
        let mut by_groups: Vec<Vec<usize>> = Vec::new();
        for example in for_newton {
            let has_these =
                |examples: &&mut Vec<usize>| std::ptr::eq(problems[examples[0]].groups, problems[example].groups);
            match by_groups.iter_mut().find(has_these) {
                Some(examples) => examples.push(example),
                None => by_groups.push(vec![example]),
            }
        }
        for examples in by_groups {
            let side_by_side: Vec<&Problem<'_>> = examples.iter().map(|example| &problems[*example]).collect();
            for (example, solution) in examples.into_iter().zip(newton::solve(&side_by_side)) {
                solutions[example] = Some(solution);
            }
        }
        solutions.into_iter().map(|solution| solution.expect("each example has a solver")).collect()
    }

    fn needs_newton(&self, problem: &Problem<'_>) -> bool {
        let groups = problem.groups;
        let is_simple = groups.n_sets() <= 1 || groups.are_disjoint();
        self.config.rule == MergeRule::Exact && !problem.has_conditional() && !is_simple
    }

    fn solve_one(&self, problem: &Problem<'_>) -> Solution {
        let step = || Solution { probs: em::step(problem, &problem.start()), n_iterations: 0, is_converged: true };
        match self.config.rule {
            MergeRule::EmStep => step(),
            _ if problem.has_conditional() => conditional::solve(problem),
            _ if problem.groups.n_sets() <= 1 => step(),
            _ if problem.groups.are_disjoint() => scalar::solve(problem),
            _ => newton::solve(&[problem]).remove(0),
        }
    }

    /// The signature groups of the partial teachers that vote.
    fn groups_of<P>(&self, votes: &[Vote<'_, P>], scratch: &mut MergeScratch) -> Arc<SignatureGroups> {
        if votes.len() == self.scopes.len() {
            return self.groups.clone();
        }
        let active: Vec<usize> = votes.iter().map(|vote| vote.teacher).collect();
        if let Some(groups) = scratch.groups.get(&active) {
            return groups.clone();
        }
        let sets = active.iter().filter_map(|teacher| self.scopes[*teacher].partial());
        let groups = Arc::new(SignatureGroups::new(self.n_classes, sets));
        if scratch.groups.len() >= MAX_CACHED {
            scratch.groups.clear();
        }
        scratch.groups.insert(active, groups.clone());
        groups
    }
}

/// Largest weight, and its inverse, up to which sums and products of weights keep their digits.
const LARGEST_WEIGHT: f64 = 1e100;

/// The weights, where they are very large or small times a power of two, which changes no digit of their ratios.
fn in_range(weights: &[f64]) -> Vec<f64> {
    let largest = weights.iter().copied().fold(0.0, f64::max);
    if (1.0 / LARGEST_WEIGHT..=LARGEST_WEIGHT).contains(&largest) {
        return weights.to_vec();
    }
    // the scale itself has to be a number
    let scale = 2f64.powi(-largest.log2().clamp(-1000.0, 1000.0) as i32);
    weights.iter().map(|weight| weight * scale).collect()
}

/// One example's row of each teacher's `[N, outputs]`; too few or too many numbers are left for the check.
fn row_of_each<'a, P>(teachers: &[&'a [P]], row: usize, n_rows: usize) -> Vec<&'a [P]> {
    let row_of = |values: &&'a [P]| {
        let width = values.len() / n_rows;
        if values.len() == width * n_rows { &values[row * width..][..width] } else { *values }
    };
    teachers.iter().map(row_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_core::{ClassId, ClassSubset};

    #[test]
    fn only_ratios_of_weights_matter() {
        let subset = ClassSubset::new(4, [ClassId(0), ClassId(1)]).unwrap();
        let merged = |weights: [f64; 2]| {
            let scopes = vec![TeacherScope::Full, TeacherScope::Dustbin(subset.clone())];
            let merger = Merger::new(4, scopes, &weights, &MergeConfig::default()).unwrap();
            merger.merge(&[&[0.3, 0.3, 0.3, 0.1], &[0.1, 0.5, 0.4]]).unwrap().probs
        };
        let expected = merged([2.0, 1.0]);
        for scale in [1e-300, 4.0, 5e307] {
            let found = merged([2.0 * scale, scale]);
            let is_near = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-12;
            assert!(found.iter().zip(&expected).all(is_near), "{scale}: {found:?}");
        }
    }
}
