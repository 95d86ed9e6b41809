//! Equation 5 in group coordinates.
//!
//! C classes, M specialists, G signature groups. Weights are normalised, so masses and dustbins together sum to 1.

use super::error::MergeError;
use super::groups::SignatureGroups;
use super::teacher::SpecialistVote;

/// Least mean mass of a group's classes. A group without mass could still receive probability from dustbins, and its
/// split among the classes would not be unique.
const MASS_FLOOR: f64 = 1e-12;

/// What all teachers say about one example.
pub(super) struct Problem<'a> {
    pub(super) groups: &'a SignatureGroups,
    /// `a`, `[C]`: weighted probability that teachers give to a class by name
    pub(super) class_mass: Vec<f64>,
    /// `A`, `[G]`: its sums
    pub(super) group_mass: Vec<f64>,
    /// `D`, `[M]`: weighted dustbins
    pub(super) dustbins: Vec<f64>,
}

impl<'a> Problem<'a> {
    /// Collects the votes; every vote is given with the factor that its probabilities are multiplied with, its weight
    /// over the sum of its probabilities and of all weights.
    pub(super) fn new(
        groups: &'a SignatureGroups,
        (generalist, factor): (&[f64], f64),
        votes: &[(SpecialistVote<'_>, f64)],
    ) -> Self {
        let mut class_mass: Vec<f64> = generalist.iter().map(|prob| factor * prob).collect();
        let mut dustbins = Vec::with_capacity(votes.len());
        for (vote, factor) in votes {
            let (dustbin, own) = vote.probs.split_last().expect("a checked vote has a dustbin");
            for (class, prob) in vote.subset.members().iter().zip(own) {
                class_mass[class.index()] += factor * prob;
            }
            dustbins.push(factor * dustbin);
        }
        let group_mass = groups.sums(&class_mass);
        let mut problem = Self { groups, class_mass, group_mass, dustbins };
        problem.fill_empty_groups();
        problem.normalise();
        problem
    }

    /// Raises every group to the floor, in the proportions of its classes where it has any.
    fn fill_empty_groups(&mut self) {
        let floor = |group: usize| MASS_FLOOR * self.groups.sizes()[group] as f64;
        if (0..self.groups.len()).all(|group| self.group_mass[group] >= floor(group)) {
            return;
        }
        for (mass, group) in self.class_mass.iter_mut().zip(self.groups.group_of()) {
            let total = self.group_mass[*group as usize];
            if total == 0.0 {
                *mass = MASS_FLOOR;
            } else if total < floor(*group as usize) {
                *mass *= floor(*group as usize) / total;
            }
        }
        self.group_mass = self.groups.sums(&self.class_mass);
    }

    fn normalise(&mut self) {
        let total = self.group_mass.iter().sum::<f64>() + self.dustbins.iter().sum::<f64>();
        for values in [&mut self.class_mass, &mut self.group_mass, &mut self.dustbins] {
            values.iter_mut().for_each(|value| *value /= total);
        }
    }

    /// Refuses a dustbin that stands for no class and yet has mass: `Q_m` is 0 whatever `q`, and its logarithm
    /// minus infinity.
    pub(super) fn check_dustbins(
        &self,
        votes: &[(SpecialistVote<'_>, f64)],
        numbers: &[usize],
    ) -> Result<(), MergeError> {
        let impossible = (0..votes.len()).find(|m| self.dustbins[*m] > 0.0 && votes[*m].0.subset.is_everything());
        match impossible {
            Some(m) => Err(MergeError::EmptyDustbin {
                specialist: numbers[m],
                dustbin: votes[m].0.probs.last().copied().unwrap_or_default(),
            }),
            None => Ok(()),
        }
    }

    /// The distribution over classes that gives each group its probability, in the proportions of the mass inside.
    pub(super) fn spread(&self, group_probs: &[f64]) -> Vec<f64> {
        let total: f64 = group_probs.iter().sum();
        let scale: Vec<f64> =
            group_probs.iter().zip(&self.group_mass).map(|(prob, mass)| prob / (mass * total)).collect();
        self.class_mass.iter().zip(self.groups.group_of()).map(|(mass, group)| mass * scale[*group as usize]).collect()
    }
}
