//! K-means: Lloyd's iterations from k-means++ seeds, on points that are given by their inner products.
//!
//! N points, K clusters, D dimensions, `g` `[N, N]` the Gram matrix.
//!
//! ```text
//! |x_i - x_j|^2 = g_ii + g_jj - 2 g_ij
//! |x_i - c_k|^2 = g_ii - 2 mean_j g_ij + mean_jl g_jl        over the members j, l of cluster k
//! ```
//!
//! No centroid is computed, so an iteration takes `N^2` operations for any K and D, and all restarts share the matrix.
//!
//! Defined behaviour in corner cases: on ties the lower cluster and the earlier run win; an empty cluster gets the
//! point that is farthest from its own centroid, unless all points lie on their centroids.

use super::similarity::{dot, uniform};
use rand_chacha::ChaCha8Rng;
use stillhouse_core::Seed;

/// Restarts of [`Points::clusters`], at most; the run with the least sum of squared distances is returned.
pub(super) const MAX_RESTARTS: usize = 16;
/// Lloyd's iterations; they end earlier when no point moves, usually after 10.
const MAX_ITERATIONS: usize = 100;

/// How the iterations are started.
#[derive(Clone, Copy)]
pub(super) struct Start {
    /// Points drawn for each seed, of which the best becomes the seed (greedy k-means++); 1 is plain k-means++.
    pub(super) n_trials: usize,
    pub(super) n_restarts: usize,
}

/// The inner products of N points.
pub(super) struct Points {
    n: usize,
    /// `[N, N]`
    gram: Vec<f64>,
}

/// One run of Lloyd's iterations.
struct Run {
    assignment: Vec<usize>,
    /// Sum of squared distances to the centroids.
    inertia: f64,
}

impl Points {
    /// Points of D coordinates each.
    pub(super) fn new(points: &[Vec<f64>]) -> Self {
        let n = points.len();
        let mut gram = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                gram[i * n + j] = dot(&points[i], &points[j]);
                gram[j * n + i] = gram[i * n + j];
            }
        }
        Self { n, gram }
    }

    /// The cluster of each point, numbers below `n_clusters`; with fewer points than clusters, below the number of
    /// points.
    pub(super) fn clusters(&self, n_clusters: usize, start: Start, seed: Seed) -> Vec<usize> {
        let n_clusters = n_clusters.min(self.n);
        if n_clusters == 0 {
            return Vec::new();
        }
        let restarts = 0..start.n_restarts as u64;
        let runs = restarts.map(|index| self.lloyd(n_clusters, start, &mut seed.derive("k_means", index).rng()));
        // The first of equally good runs, so that the outcome does not hang on rounding in a comparison of equals.
        let best = runs.reduce(|best, run| if run.inertia < best.inertia { run } else { best });
        best.map(|run| run.assignment).unwrap_or_default()
    }

    fn row(&self, point: usize) -> &[f64] {
        &self.gram[point * self.n..][..self.n]
    }

    fn squared_distance(&self, a: usize, b: usize) -> f64 {
        (self.row(a)[a] + self.row(b)[b] - 2.0 * self.row(a)[b]).max(0.0)
    }

    fn lloyd(&self, n_clusters: usize, start: Start, rng: &mut ChaCha8Rng) -> Run {
        let seeds = self.seeds(n_clusters, start.n_trials, rng);
        let to_seed = |point: usize| nearest(seeds.iter().map(|seed| self.squared_distance(point, *seed)));
        let mut assignment: Vec<usize> = (0..self.n).map(|point| to_seed(point).0).collect();
        let mut inertia = f64::INFINITY;
        for _ in 0..MAX_ITERATIONS {
            let (next, distances) = self.nearest_centroids(&assignment, n_clusters);
            inertia = distances.iter().sum();
            let next = reseed_empty(next, distances, n_clusters);
            if next == assignment {
                break;
            }
            assignment = next;
        }
        Run { assignment, inertia }
    }

    /// K-means++ (Arthur and Vassilvitskii 2007): the first seed at random, each further one the best of `n_trials`
    /// points that are drawn with a chance proportional to their squared distance to the seeds before. When all
    /// distances are 0, it is the first point that is not a seed.
    fn seeds(&self, n_clusters: usize, n_trials: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let first = (uniform(rng) * self.n as f64) as usize;
        let mut seeds = vec![first];
        let mut distances: Vec<f64> = (0..self.n).map(|point| self.squared_distance(point, first)).collect();
        while seeds.len() < n_clusters {
            let drawn: Vec<usize> = (0..n_trials).filter_map(|_| draw_by_weight(&distances, rng)).collect();
            let unused = if drawn.is_empty() { (0..self.n).find(|point| !seeds.contains(point)) } else { None };
            let candidates = drawn.into_iter().chain(unused).map(|seed| {
                let distances = distances.iter().enumerate();
                let next = distances.map(|(point, before)| self.squared_distance(point, seed).min(*before));
                (seed, next.collect::<Vec<f64>>())
            });
            let sum = |distances: &[f64]| distances.iter().sum::<f64>();
            let Some((seed, next)) = candidates.reduce(|a, b| if sum(&b.1) < sum(&a.1) { b } else { a }) else { break };
            seeds.push(seed);
            distances = next;
        }
        seeds
    }

    /// The nearest centroid of every point, and its squared distance; an empty cluster has no centroid.
    fn nearest_centroids(&self, assignment: &[usize], n_clusters: usize) -> (Vec<usize>, Vec<f64>) {
        let mut sizes = vec![0.0; n_clusters];
        assignment.iter().for_each(|cluster| sizes[*cluster] += 1.0);
        // Mean inner product of every point with the members of every cluster.
        let mut means = vec![0.0; self.n * n_clusters];
        for (point, means) in means.chunks_exact_mut(n_clusters).enumerate() {
            self.row(point).iter().zip(assignment).for_each(|(product, cluster)| means[*cluster] += product);
            means.iter_mut().zip(&sizes).for_each(|(mean, size)| *mean /= size);
        }
        let mut centroid_norms = vec![0.0; n_clusters];
        for (point, cluster) in assignment.iter().enumerate() {
            centroid_norms[*cluster] += means[point * n_clusters + cluster] / sizes[*cluster];
        }
        let distance = |point: usize, cluster: usize| {
            let own = self.row(point)[point];
            let squared = own - 2.0 * means[point * n_clusters + cluster] + centroid_norms[cluster];
            if sizes[cluster] > 0.0 { squared.max(0.0) } else { f64::INFINITY }
        };
        (0..self.n).map(|point| nearest((0..n_clusters).map(|cluster| distance(point, cluster)))).unzip()
    }
}

/// Position and value of the smallest distance; the first one on ties.
fn nearest(distances: impl Iterator<Item = f64>) -> (usize, f64) {
    let closer = |best: (usize, f64), other: (usize, f64)| if other.1 < best.1 { other } else { best };
    distances.enumerate().fold((0, f64::INFINITY), closer)
}

/// Gives every empty cluster the point that is farthest from its own centroid, of a cluster that keeps others.
fn reseed_empty(mut assignment: Vec<usize>, mut distances: Vec<f64>, n_clusters: usize) -> Vec<usize> {
    let mut sizes = vec![0; n_clusters];
    assignment.iter().for_each(|cluster| sizes[*cluster] += 1);
    for empty in 0..n_clusters {
        if sizes[empty] > 0 {
            continue;
        }
        let movable = (0..assignment.len()).filter(|point| sizes[assignment[*point]] > 1 && distances[*point] > 0.0);
        let Some(farthest) = movable.reduce(|a, b| if distances[b] > distances[a] { b } else { a }) else { break };
        sizes[assignment[farthest]] -= 1;
        sizes[empty] = 1;
        assignment[farthest] = empty;
        distances[farthest] = 0.0;
    }
    assignment
}

/// Draws a position with a chance proportional to its weight; none when all weights are 0.
fn draw_by_weight(weights: &[f64], rng: &mut ChaCha8Rng) -> Option<usize> {
    let mut left = uniform(rng) * weights.iter().sum::<f64>();
    weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters(points: &[Vec<f64>], n_clusters: usize) -> Vec<usize> {
        Points::new(points).clusters(n_clusters, Start { n_trials: 3, n_restarts: 3 }, Seed(0))
    }

    #[test]
    fn separate_heaps_are_told_apart() {
        let points: Vec<Vec<f64>> = (0..30).map(|i| vec![f64::from(i % 3) * 10.0, f64::from(i / 3) * 0.1]).collect();
        let found = clusters(&points, 3);
        assert!((0..30).all(|i| found[i] == found[i % 3]));
        assert!(found[0] != found[1] && found[1] != found[2] && found[0] != found[2]);
        assert_eq!(found, clusters(&points, 3));
    }

    #[test]
    fn equal_points_and_more_clusters_than_points_are_no_trouble() {
        assert!(clusters(&vec![vec![1.0, 1.0]; 6], 3).iter().all(|cluster| *cluster < 3));
        let found = clusters(&[vec![0.0], vec![1.0], vec![2.0]], 9);
        assert!(found.iter().all(|cluster| *cluster < 3));
        assert!(clusters(&[], 3).is_empty());
    }
}
