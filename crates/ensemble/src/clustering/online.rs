//! On-line K-means on the columns of the prediction covariance (the paper's form, section 5.3): one pass over a stream
//! of predictions, memory `O(C K)`, no matrix of all pairs.
//!
//! N examples, C classes, K clusters, `p` a prediction. Cluster `k`'s centroid is the mean column of its members, and
//! entry `i` of that column is the covariance of `p_i` with `s_k`, the members' mean of `p_j`: numbers that a stream
//! can average. As in the batch form, probabilities are divided by the root of a class's own confusion, `E[p_i (1 -
//! p_i)]`, so that frequent classes do not draw everything to them, and a class's covariance with itself is left out.
//! After each batch of examples every class moves to the cluster with whose members it has the largest mean covariance;
//! a cluster takes at most twice an even share. The first batch starts the clusters with its most confused pairs.
//!
//! It shares no steps with [`k_means`](super::k_means): there are no points whose distances could be computed, so it
//! maximises covariance under a limit of size, once for each batch, without seeds and restarts.

use super::config::ClusteringConfig;
use super::constraints::{self, Limits};
use super::similarity::{Similarity, uniform};
use crate::error::EnsembleError;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use stillhouse_core::{ClassClustering, Seed};

/// Examples in a batch: an estimate of covariances that is good enough to move classes by.
const BATCH: usize = 4096;
/// Smaller probabilities are left out: they are below the noise of the covariances.
const NEGLIGIBLE: f32 = 1e-4;
/// The most probable classes of an example whose pairs start the clusters.
const N_TOP: usize = 5;
/// Least weight of a new batch against what came before.
const FORGETTING: f64 = 0.1;

/// Clusters classes from a stream of predictions.
#[derive(Clone, Debug)]
pub struct OnlineKMeans {
    n_classes: usize,
    n_clusters: usize,
    limits: Limits,
    rng: ChaCha8Rng,
    /// `[C]`: the cluster of a class; empty before the first batch.
    assignment: Vec<usize>,
    /// `[C]`: `E[p_i]` and `E[p_i^2]`
    mean: Vec<f64>,
    mean_square: Vec<f64>,
    /// `[C, K]`: `E[f_i s_k]` of scaled probabilities `f`, and `[K]`: `E[s_k]`
    cross: Vec<f64>,
    cluster_mean: Vec<f64>,
    n_batches: usize,
    n_examples: u64,
    sum_of_squares: f64,
    pending: Vec<f32>,
}

impl OnlineKMeans {
    /// A clustering of no predictions yet.
    ///
    /// # Errors
    /// As [`super::cluster_classes`].
    pub fn new(n_classes: usize, config: &ClusteringConfig, seed: Seed) -> Result<Self, EnsembleError> {
        config.check(n_classes)?;
        let limits = Limits::new(n_classes, config)?;
        let n_clusters = config.n_clusters(n_classes).unwrap_or(1);
        Ok(Self {
            n_classes,
            n_clusters,
            limits,
            rng: seed.derive("online_k_means", 0).rng(),
            assignment: Vec::new(),
            mean: vec![0.0; n_classes],
            mean_square: vec![0.0; n_classes],
            cross: vec![0.0; n_classes * n_clusters],
            cluster_mean: vec![0.0; n_clusters],
            n_batches: 0,
            n_examples: 0,
            sum_of_squares: 0.0,
            pending: Vec::new(),
        })
    }

    /// Adds predictions `[n, C]`; how they are cut into calls makes no difference.
    pub fn push(&mut self, probs: &[f32]) {
        let full = BATCH * self.n_classes;
        let mut rest = probs;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(full - self.pending.len()));
            self.pending.extend_from_slice(now);
            rest = later;
            if self.pending.len() == full {
                let batch = std::mem::take(&mut self.pending);
                self.learn(&batch);
                self.pending = batch;
                self.pending.clear();
            }
        }
    }

    /// How much confusion the predictions hold, as [`crate::Affinity::off_diagonal_mass`].
    pub fn off_diagonal_mass(&self) -> f64 {
        let pending: f64 = self.pending.iter().map(|prob| f64::from(*prob).powi(2)).sum();
        let n_examples = self.n_examples as f64 + (self.pending.len() / self.n_classes) as f64;
        (1.0 - (self.sum_of_squares + pending) / n_examples.max(1.0)).clamp(0.0, 1.0)
    }

    /// The clusters, within the limits of the config.
    ///
    /// # Errors
    /// Limits that no clustering can meet.
    pub fn finish(mut self) -> Result<ClassClustering, EnsembleError> {
        let batch = std::mem::take(&mut self.pending);
        if !batch.is_empty() || self.assignment.is_empty() {
            self.learn(&batch);
        }
        let mut groups = vec![Vec::new(); self.n_clusters];
        self.assignment.iter().enumerate().for_each(|(class, cluster)| groups[*cluster].push(class));
        let similarity = Similarity::of_vectors(self.n_clusters, self.profiles());
        super::columns::fill_empty(&mut groups, &similarity);
        let clusters = constraints::apply(groups, &similarity, &self.limits)?;
        Ok(super::to_clustering(self.n_classes, clusters))
    }

    fn learn(&mut self, batch: &[f32]) {
        let n_examples = (batch.len() / self.n_classes).max(1) as f64;
        self.n_batches += 1;
        self.n_examples += (batch.len() / self.n_classes) as u64;
        let rate = (1.0 / self.n_batches as f64).max(FORGETTING);
        let mut mean = vec![0.0; self.n_classes];
        let mut mean_square = vec![0.0; self.n_classes];
        for row in batch.chunks_exact(self.n_classes) {
            for (class, prob) in row.iter().enumerate() {
                let prob = f64::from(*prob);
                mean[class] += prob / n_examples;
                mean_square[class] += prob * prob / n_examples;
            }
        }
        self.sum_of_squares += mean_square.iter().sum::<f64>() * n_examples;
        blend(&mut self.mean, &mean, rate);
        blend(&mut self.mean_square, &mean_square, rate);
        let scales = self.scales();
        if self.assignment.is_empty() {
            self.start(batch, &scales);
        }
        let sizes = self.sizes();
        let mut cross = vec![0.0; self.cross.len()];
        let mut cluster_mean = vec![0.0; self.n_clusters];
        let mut shares = vec![0.0; self.n_clusters];
        for row in batch.chunks_exact(self.n_classes) {
            shares.fill(0.0);
            let seen: Vec<(usize, f64)> = row
                .iter()
                .enumerate()
                .filter(|(_, prob)| **prob > NEGLIGIBLE)
                .map(|(class, prob)| (class, f64::from(*prob) * scales[class]))
                .collect();
            for (class, value) in &seen {
                let cluster = self.assignment[*class];
                shares[cluster] += value / sizes[cluster] as f64;
            }
            for (class, value) in &seen {
                let line = &mut cross[class * self.n_clusters..][..self.n_clusters];
                line.iter_mut().zip(&shares).for_each(|(sum, share)| *sum += value * share / n_examples);
            }
            cluster_mean.iter_mut().zip(&shares).for_each(|(mean, share)| *mean += share / n_examples);
        }
        blend(&mut self.cross, &cross, rate);
        blend(&mut self.cluster_mean, &cluster_mean, rate);
        self.reassign(&scales);
    }

    /// `1 / sqrt(E[p_i (1 - p_i)])`; 0 for a class that is never predicted.
    fn scales(&self) -> Vec<f64> {
        let confusion = self.mean.iter().zip(&self.mean_square).map(|(mean, square)| mean - square);
        confusion.map(|confusion| if confusion > 1e-12 { confusion.sqrt().recip() } else { 0.0 }).collect()
    }

    fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.n_clusters];
        self.assignment.iter().for_each(|cluster| sizes[*cluster] += 1);
        sizes
    }

    fn largest(&self) -> usize {
        (2 * self.n_classes.div_ceil(self.n_clusters)).min(self.limits.max_classes).max(2)
    }

    /// Joins the most confused pairs of the first batch, then deals the groups out to the clusters, large ones first.
    fn start(&mut self, batch: &[f32], scales: &[f64]) {
        let mut confused: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        for row in batch.chunks_exact(self.n_classes) {
            let mut top: Vec<usize> = (0..row.len()).filter(|class| row[*class] > NEGLIGIBLE).collect();
            top.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
            top.truncate(N_TOP);
            top.sort_unstable();
            for (position, a) in top.iter().enumerate() {
                for b in &top[position + 1..] {
                    let product = f64::from(row[*a]) * scales[*a] * f64::from(row[*b]) * scales[*b];
                    *confused.entry((*a, *b)).or_default() += product;
                }
            }
        }
        let mut pairs: Vec<((usize, usize), f64)> = confused.into_iter().collect();
        pairs.sort_by(|x, y| y.1.total_cmp(&x.1).then(x.0.cmp(&y.0)));
        let mut group_of: Vec<usize> = (0..self.n_classes).collect();
        let mut groups: Vec<Vec<usize>> = (0..self.n_classes).map(|class| vec![class]).collect();
        let even = self.n_classes.div_ceil(self.n_clusters);
        for ((a, b), _) in pairs {
            let (a, b) = (group_of[a].min(group_of[b]), group_of[a].max(group_of[b]));
            if a != b && groups[a].len() + groups[b].len() <= even {
                let moved = std::mem::take(&mut groups[b]);
                moved.iter().for_each(|class| group_of[*class] = a);
                groups[a].extend(moved);
            }
        }
        // ties in a random order, or numbering would decide who stays together
        let mut order: Vec<(usize, f64, usize)> = (0..groups.len())
            .filter(|group| !groups[*group].is_empty())
            .map(|group| (groups[group].len(), uniform(&mut self.rng), group))
            .collect();
        order.sort_by(|x, y| y.0.cmp(&x.0).then(x.1.total_cmp(&y.1)));
        let mut sizes = vec![0; self.n_clusters];
        self.assignment = vec![0; self.n_classes];
        for (size, _, group) in order {
            let smallest = (0..self.n_clusters).min_by_key(|cluster| sizes[*cluster]).unwrap_or_default();
            sizes[smallest] += size;
            groups[group].iter().for_each(|class| self.assignment[*class] = smallest);
        }
    }

    /// Moves every class, in turn, to the cluster with room whose members it varies with most.
    fn reassign(&mut self, scales: &[f64]) {
        let largest = self.largest();
        let mut sizes = self.sizes();
        let old_sizes = sizes.clone();
        for class in 0..self.n_classes {
            let own = self.assignment[class];
            if scales[class] == 0.0 || sizes[own] <= 1 {
                continue;
            }
            let covariances = self.covariances(class, scales, &old_sizes);
            let has_room = |cluster: &usize| *cluster == own || sizes[*cluster] < largest;
            let better = |x: usize, y: usize| if covariances[y] > covariances[x] { y } else { x };
            let best = (0..self.n_clusters).filter(has_room).reduce(better).unwrap_or(own);
            if covariances[best] > covariances[own] {
                sizes[own] -= 1;
                sizes[best] += 1;
                self.assignment[class] = best;
            }
        }
    }

    /// `[K]`: mean covariance of a class with the members of each cluster, itself left out.
    fn covariances(&self, class: usize, scales: &[f64], sizes: &[usize]) -> Vec<f64> {
        let mean = self.mean[class] * scales[class];
        let line = &self.cross[class * self.n_clusters..][..self.n_clusters];
        let own = self.assignment[class];
        let variance = self.mean_square[class] * scales[class] * scales[class] - mean * mean;
        let covariance = |cluster: usize| {
            let with_all = line[cluster] - mean * self.cluster_mean[cluster];
            let size = sizes[cluster] as f64;
            match cluster == own {
                true if sizes[cluster] > 1 => (with_all * size - variance) / (size - 1.0),
                true => 0.0,
                false => with_all,
            }
        };
        (0..self.n_clusters).map(covariance).collect()
    }

    /// `[C, K]`: covariances of a class with the clusters, negative ones set to 0, scaled to unit length.
    fn profiles(&self) -> Vec<f64> {
        let (scales, sizes) = (self.scales(), self.sizes());
        let mut profiles = Vec::with_capacity(self.cross.len());
        for class in 0..self.n_classes {
            let mut profile: Vec<f64> =
                self.covariances(class, &scales, &sizes).into_iter().map(|value| value.max(0.0)).collect();
            let length = profile.iter().map(|value| value * value).sum::<f64>().sqrt();
            profile.iter_mut().filter(|_| length > 0.0).for_each(|value| *value /= length);
            profiles.extend(profile);
        }
        profiles
    }
}

fn blend(old: &mut [f64], new: &[f64], rate: f64) {
    old.iter_mut().zip(new).for_each(|(old, new)| *old += rate * (new - *old));
}
