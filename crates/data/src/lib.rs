//! Datasets: what examples there are, how they are split, and how one becomes numbers.
//!
//! A [`DataConfig`] is loaded into a [`Dataset`], whatever its source: the generator of glyphs, `idx` files, a folder of
//! images, parquet files (local or from a hub), matrices of features, or tables of texts. A dataset holds a training split, a
//! validation split and a sealed test split. A [`Split`] reads single examples, augmented if a view is asked for; a
//! [`Loader`] turns a plan of rows and views into batches, ahead of time. Everything is a pure function of the content
//! and one seed: the same bits for any number of threads, whatever fits into memory.
//!
//! **Absent on purpose:** tensors (values are `Vec<f32>`, images `[H, W, C]`), shuffles and epochs (the trainer plans
//! them), and any way to look into the test split short of owning it.

mod assemble;
pub mod augment;
mod carve;
mod config;
mod dataset;
mod decode;
mod digest;
mod encoded;
mod error;
pub mod hub;
mod images;
mod inputs;
mod jpeg;
mod labels;
mod loader;
mod matrix_rows;
mod outline;
mod places;
mod predict;
mod progress;
mod readers;
mod split;
mod store;
#[cfg(test)]
mod tests;
mod texts;
mod windows;

pub use assemble::Source;
pub use augment::{AugmentConfig, TextAugmentConfig, TextViewsConfig};
pub use config::DataConfig;
pub use dataset::{Dataset, OutOfScope, SealedTest, Transfer};
pub use error::{DataError, Invalid};
pub use inputs::{IdRows, Inputs, TextEncoder};
pub use loader::{Batch, Loader};
pub use matrix_rows::{MatrixRows, MatrixWriter};
pub use outline::Outline;
pub use predict::{decode_image_for, features_for, read_features_for};
pub use progress::{DataProgress, LoadContext, NoProgress, ProgressUnit};
pub use readers::features::FeaturesConfig;
pub use readers::glyphs::GlyphsConfig;
pub use readers::hub_images::HubImagesConfig;
pub use readers::hub_table::HubTableConfig;
pub use readers::idx::IdxConfig;
pub use readers::image_folder::{ImageFolderConfig, image_sizes};
pub use readers::table::{ColumnName, TableConfig, TableGuess, UnlabelledConfig, guess_table};
pub use split::Split;
pub use store::RawImage;
pub use windows::WindowsConfig;
