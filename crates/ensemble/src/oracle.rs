//! The oracle bound: the accuracy that perfect specialists would add, computed before any of them is trained.
//!
//! N examples, C classes, L classes of a cluster.
//!
//! A specialist can only correct errors among its own classes. So of the generalist's errors only those whose true and
//! predicted class share a cluster count.

use crate::coverage::ConditionalTop1;
use crate::error::EnsembleError;
use crate::predictions::{Predictions, no_predictions};
use serde::{Deserialize, Serialize};
use stillhouse_core::{ClassClustering, ClassId};

/// Below this off-diagonal mass predictions are called nearly one-hot.
const ONE_HOT: f64 = 0.01;
/// Clusters are called no better than chance when they keep less than this times the share of errors that random
/// clusters of the same sizes would keep.
const ABOVE_CHANCE: f64 = 1.5;
/// Below this share of errors inside clusters the verdict is doubtful.
const FEW_INSIDE: f64 = 0.25;

/// One cluster before training. Shares are `0..=1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterDiagnosis {
    /// Number of classes, `L`.
    pub n_classes: usize,
    /// Held-out examples of these classes.
    pub n_examples: usize,
    /// Top-1 accuracy over **all** held-out examples that a perfect specialist would add: the errors with true and
    /// predicted class in this cluster. In overlapping clusters an error counts in each.
    pub oracle_gain: f64,
    /// The generalist's accuracy on the cluster's examples with its decision restricted to the cluster; none without
    /// examples.
    pub generalist_conditional_top1: Option<f64>,
}

/// Whether specialists are worth their training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The bound leaves room.
    Promising,
    /// The bound is small or clusters say little; other remedies come first.
    #[default]
    Doubtful,
    /// Nothing that could be measured can be won.
    Useless,
}

/// The diagnosis of a clustering on held-out predictions. Shares are `0..=1`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Held-out examples.
    pub n_examples: usize,
    /// The generalist's top-1 accuracy on them.
    pub generalist_top1: f64,
    /// Share of its errors whose true and predicted class share a cluster.
    pub errors_inside: f64,
    /// Top-1 accuracy that perfect specialists would add: the oracle bound.
    pub oracle_gain: f64,
    /// Share of the probability given to wrong classes that stays inside the true class's clusters.
    pub confusion_inside: f64,
    /// The same share for random clusters of these sizes: how many pairs of classes share a cluster.
    pub chance_inside: f64,
    /// How much confusion the clustering was made from ([`crate::Affinity::off_diagonal_mass`]).
    pub off_diagonal_mass: f64,
    /// Agreement with the clusters of another seed ([`crate::clustering_agreement`]); none for methods without one.
    #[serde(default)]
    pub stability: Option<f64>,
    /// `coverage[n]` classes lie in exactly `n` clusters.
    pub coverage: Vec<usize>,
    /// Mean number of clusters for a class: 1 for a partition.
    pub overlap: f64,
    /// The clusters in their order.
    pub clusters: Vec<ClusterDiagnosis>,
    /// What to expect.
    pub verdict: Verdict,
    /// The same in plain words, with numbers.
    pub recommendation: String,
}

/// Diagnoses a clustering on held-out predictions of the generalist; `off_diagonal_mass` is that of the affinity.
///
/// # Errors
/// Predictions that are not distributions over the clustering's classes.
pub fn diagnose(
    probs: &[f32],
    labels: &[ClassId],
    off_diagonal_mass: f64,
    clustering: &ClassClustering,
) -> Result<Diagnosis, EnsembleError> {
    let mut diagnoser = Diagnoser::new(clustering);
    diagnoser.push(probs, labels)?;
    diagnoser.finish(off_diagonal_mass)
}

/// Diagnoses a clustering on held-out predictions that come in pieces: memory grows with the classes and the errors,
/// not with their product.
pub struct Diagnoser<'a> {
    clustering: &'a ClassClustering,
    neighbours: Neighbours<'a>,
    conditional: ConditionalTop1<'a>,
    n_examples: usize,
    /// Pairs of true and predicted class.
    errors: Vec<(ClassId, ClassId)>,
    /// Probability given to wrong classes, and the part of it inside the true class's clusters.
    wrong_mass: f64,
    inside_mass: f64,
}

impl<'a> Diagnoser<'a> {
    /// A diagnosis of no examples yet.
    pub fn new(clustering: &'a ClassClustering) -> Self {
        Self {
            clustering,
            neighbours: Neighbours::new(clustering),
            conditional: ConditionalTop1::new(clustering.n_classes(), clustering.clusters()),
            n_examples: 0,
            errors: Vec::new(),
            wrong_mass: 0.0,
            inside_mass: 0.0,
        }
    }

    /// Adds the predictions `[n, C]` of further examples.
    ///
    /// # Errors
    /// Predictions that are not distributions over the clustering's classes.
    pub fn push(&mut self, probs: &[f32], labels: &[ClassId]) -> Result<(), EnsembleError> {
        let predictions = Predictions::new(probs, labels, self.clustering.n_classes())?;
        self.n_examples += predictions.n_examples();
        self.errors.extend(predictions.decisions().filter(|(label, decision)| label != decision));
        for (row, label) in predictions.rows().zip(labels) {
            self.conditional.push(row, *label);
            let total: f64 = row.iter().map(|prob| f64::from(*prob)).sum();
            self.wrong_mass += total - f64::from(row[label.index()]);
            let near = self.neighbours.of(*label).iter().filter(|class| *class != label);
            self.inside_mass += near.map(|class| f64::from(row[class.index()])).sum::<f64>();
        }
        Ok(())
    }

    /// The diagnosis; `off_diagonal_mass` is that of the affinity.
    ///
    /// # Errors
    /// No predictions at all.
    pub fn finish(mut self, off_diagonal_mass: f64) -> Result<Diagnosis, EnsembleError> {
        if self.n_examples == 0 {
            return Err(no_predictions());
        }
        let n_classes = self.clustering.n_classes();
        let clusters = self.clusters();
        let n_errors = self.errors.len();
        let inside = self.errors.iter().filter(|(label, decision)| self.clustering.share_a_cluster(*label, *decision));
        let n_inside = inside.count();
        let sizes: usize = self.clustering.clusters().iter().map(|cluster| cluster.len()).sum();
        let mut diagnosis = Diagnosis {
            n_examples: self.n_examples,
            generalist_top1: 1.0 - share(n_errors, self.n_examples),
            errors_inside: share(n_inside, n_errors),
            oracle_gain: share(n_inside, self.n_examples),
            confusion_inside: if self.wrong_mass > 0.0 { self.inside_mass / self.wrong_mass } else { 0.0 },
            chance_inside: self.neighbours.share_of_pairs(),
            off_diagonal_mass,
            stability: None,
            coverage: coverage_histogram(self.clustering),
            overlap: share(sizes, n_classes),
            clusters,
            verdict: Verdict::Promising,
            recommendation: String::new(),
        };
        (diagnosis.verdict, diagnosis.recommendation) = judge(&diagnosis);
        Ok(diagnosis)
    }

    fn clusters(&self) -> Vec<ClusterDiagnosis> {
        let counts = self.conditional.n_examples().into_iter().zip(self.conditional.finish());
        let mut diagnoses = Vec::with_capacity(self.clustering.clusters().len());
        for (cluster, (n_examples, generalist_conditional_top1)) in self.clustering.clusters().iter().zip(counts) {
            let inside = self.errors.iter().filter(|error| cluster.contains(error.0) && cluster.contains(error.1));
            diagnoses.push(ClusterDiagnosis {
                n_classes: cluster.len(),
                n_examples,
                oracle_gain: share(inside.count(), self.n_examples),
                generalist_conditional_top1,
            });
        }
        diagnoses
    }
}

/// The classes that share a cluster with a class, without a table of all pairs.
struct Neighbours<'a> {
    clustering: &'a ClassClustering,
    is_found: Vec<bool>,
    found: Vec<ClassId>,
}

impl<'a> Neighbours<'a> {
    fn new(clustering: &'a ClassClustering) -> Self {
        Self { clustering, is_found: vec![false; clustering.n_classes()], found: Vec::new() }
    }

    /// All classes of the clusters that hold this one, each once.
    fn of(&mut self, class: ClassId) -> &[ClassId] {
        self.found.clear();
        for cluster_idx in self.clustering.covering(class) {
            for member in self.clustering.clusters()[cluster_idx].members() {
                if !std::mem::replace(&mut self.is_found[member.index()], true) {
                    self.found.push(*member);
                }
            }
        }
        for member in &self.found {
            self.is_found[member.index()] = false;
        }
        &self.found
    }

    /// Share of all pairs of classes that share a cluster: what random clusters of these sizes would keep.
    fn share_of_pairs(&mut self) -> f64 {
        let n_classes = self.clustering.n_classes();
        let n_neighbours = |class: usize| self.of(ClassId(class as u32)).len().saturating_sub(1);
        let n_ordered: usize = (0..n_classes).map(n_neighbours).sum();
        share(n_ordered, n_classes * n_classes.saturating_sub(1))
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn coverage_histogram(clustering: &ClassClustering) -> Vec<usize> {
    let mut covering = vec![0_usize; clustering.n_classes()];
    for class in clustering.clusters().iter().flat_map(|cluster| cluster.members()) {
        covering[class.index()] += 1;
    }
    let mut histogram = vec![0; covering.iter().copied().max().unwrap_or_default() + 1];
    covering.into_iter().for_each(|times| histogram[times] += 1);
    histogram
}

fn judge(diagnosis: &Diagnosis) -> (Verdict, String) {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let bound = format!(
        "{} of the generalist's errors stay inside clusters: at most +{:.1} points",
        percent(diagnosis.errors_inside),
        100.0 * diagnosis.oracle_gain
    );
    let chance = percent(diagnosis.chance_inside);
    // A gain below one standard error of the accuracy is not significant with this many examples.
    let error_rate = 1.0 - diagnosis.generalist_top1;
    let noise = (diagnosis.generalist_top1 * error_rate / diagnosis.n_examples as f64).sqrt();
    if error_rate <= 0.0 {
        (Verdict::Useless, "the generalist makes no errors on the held-out examples: nothing to win".into())
    } else if diagnosis.oracle_gain <= noise {
        let remedy = "spend the compute on the generalist or on an ensemble of generalists";
        let text = format!(
            "only {bound}, no more than the noise of {} examples ({:.1}); specialists cannot help here\nhint: {remedy}",
            diagnosis.n_examples,
            100.0 * noise
        );
        (Verdict::Useless, text)
    } else if diagnosis.off_diagonal_mass < ONE_HOT {
        let mass = 100.0 * diagnosis.off_diagonal_mass;
        let remedy = "cluster on predictions of data that the generalist was not trained on, or on a less fitted one";
        let text =
            format!("{bound}, but with {mass:.2} % of confusion to go by the clusters are guesses\nhint: {remedy}");
        (Verdict::Doubtful, text)
    } else if diagnosis.errors_inside < ABOVE_CHANCE * diagnosis.chance_inside {
        let remedy = "try other clusters or another affinity";
        let text = format!("{bound}, where random clusters of these sizes would keep {chance}\nhint: {remedy}");
        (Verdict::Doubtful, text)
    } else if diagnosis.errors_inside < FEW_INSIDE {
        (Verdict::Doubtful, format!("only {bound}\nhint: larger clusters or a larger coverage keep more errors inside"))
    } else {
        (Verdict::Promising, format!("{bound} (random clusters of these sizes would keep {chance})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::affinity::{AffinityKind, class_affinity};
    use stillhouse_core::ClassSubset;

    fn clustering(n_classes: usize, clusters: &[&[u32]]) -> ClassClustering {
        let subset = |classes: &&[u32]| ClassSubset::new(n_classes, classes.iter().copied().map(ClassId)).unwrap();
        ClassClustering::new(clusters.iter().map(subset).collect()).unwrap()
    }

    /// Rows that give 0.7 to the decision and 0.1 to every other of four classes.
    fn diagnosis(decisions: &[(u32, u32)], clusters: &[&[u32]]) -> Diagnosis {
        let row = |decision: u32| (0..4).map(move |class| if class == decision { 0.7 } else { 0.1 });
        let probs: Vec<f32> = decisions.iter().flat_map(|(_, decision)| row(*decision)).collect();
        let labels: Vec<ClassId> = decisions.iter().map(|(label, _)| ClassId(*label)).collect();
        let affinity = class_affinity(AffinityKind::SoftConfusion, &probs, &labels, 4).unwrap();
        diagnose(&probs, &labels, affinity.off_diagonal_mass(), &clustering(4, clusters)).unwrap()
    }

    #[test]
    fn the_bound_counts_errors_whose_classes_share_a_cluster() {
        // Four errors, of which (0, 1) and (2, 3) stay inside.
        let decisions = [(0, 0), (0, 1), (1, 2), (2, 2), (2, 3), (3, 0), (3, 3), (1, 1)];
        let found = diagnosis(&decisions, &[&[0, 1], &[2, 3]]);
        assert_eq!((found.generalist_top1, found.errors_inside, found.oracle_gain), (0.5, 0.5, 0.25));
        assert!((found.chance_inside - 1.0 / 3.0).abs() < 1e-15);
        // Inside: 0.1 for each right example, 0.7 for the two errors inside, 0.1 for the two outside; of 4.8 in all.
        assert!((found.confusion_inside - 2.0 / 4.8).abs() < 1e-6, "{found:?}");
        assert_eq!((found.coverage.clone(), found.overlap), (vec![0, 4], 1.0));
        let first = &found.clusters[0];
        assert_eq!((first.n_classes, first.n_examples, first.oracle_gain), (2, 4, 0.125));
        // Label 1 predicted as 2: inside its cluster classes 0 and 1 tie, the first one wins.
        assert_eq!(first.generalist_conditional_top1, Some(0.5));
    }

    #[test]
    fn overlap_and_coverage_are_counted() {
        let found = diagnosis(&[(0, 1)], &[&[0, 1, 2], &[0, 1]]);
        assert_eq!((found.coverage.clone(), found.overlap), (vec![1, 1, 2], 1.25));
        assert_eq!(found.oracle_gain, 1.0);
        assert_eq!(found.clusters.iter().map(|cluster| cluster.oracle_gain).collect::<Vec<_>>(), [1.0, 1.0]);
        assert_eq!(found.clusters[1].generalist_conditional_top1, Some(0.0));
    }

    #[test]
    fn a_generalist_without_errors_needs_no_specialists() {
        let found = diagnosis(&[(0, 0), (1, 1)], &[&[0, 1], &[2, 3]]);
        assert_eq!((found.verdict, found.errors_inside), (Verdict::Useless, 0.0));
        assert!(found.recommendation.contains("no errors"));
    }

    #[test]
    fn clusters_that_keep_no_errors_are_called_useless() {
        let decisions: Vec<(u32, u32)> = (0..100).map(|i| (i % 4, if i < 10 { (i + 2) % 4 } else { i % 4 })).collect();
        let found = diagnosis(&decisions, &[&[0, 1], &[2, 3]]);
        assert_eq!(found.verdict, Verdict::Useless);
        assert!(found.recommendation.starts_with("only 0 % of the generalist's errors"), "{}", found.recommendation);
    }

    #[test]
    fn clusters_no_better_than_chance_are_doubtful_and_good_ones_promising() {
        let decide = |wrong: &dyn Fn(u32) -> u32| -> Vec<(u32, u32)> {
            (0..300).map(|i| (i % 4, if i < 90 { wrong(i) } else { i % 4 })).collect()
        };
        let scattered = decide(&|i| (i % 4 + 1 + i % 3) % 4);
        let found = diagnosis(&scattered, &[&[0, 1], &[2, 3]]);
        assert_eq!(found.verdict, Verdict::Doubtful, "{}", found.recommendation);
        let found = diagnosis(&decide(&|i| (i % 4) ^ 1), &[&[0, 1], &[2, 3]]);
        assert_eq!(found.verdict, Verdict::Promising);
        assert!(
            found.recommendation.starts_with("100 % of the generalist's errors stay inside clusters: at most +30.0")
        );
    }

    #[test]
    fn one_hot_predictions_are_reported() {
        let probs: Vec<f32> =
            (0..40).flat_map(|i| if i % 4 == 0 { [0.0, 1.0, 0.0] } else { [1.0, 0.0, 0.0] }).collect();
        let labels = [ClassId(0); 40];
        let affinity = class_affinity(AffinityKind::PredictionCovariance, &probs, &labels, 3).unwrap();
        let found = diagnose(&probs, &labels, affinity.off_diagonal_mass(), &clustering(3, &[&[0, 1]])).unwrap();
        assert_eq!((found.off_diagonal_mass, found.verdict), (0.0, Verdict::Doubtful));
        assert!(found.recommendation.contains("guesses"));
    }
}
