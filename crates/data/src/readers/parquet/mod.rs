//! Parquet files, local or from a hub: which files belong to which split, and their columns.

mod files;
mod source;
mod table;

pub(crate) use source::{ParquetSource, Whereabouts, read_labelled};
pub(crate) use table::ParquetTable;
