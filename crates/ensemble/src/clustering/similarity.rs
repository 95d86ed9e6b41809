//! Affinity with the classes' own scales divided out.
//!
//! C classes, D dimensions of a vector.
//!
//! The raw covariance of a class that is often predicted is larger with every other class, and its variance, on the
//! diagonal, larger still. On raw columns K-means therefore sorts classes by how often they are predicted. Here
//!
//! ```text
//! S_ij = max(A_ij, 0) / sqrt(g_i g_j),   g_i = sum over j != i of max(A_ij, 0)
//! ```
//!
//! as in a normalised Laplacian: what counts is the share of a class's confusion that goes to another class. Negative
//! covariance is dropped, as it only says that probabilities sum to 1. (Chosen among fourteen ways on synthetic
//! generalists with planted clusters, half of them with class frequencies and confusabilities that vary tenfold; mean
//! adjusted Rand index with the planted clusters, covariance / soft confusion: raw columns 0.30 / 0.37, correlation
//! 0.46 / 0.38, correlation with a lowered diagonal 0.47 / 0.69, this with a lowered diagonal 0.73 / 0.78.)

use crate::affinity::Affinity;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use stillhouse_core::Seed;

/// A class whose confusion is below this share of the largest one is never predicted, but for rounding.
const ROUNDING: f64 = 1e-26;

/// How alike two classes are, at least 0: a matrix of all pairs, or inner products of a vector for each class.
#[derive(Clone, Debug)]
pub(super) struct Similarity {
    n_classes: usize,
    /// `[C, C]`, or `[C, D]` vectors
    values: Vec<f64>,
    /// `D`, if there are vectors
    n_dims: Option<usize>,
}

/// A cluster, prepared for computing the mean similarity of many classes to it.
pub(super) struct Fit<'a> {
    similarity: &'a Similarity,
    cluster: &'a [usize],
    /// `[D]`: the sum of the members' vectors
    sum: Vec<f64>,
}

impl Fit<'_> {
    /// Mean similarity of a class to the other members; 0 when there are none.
    pub(super) fn of(&self, class: usize) -> f64 {
        let Some(n_dims) = self.similarity.n_dims else { return self.similarity.to_cluster(class, self.cluster) };
        let vector = &self.similarity.values[class * n_dims..][..n_dims];
        let is_member = self.cluster.contains(&class);
        let own = if is_member { dot(vector, vector) } else { 0.0 };
        let n_others = self.cluster.len() - usize::from(is_member);
        if n_others == 0 { 0.0 } else { (dot(vector, &self.sum) - own) / n_others as f64 }
    }
}

impl Similarity {
    pub(super) fn new(affinity: &Affinity) -> Self {
        let n_classes = affinity.n_classes();
        let raw = affinity.values();
        let scales = scales(n_classes, raw);
        let entry = |index: usize| {
            let scale = (scales[index / n_classes] * scales[index % n_classes]).sqrt();
            if scale > 0.0 { raw[index].max(0.0) / scale } else { 0.0 }
        };
        Self { n_classes, values: (0..n_classes * n_classes).map(entry).collect(), n_dims: None }
    }

    /// Vectors `[C, D]` with entries of at least 0.
    pub(super) fn of_vectors(n_dims: usize, values: Vec<f64>) -> Self {
        Self { n_classes: values.len() / n_dims, values, n_dims: Some(n_dims) }
    }

    pub(super) fn fit<'a>(&'a self, cluster: &'a [usize]) -> Fit<'a> {
        let mut sum = vec![0.0; self.n_dims.unwrap_or(0)];
        if let Some(n_dims) = self.n_dims {
            for member in cluster {
                let vector = &self.values[member * n_dims..][..n_dims];
                sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
            }
        }
        Fit { similarity: self, cluster, sum }
    }

    /// Random similarities, independent of the model.
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
        Self { n_classes, values, n_dims: None }
    }

    pub(super) fn n_classes(&self) -> usize {
        self.n_classes
    }

    pub(super) fn get(&self, a: usize, b: usize) -> f64 {
        match self.n_dims {
            Some(n) => dot(&self.values[a * n..][..n], &self.values[b * n..][..n]),
            None => self.values[a * self.n_classes + b],
        }
    }

    /// Mean similarity of a class to the other members of a cluster; 0 when there are none.
    pub(super) fn to_cluster(&self, class: usize, cluster: &[usize]) -> f64 {
        if self.n_dims.is_some() {
            return self.fit(cluster).of(class);
        }
        let others = cluster.iter().filter(|other| **other != class);
        let (sum, n) = others.fold((0.0, 0.0), |(sum, n), other| (sum + self.get(class, *other), n + 1.0));
        if n > 0.0 { sum / n } else { 0.0 }
    }

    /// The similarities among some classes, renumbered by their position in the list.
    pub(super) fn restrict(&self, classes: &[usize]) -> Self {
        let values = classes.iter().flat_map(|a| classes.iter().map(|b| self.get(*a, *b))).collect();
        Self { n_classes: classes.len(), values, n_dims: None }
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

/// The confusion of every class with all others.
fn scales(n_classes: usize, raw: &[f64]) -> Vec<f64> {
    let confusion = |class: usize| -> f64 {
        let row = raw[class * n_classes..][..n_classes].iter().enumerate();
        row.filter(|(other, _)| *other != class).map(|(_, value)| value.max(0.0)).sum()
    };
    let mut scales: Vec<f64> = (0..n_classes).map(confusion).collect();
    let largest = scales.iter().copied().fold(0.0, f64::max);
    scales.iter_mut().filter(|scale| **scale <= ROUNDING * largest).for_each(|scale| *scale = 0.0);
    scales
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A number from 0 to 1, 1 excluded, from the 53 upper bits of one draw.
pub(super) fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confusion_is_shared_out_whatever_its_scale() {
        // Classes 0 and 1 are rare, 2 and 3 a hundred times as frequent, otherwise both pairs are alike.
        let values =
            vec![9.0, 1.0, -0.1, -0.1, 1.0, 9.0, -0.1, -0.1, -0.1, -0.1, 900.0, 100.0, -0.1, -0.1, 100.0, 900.0];
        let similarity = Similarity::new(&Affinity::new(4, values).unwrap());
        assert_eq!((similarity.get(0, 1), similarity.get(2, 3), similarity.get(0, 2)), (1.0, 1.0, 0.0));
    }

    #[test]
    fn a_class_without_confusion_is_similar_to_none() {
        let affinity = Affinity::new(3, vec![0.2, 0.1, 1e-30, 0.1, 0.3, 0.0, 1e-30, 0.0, 0.4]).unwrap();
        let similarity = Similarity::new(&affinity);
        assert_eq!((similarity.get(0, 2), similarity.get(1, 2), similarity.get(0, 1)), (0.0, 0.0, 1.0));
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
