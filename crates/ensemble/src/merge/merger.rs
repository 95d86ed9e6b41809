//! From the teachers' rows to one distribution.

use super::config::{Gate, MergeConfig, MergeRule};
use super::error::{MergeError, Teacher};
use super::gate::active_specialists;
use super::groups::SignatureGroups;
use super::problem::Problem;
use super::teacher::{SpecialistVote, TeacherWeights, check_distribution};
use super::{em, means, newton};
use stillhouse_core::{ClassClustering, ClassSubset};

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

/// Merges one example.
///
/// `generalist` holds probabilities `[C]`; the votes are those of the specialists that the gate lets through. Rows may
/// be off by single-precision rounding and are normalised. Without votes the result is the generalist.
///
/// ```
/// use stillhouse_core::{ClassId, ClassSubset};
/// use stillhouse_ensemble::{MergeRule, SpecialistVote, TeacherWeights, merge_soft_targets};
/// let subset = ClassSubset::new(4, [ClassId(0), ClassId(1)])?;
/// let vote = SpecialistVote { subset: &subset, probs: &[0.1, 0.5, 0.4] };
/// let merged = merge_soft_targets(&[0.3, 0.3, 0.3, 0.1], &[vote], &TeacherWeights::equal(1), MergeRule::Exact)?;
/// // One specialist: the mean of both inside its set, the generalist's proportions outside.
/// for (found, expected) in merged.probs.iter().zip([0.2, 0.4, 0.3, 0.1]) {
///     assert!((found - expected).abs() < 1e-12);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Rows that are not distributions or of the wrong length, bad weights, and a specialist that knows every class but
/// gives its dustbin a share.
pub fn merge_soft_targets(
    generalist: &[f64],
    votes: &[SpecialistVote<'_>],
    weights: &TeacherWeights,
    rule: MergeRule,
) -> Result<Merged, MergeError> {
    weights.check(votes.len())?;
    let other_dataset = votes.iter().position(|vote| vote.subset.n_classes() != generalist.len());
    if let Some(specialist) = other_dataset {
        let got = votes[specialist].subset.n_classes();
        return Err(MergeError::Dataset { specialist, got, expected: generalist.len() });
    }
    let groups = needs_groups(rule).then(|| SignatureGroups::new(generalist.len(), votes.iter().map(|v| v.subset)));
    let numbers: Vec<usize> = (0..votes.len()).collect();
    merge_checked(generalist, votes, &numbers, weights, rule, groups.as_ref())
}

/// Merges many examples of one clustering. With the gate open to all, the signature groups are found once.
#[derive(Clone, Debug)]
pub struct Merger {
    subsets: Vec<ClassSubset>,
    n_classes: usize,
    config: MergeConfig,
    weights: TeacherWeights,
    groups: Option<SignatureGroups>,
}

impl Merger {
    /// Prepares the merge of a generalist with one specialist for each cluster.
    ///
    /// # Errors
    /// Bad weights.
    pub fn new(
        clustering: &ClassClustering,
        config: &MergeConfig,
        weights: TeacherWeights,
    ) -> Result<Self, MergeError> {
        let subsets = clustering.clusters().to_vec();
        weights.check(subsets.len())?;
        let n_classes = clustering.n_classes();
        let fixed = config.gate == Gate::All {} && needs_groups(config.rule);
        let groups = fixed.then(|| SignatureGroups::new(n_classes, subsets.iter()));
        Ok(Self { subsets, n_classes, config: config.clone(), weights, groups })
    }

    /// Merges one example: the generalist's probabilities `[C]` and every specialist's `[L + 1]`, in the order of the
    /// clusters; the gate is applied here.
    ///
    /// # Errors
    /// As [`merge_soft_targets`].
    pub fn merge(&self, generalist: &[f64], specialists: &[&[f64]]) -> Result<Merged, MergeError> {
        let (got, expected) = (specialists.len(), self.subsets.len());
        if got != expected {
            return Err(MergeError::SpecialistCount { what: "predictions", got, expected });
        }
        if generalist.len() != self.n_classes {
            let teacher = Teacher::Generalist;
            return Err(MergeError::Length { teacher, got: generalist.len(), expected: self.n_classes });
        }
        let active = active_specialists(&self.config.gate, generalist, &self.subsets);
        let vote = |index: &usize| SpecialistVote { subset: &self.subsets[*index], probs: specialists[*index] };
        let votes: Vec<SpecialistVote<'_>> = active.iter().map(vote).collect();
        let rule = self.config.rule;
        match &self.groups {
            Some(groups) => merge_checked(generalist, &votes, &active, &self.weights, rule, Some(groups)),
            None => {
                let subsets = votes.iter().map(|vote| vote.subset);
                let groups = needs_groups(rule).then(|| SignatureGroups::new(self.n_classes, subsets));
                merge_checked(generalist, &votes, &active, &self.weights, rule, groups.as_ref())
            }
        }
    }
}

fn needs_groups(rule: MergeRule) -> bool {
    matches!(rule, MergeRule::Exact | MergeRule::EmStep)
}

/// `numbers` are the specialists' own, for weights and for messages.
fn merge_checked(
    generalist: &[f64],
    votes: &[SpecialistVote<'_>],
    numbers: &[usize],
    weights: &TeacherWeights,
    rule: MergeRule,
    groups: Option<&SignatureGroups>,
) -> Result<Merged, MergeError> {
    let n_classes = generalist.len();
    let generalist_sum = check_distribution(Teacher::Generalist, generalist, n_classes)?;
    let total_weight = weights.generalist + numbers.iter().map(|number| weights.specialists[*number]).sum::<f64>();
    let n_active = votes.len();
    if votes.is_empty() || total_weight == 0.0 {
        let probs = generalist.iter().map(|prob| prob / generalist_sum).collect();
        return Ok(Merged { probs, n_iterations: 0, n_active });
    }
    let mut scaled = Vec::with_capacity(n_active);
    for (vote, number) in votes.iter().zip(numbers) {
        let sum = check_distribution(Teacher::Specialist(*number), vote.probs, vote.subset.len() + 1)?;
        scaled.push((*vote, weights.specialists[*number] / (sum * total_weight)));
    }
    let generalist = (generalist, weights.generalist / (generalist_sum * total_weight));
    let (probs, n_iterations) = apply(rule, generalist, &scaled, numbers, groups)?;
    Ok(Merged { probs, n_iterations, n_active })
}

fn apply(
    rule: MergeRule,
    generalist: (&[f64], f64),
    votes: &[(SpecialistVote<'_>, f64)],
    numbers: &[usize],
    groups: Option<&SignatureGroups>,
) -> Result<(Vec<f64>, usize), MergeError> {
    let Some(groups) = groups else {
        let mut probs = match rule {
            MergeRule::GeometricMean => means::geometric(generalist, votes),
            _ => means::arithmetic(generalist, votes),
        };
        means::normalise(&mut probs);
        return Ok((probs, 0));
    };
    let problem = Problem::new(groups, generalist, votes);
    problem.check_dustbins(votes, numbers)?;
    if rule == MergeRule::EmStep || votes.len() == 1 {
        return Ok((problem.spread(&em::step(&problem, &em::start(&problem))), 0));
    }
    let solution = newton::solve(&problem);
    Ok((problem.spread(&solution.group_probs), solution.n_iterations))
}
