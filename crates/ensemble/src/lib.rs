//! Affinity, clustering, merge, coverage: the idea of the project, as pure functions on slices
