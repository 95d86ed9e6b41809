//! K-means on vectors: Lloyd's iterations from k-means++ seeds.
//!
//! N points, D dimensions, K centroids.

use super::similarity::{dot, uniform};
use rand_chacha::ChaCha8Rng;
use stillhouse_core::Seed;

/// Lloyd's iterations; it stops earlier when no point moves, usually after 10.
const MAX_ITERATIONS: usize = 50;
/// Restarts are as many as fit into so many multiplications, of one assignment of all points each, and in these bounds.
const RESTART_WORK: usize = 1 << 28;
const RESTARTS: (usize, usize) = (3, 16);

/// The cluster of each of the points `[N, D]`, numbers below `n_clusters`; the best of several restarts.
pub(super) fn assign(points: &[f64], n_dims: usize, n_clusters: usize, seed: Seed) -> Vec<usize> {
    let points = Points { values: points, n_dims };
    let n_clusters = n_clusters.min(points.len());
    if n_clusters == 0 {
        return Vec::new();
    }
    let work = points.values.len().saturating_mul(n_clusters).max(1);
    let n_restarts = (RESTART_WORK / work).clamp(RESTARTS.0, RESTARTS.1) as u64;
    let runs = (0..n_restarts).map(|index| points.lloyd(n_clusters, &mut seed.derive("k_means", index).rng()));
    // The first of equally good runs, so that the outcome does not hang on rounding in a comparison of equals.
    let best = runs.reduce(|best, run| if run.1 < best.1 { run } else { best });
    best.map(|(assignment, _)| assignment).unwrap_or_default()
}

/// Position and value of the smallest distance; the first one on ties.
pub(super) fn nearest(distances: impl Iterator<Item = f64>) -> (usize, f64) {
    let closer = |best: (usize, f64), other: (usize, f64)| if other.1 < best.1 { other } else { best };
    distances.enumerate().fold((0, f64::INFINITY), closer)
}

/// Gives every empty cluster the point that is farthest from its own centroid, of a cluster that keeps others.
pub(super) fn reseed_empty(mut assignment: Vec<usize>, mut distances: Vec<f64>, n_clusters: usize) -> Vec<usize> {
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
pub(super) fn draw_by_weight(weights: &[f64], rng: &mut ChaCha8Rng) -> Option<usize> {
    let mut left = uniform(rng) * weights.iter().sum::<f64>();
    weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    })
}

struct Points<'a> {
    values: &'a [f64],
    n_dims: usize,
}

impl Points<'_> {
    fn len(&self) -> usize {
        self.values.len() / self.n_dims
    }

    fn point(&self, index: usize) -> &[f64] {
        &self.values[index * self.n_dims..][..self.n_dims]
    }

    /// Assignment and sum of squared distances.
    fn lloyd(&self, n_clusters: usize, rng: &mut ChaCha8Rng) -> (Vec<usize>, f64) {
        let seeds = self.plus_plus(n_clusters, rng);
        let mut centroids: Vec<f64> = seeds.iter().flat_map(|seed| self.point(*seed)).copied().collect();
        let (mut assignment, mut distances) = self.nearest_centroids(&centroids);
        for _ in 0..MAX_ITERATIONS {
            let reseeded = reseed_empty(assignment.clone(), distances, n_clusters);
            centroids = self.centroids(&reseeded, centroids);
            let next = self.nearest_centroids(&centroids);
            distances = next.1;
            let settled = next.0 == assignment;
            assignment = next.0;
            if settled {
                break;
            }
        }
        (assignment, distances.iter().sum())
    }

    /// Every seed after the first is the best of `2 + ln K` points, each drawn with a chance proportional to its
    /// squared distance to the seeds before it (greedy k-means++); when all distances are 0, the first unused point.
    fn plus_plus(&self, n_clusters: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let n_trials = 2 + (n_clusters as f64).ln() as usize;
        let mut seeds = vec![(uniform(rng) * self.len() as f64) as usize];
        let mut distances = self.distances_with(seeds[0], None);
        while seeds.len() < n_clusters {
            let trials: Vec<usize> = (0..n_trials).filter_map(|_| draw_by_weight(&distances, rng)).collect();
            let tried = trials.iter().map(|seed| (*seed, self.distances_with(*seed, Some(&distances))));
            let sum = |trial: &(usize, Vec<f64>)| trial.1.iter().sum::<f64>();
            let best = tried.reduce(|best, other| if sum(&other) < sum(&best) { other } else { best });
            let unused = || (0..self.len()).find(|point| !seeds.contains(point)).map(|seed| (seed, distances.clone()));
            let Some((seed, next)) = best.or_else(unused) else { break };
            seeds.push(seed);
            distances = next;
        }
        seeds
    }

    /// Squared distances of all points to the nearest seed when another one is added.
    fn distances_with(&self, seed: usize, before: Option<&[f64]>) -> Vec<f64> {
        let seed_point = self.point(seed);
        let squared =
            |point: &[f64]| (dot(point, point) + dot(seed_point, seed_point) - 2.0 * dot(point, seed_point)).max(0.0);
        let distances = self.values.chunks_exact(self.n_dims).map(squared);
        match before {
            Some(before) => distances.zip(before).map(|(distance, before)| distance.min(*before)).collect(),
            None => distances.collect(),
        }
    }

    fn nearest_centroids(&self, centroids: &[f64]) -> (Vec<usize>, Vec<f64>) {
        let norms: Vec<f64> = centroids.chunks_exact(self.n_dims).map(|centroid| dot(centroid, centroid)).collect();
        let of = |point: &[f64]| {
            let distances = centroids.chunks_exact(self.n_dims).zip(&norms);
            let (cluster, distance) = nearest(distances.map(|(centroid, norm)| norm - 2.0 * dot(point, centroid)));
            (cluster, (distance + dot(point, point)).max(0.0))
        };
        self.values.chunks_exact(self.n_dims).map(of).unzip()
    }

    /// The means of the clusters; an empty cluster keeps its centroid.
    fn centroids(&self, assignment: &[usize], mut centroids: Vec<f64>) -> Vec<f64> {
        let mut sums = vec![0.0; centroids.len()];
        let mut sizes = vec![0.0; centroids.len() / self.n_dims];
        for (point, cluster) in self.values.chunks_exact(self.n_dims).zip(assignment) {
            sizes[*cluster] += 1.0;
            let sums = &mut sums[cluster * self.n_dims..][..self.n_dims];
            sums.iter_mut().zip(point).for_each(|(sum, value)| *sum += value);
        }
        let rows = centroids.chunks_exact_mut(self.n_dims).zip(sums.chunks_exact(self.n_dims)).zip(sizes);
        for ((centroid, sums), size) in rows.filter(|(_, size)| *size > 0.0) {
            centroid.iter_mut().zip(sums).for_each(|(centroid, sum)| *centroid = sum / size);
        }
        centroids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separate_heaps_are_told_apart() {
        let points: Vec<f64> = (0..30).flat_map(|i| [f64::from(i % 3) * 10.0, f64::from(i / 3) * 0.1]).collect();
        let found = assign(&points, 2, 3, Seed(0));
        assert!((0..30).all(|i| found[i] == found[i % 3]));
        assert!(found[0] != found[1] && found[1] != found[2] && found[0] != found[2]);
        assert_eq!(found, assign(&points, 2, 3, Seed(0)));
    }

    #[test]
    fn equal_points_and_more_clusters_than_points_are_no_trouble() {
        assert!(assign(&[1.0; 12], 2, 3, Seed(0)).iter().all(|cluster| *cluster < 3));
        let found = assign(&[0.0, 1.0, 2.0], 1, 9, Seed(0));
        assert!(found.iter().all(|cluster| *cluster < 3));
        assert!(assign(&[], 2, 3, Seed(0)).is_empty());
    }
}
