//! Sets of classes that are confused with each other, each to be taught to one specialist (paper, section 5.1).
//!
//! C classes, K clusters. Every method starts from a list of groups; the same [`constraints`] then make a clustering of
//! them: at most `max_classes` in a cluster, never all classes and never a single one, every class in at least
//! `coverage` clusters. All choices are made on [`similarity::Similarity`], the affinity with the classes' own
//! variances divided out.

mod config;
mod constraints;
mod error;
mod hierarchy;
mod k_means;
mod similarity;

pub use config::{ClusteringConfig, ClusteringMethod, HierarchyConfig, KMeansConfig, RandomConfig};
pub use error::ClusterClassesError;
pub use hierarchy::{Hierarchy, HierarchyError};

use crate::affinity::Affinity;
use constraints::Limits;
use similarity::Similarity;
use stillhouse_core::{ClassClustering, ClassId, ClassSubset, Seed};

/// Clusters the classes as configured; the same seed gives the same clusters.
///
/// `hierarchy` is needed by the method of that name only (its file is read by the caller).
///
/// Defined behaviour in corner cases: two classes that are predicted alike have equal columns and fall into one
/// cluster; a class without any affinity (never predicted) joins the smallest cluster that has room; ties go to the
/// smaller cluster, then to the lower number; clusters are ordered by their lowest class.
///
/// # Errors
/// More clusters than classes, limits that no clustering can meet (one cluster of everything has an empty dustbin, so
/// 2 classes or 1 cluster are refused), a missing hierarchy.
pub fn cluster_classes(
    affinity: &Affinity,
    config: &ClusteringConfig,
    hierarchy: Option<&Hierarchy>,
    seed: Seed,
) -> Result<ClassClustering, ClusterClassesError> {
    let n_classes = affinity.n_classes();
    let limits = Limits::new(n_classes, config)?;
    let seed = seed.derive("cluster_classes", 0);
    let clusters = match &config.method {
        ClusteringMethod::KMeans(KMeansConfig { n_clusters }) => {
            let similarity = Similarity::new(affinity);
            let groups = k_means::partition(&similarity, *n_clusters, seed);
            constraints::apply(groups, &similarity, &limits)?
        }
        ClusteringMethod::Random(RandomConfig { n_clusters }) => {
            // Random preferences, and no cluster larger than an even share: blind to the model, but of like sizes.
            let similarity = Similarity::random(n_classes, seed);
            let limits = limits.with_even_sizes(*n_clusters);
            constraints::apply(similarity.random_partition(*n_clusters, seed), &similarity, &limits)?
        }
        ClusteringMethod::Hierarchy(_) => {
            let hierarchy = hierarchy.ok_or(ClusterClassesError::HierarchyNotRead)?;
            let similarity = Similarity::new(affinity);
            let groups = hierarchy.groups(n_classes)?;
            constraints::apply(k_means::split_large(groups, &similarity, &limits, seed), &similarity, &limits)?
        }
    };
    Ok(to_clustering(n_classes, clusters))
}

fn to_clustering(n_classes: usize, mut clusters: Vec<Vec<usize>>) -> ClassClustering {
    clusters.iter_mut().for_each(|cluster| cluster.sort_unstable());
    clusters.sort_unstable();
    let subset = |cluster: &Vec<usize>| {
        let classes = cluster.iter().map(|class| ClassId(*class as u32));
        ClassSubset::new(n_classes, classes).expect("clusters hold distinct classes of the dataset")
    };
    ClassClustering::new(clusters.iter().map(subset).collect()).expect("at least one cluster, all of one dataset")
}
