//! `init` for parquet files of texts or images.

use super::compose::quoted;
use super::images::{input_size, size_line};
use super::recognised::{Content, Recognised, in_words};
use super::tables;
use crate::error::{Result, system_error};
use std::path::Path;
use stillhouse_data::{ParquetGuess, Source, guess_parquet, split_in_name};

/// Recognises a folder with parquet files at any depth.
///
/// # Errors
/// A file that cannot be read, or without columns of texts or images and labels.
pub(super) fn in_folder(folder: &Path) -> Result<Option<Recognised>> {
    let files = stillhouse_files::files_below(folder)
        .map_err(|error| system_error(&error.path, "cannot be listed", &error.source))?;
    let is_hidden = |path: &Path| {
        let below = path.strip_prefix(folder).unwrap_or(path);
        below.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
    };
    let is_table =
        |path: &&std::path::PathBuf| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
    let tables: Vec<_> = files.iter().filter(is_table).filter(|path| !is_hidden(path)).collect();
    let is_training = |path: &&&std::path::PathBuf| {
        let below = path.strip_prefix(folder).unwrap_or(path).display().to_string();
        split_in_name(&below) == Some(Source::Train)
    };
    match tables.iter().find(is_training).or(tables.first()) {
        Some(file) => recognised(folder, file).map(Some),
        None => Ok(None),
    }
}

/// A parquet file that is given alone.
///
/// # Errors
/// As [`in_folder`].
pub(super) fn of_file(path: &Path) -> Result<Recognised> {
    recognised(path, path)
}

fn recognised(place: &Path, file: &Path) -> Result<Recognised> {
    let path = format!("path = {}", quoted(&place.display().to_string()));
    Ok(match guess_parquet(file)? {
        ParquetGuess::Texts(guess) => tables::recognised(place, &path, &guess, None),
        ParquetGuess::Images { image, label, sizes } => {
            let is_one_size = sizes.windows(2).all(|pair| pair[0] == pair[1]);
            let [height, width] = input_size(&sizes);
            let is_right = is_one_size && sizes.first().is_none_or(|size| *size == [height, width]);
            let size = if is_right { String::new() } else { format!("\n{}", size_line([height, width])) };
            Recognised {
                content: Content::Images,
                place: format!("parquet files in {}", in_words(place)),
                data: format!(
                    "kind = \"hub_images\"\n{path}\nimage = {}                        # name of the image column\n\
                     label = {}                        # name of the label column{size}",
                    quoted(&image),
                    quoted(&label)
                ),
                notes: Vec::new(),
                others: Vec::new(),
            }
        }
    })
}
