//! The method `k_means`: K-means on the columns of the similarity (the paper's method, in batch form).
//!
//! C classes, K clusters. A column says how a class is confused with every class; classes with like columns are
//! confused with each other and with the same others. Two changes to the plain method, both against the diagonal:
//! columns are those of the similarity (scales divided out), and the entry of a class with itself is set to its largest
//! similarity with another class. A column with its own variance is nearly a vector along its own axis, so a member
//! would be held in its cluster by its own share of the centroid; lowered, the entry weighs as much as the evidence
//! does, and two classes that are predicted alike still have equal columns. Columns are scaled to unit length, because
//! the direction decides the cluster; the length only grows with how often the class is confused.

use super::constraints::{Limits, shrink};
use super::k_means::{MAX_RESTARTS, Points, Start};
use super::similarity::{Similarity, dot};
use stillhouse_core::Seed;

/// Plain k-means++ seeds.
const START: Start = Start { n_trials: 1, n_restarts: MAX_RESTARTS };

/// Exactly `n_clusters` groups without empty ones (or one per class, when there are fewer classes).
pub(super) fn partition(similarity: &Similarity, n_clusters: usize, seed: Seed) -> Vec<Vec<usize>> {
    let (classes, columns): (Vec<usize>, Vec<Vec<f64>>) =
        (0..similarity.n_classes()).filter_map(|class| Some((class, column(similarity, class)?))).unzip();
    let clusters = Points::new(&columns).clusters(n_clusters, START, seed);
    groups(similarity, n_clusters, &classes, clusters)
}

/// The column of a class, of unit length; none for a class that is similar to no other.
fn column(similarity: &Similarity, class: usize) -> Option<Vec<f64>> {
    let mut column: Vec<f64> = (0..similarity.n_classes()).map(|other| similarity.get(class, other)).collect();
    column[class] = 0.0;
    column[class] = column.iter().copied().fold(0.0, f64::max);
    let norm = dot(&column, &column).sqrt();
    (norm > 0.0).then(|| column.iter().map(|entry| entry / norm).collect())
}

/// The groups of a clustering of some `classes` (ascending) into `n_clusters`, none of them empty. The other classes,
/// which have nothing to go by, join the smallest groups.
pub(super) fn groups(
    similarity: &Similarity,
    n_clusters: usize,
    classes: &[usize],
    clusters: Vec<usize>,
) -> Vec<Vec<usize>> {
    let n_clusters = n_clusters.min(similarity.n_classes());
    let mut groups = vec![Vec::new(); n_clusters];
    classes.iter().zip(clusters).for_each(|(class, cluster)| groups[cluster].push(*class));
    for class in (0..similarity.n_classes()).filter(|class| classes.binary_search(class).is_err()) {
        let smallest = (0..n_clusters).min_by_key(|cluster| groups[*cluster].len()).unwrap_or_default();
        groups[smallest].push(class);
    }
    fill_empty(&mut groups, similarity);
    groups
}

/// Splits groups that are larger than allowed, each by K-means among its own classes.
pub(super) fn split_large(
    groups: Vec<Vec<usize>>,
    similarity: &Similarity,
    limits: &Limits,
    seed: Seed,
) -> Vec<Vec<usize>> {
    let mut parts = Vec::new();
    for (index, group) in groups.into_iter().enumerate() {
        if group.len() <= limits.max_classes {
            parts.push(group);
            continue;
        }
        let own = similarity.restrict(&group);
        let n_parts = group.len().div_ceil(limits.max_classes);
        let mut split = partition(&own, n_parts, seed.derive("split_large", index as u64));
        shrink(&mut split, &own, limits.max_classes);
        parts.extend(split.iter().map(|part| part.iter().map(|member| group[*member]).collect()));
    }
    parts
}

/// Gives every empty group the member that fits least into the largest group.
pub(super) fn fill_empty(groups: &mut [Vec<usize>], similarity: &Similarity) {
    while let Some(empty) = groups.iter().position(Vec::is_empty) {
        let largest = (0..groups.len()).rev().max_by_key(|group| groups[*group].len()).unwrap_or_default();
        let moved = super::constraints::take_least_affine(&mut groups[largest], similarity);
        groups[empty].push(moved);
    }
}
