//! One reader for each kind of source. Each finds its examples and leaves the rest to `assemble`.

pub(crate) mod features;
pub(crate) mod glyphs;
pub(crate) mod hub_images;
pub(crate) mod hub_table;
pub(crate) mod idx;
pub(crate) mod image_folder;
pub(crate) mod matrix;
mod parquet_files;
mod parquet_source;
mod parquet_table;
mod split_name;
pub(crate) mod table;
