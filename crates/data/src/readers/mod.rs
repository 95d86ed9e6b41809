//! Kinds of files, each with its settings and its way to examples and labels.

pub(crate) mod features;
pub(crate) mod glyphs;
pub(crate) mod hub_images;
pub(crate) mod idx;
mod idx_names;
pub(crate) mod image_folder;
mod image_listing;
mod kind;
mod parquet;
mod passed_over;
mod split_name;
pub(crate) mod table;

pub(crate) use kind::DataKind;
