//! Datasets, splits, views, batches, the built-in generator and the hub
