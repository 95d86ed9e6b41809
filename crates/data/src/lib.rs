//! Datasets, splits, views, batches, the built-in generator and the hub

pub mod augment;
pub mod glyphs;
