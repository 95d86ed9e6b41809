//! Specialist ensembles as pure functions on slices: affinity of classes, clustering, merge of predictions, coverage.
//!
//! In the order of the paper (Hinton, Vinyals and Dean 2015, arXiv:1503.02531, section 5):
//!
//! 1. [`class_affinity`]: which classes does the generalist confuse, on predictions that it was not trained on?
//! 2. [`cluster_classes`]: sets of classes worth a specialist each; [`clustering_agreement`] says how stable they are.
//! 3. [`diagnose`]: the accuracy that specialists on these sets could add at most, before any of them is trained.
//! 4. [`dustbin_logit_shift`]: undoes that a specialist is trained on its own classes more often than they occur.
//! 5. [`Merger`]: one distribution that agrees best with all teachers (equation 5), exactly.
//! 6. [`coverage_table`], [`ConditionalTop1`]: accuracy by number of specialists that cover a class, and inside one set.
//!
//! **Absent on purpose:** tensors, files, threads, clocks, unseeded randomness (`clippy.toml` refuses them). A file of
//! superclasses is read by the caller and parsed here; rows are merged one at a time, so the caller parallelises.

#![forbid(unsafe_code)]

mod affinity;
mod agreement;
mod clustering;
mod coverage;
mod dustbin;
mod error;
mod merge;
mod oracle;
mod predictions;
mod prior;

pub use affinity::{Affinity, AffinityKind, class_affinity};
pub use agreement::clustering_agreement;
pub use clustering::{
    ClusterCount, ClusteringConfig, ClusteringMethod, Folds, HeldOutPredictions, Hierarchy, HierarchyConfig,
    OnlineKMeans, cluster_classes,
};
pub use coverage::{ConditionalTop1, CoverageRow, coverage_table};
pub use dustbin::{DustbinCalibration, dustbin_calibration, refit_dustbin_bias};
pub use error::EnsembleError;
pub use merge::{
    Calibration, Gate, GivenWeights, MergeConfig, MergeRule, MergeScratch, MergeStats, Merged, Merger, Soften,
    TeacherScope, TeacherWeights, TopN,
};
pub use oracle::{ClusterDiagnosis, Diagnoser, Diagnosis, Verdict, diagnose};
pub use predictions::{Predictions, mean_prediction};
pub use prior::dustbin_logit_shift;
