//! What specialists did, by how many of them know the true class (paper, table 4), and inside one set (table 3).

use crate::predictions::{Predictions, argmax};
use serde::{Deserialize, Serialize};
use stillhouse_core::{ClassClustering, ClassId, ClassSubset};

/// One row of the paper's table 4.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoverageRow {
    /// Number of specialists whose set holds the true class.
    pub covering: usize,
    /// Examples with so many.
    pub n_examples: usize,
    /// Change in the number of correctly classified examples.
    pub delta_correct: i64,
    /// That change divided by the number that was correct before (by 1 when none was).
    pub relative_gain: f64,
}

/// The table by number of specialists covering the true class, rows ascending, numbers without examples left out.
///
/// `before` and `after` say for each example whether the generalist and the merged ensemble are right.
///
/// # Panics
/// If the three slices differ in length: a bug in this program.
pub fn coverage_table(
    labels: &[ClassId],
    before: &[bool],
    after: &[bool],
    clustering: &ClassClustering,
) -> Vec<CoverageRow> {
    assert!(labels.len() == before.len() && labels.len() == after.len(), "one verdict per example");
    let covering: Vec<usize> =
        (0..clustering.n_classes() as u32).map(|class| clustering.covering(ClassId(class)).count()).collect();
    let mut counts = vec![[0_usize; 3]; clustering.clusters().len() + 1];
    for ((label, before), after) in labels.iter().zip(before).zip(after) {
        let count = &mut counts[covering[label.index()]];
        count[0] += 1;
        count[1] += usize::from(*before);
        count[2] += usize::from(*after);
    }
    counts.iter().enumerate().filter(|(_, count)| count[0] > 0).map(|(covering, count)| row(covering, *count)).collect()
}

fn row(covering: usize, [n_examples, before, after]: [usize; 3]) -> CoverageRow {
    let delta_correct = after as i64 - before as i64;
    CoverageRow { covering, n_examples, delta_correct, relative_gain: delta_correct as f64 / before.max(1) as f64 }
}

/// Conditional accuracies of several subsets, counted over predictions that come in pieces: on examples of a subset's
/// classes, with the prediction restricted to them (paper, table 3).
#[derive(Clone, Debug)]
pub struct ConditionalTop1<'a> {
    subsets: Vec<&'a ClassSubset>,
    /// For each class the subsets that hold it, and its place there.
    places: Vec<Vec<(usize, usize)>>,
    /// For each subset the examples of its classes, and those that are right.
    counts: Vec<(usize, usize)>,
}

impl<'a> ConditionalTop1<'a> {
    /// Counters for subsets of `n_classes` classes.
    pub fn new(n_classes: usize, subsets: impl IntoIterator<Item = &'a ClassSubset>) -> Self {
        let subsets: Vec<&ClassSubset> = subsets.into_iter().collect();
        let mut places = vec![Vec::new(); n_classes];
        for (subset_idx, subset) in subsets.iter().enumerate() {
            for (place, class) in subset.members().iter().enumerate() {
                places[class.index()].push((subset_idx, place));
            }
        }
        let counts = vec![(0, 0); subsets.len()];
        Self { subsets, places, counts }
    }

    /// Counts one example's distribution `[C]`.
    pub fn push(&mut self, row: &[f32], label: ClassId) {
        for (subset_idx, place) in &self.places[label.index()] {
            let members = self.subsets[*subset_idx].members();
            let is_higher = |other: usize, class: &ClassId| {
                let (other, own) = (row[members[other].index()], row[class.index()]);
                own > other
            };
            let best = members
                .iter()
                .enumerate()
                .fold(0, |best, (idx, class)| if is_higher(best, class) { idx } else { best });
            let (n_examples, n_correct) = &mut self.counts[*subset_idx];
            *n_examples += 1;
            *n_correct += usize::from(best == *place);
        }
    }

    /// Examples of each subset's classes so far.
    pub fn n_examples(&self) -> Vec<usize> {
        self.counts.iter().map(|(n_examples, _)| *n_examples).collect()
    }

    /// The accuracy on each subset; none without examples.
    pub fn finish(&self) -> Vec<Option<f64>> {
        let accuracy = |(n_examples, n_correct): &(usize, usize)| *n_correct as f64 / *n_examples as f64;
        self.counts.iter().map(|count| (count.0 > 0).then(|| accuracy(count))).collect()
    }
}

/// Conditional accuracy: on examples of the subset's classes, with the prediction restricted to them.
///
/// None when no example has a class of the subset.
pub fn conditional_top1(predictions: &Predictions<'_>, subset: &ClassSubset) -> Option<f64> {
    let mut counted = ConditionalTop1::new(predictions.n_classes(), [subset]);
    predictions.rows().zip(predictions.labels()).for_each(|(row, label)| counted.push(row, *label));
    counted.finish()[0]
}

/// The same for a specialist's own rows, `[N, L + 1]` with the dustbin last, which is left out of the decision.
///
/// # Panics
/// If there is not one row for each label: a bug in this program.
pub fn conditional_top1_of_specialist(probs: &[f32], labels: &[ClassId], subset: &ClassSubset) -> Option<f64> {
    let width = subset.len() + 1;
    assert_eq!(probs.len(), labels.len() * width, "one row of L + 1 probabilities per example");
    share_correct(labels, probs.chunks_exact(width).map(|row| argmax(&row[..subset.len()])), subset)
}

fn share_correct(
    labels: &[ClassId],
    local_decisions: impl Iterator<Item = usize>,
    subset: &ClassSubset,
) -> Option<f64> {
    let mut n_examples = 0;
    let mut n_correct = 0;
    for (label, decision) in labels.iter().zip(local_decisions) {
        if let Some(local) = subset.local(*label) {
            n_examples += 1;
            n_correct += usize::from(local.index() == decision);
        }
    }
    (n_examples > 0).then(|| f64::from(n_correct as u32) / f64::from(n_examples))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subset(n_classes: usize, classes: &[u32]) -> ClassSubset {
        ClassSubset::new(n_classes, classes.iter().copied().map(ClassId)).unwrap()
    }

    #[test]
    fn rows_are_counted_by_coverage_of_the_true_class() {
        let clustering = ClassClustering::new(vec![subset(4, &[0, 1]), subset(4, &[1, 2])]).unwrap();
        let labels: Vec<ClassId> = [0, 0, 1, 1, 3].map(ClassId).to_vec();
        let before = [true, false, true, true, false];
        let after = [true, true, true, false, false];
        let table = coverage_table(&labels, &before, &after, &clustering);
        let row = |covering, n_examples, delta_correct, relative_gain| CoverageRow {
            covering,
            n_examples,
            delta_correct,
            relative_gain,
        };
        assert_eq!(table, [row(0, 1, 0, 0.0), row(1, 2, 1, 1.0), row(2, 2, -1, -0.5)]);
    }

    #[test]
    fn a_prediction_restricted_to_the_subset_ignores_the_rest() {
        let own = subset(3, &[1, 2]);
        let labels = [ClassId(1), ClassId(2), ClassId(0)];
        let probs = [0.8, 0.15, 0.05, 0.8, 0.15, 0.05, 0.0, 1.0, 0.0];
        let predictions = Predictions::new(&probs, &labels, 3).unwrap();
        assert_eq!(conditional_top1(&predictions, &own), Some(0.5));
        let local = [0.1, 0.0, 0.9, 0.0, 0.2, 0.8, 0.0, 0.0, 1.0];
        assert_eq!(conditional_top1_of_specialist(&local, &labels, &own), Some(1.0));
        assert_eq!(conditional_top1(&predictions, &subset(3, &[1])), Some(1.0));
        let none = Predictions::new(&probs[..3], &labels[..1], 3).unwrap();
        assert_eq!(conditional_top1(&none, &subset(3, &[0, 2])), None);
    }
}
