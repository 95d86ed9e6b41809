//! Datasets: what examples there are, how they are split, and how one becomes numbers.
//!
//! A [`DataConfig`] is loaded into a [`Dataset`], whatever its source: the generator of glyphs, `idx` files, a folder of
//! images, parquet files (local or from a hub), matrices of features, or tables of texts. A dataset holds a training split, a
//! validation split and a sealed test split. A [`Split`] reads single examples, augmented if a view is asked for; a
//! [`Loader`] turns a plan of rows and views into batches, ahead of time. Everything is a pure function of the content
//! and one seed: the same bits for any number of threads, whatever fits into memory.
//!
//! `readers/` has a file for each kind of data. `images/`, `texts/` and `features/` have all that is special to a modality:
//! how an example is read, decoded, augmented, batched, shown, and predicted. `modality.rs` says what the rest of the crate
//! asks of a modality, `store.rs` lists the modalities. Imports run one way: readers and splits know modalities, and no
//! modality knows a reader, a split or another modality (`tests/arrows.rs`).
//!
//! **Absent on purpose:** tensors (values are `Vec<f32>`, images `[H, W, C]`), shuffles and epochs (the trainer plans
//! them), and any way to look into the test split short of owning it.

#![forbid(unsafe_code)]

mod assemble;
mod bytes;
mod carve;
mod config;
mod dataset;
mod error;
mod features;
mod found;
mod given;
pub mod hub;
mod images;
mod inputs;
mod labels;
mod loader;
mod measured;
mod mixing;
mod modality;
mod outline;
mod parquet_writer;
mod places;
mod preview;
mod progress;
mod readers;
mod scarce;
mod settings;
mod source;
mod split;
mod store;
#[cfg(test)]
mod tests;
mod text_input;
mod text_lines;
mod texts;
mod training_data;
mod unlabelled;
mod words;

pub use config::{DataConfig, UnlabelledConfigs};
pub use dataset::{Dataset, OutOfScope, SealedTest, Transfer};
pub use error::DataError;
pub use features::{MatrixRows, MatrixWriter, npy_head, read_class_numbers};
pub use given::{Given, GivenContent, GivenInput, GivenPlace, GivenSource, TakeGiven, visit_given};
pub use images::{
    AffineElasticConfig, AugmentConfig, ColourJitterConfig, CombinedConfig, CropFlipConfig, GeometryConfig,
    RandomErasingConfig, ShiftConfig,
};
pub use inputs::{IdRows, Inputs, TextEncoder};
pub use labels::ClassNames;
pub use loader::{Batch, Loader};
pub use measured::Measured;
pub use outline::Outline;
pub use parquet_writer::{ParquetColumn, ParquetKind, ParquetWriter};
pub use preview::{Preview, RawImage};
pub use progress::{DataProgress, LoadContext, NoProgress, ProgressUnit};
pub use readers::features::FeaturesConfig;
pub use readers::glyphs::GlyphsConfig;
pub use readers::hub_images::HubImagesConfig;
pub use readers::idx::IdxConfig;
pub use readers::image_folder::{ImageFolderConfig, image_sizes};
pub use readers::table::builtin::is_builtin;
pub use readers::table::{ColumnName, ParquetGuess, TableConfig, TableGuess, guess_parquet, guess_table};
pub use readers::{UnlabelledConfig, is_system_name, split_in_name};
pub use source::Source;
pub use split::Split;
pub use text_lines::TextLines;
pub use texts::{TextAugmentConfig, TextViewsConfig, WindowsConfig};
pub use training_data::TrainingData;
