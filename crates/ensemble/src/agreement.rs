//! Agreement of two clusterings: the omega index.

use std::collections::BTreeMap;
use stillhouse_core::{ClassClustering, ClassId};

/// The omega index: the adjusted Rand index, carried over to clusters that overlap (Collins and Dent 1988).
///
/// Two clusterings agree on a pair of classes when both put it together in the same number of clusters. The share of
/// pairs on which they agree is corrected for what chance alone would give: 1 for equal clusterings, 0 on average for
/// unrelated ones. For partitions this is the adjusted Rand index.
///
/// # Panics
/// If the clusterings are of different datasets: a bug in this program.
pub fn clustering_agreement(a: &ClassClustering, b: &ClassClustering) -> f64 {
    assert_eq!(a.n_classes(), b.n_classes(), "clusterings of one dataset");
    let (in_a, in_b) = (memberships(a), memberships(b));
    let mut together: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for i in 0..in_a.len() {
        for j in 0..i {
            *together.entry((n_shared(&in_a[i], &in_a[j]), n_shared(&in_b[i], &in_b[j]))).or_default() += 1.0;
        }
    }
    chance_corrected(&together)
}

fn memberships(clustering: &ClassClustering) -> Vec<Vec<usize>> {
    (0..clustering.n_classes() as u32).map(|class| clustering.covering(ClassId(class)).collect()).collect()
}

/// Number of common entries of two ascending lists.
fn n_shared(a: &[usize], b: &[usize]) -> usize {
    a.iter().filter(|cluster| b.binary_search(cluster).is_ok()).count()
}

fn chance_corrected(together: &BTreeMap<(usize, usize), f64>) -> f64 {
    let n_pairs: f64 = together.values().sum();
    let mut marginals: [BTreeMap<usize, f64>; 2] = Default::default();
    let mut observed = 0.0;
    for (&(in_a, in_b), count) in together {
        *marginals[0].entry(in_a).or_default() += count;
        *marginals[1].entry(in_b).or_default() += count;
        observed += if in_a == in_b { count / n_pairs } else { 0.0 };
    }
    let expected: f64 =
        marginals[0].iter().filter_map(|(times, a)| Some(a * marginals[1].get(times)? / (n_pairs * n_pairs))).sum();
    // When chance already explains everything, both treat every pair alike (or there is none): they are equal.
    if n_pairs == 0.0 || expected > 1.0 - f64::EPSILON { 1.0 } else { (observed - expected) / (1.0 - expected) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_core::ClassSubset;

    fn clustering(n_classes: usize, clusters: &[&[u32]]) -> ClassClustering {
        let subset = |classes: &&[u32]| ClassSubset::new(n_classes, classes.iter().copied().map(ClassId)).unwrap();
        ClassClustering::new(clusters.iter().map(subset).collect()).unwrap()
    }

    #[test]
    fn equal_clusterings_agree_fully_in_any_order() {
        let a = clustering(6, &[&[0, 1, 2], &[2, 3], &[4, 5]]);
        let b = clustering(6, &[&[4, 5], &[0, 1, 2], &[2, 3]]);
        assert_eq!(clustering_agreement(&a, &b), 1.0);
        let single = clustering(1, &[&[0]]);
        assert_eq!(clustering_agreement(&single, &single), 1.0);
        let everything = clustering(3, &[&[0, 1, 2]]);
        assert_eq!(clustering_agreement(&everything, &everything), 1.0);
    }

    #[test]
    fn on_partitions_it_is_the_adjusted_rand_index() {
        // sklearn.metrics.adjusted_rand_score([0, 0, 1, 1], [0, 0, 1, 2]) = 0.5714285714285714
        let a = clustering(4, &[&[0, 1], &[2, 3]]);
        let b = clustering(4, &[&[0, 1], &[2], &[3]]);
        assert!((clustering_agreement(&a, &b) - 0.571_428_571_428_571_4).abs() < 1e-12);
        // adjusted_rand_score([0, 0, 1, 1], [0, 1, 0, 1]) = -0.5
        let c = clustering(4, &[&[0, 2], &[1, 3]]);
        assert!((clustering_agreement(&a, &c) + 0.5).abs() < 1e-12);
    }
}
