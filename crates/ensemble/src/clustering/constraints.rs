//! Turns groups of classes into clusters within the limits of the config.
//!
//! C classes, K clusters. In this order: no cluster above `max_classes` (the members that fit least move on), none of a
//! single class (it joins the cluster that it fits best), every class in `coverage` clusters (extra memberships where
//! they fit best). A cluster never holds all classes: its dustbin would have no class.

use super::config::ClusteringConfig;
use super::similarity::Similarity;
use crate::error::EnsembleError;

/// The limits of a clustering: size of a cluster and coverage of a class.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) n_classes: usize,
    pub(super) max_classes: usize,
    pub(super) coverage: usize,
}

impl Limits {
    pub(super) fn new(n_classes: usize, config: &ClusteringConfig) -> Result<Self, EnsembleError> {
        let at_least = |key, value, at_least| {
            if value >= at_least {
                return Ok(());
            }
            Err(EnsembleError::of_key(key, format!("{key} = {value}, expected at least {at_least}")))
        };
        at_least("coverage", config.coverage, 1)?;
        at_least("max_classes", config.max_classes.unwrap_or(2), 2)?;
        let n_clusters = config.n_clusters(n_classes);
        if let Some(n_clusters) = n_clusters.filter(|n_clusters| !(1..=n_classes).contains(n_clusters)) {
            let message =
                format!("{n_clusters} clusters of {n_classes} classes\nhint: ask for 1 to {n_classes} clusters");
            return Err(EnsembleError::of_key("method.n_clusters", message));
        }
        if n_classes < 3 {
            return Err(EnsembleError::new(format!(
                "{n_classes} classes, expected at least 3: a specialist knows at least 2 classes and keeps a dustbin for \
                 others"
            )));
        }
        // Extra memberships go where they fit best; without a bound one cluster would take nearly all of them.
        let even = |n_clusters: usize| (n_classes * config.coverage).div_ceil(n_clusters);
        let default = match n_clusters {
            Some(n_clusters) if config.coverage > 1 => 2 * even(n_clusters),
            _ => n_classes,
        };
        let max_classes = config.max_classes.unwrap_or(default).min(n_classes - 1);
        Ok(Self { n_classes, max_classes, coverage: config.coverage })
    }

    /// The same with clusters of at most an even share of all memberships.
    pub(super) fn with_even_sizes(self, n_clusters: usize) -> Self {
        let even = (self.n_classes * self.coverage).div_ceil(n_clusters).max(2);
        Self { max_classes: self.max_classes.min(even), ..self }
    }

    /// Whether so many clusters can hold every class as often as needed.
    pub(super) fn allow(&self, n_clusters: usize) -> bool {
        n_clusters >= self.coverage && n_clusters * self.max_classes >= self.n_classes * self.coverage
    }

    /// The error of clusters that do not allow it.
    pub(super) fn no_room(&self, n_clusters: usize) -> EnsembleError {
        let Self { n_classes, max_classes, coverage } = *self;
        let message = format!(
            "{n_clusters} clusters of at most {max_classes} classes cannot hold {n_classes} classes {coverage} times each\n\
             hint: ask for more clusters, a larger max_classes (below {n_classes}) or a smaller coverage"
        );
        // a single cluster cannot hold every class, however large it may be
        EnsembleError::of_key(if n_clusters == 1 { "method.n_clusters" } else { "max_classes" }, message)
    }
}

/// Turns groups that together hold every class into clusters within the limits.
pub(super) fn apply(
    mut clusters: Vec<Vec<usize>>,
    similarity: &Similarity,
    limits: &Limits,
) -> Result<Vec<Vec<usize>>, EnsembleError> {
    clusters.retain(|cluster| !cluster.is_empty());
    if !limits.allow(clusters.len()) {
        return Err(limits.no_room(clusters.len()));
    }
    shrink(&mut clusters, similarity, limits.max_classes);
    merge_singletons(&mut clusters, similarity, limits);
    cover(&mut clusters, similarity, limits)?;
    Ok(clusters)
}

/// Moves the members that fit least out of clusters that are too large, each into the cluster with room that it fits
/// best. There is room as long as the clusters together may hold all their members.
pub(super) fn shrink(clusters: &mut [Vec<usize>], similarity: &Similarity, max_classes: usize) {
    for index in 0..clusters.len() {
        while clusters[index].len() > max_classes {
            let class = take_least_affine(&mut clusters[index], similarity);
            if let Some(target) = best_with_room(class, clusters, similarity, max_classes) {
                clusters[target].push(class);
            }
        }
    }
}

/// Removes the member with the least mean similarity to the others; the highest number on ties.
pub(super) fn take_least_affine(cluster: &mut Vec<usize>, similarity: &Similarity) -> usize {
    let fit: Vec<f64> = cluster.iter().map(|class| similarity.to_cluster(*class, cluster)).collect();
    let worse = |a: &usize, b: &usize| fit[*a].total_cmp(&fit[*b]).then(cluster[*b].cmp(&cluster[*a]));
    let position = (0..cluster.len()).min_by(worse).expect("a cluster that gives up a class has one");
    cluster.remove(position)
}

/// The cluster with room, without the class and with at least one other, that the class fits best; the smaller one,
/// then the lower number on ties.
fn best_with_room(class: usize, clusters: &[Vec<usize>], similarity: &Similarity, max_classes: usize) -> Option<usize> {
    let open = |cluster: &Vec<usize>| cluster.len() < max_classes && !cluster.contains(&class);
    let fit = |index: usize| similarity.to_cluster(class, &clusters[index]);
    let better = |a: &usize, b: &usize| {
        fit(*b).total_cmp(&fit(*a)).then(clusters[*a].len().cmp(&clusters[*b].len())).then(a.cmp(b))
    };
    (0..clusters.len()).filter(|index| open(&clusters[*index])).min_by(better)
}

/// A specialist of one class would have nothing to distinguish: the class joins the cluster that it fits best. Where no
/// cluster has room, or too few would be left, it is given its most similar class as company instead.
fn merge_singletons(clusters: &mut Vec<Vec<usize>>, similarity: &Similarity, limits: &Limits) {
    while let Some(index) = clusters.iter().position(|cluster| cluster.len() == 1) {
        let class = clusters[index][0];
        let target = best_with_room(class, clusters, similarity, limits.max_classes);
        let covered_elsewhere = clusters.iter().filter(|cluster| cluster.contains(&class)).count() > 1;
        let may_vanish = limits.allow(clusters.len() - 1) && (covered_elsewhere || target.is_some());
        if !may_vanish {
            let company = company(class, clusters, similarity, limits);
            clusters[index].push(company);
            continue;
        }
        if let (false, Some(target)) = (covered_elsewhere, target) {
            clusters[target].push(class);
        }
        clusters.remove(index);
    }
}

/// The most similar class, among those that need another membership anyway as long as there are any.
fn company(class: usize, clusters: &[Vec<usize>], similarity: &Similarity, limits: &Limits) -> usize {
    let needy = still_missing(clusters, limits).into_iter().map(|missing| missing > 0).collect::<Vec<bool>>();
    let better = |a: &usize, b: &usize| {
        let fit = |other: usize| similarity.get(class, other);
        needy[*b].cmp(&needy[*a]).then(fit(*b).total_cmp(&fit(*a))).then(a.cmp(b))
    };
    let others = (0..limits.n_classes).filter(|other| *other != class);
    others.min_by(better).expect("there are at least three classes")
}

/// How many more memberships every class needs.
fn still_missing(clusters: &[Vec<usize>], limits: &Limits) -> Vec<usize> {
    let mut missing = vec![limits.coverage; limits.n_classes];
    for class in clusters.iter().flatten() {
        missing[*class] = missing[*class].saturating_sub(1);
    }
    missing
}

/// Extra memberships until every class is in `coverage` clusters.
fn cover(clusters: &mut [Vec<usize>], similarity: &Similarity, limits: &Limits) -> Result<(), EnsembleError> {
    let mut missing = still_missing(clusters, limits);
    for (_, _, cluster, class) in wishes(clusters, similarity, &missing) {
        if missing[class] > 0 && clusters[cluster].len() < limits.max_classes {
            clusters[cluster].push(class);
            missing[class] -= 1;
        }
    }
    for (class, n_missing) in missing.into_iter().enumerate() {
        for _ in 0..n_missing {
            let placed = join(class, clusters, similarity, limits)
                || exchange(class, clusters, similarity, limits)
                || replace(class, clusters, similarity, limits);
            if !placed {
                return Err(limits.no_room(clusters.len()));
            }
        }
    }
    Ok(())
}

/// Every possible extra membership, the best fitting first: (fit, size, cluster, class).
fn wishes(clusters: &[Vec<usize>], similarity: &Similarity, missing: &[usize]) -> Vec<(f64, usize, usize, usize)> {
    let mut wishes = Vec::new();
    for (index, cluster) in clusters.iter().enumerate() {
        let fit = similarity.fit(cluster);
        let is_member: std::collections::BTreeSet<usize> = cluster.iter().copied().collect();
        for class in (0..missing.len()).filter(|class| missing[*class] > 0 && !is_member.contains(class)) {
            wishes.push((fit.of(class), cluster.len(), index, class));
        }
    }
    wishes.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2, a.3).cmp(&(b.1, b.2, b.3))));
    wishes
}

/// Places a class in the cluster with room that it fits best.
fn join(class: usize, clusters: &mut [Vec<usize>], similarity: &Similarity, limits: &Limits) -> bool {
    let target = best_with_room(class, clusters, similarity, limits.max_classes);
    target.inspect(|target| clusters[*target].push(class)).is_some()
}

/// Places a class when only clusters that already hold it have room: another class moves there out of a full cluster,
/// and leaves its place. Such a class exists, as a full cluster has more members than one with room.
fn exchange(class: usize, clusters: &mut [Vec<usize>], similarity: &Similarity, limits: &Limits) -> bool {
    let roomy = clusters.iter().position(|cluster| cluster.len() < limits.max_classes);
    let full = clusters.iter().position(|cluster| !cluster.contains(&class));
    let (Some(roomy), Some(full)) = (roomy, full) else { return false };
    let movable = clusters[full].iter().copied().filter(|other| !clusters[roomy].contains(other));
    let fit = |other: usize| similarity.to_cluster(other, &clusters[roomy]);
    let better = |a: &usize, b: &usize| fit(*b).total_cmp(&fit(*a)).then(a.cmp(b));
    let Some(moved) = movable.min_by(better) else { return false };
    clusters[full].retain(|other| *other != moved);
    clusters[full].push(class);
    clusters[roomy].push(moved);
    true
}

/// Places a class when every cluster is full: some other class then has more memberships than it needs, and gives one
/// up, where it fits least. It has more of them than the class, so one is in a cluster without the class.
fn replace(class: usize, clusters: &mut [Vec<usize>], similarity: &Similarity, limits: &Limits) -> bool {
    let mut n_memberships = vec![0; limits.n_classes];
    clusters.iter().flatten().for_each(|member| n_memberships[*member] += 1);
    let without = (0..clusters.len()).filter(|index| !clusters[*index].contains(&class));
    let pairs = without.flat_map(|index| clusters[index].iter().map(move |member| (index, *member)));
    let surplus = pairs.filter(|(_, member)| n_memberships[*member] > limits.coverage);
    let fit = |(index, member): (usize, usize)| similarity.to_cluster(member, &clusters[index]);
    let Some((index, gone)) = surplus.min_by(|a, b| fit(*a).total_cmp(&fit(*b)).then(a.cmp(b))) else { return false };
    clusters[index].retain(|member| *member != gone);
    clusters[index].push(class);
    true
}
