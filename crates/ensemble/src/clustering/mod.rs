//! Clusters of classes that the generalist confuses with each other, one for each specialist (paper, section 5.3).
//!
//! C classes, K clusters. Every method starts from a list of groups; the same [`constraints`] then make a clustering of
//! them: at most `max_classes` in a cluster, never all classes and never a single one, every class in at least
//! `coverage` clusters. All choices are made on [`similarity::Similarity`], the affinity with the classes' own
//! variances divided out.
//!
//! | method | file |
//! |---|---|
//! | `k_means` | [`columns`]: [`k_means`] on the columns of the similarity |
//! | `spectral` | [`spectral`]: [`k_means`] on eigenvectors |
//! | `online_k_means` | [`online`]: one pass over a stream of predictions, for many thousands of classes |
//! | `greedy_pairs`, `agglomerative` | [`pairs`] |
//! | `hierarchy` | [`hierarchy`]: superclasses from a file |
//! | `random` | [`similarity`]: the control |

mod columns;
mod config;
mod constraints;
mod hierarchy;
mod k_means;
mod online;
mod pairs;
mod similarity;
mod spectral;

pub use config::{ClusterCount, ClusteringConfig, ClusteringMethod, Folds, HeldOutPredictions, HierarchyConfig};
pub use hierarchy::Hierarchy;
pub use online::OnlineKMeans;

use crate::affinity::Affinity;
use crate::error::EnsembleError;
use constraints::Limits;
use similarity::Similarity;
use stillhouse_core::{ClassClustering, ClassId, ClassSubset, Seed};

/// Classes in groups, before the limits of a clustering are applied.
type Groups = Result<Vec<Vec<usize>>, EnsembleError>;

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
/// 2 classes or 1 cluster are refused), a missing hierarchy, too many classes for the method, and `online_k_means`,
/// which needs the predictions: [`OnlineKMeans`].
pub fn cluster_classes(
    affinity: &Affinity,
    config: &ClusteringConfig,
    hierarchy: Option<&Hierarchy>,
    seed: Seed,
) -> Result<ClassClustering, EnsembleError> {
    let n_classes = affinity.n_classes();
    config.check(n_classes)?;
    let limits = Limits::new(n_classes, config)?;
    let n_clusters = config.n_clusters(n_classes).unwrap_or(1);
    let seed = seed.derive("cluster_classes", 0);
    let by_similarity = |make: &dyn Fn(&Similarity) -> Groups| {
        let similarity = Similarity::new(affinity);
        constraints::apply(make(&similarity)?, &similarity, &limits)
    };
    let clusters = match &config.method {
        ClusteringMethod::KMeans(_) => by_similarity(&|s| Ok(columns::partition(s, n_clusters, seed)))?,
        ClusteringMethod::Spectral(_) => by_similarity(&|s| {
            // the eigensolver may fail to converge; K-means on the similarity needs no eigenvectors
            Ok(spectral::partition(s, n_clusters, seed).unwrap_or_else(|| columns::partition(s, n_clusters, seed)))
        })?,
        ClusteringMethod::GreedyPairs(_) => by_similarity(&|s| Ok(pairs::greedy(s, n_clusters, &limits)))?,
        ClusteringMethod::Agglomerative(_) => by_similarity(&|s| Ok(pairs::agglomerate(s, n_clusters, &limits)))?,
        ClusteringMethod::OnlineKMeans(_) => {
            let message = "online_k_means clusters a stream of predictions, not an affinity";
            return Err(EnsembleError::of_key("method.kind", message));
        }
        ClusteringMethod::Random(_) => {
            // Random similarities, and no cluster larger than an even share: independent of the model, with equal sizes.
            let similarity = Similarity::random(n_classes, seed);
            let limits = limits.with_even_sizes(n_clusters);
            constraints::apply(similarity.random_partition(n_clusters, seed), &similarity, &limits)?
        }
        ClusteringMethod::Hierarchy(_) => {
            let not_read =
                || EnsembleError::of_key("method.path", "the hierarchy's file was not read before clustering");
            let hierarchy = hierarchy.ok_or_else(not_read)?;
            let groups = hierarchy.groups(n_classes)?;
            by_similarity(&|s| Ok(columns::split_large(groups.clone(), s, &limits, seed)))?
        }
    };
    Ok(to_clustering(n_classes, clusters))
}

fn to_clustering(n_classes: usize, mut clusters: Vec<Vec<usize>>) -> ClassClustering {
    clusters.iter_mut().for_each(|cluster| cluster.sort_unstable());
    clusters.sort_unstable();
    let mut subsets = Vec::with_capacity(clusters.len());
    for cluster in clusters {
        let classes = cluster.into_iter().map(|class| ClassId(class as u32));
        subsets.push(ClassSubset::new(n_classes, classes).expect("clusters hold distinct classes of the dataset"));
    }
    ClassClustering::new(subsets).expect("at least one cluster, all of one dataset")
}
