//! From the teachers' rows to one distribution.

use super::config::{Gate, MergeConfig, MergeRule};
use super::error::MergeError;
use super::gate::{is_open, opening_classes};
use super::groups::SignatureGroups;
use super::problem::{MASS_FLOOR, Problem, Solution};
use super::row::{checked_sum, sum};
use super::scope::TeacherScope;
use super::{conditional, em, means, newton, scalar};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A merged distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// Probabilities `[C]`, summing to 1.
    pub probs: Vec<f64>,
    /// Steps that the solver took; 0 where there is a closed form.
    pub n_iterations: usize,
    /// Specialists that the gate let vote.
    pub n_active: usize,
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

/// What one thread keeps between examples: the signature groups of each set of specialists that voted together.
#[derive(Debug, Default)]
pub struct MergeScratch {
    groups: BTreeMap<Vec<usize>, Arc<SignatureGroups>>,
    listed_mass: Vec<f64>,
}

/// Sets of specialists remembered; then the memory is emptied.
const MAX_CACHED: usize = 1024;

impl Merger {
    /// Prepares the merge of teachers with these scopes and weights. Only ratios of weights matter: two teachers of half
    /// the weight are one of the whole.
    ///
    /// # Errors
    /// Bad weights, subsets of other datasets, a class that no teacher knows, conditional teachers whose classes do not
    /// hang together, a gate or rule that asks a generalist where there is none.
    pub fn new(
        n_classes: usize,
        scopes: Vec<TeacherScope>,
        weights: &[f64],
        config: &MergeConfig,
    ) -> Result<Self, MergeError> {
        super::check::check_teachers(n_classes, &scopes, weights, config)?;
        let groups = Arc::new(SignatureGroups::new(n_classes, scopes.iter().filter_map(TeacherScope::partial)));
        Ok(Self { n_classes, scopes, weights: weights.to_vec(), config: config.clone(), groups })
    }

    /// Merges one example: a row of probabilities of each teacher, in their order. Rows may be off by single-precision
    /// rounding and are normalised; the gate is applied here.
    ///
    /// # Errors
    /// Rows that are not distributions or of the wrong length, and a specialist that knows every class but gives its
    /// dustbin a share.
    pub fn merge<P: Copy + Into<f64>>(&self, rows: &[&[P]]) -> Result<Merged, MergeError> {
        let mut probs = vec![0.0; self.n_classes];
        let (n_iterations, n_active) = self.merge_into(rows, &mut MergeScratch::default(), &mut probs)?;
        Ok(Merged { probs, n_iterations, n_active })
    }

    /// [`Merger::merge`] into a buffer `[C]`; returns the solver's steps and the number of specialists that voted.
    ///
    /// # Errors
    /// As [`Merger::merge`].
    ///
    /// # Panics
    /// If the buffer has another length: a bug in this program.
    pub fn merge_into<P: Copy + Into<f64>>(
        &self,
        rows: &[&[P]],
        scratch: &mut MergeScratch,
        out: &mut [f64],
    ) -> Result<(usize, usize), MergeError> {
        assert_eq!(out.len(), self.n_classes, "one place for each class");
        let sums = self.check_rows(rows)?;
        let active = self.active(rows, &sums);
        let total_weight: f64 = active.iter().map(|teacher| self.weights[*teacher]).sum();
        let n_active = active.iter().filter(|teacher| self.scopes[**teacher].subset().is_some()).count();
        let n_generalists = active.len() - n_active;
        // weights of those who vote may all be zero; then the generalists are asked in equal parts
        let factor = |teacher: usize| match total_weight > 0.0 {
            true => self.weights[teacher] / (sums[teacher] * total_weight),
            false if self.scopes[teacher] == TeacherScope::Full => 1.0 / (sums[teacher] * n_generalists as f64),
            false => 0.0,
        };
        let votes: Vec<(usize, f64)> = active.iter().map(|teacher| (*teacher, factor(*teacher))).collect();
        let n_iterations = match self.config.rule {
            MergeRule::ArithmeticMean | MergeRule::GeometricMean => {
                self.average(rows, &votes, out);
                0
            }
            _ => self.solve(rows, &votes, scratch, out)?,
        };
        Ok((n_iterations, n_active))
    }

    fn check_rows<P: Copy + Into<f64>>(&self, rows: &[&[P]]) -> Result<Vec<f64>, MergeError> {
        let (got, expected) = (rows.len(), self.scopes.len());
        if got != expected {
            return Err(MergeError::TeacherCount { what: "rows", got, expected });
        }
        let check = |(teacher, (row, scope)): (usize, (&&[P], &TeacherScope))| {
            checked_sum(teacher, row, scope.n_outputs(self.n_classes))
        };
        rows.iter().zip(&self.scopes).enumerate().map(check).collect()
    }

    /// Teachers that vote on this example: all generalists, and the specialists that the gate lets through.
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

    fn average<P: Copy + Into<f64>>(&self, rows: &[&[P]], votes: &[(usize, f64)], out: &mut [f64]) {
        let sums: Vec<f64> = rows.iter().map(|row| sum(row)).collect();
        let generalist = self.generalist(rows, &sums);
        let as_vote = |(teacher, factor): &(usize, f64)| {
            let sum = sums[*teacher];
            let probs = rows[*teacher].iter().map(|prob| (*prob).into() / sum).collect();
            (&self.scopes[*teacher], probs, factor * sum)
        };
        let votes: Vec<means::Vote<'_>> = votes.iter().map(as_vote).collect();
        let probs = match self.config.rule {
            MergeRule::GeometricMean => means::geometric(&generalist, &votes),
            _ => means::arithmetic(&generalist, &votes),
        };
        let total: f64 = probs.iter().sum();
        out.iter_mut().zip(probs).for_each(|(out, prob)| *out = prob / total);
    }

    /// Equation 5 in signature groups. `out` holds the teachers' mass until the groups' probabilities are known.
    fn solve<P: Copy + Into<f64>>(
        &self,
        rows: &[&[P]],
        votes: &[(usize, f64)],
        scratch: &mut MergeScratch,
        out: &mut [f64],
    ) -> Result<usize, MergeError> {
        let groups = self.groups_of(votes, scratch);
        let (dustbins, conditional) = self.collect_mass(rows, votes, out);
        let listed_mass = &mut scratch.listed_mass;
        listed_mass.clear();
        listed_mass.extend(groups.listed().iter().map(|class| std::mem::take(&mut out[*class as usize])));
        let mut mass: Vec<f64> = (0..groups.len())
            .map(|group| match groups.range(group) {
                range if range.is_empty() => sum(out),
                range => listed_mass[range].iter().sum(),
            })
            .collect();
        raise_empty_groups(&groups, &mut mass, listed_mass, out);
        let raw_mass = mass.clone();
        let total = mass.iter().sum::<f64>() + dustbins.iter().sum::<f64>();
        mass.iter_mut().for_each(|mass| *mass /= total);
        let normalised = |values: Vec<f64>| values.into_iter().map(|value| value / total).collect();
        let problem =
            Problem { groups: &groups, mass, dustbins: normalised(dustbins), conditional: normalised(conditional) };
        self.check_dustbins(rows, votes, &problem)?;
        let solution = self.solve_groups(&problem);
        let scale = spread(&solution.probs, &raw_mass);
        if groups.n_rest() > 0 {
            out.iter_mut().for_each(|prob| *prob *= scale[0]);
        }
        for (group, scale) in scale.iter().enumerate() {
            let range = groups.range(group);
            for (class, mass) in groups.listed()[range.clone()].iter().zip(&listed_mass[range]) {
                out[*class as usize] = mass * scale;
            }
        }
        Ok(solution.n_iterations)
    }

    /// The fastest solver that the sets allow.
    fn solve_groups(&self, problem: &Problem<'_>) -> Solution {
        let in_closed_form = |probs| Solution { probs, n_iterations: 0 };
        match self.config.rule {
            MergeRule::EmStep => in_closed_form(em::step(problem, &problem.start())),
            MergeRule::Em => em::solve(problem),
            _ if problem.has_conditional() => conditional::solve(problem),
            _ if problem.groups.n_sets() <= 1 => in_closed_form(em::step(problem, &problem.start())),
            _ if problem.groups.are_disjoint() => scalar::solve(problem),
            _ => newton::solve(problem),
        }
    }

    /// The signature groups of the partial teachers that vote.
    fn groups_of(&self, votes: &[(usize, f64)], scratch: &mut MergeScratch) -> Arc<SignatureGroups> {
        if votes.len() == self.scopes.len() {
            return self.groups.clone();
        }
        let active: Vec<usize> = votes.iter().map(|(teacher, _)| *teacher).collect();
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

    /// `a`, `[C]`, into `out`; returns `D` and the conditional weights, `[M]` each.
    fn collect_mass<P: Copy + Into<f64>>(
        &self,
        rows: &[&[P]],
        votes: &[(usize, f64)],
        out: &mut [f64],
    ) -> (Vec<f64>, Vec<f64>) {
        let (mut dustbins, mut conditional) = (Vec::new(), Vec::new());
        let mut is_first = true;
        for (teacher, factor) in votes {
            let (row, scope) = (rows[*teacher], &self.scopes[*teacher]);
            if scope.partial().is_some() {
                continue;
            }
            let pairs = out.iter_mut().zip(row);
            match is_first {
                true => pairs.for_each(|(out, prob)| *out = factor * (*prob).into()),
                false => pairs.for_each(|(out, prob)| *out += factor * (*prob).into()),
            }
            is_first = false;
        }
        if is_first {
            out.fill(0.0);
        }
        for (teacher, factor) in votes {
            let (row, scope) = (rows[*teacher], &self.scopes[*teacher]);
            let Some(subset) = scope.partial() else { continue };
            for (class, prob) in subset.members().iter().zip(row) {
                out[class.index()] += factor * (*prob).into();
            }
            let has_dustbin = matches!(scope, TeacherScope::Dustbin(_));
            dustbins.push(if has_dustbin { factor * row[subset.len()].into() } else { 0.0 });
            conditional.push(if has_dustbin { 0.0 } else { factor * sum(row) });
        }
        (dustbins, conditional)
    }

    /// Refuses a dustbin that stands for no class and yet has mass: `Q_m` is 0 whatever `q`, and its logarithm minus
    /// infinity.
    fn check_dustbins<P: Copy + Into<f64>>(
        &self,
        rows: &[&[P]],
        votes: &[(usize, f64)],
        problem: &Problem<'_>,
    ) -> Result<(), MergeError> {
        let partial = votes.iter().filter_map(|(teacher, _)| Some((*teacher, self.scopes[*teacher].partial()?)));
        for (set, (teacher, subset)) in partial.enumerate() {
            if problem.dustbins[set] > 0.0 && subset.is_everything() {
                let dustbin = rows[teacher][subset.len()].into();
                return Err(MergeError::EmptyDustbin { teacher, dustbin });
            }
        }
        Ok(())
    }
}

/// Raises every group to the floor, in the proportions of its classes where it has any.
fn raise_empty_groups(groups: &SignatureGroups, mass: &mut [f64], listed_mass: &mut [f64], out: &mut [f64]) {
    for (group, mass) in mass.iter_mut().enumerate() {
        let floor = MASS_FLOOR * groups.size(group) as f64;
        if *mass >= floor {
            continue;
        }
        let raised = |value: f64| if *mass > 0.0 { value * floor / *mass } else { MASS_FLOOR };
        let range = groups.range(group);
        if range.is_empty() {
            out.iter_mut().for_each(|value| *value = raised(*value));
            groups.listed().iter().for_each(|class| out[*class as usize] = 0.0);
        } else {
            listed_mass[range].iter_mut().for_each(|value| *value = raised(*value));
        }
        *mass = floor;
    }
}

/// What the mass of each group is multiplied with, so that it has the group's probability.
fn spread(group_probs: &[f64], mass: &[f64]) -> Vec<f64> {
    let total: f64 = group_probs.iter().sum();
    group_probs.iter().zip(mass).map(|(prob, mass)| prob / (mass * total)).collect()
}
