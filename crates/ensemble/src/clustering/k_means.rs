//! K-means on the columns of the similarity (the paper's method, in batch form).
//!
//! C classes, K clusters. A column says how a class is confused with every class; classes with like columns are
//! confused with each other and with the same others. Two changes to the plain method, both against the diagonal:
//! columns are those of the similarity (scales divided out), and the entry of a class with itself is set to its largest
//! similarity with another class. A column with its own variance is nearly a vector along its own axis, so a member
//! would be held in its cluster by its own share of the centroid; lowered, the entry weighs as much as the evidence
//! does, and two classes that are predicted alike still have equal columns. Columns are scaled to unit length, because
//! the direction tells the cluster and the length only how well the class is known.
//!
//! Only inner products of columns are needed: with the Gram matrix `g` the squared distance of column `i` to the
//! centroid of cluster `k` is `g_ii - 2 mean_j g_ij + mean_jl g_jl` over members `j`, `l`. One iteration takes `C^2`
//! operations for any `K`.

use super::constraints::{Limits, shrink};
use super::lloyd::{draw_by_weight, nearest, reseed_empty};
use super::similarity::{Similarity, dot, uniform};
use rand_chacha::ChaCha8Rng;
use stillhouse_core::Seed;

const N_RESTARTS: u64 = 16;
/// Lloyd's iterations; it stops earlier when no class moves, usually after 10.
const MAX_ITERATIONS: usize = 100;

/// Exactly `n_clusters` groups without empty ones (or one per class, when there are fewer classes).
pub(super) fn partition(similarity: &Similarity, n_clusters: usize, seed: Seed) -> Vec<Vec<usize>> {
    let n_clusters = n_clusters.min(similarity.n_classes());
    let columns = Columns::new(similarity);
    let n_centroids = n_clusters.min(columns.classes.len());
    let mut groups = vec![Vec::new(); n_clusters];
    if n_centroids > 0 {
        let restart = |index| columns.lloyd(n_centroids, &mut seed.derive("k_means", index).rng());
        let runs = (0..N_RESTARTS).map(restart);
        // The first of equally good runs, so that the outcome does not hang on rounding in a comparison of equals.
        let best = runs.reduce(|best, run| if run.inertia < best.inertia { run } else { best });
        let assignment = best.map(|run| run.assignment).unwrap_or_default();
        columns.classes.iter().zip(assignment).for_each(|(class, cluster)| groups[cluster].push(*class));
    }
    // Classes without any similarity have no column to go by.
    for class in (0..similarity.n_classes()).filter(|class| !columns.classes.contains(class)) {
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

/// The classes that have a column, and the inner products of these columns.
struct Columns {
    classes: Vec<usize>,
    gram: Vec<f64>,
}

struct Run {
    assignment: Vec<usize>,
    inertia: f64,
}

impl Columns {
    fn new(similarity: &Similarity) -> Self {
        let n_classes = similarity.n_classes();
        let column = |class: usize| {
            let others = (0..n_classes).filter(|other| *other != class);
            let own = others.map(|other| similarity.get(class, other)).fold(0.0, f64::max);
            let entry = |other| if other == class { own } else { similarity.get(class, other) };
            let column: Vec<f64> = (0..n_classes).map(entry).collect();
            let norm = dot(&column, &column).sqrt();
            (norm > 0.0).then(|| column.iter().map(|entry| entry / norm).collect::<Vec<f64>>())
        };
        let (classes, columns): (Vec<usize>, Vec<Vec<f64>>) =
            (0..n_classes).filter_map(|class| Some((class, column(class)?))).unzip();
        let n = classes.len();
        let mut gram = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                gram[i * n + j] = dot(&columns[i], &columns[j]);
                gram[j * n + i] = gram[i * n + j];
            }
        }
        Self { classes, gram }
    }

    fn len(&self) -> usize {
        self.classes.len()
    }

    fn row(&self, point: usize) -> &[f64] {
        &self.gram[point * self.len()..][..self.len()]
    }

    fn squared_distance(&self, a: usize, b: usize) -> f64 {
        (self.row(a)[a] + self.row(b)[b] - 2.0 * self.row(a)[b]).max(0.0)
    }

    /// Lloyd's iterations from k-means++ seeds; an empty cluster is re-seeded with the point farthest from its
    /// centroid.
    fn lloyd(&self, n_clusters: usize, rng: &mut ChaCha8Rng) -> Run {
        let seeds = self.plus_plus(n_clusters, rng);
        let to_seed = |point: usize| nearest(seeds.iter().map(|seed| self.squared_distance(point, *seed)));
        let mut assignment: Vec<usize> = (0..self.len()).map(|point| to_seed(point).0).collect();
        let mut inertia = f64::INFINITY;
        for _ in 0..MAX_ITERATIONS {
            let (next, distances) = self.assign(&assignment, n_clusters);
            inertia = distances.iter().sum();
            let next = reseed_empty(next, distances, n_clusters);
            if next == assignment {
                break;
            }
            assignment = next;
        }
        Run { assignment, inertia }
    }

    /// The first seed at random, every other one with a chance proportional to its squared distance to the seeds
    /// before it; when all distances are 0, the first point that is not a seed.
    fn plus_plus(&self, n_clusters: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let first = (uniform(rng) * self.len() as f64) as usize;
        let mut seeds = vec![first];
        let mut distances: Vec<f64> = (0..self.len()).map(|point| self.squared_distance(point, first)).collect();
        while seeds.len() < n_clusters {
            let drawn = draw_by_weight(&distances, rng);
            let unused = (0..self.len()).find(|point| !seeds.contains(point));
            let Some(seed) = drawn.or(unused) else { break };
            seeds.push(seed);
            for (point, distance) in distances.iter_mut().enumerate() {
                *distance = distance.min(self.squared_distance(point, seed));
            }
        }
        seeds
    }

    /// The nearest centroid of every point, and its squared distance.
    fn assign(&self, assignment: &[usize], n_clusters: usize) -> (Vec<usize>, Vec<f64>) {
        let n = self.len();
        let mut sizes = vec![0.0; n_clusters];
        assignment.iter().for_each(|cluster| sizes[*cluster] += 1.0);
        // Mean inner product of every point with the members of every cluster.
        let mut means = vec![0.0; n * n_clusters];
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
        (0..n).map(|point| nearest((0..n_clusters).map(|cluster| distance(point, cluster)))).unzip()
    }
}
