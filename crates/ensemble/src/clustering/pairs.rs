//! Clusters from pairs: greedy growth with overlap, and average linkage.
//!
//! C classes, K clusters.

use super::constraints::Limits;
use super::similarity::Similarity;

/// Grows at most `n_clusters` clusters from the most confused pairs (after Arnold 2016). From the most to the least
/// similar pair: two classes without a cluster found one, as long as there are fewer than asked for; otherwise one joins
/// a cluster of the other that has room, where it fits best, even if it has a cluster already. No class is in more
/// clusters than `coverage`, or 2 where that is 1; classes similar to none end up in the smallest clusters.
pub(super) fn greedy(similarity: &Similarity, n_clusters: usize, limits: &Limits) -> Vec<Vec<usize>> {
    let n_classes = similarity.n_classes();
    let most_memberships = limits.coverage.max(2);
    // an even share would leave no room for growth, and everything would let the first cluster swallow all
    let even = (n_classes * most_memberships).div_ceil(n_clusters).max(2);
    let max_classes = even.min(limits.max_classes);
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    let mut memberships: Vec<Vec<usize>> = vec![Vec::new(); n_classes];
    for (a, b) in pairs(similarity) {
        let is_shared = memberships[a].iter().any(|cluster| memberships[b].contains(cluster));
        if is_shared {
            continue;
        }
        if memberships[a].is_empty() && memberships[b].is_empty() && clusters.len() < n_clusters {
            memberships[a].push(clusters.len());
            memberships[b].push(clusters.len());
            clusters.push(vec![a, b]);
            continue;
        }
        let joins = [(a, b), (b, a)].into_iter().flat_map(|(joining, host)| {
            let may_join = memberships[joining].len() < most_memberships;
            let open = |cluster: &&usize| may_join && clusters[**cluster].len() < max_classes;
            memberships[host].iter().filter(open).map(move |cluster| (joining, *cluster)).collect::<Vec<_>>()
        });
        // a class without any cluster comes first
        let fit = |(class, cluster): (usize, usize)| {
            (memberships[class].is_empty(), similarity.to_cluster(class, &clusters[cluster]))
        };
        let best = joins.reduce(|x, y| {
            let (x_fit, y_fit) = (fit(x), fit(y));
            if y_fit.0.cmp(&x_fit.0).then(y_fit.1.total_cmp(&x_fit.1)).is_gt() { y } else { x }
        });
        if let Some((class, cluster)) = best {
            clusters[cluster].push(class);
            memberships[class].push(cluster);
        }
    }
    place_the_rest(&mut clusters, &memberships, n_clusters);
    // where few pairs are confused there are few clusters; too few to hold every class often enough are halved
    while clusters.len() < n_clusters && !limits.allow(clusters.len()) {
        let largest = (0..clusters.len()).rev().max_by_key(|cluster| clusters[*cluster].len()).unwrap_or_default();
        let half = clusters[largest].len() / 2;
        let half = clusters[largest].split_off(half);
        clusters.push(half);
        clusters.retain(|cluster| !cluster.is_empty());
        if clusters.iter().all(|cluster| cluster.len() == 1) {
            break;
        }
    }
    clusters
}

/// All pairs with any similarity, the most similar first.
fn pairs(similarity: &Similarity) -> impl Iterator<Item = (usize, usize)> {
    let n_classes = similarity.n_classes();
    let mut pairs: Vec<(f64, usize, usize)> = (0..n_classes)
        .flat_map(|a| (a + 1..n_classes).map(move |b| (a, b)))
        .map(|(a, b)| (similarity.get(a, b), a, b))
        .filter(|pair| pair.0 > 0.0)
        .collect();
    pairs.sort_by(|x, y| y.0.total_cmp(&x.0).then((x.1, x.2).cmp(&(y.1, y.2))));
    pairs.into_iter().map(|(_, a, b)| (a, b))
}

fn place_the_rest(clusters: &mut Vec<Vec<usize>>, memberships: &[Vec<usize>], n_clusters: usize) {
    let rest: Vec<usize> = (0..memberships.len()).filter(|class| memberships[*class].is_empty()).collect();
    // fewer clusters than asked for is what few confused pairs make; one is needed
    if clusters.len() < n_clusters && rest.len() > 1 {
        clusters.push(Vec::new());
    }
    for class in rest {
        let smallest = (0..clusters.len()).min_by_key(|cluster| clusters[*cluster].len());
        match smallest {
            Some(cluster) => clusters[cluster].push(class),
            None => clusters.push(vec![class]),
        }
    }
}

/// Joins the two clusters with the largest mean similarity again and again, from single classes to `n_clusters`, none
/// larger than allowed. Where sizes forbid every further join, the smallest clusters are dissolved.
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
