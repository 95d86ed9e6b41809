//! Images without labels: a folder of them, an idx file, or parquet files. What a path holds is seen by its content.

use super::config::UnlabelledConfig;
use crate::images::{Cells, EncodedImages, ImageExamples, Loading};
use crate::readers::hub_images::find_image_column;
use crate::readers::idx;
use crate::readers::image_listing::list_all;
use crate::readers::parquet::{ParquetSource, ParquetTable, Whereabouts};
use crate::readers::table::is_named_parquet;
use crate::unlabelled::Purpose;
use crate::{DataError, LoadContext};

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
    let images = match is_named_parquet(path) || (path.is_dir() && holds_parquet(path)) {
        true => EncodedImages::Cells(read_cells(config, context)?),
        false => EncodedImages::Files(list_all(path, context)?),
    };
    if images.len() == 0 {
        return Err(DataError::invalid(path, "no image", "at least one"));
    }
    Loading::new(&own.augment, Some(own.ground), context).decode(images, own.target, &what)
}

/// Whether a folder has parquet files in it.
fn holds_parquet(folder: &std::path::Path) -> bool {
    stillhouse_files::files_below(folder).is_ok_and(|files| files.iter().any(|file| is_named_parquet(file)))
}

fn read_cells(config: &UnlabelledConfig, context: &LoadContext<'_>) -> Result<Cells, DataError> {
    let place = Whereabouts { repo: None, path: config.path.as_deref(), revision: None, subset: None };
    let mut cells = Cells::new();
    for path in ParquetSource::local(config.path(), &place, context)?.all_files() {
        let table = ParquetTable::open(path)?;
        let column = find_image_column(&table, path, config.image.as_deref(), None)?;
        cells.begin_table(path);
        table.read_images(&column, context, |bytes| {
            cells.push(bytes, context.memory_limit_bytes).map_err(DataError::io(path, "keep a temporary copy of"))
        })?;
    }
    Ok(cells)
}
