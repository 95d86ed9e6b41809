//! A clustering: subsets of one dataset's classes, one for each specialist.

use crate::{ClassId, ClassSubset, CoreError};
use serde::{Deserialize, Serialize};

/// Clusters of classes; they may overlap and need not cover every class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<ClassSubset>", into = "Vec<ClassSubset>")]
pub struct ClassClustering {
    clusters: Vec<ClassSubset>,
}

impl ClassClustering {
    /// A clustering of at least one cluster.
    ///
    /// # Errors
    /// An empty list, or subsets of datasets with different numbers of classes.
    pub fn new(clusters: Vec<ClassSubset>) -> Result<Self, CoreError> {
        let Some(first) = clusters.first() else {
            return Err(CoreError("a clustering needs at least one cluster".into()));
        };
        let expected = first.n_classes();
        match clusters.iter().position(|cluster| cluster.n_classes() != expected) {
            Some(cluster) => {
                let got = clusters[cluster].n_classes();
                Err(CoreError(format!("cluster {cluster} is a subset of {got} classes, the first one of {expected}")))
            }
            None => Ok(Self { clusters }),
        }
    }

    /// The clusters, in the order in which specialists are numbered.
    pub fn clusters(&self) -> &[ClassSubset] {
        &self.clusters
    }

    /// Number of classes of the dataset.
    pub fn n_classes(&self) -> usize {
        self.clusters[0].n_classes()
    }

    /// Numbers of the clusters that hold a class, in ascending order.
    pub fn covering(&self, class: ClassId) -> impl Iterator<Item = usize> + '_ {
        self.clusters.iter().enumerate().filter(move |(_, cluster)| cluster.contains(class)).map(|(index, _)| index)
    }

    /// Whether some cluster holds both classes.
    pub fn share_a_cluster(&self, a: ClassId, b: ClassId) -> bool {
        self.clusters.iter().any(|cluster| cluster.contains(a) && cluster.contains(b))
    }
}

impl TryFrom<Vec<ClassSubset>> for ClassClustering {
    type Error = CoreError;

    fn try_from(clusters: Vec<ClassSubset>) -> Result<Self, CoreError> {
        Self::new(clusters)
    }
}

impl From<ClassClustering> for Vec<ClassSubset> {
    fn from(clustering: ClassClustering) -> Self {
        clustering.clusters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subset(n_classes: usize, classes: &[u32]) -> ClassSubset {
        ClassSubset::new(n_classes, classes.iter().copied().map(ClassId)).unwrap()
    }

    #[test]
    fn covering_lists_every_cluster_of_a_class() {
        let clustering = ClassClustering::new(vec![subset(5, &[0, 1]), subset(5, &[1, 2])]).unwrap();
        assert_eq!(clustering.covering(ClassId(1)).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(clustering.covering(ClassId(4)).count(), 0);
        assert!(clustering.share_a_cluster(ClassId(0), ClassId(1)));
        assert!(!clustering.share_a_cluster(ClassId(0), ClassId(2)));
    }

    #[test]
    fn clusters_of_two_datasets_do_not_mix() {
        let error = ClassClustering::new(vec![subset(5, &[0]), subset(6, &[0])]).unwrap_err();
        assert_eq!(error.to_string(), "cluster 1 is a subset of 6 classes, the first one of 5");
        assert!(ClassClustering::new(vec![]).is_err());
    }
}
