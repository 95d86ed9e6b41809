//! Affinity with the classes' own scales divided out.
//!
//! C classes. The raw covariance of a class that is often predicted is larger with everything, and its variance, on
//! the diagonal, larger still. On raw columns K-means therefore sorts classes by how often they are predicted. Here
//!
//! ```text
//! S_ij = A_ij / sqrt(d_i d_j),   d_i = max(A_ii, max_j A_ij^2 / A_jj)
//! ```
//!
//! which for a covariance is the correlation; for a confusion matrix `d_i` is the least scale that keeps every entry
//! within -1 and 1 (Cauchy-Schwarz), so that a class which is never recognised still has finite similarities.

use crate::affinity::Affinity;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use stillhouse_core::Seed;

/// A class whose scale is below this share of the largest one is never predicted, but for rounding.
const ROUNDING: f64 = 1e-26;

/// A symmetric matrix `[C, C]` with entries from -1 to 1.
#[derive(Clone, Debug)]
pub(super) struct Similarity {
    n_classes: usize,
    values: Vec<f64>,
}

impl Similarity {
    pub(super) fn new(affinity: &Affinity) -> Self {
        let n_classes = affinity.n_classes();
        let raw = affinity.values();
        let scales = scales(n_classes, raw);
        let entry = |index: usize| {
            let scale = (scales[index / n_classes] * scales[index % n_classes]).sqrt();
            if scale > 0.0 { (raw[index] / scale).clamp(-1.0, 1.0) } else { 0.0 }
        };
        Self { n_classes, values: (0..n_classes * n_classes).map(entry).collect() }
    }

    /// Preferences that know nothing of the model.
    pub(super) fn random(n_classes: usize, seed: Seed) -> Self {
        let mut rng = seed.derive("random_similarity", 0).rng();
        let mut values = vec![1.0; n_classes * n_classes];
        for i in 0..n_classes {
            for j in 0..i {
                let value = uniform(&mut rng);
                values[i * n_classes + j] = value;
                values[j * n_classes + i] = value;
            }
        }
        Self { n_classes, values }
    }

    pub(super) fn n_classes(&self) -> usize {
        self.n_classes
    }

    pub(super) fn get(&self, a: usize, b: usize) -> f64 {
        self.values[a * self.n_classes + b]
    }

    /// Mean similarity of a class to the other members of a cluster; 0 when there are none.
    pub(super) fn to_cluster(&self, class: usize, cluster: &[usize]) -> f64 {
        let others = cluster.iter().filter(|other| **other != class);
        let (sum, n) = others.fold((0.0, 0.0), |(sum, n), other| (sum + self.get(class, *other), n + 1.0));
        if n > 0.0 { sum / n } else { 0.0 }
    }

    /// The similarities among some classes, renumbered by their position in the list.
    pub(super) fn restrict(&self, classes: &[usize]) -> Self {
        let values = classes.iter().flat_map(|a| classes.iter().map(|b| self.get(*a, *b))).collect();
        Self { n_classes: classes.len(), values }
    }

    /// The classes in random order, dealt out one by one: sizes differ by at most 1.
    pub(super) fn random_partition(&self, n_clusters: usize, seed: Seed) -> Vec<Vec<usize>> {
        let mut rng = seed.derive("random_partition", 0).rng();
        let mut order: Vec<usize> = (0..self.n_classes).collect();
        for last in (1..order.len()).rev() {
            let other = (uniform(&mut rng) * (last + 1) as f64) as usize;
            order.swap(last, other);
        }
        let mut groups = vec![Vec::new(); n_clusters];
        order.into_iter().enumerate().for_each(|(position, class)| groups[position % n_clusters].push(class));
        groups
    }
}

fn scales(n_classes: usize, raw: &[f64]) -> Vec<f64> {
    let diagonal = |class: usize| raw[class * n_classes + class].max(0.0);
    let scale = |class: usize| {
        let row = &raw[class * n_classes..][..n_classes];
        let needed = |other: usize| if diagonal(other) > 0.0 { row[other].powi(2) / diagonal(other) } else { 0.0 };
        (0..n_classes).map(needed).fold(diagonal(class), f64::max)
    };
    let mut scales: Vec<f64> = (0..n_classes).map(scale).collect();
    let largest = scales.iter().copied().fold(0.0, f64::max);
    scales.iter_mut().filter(|scale| **scale <= ROUNDING * largest).for_each(|scale| *scale = 0.0);
    scales
}

/// A number from 0 to 1, 1 excluded, from the 53 upper bits of one draw.
pub(super) fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_covariance_becomes_a_correlation() {
        let affinity = Affinity::new(3, vec![4.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]).unwrap();
        let similarity = Similarity::new(&affinity);
        assert_eq!((similarity.get(0, 1), similarity.get(0, 0), similarity.get(0, 2)), (0.5, 1.0, 0.0));
    }

    #[test]
    fn a_class_that_is_never_recognised_has_finite_similarities() {
        let affinity = Affinity::new(3, vec![0.0, 0.5, 0.1, 0.5, 0.5, 0.2, 0.1, 0.2, 0.8]).unwrap();
        let similarity = Similarity::new(&affinity);
        assert_eq!(similarity.get(0, 1), 1.0);
        assert!(similarity.get(0, 2) > 0.0 && similarity.get(0, 2) < 0.3);
    }

    #[test]
    fn a_random_partition_is_balanced_and_reproducible() {
        let similarity = Similarity::random(11, Seed(1));
        let groups = similarity.random_partition(3, Seed(1));
        assert_eq!(groups, similarity.random_partition(3, Seed(1)));
        assert_ne!(groups, similarity.random_partition(3, Seed(2)));
        let mut sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [3, 4, 4]);
    }
}
