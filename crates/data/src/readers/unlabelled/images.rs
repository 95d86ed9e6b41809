//! Images without labels: a folder of them, an idx file, or parquet files.

use super::config::UnlabelledConfig;
use super::files::parquet_files;
use crate::images::{Cells, EncodedImages, ImageExamples, Loading};
use crate::readers::hub_images::find_image_column;
use crate::readers::idx;
use crate::readers::image_listing::list_all;
use crate::readers::parquet::ParquetTable;
use crate::unlabelled::Purpose;
use crate::{DataError, LoadContext};
use std::path::PathBuf;

/// Images of the size and the channels of the data's own.
pub(super) fn read(
    config: &UnlabelledConfig,
    own: &ImageExamples,
    is_transposed: bool,
    purpose: Purpose,
    context: &LoadContext<'_>,
) -> Result<ImageExamples, DataError> {
    let path = config.path();
    let what = format!("the {}", purpose.describe("image"));
    if !path.is_dir() && idx::is_images(path)? {
        return idx::read_unlabelled(path, own, is_transposed);
    }
    let tables = parquet_files(path)?;
    let images = match tables.is_empty() {
        false => EncodedImages::Cells(read_cells(config, &tables, context)?),
        true => EncodedImages::Files(list_all(path, context)?),
    };
    if images.len() == 0 {
        return Err(DataError::invalid(path, "no image", "at least one"));
    }
    Loading::new(&own.augment, Some(own.ground), context).decode(images, own.target, &what)
}

fn read_cells(config: &UnlabelledConfig, tables: &[PathBuf], context: &LoadContext<'_>) -> Result<Cells, DataError> {
    let mut cells = Cells::new();
    for path in tables {
        let table = ParquetTable::open(path)?;
        let column = find_image_column(&table, path, config.image.as_deref(), None)?;
        cells.begin_table(path);
        table.read_images(&column, context, |bytes| {
            cells.push(bytes, context.memory_limit_bytes).map_err(DataError::io(path, "keep a temporary copy of"))
        })?;
    }
    Ok(cells)
}
