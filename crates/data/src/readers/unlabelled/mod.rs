//! Examples without labels: for a student to learn what its teachers say about them, or of no class at all. They are of the kind
//! of the data's own examples and become what these are: images of the same size, windows of the same length.
//!
//! | data | read | refused | noted |
//! |---|---|---|---|
//! | texts | a file of texts as of `[data] kind = "table"`, parquet files too | as in `table/mod.rs`; several lists without `list` | as in `table/mod.rs` |
//! | images | a folder of images, with all folders in it; an idx file of images; parquet files with a column of images, whatever split their names say | no image; a folder with both images and parquet files; idx images of another size or for data in colour; as in `image_folder.rs`, `idx.rs` and `hub_images.rs` | files that are no images; transparent images |
//! | features | a matrix, as in `features.rs` | another number of columns | |
//! | glyphs | nothing: new writers draw the classes, or further characters that are of no class | more characters than there are | |
//!
//! Those that are equal to an example of a split are counted in the report, before a sample of them is drawn.

mod config;
mod files;
mod images;
mod texts;

pub use config::UnlabelledConfig;

use super::kind::DataKind;
use crate::features::{FeatureExamples, read_matrix};
use crate::found::Found;
use crate::store::Store;
use crate::unlabelled::{Purpose, Unlabelled};
use crate::{DataError, LoadContext};
use std::path::Path;

/// Reads the examples, whole where the data's own are still to be cut.
///
/// # Errors
/// A file that is absent, damaged or of another kind than the data, or that has no example; an interruption.
pub(crate) fn read(
    config: &UnlabelledConfig,
    kind: &dyn DataKind,
    found: &Found,
    purpose: Purpose,
    context: &LoadContext<'_>,
) -> Result<Unlabelled, DataError> {
    context.check_interrupted()?;
    let (store, notes) = match (config.per_class, &found.train.store) {
        (Some(per_class), _) => (kind.draw_unlabelled(per_class, purpose, context)?, Vec::new()),
        (None, Store::Texts(own)) => {
            let (examples, notes) = texts::read(config, own, purpose, context)?;
            (Store::Texts(examples), notes)
        }
        (None, Store::Images(own)) => {
            let examples = images::read(config, own, kind.transposes_idx(), purpose, context)?;
            (Store::Images(examples), Vec::new())
        }
        (None, Store::Features(own)) => (Store::Features(read_features(config, own, &found.path)?), Vec::new()),
    };
    let path = config.path.as_deref().unwrap_or(&found.path).to_owned();
    let what = purpose.describe(store.modality().noun());
    let origin = (what, format!("{} of {}", store.n_wholes(), path.display()));
    let notes = std::iter::once(origin).chain(notes).collect();
    Ok(Unlabelled { store, path, max_examples: config.max_examples, notes })
}

fn read_features(config: &UnlabelledConfig, own: &FeatureExamples, train: &Path) -> Result<FeatureExamples, DataError> {
    let path = config.path();
    let matrix = read_matrix(path, config.tensor.as_deref(), Some(&own.offset))?;
    let n_features = matrix.n_features();
    if n_features != own.n_features {
        let expected = format!("{}, as in {}", own.n_features, train.display());
        return Err(DataError::invalid(path, format!("{n_features} features"), expected));
    }
    Ok(FeatureExamples { values: matrix.values, n_features, offset: matrix.offset })
}
