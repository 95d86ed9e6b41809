//! Clusters from pairs: greedy growth with overlap, and average linkage.
//!
//! C classes, K clusters.

use super::constraints::Limits;
use super::similarity::Similarity;

/// How much larger than an even share a cluster grows: room for classes that belong to two.
const OVERLAP: f64 = 1.25;

/// Grows `n_clusters` clusters, each from the most similar pair of classes that have none yet (after Arnold 2016): the
/// class with the largest mean similarity to the cluster joins, whether it has a cluster already or not, until the
/// cluster is a quarter larger than an even share. Classes in no cluster are left to the constraints.
pub(super) fn greedy(similarity: &Similarity, n_clusters: usize, limits: &Limits) -> Vec<Vec<usize>> {
    let n_classes = similarity.n_classes();
    let even = (n_classes * limits.coverage) as f64 / n_clusters as f64;
    let target = ((OVERLAP * even).round() as usize).clamp(2, limits.max_classes);
    let pairs = pairs(similarity);
    let mut n_memberships = vec![0_usize; n_classes];
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    while clusters.len() < n_clusters {
        let newest = |pair: &&(usize, usize)| n_memberships[pair.0].min(1) + n_memberships[pair.1].min(1);
        let is_used = |pair: &&(usize, usize)| clusters.iter().any(|cluster| cluster[..2] == [pair.0, pair.1]);
        let Some((a, b)) = pairs.iter().filter(|pair| !is_used(pair)).min_by_key(newest) else { break };
        let mut cluster = vec![*a, *b];
        let mut sums: Vec<f64> = (0..n_classes).map(|c| similarity.get(c, *a) + similarity.get(c, *b)).collect();
        while cluster.len() < target {
            let outside = (0..n_classes).filter(|class| !cluster.contains(class) && sums[*class] > 0.0);
            let Some(next) = outside.reduce(|x, y| if sums[y] > sums[x] { y } else { x }) else { break };
            cluster.push(next);
            (0..n_classes).for_each(|class| sums[class] += similarity.get(class, next));
        }
        cluster.iter().for_each(|class| n_memberships[*class] += 1);
        clusters.push(cluster);
    }
    // few confused pairs make few clusters; classes in none of them fill the missing ones
    let mut rest: Vec<usize> = (0..n_classes).filter(|class| n_memberships[*class] == 0).collect();
    while clusters.len() < n_clusters && !limits.allow(clusters.len()) {
        let n_now = rest.len().div_ceil(n_clusters - clusters.len()).max(1);
        let now = if rest.is_empty() { vec![0] } else { rest.split_off(rest.len() - n_now) };
        clusters.push(now);
    }
    clusters
}

/// All pairs with any similarity, the most similar first.
fn pairs(similarity: &Similarity) -> Vec<(usize, usize)> {
    let n_classes = similarity.n_classes();
    let mut pairs: Vec<(f64, usize, usize)> = (0..n_classes)
        .flat_map(|a| (a + 1..n_classes).map(move |b| (a, b)))
        .map(|(a, b)| (similarity.get(a, b), a, b))
        .filter(|pair| pair.0 > 0.0)
        .collect();
    pairs.sort_by(|x, y| y.0.total_cmp(&x.0).then((x.1, x.2).cmp(&(y.1, y.2))));
    pairs.into_iter().map(|(_, a, b)| (a, b)).collect()
}

/// Joins the two clusters with the largest mean similarity until `n_clusters` are left, from single classes to
/// `n_clusters`, none larger than allowed. Where sizes forbid every further join, the smallest clusters are dissolved.
pub(super) fn agglomerate(similarity: &Similarity, n_clusters: usize, limits: &Limits) -> Vec<Vec<usize>> {
    let n_classes = similarity.n_classes();
    let mut clusters: Vec<Vec<usize>> = (0..n_classes).map(|class| vec![class]).collect();
    let mut linkage = Linkage {
        n: n_classes,
        sums: (0..n_classes * n_classes).map(|at| similarity.get(at / n_classes, at % n_classes)).collect(),
        best: vec![None; n_classes],
    };
    (0..n_classes).for_each(|row| linkage.find_best(row, &clusters, limits.max_classes));
    for _ in n_clusters..n_classes {
        let Some((a, b)) = linkage.closest() else { break };
        let moved = std::mem::take(&mut clusters[b]);
        clusters[a].extend(moved);
        linkage.join(a, b);
        for row in 0..n_classes {
            let is_stale = linkage.best[row].is_some_and(|(_, other)| other == a || other == b);
            if row == a || row == b || is_stale {
                linkage.find_best(row, &clusters, limits.max_classes);
            } else {
                linkage.improve(row, a, &clusters, limits.max_classes);
            }
        }
    }
    clusters.retain(|cluster| !cluster.is_empty());
    dissolve_smallest(&mut clusters, similarity, n_clusters, limits.max_classes);
    clusters
}

/// Sums of similarities between clusters, and each cluster's best partner.
struct Linkage {
    n: usize,
    sums: Vec<f64>,
    best: Vec<Option<(f64, usize)>>,
}

impl Linkage {
    fn mean(&self, a: usize, b: usize, clusters: &[Vec<usize>], max_classes: usize) -> Option<f64> {
        let (size_a, size_b) = (clusters[a].len(), clusters[b].len());
        let may_join = a != b && size_a > 0 && size_b > 0 && size_a + size_b <= max_classes;
        may_join.then(|| self.sums[a * self.n + b] / (size_a * size_b) as f64)
    }

    fn find_best(&mut self, row: usize, clusters: &[Vec<usize>], max_classes: usize) {
        let partners = (0..self.n).filter_map(|other| Some((self.mean(row, other, clusters, max_classes)?, other)));
        self.best[row] = partners.reduce(|best, other| if other.0 > best.0 { other } else { best });
    }

    /// Looks at one partner that has changed.
    fn improve(&mut self, row: usize, partner: usize, clusters: &[Vec<usize>], max_classes: usize) {
        if let Some(mean) = self.mean(row, partner, clusters, max_classes) {
            let is_better = self.best[row].is_none_or(|(best, other)| mean > best || (mean == best && partner < other));
            if is_better {
                self.best[row] = Some((mean, partner));
            }
        }
    }

    fn closest(&self) -> Option<(usize, usize)> {
        let pairs = self.best.iter().enumerate().filter_map(|(row, best)| Some((row, (*best)?)));
        let closest = pairs.reduce(|x, y| if y.1.0 > x.1.0 { y } else { x });
        closest.map(|(row, (_, other))| (row.min(other), row.max(other)))
    }

    fn join(&mut self, a: usize, b: usize) {
        for other in 0..self.n {
            self.sums[a * self.n + other] += self.sums[b * self.n + other];
        }
        for other in 0..self.n {
            self.sums[other * self.n + a] = self.sums[a * self.n + other];
        }
    }
}

fn dissolve_smallest(clusters: &mut Vec<Vec<usize>>, similarity: &Similarity, n_clusters: usize, max_classes: usize) {
    while clusters.len() > n_clusters {
        let smallest = (0..clusters.len()).min_by_key(|cluster| clusters[*cluster].len()).unwrap_or_default();
        for class in clusters.remove(smallest) {
            let with_room = (0..clusters.len()).filter(|cluster| clusters[*cluster].len() < max_classes);
            let fit = |cluster: usize| similarity.to_cluster(class, &clusters[cluster]);
            let best = with_room.reduce(|x, y| if fit(y) > fit(x) { y } else { x });
            clusters[best.unwrap_or_default()].push(class);
        }
    }
}
