//! Accuracy by the number of specialists that cover the true class (paper, table 4), and inside one set (table 3).
//!
//! C classes.

use serde::{Deserialize, Serialize};
use stillhouse_core::{ClassClustering, ClassId, ClassSubset};

/// One row of the paper's table 4.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoverageRow {
    /// Number of specialists whose set holds the true class.
    pub covering: usize,
    /// Examples whose true class that many specialists cover.
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
    /// For each class the subsets that hold it, and its position there.
    places: Vec<Vec<(usize, usize)>>,
    /// For each subset the examples of its classes, and how many of them are right.
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
            let mut best = 0;
            for (position, class) in members.iter().enumerate() {
                if row[class.index()] > row[members[best].index()] {
                    best = position;
                }
            }
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
        let subsets = [subset(3, &[1, 2]), subset(3, &[1]), subset(3, &[0, 2])];
        let labels = [ClassId(1), ClassId(2)];
        let probs = [0.8, 0.15, 0.05, 0.8, 0.15, 0.05];
        let mut conditional = ConditionalTop1::new(3, &subsets);
        conditional.push(&probs[..3], labels[0]);
        assert_eq!(conditional.finish(), [Some(1.0), Some(1.0), None]);
        conditional.push(&probs[3..], labels[1]);
        assert_eq!(conditional.finish(), [Some(0.5), Some(1.0), Some(0.0)]);
        assert_eq!(conditional.n_examples(), [2, 1, 1]);
    }
}
