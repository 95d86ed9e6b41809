//! Why classes cannot be clustered as asked.

use super::hierarchy::HierarchyError;

/// Why classes cannot be clustered as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClusterClassesError {
    /// More clusters than classes, or none.
    #[error("{n_clusters} clusters of {n_classes} classes\nhint: ask for 1 to {n_classes} clusters")]
    NClusters {
        /// clusters asked for
        n_clusters: usize,
        /// classes of the dataset
        n_classes: usize,
    },
    /// Too few classes for any specialist.
    #[error(
        "{n_classes} classes, expected at least 3: a specialist knows at least 2 classes and keeps a dustbin for others"
    )]
    TooFewClasses {
        /// classes of the dataset
        n_classes: usize,
    },
    /// A bad value.
    #[error("{key} = {value}, expected at least {at_least}")]
    TooSmall {
        /// key of the config
        key: &'static str,
        /// its value
        value: usize,
        /// the least possible
        at_least: usize,
    },
    /// Clusters that are too few or too small for all memberships.
    #[error(
        "{n_clusters} clusters of at most {max_classes} classes cannot hold {n_classes} classes {coverage} times each\n\
         hint: ask for more clusters, a larger max_classes (below {n_classes}) or a smaller coverage"
    )]
    NoRoom {
        /// clusters that there are
        n_clusters: usize,
        /// most classes in one, never all of them
        max_classes: usize,
        /// classes of the dataset
        n_classes: usize,
        /// memberships that every class needs
        coverage: usize,
    },
    /// The method needs a hierarchy and none was given.
    #[error("the hierarchy's file was not read before clustering")]
    HierarchyNotRead,
    /// A bad hierarchy.
    #[error(transparent)]
    Hierarchy(#[from] HierarchyError),
    /// A matrix of all pairs that would not fit.
    #[error(
        "{method} needs a matrix of all pairs of classes, possible up to {most} classes, found {n_classes}\n\
         hint: method \"online_k_means\" needs none"
    )]
    TooManyClasses {
        /// the method
        method: &'static str,
        /// classes of the dataset
        n_classes: usize,
        /// the most
        most: usize,
    },
    /// A method that goes by predictions, asked with an affinity.
    #[error("online_k_means clusters a stream of predictions, not an affinity")]
    NeedsPredictions,
}

impl ClusterClassesError {
    /// Key of the clustering's config that is to be changed, for example `method.n_clusters`; empty where it is none
    /// alone.
    pub fn key(&self) -> &'static str {
        match self {
            Self::NClusters { .. } | Self::NoRoom { n_clusters: 1, .. } => "method.n_clusters",
            Self::NoRoom { .. } => "max_classes",
            Self::TooSmall { key, .. } => key,
            Self::HierarchyNotRead | Self::Hierarchy(_) => "method.path",
            Self::TooManyClasses { .. } | Self::NeedsPredictions => "method.kind",
            Self::TooFewClasses { .. } => "",
        }
    }
}
