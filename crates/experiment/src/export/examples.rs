//! Inputs that a page offers to try.

use crate::config::MAX_EXAMPLES;
use crate::error::{ExperimentError, Result, system_error};
use std::path::{Path, PathBuf};
use stillhouse_core::InputShape;
use stillhouse_data::TextLines;
use stillhouse_export::PageExample;
use stillhouse_models::Model;

/// A picture beyond this is no example but most of the page.
const MAX_PICTURE_BYTES: u64 = 256 << 10;
/// How names of image files end.
const IMAGE_ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// Lines of a file for texts and rows of numbers; an image file, or the images in a folder and below it, for images. Of more than a page
/// has room for, the first lines, or images at equal distances, so that every class has its turn; a note says so.
///
/// # Errors
/// A file that cannot be read or is no image, or no examples.
pub(crate) fn examples_of_path(path: &Path, model: &Model) -> Result<(Vec<PageExample>, Option<String>)> {
    let (examples, left): (Vec<PageExample>, _) = if takes_pictures(model) {
        let files = image_files(path)?;
        let shown = files.len().min(MAX_EXAMPLES);
        let chosen = (0..shown).map(|nth| picture(&files[nth * files.len() / shown]));
        (
            chosen.collect::<Result<_>>()?,
            (files.len() > shown).then(|| format!("{shown} of its {} images", files.len())),
        )
    } else {
        let (mut file, mut texts) = (TextLines::of_file(path)?, Vec::new());
        while texts.len() <= MAX_EXAMPLES {
            let lines = file.next_lines(MAX_EXAMPLES + 1)?;
            if lines.is_empty() {
                break;
            }
            texts.extend(lines.into_iter().filter(|line| !line.trim().is_empty()));
        }
        let left = (texts.len() > MAX_EXAMPLES).then(|| format!("the first {MAX_EXAMPLES} of its lines"));
        (texts.into_iter().take(MAX_EXAMPLES).map(PageExample::Text).collect(), left)
    };
    if examples.is_empty() {
        return Err(ExperimentError::Usage(format!("{}: no examples, expected 1 or more", path.display())));
    }
    Ok((examples, left.map(|left| format!("{}: the page offers {left}", path.display()))))
}

/// Inputs as `predict` takes them: texts, rows of numbers, or names of image files.
///
/// # Errors
/// A file that cannot be read or is no image.
pub(crate) fn examples_of_inputs(inputs: &[String], model: &Model) -> Result<Vec<PageExample>> {
    match takes_pictures(model) {
        true => inputs.iter().map(|path| picture(Path::new(path))).collect(),
        false => Ok(inputs.iter().cloned().map(PageExample::Text).collect()),
    }
}

fn takes_pictures(model: &Model) -> bool {
    matches!(model.input(), InputShape::Image { .. })
}

fn image_files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let below = stillhouse_files::files_below(path);
    let mut files = below.map_err(|error| system_error(&error.path, "cannot be read", &error.source))?;
    files.retain(|file| has_image_ending(file));
    Ok(files)
}

fn has_image_ending(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| IMAGE_ENDINGS.contains(&ending.as_str()))
}

fn picture(path: &Path) -> Result<PageExample> {
    let bytes = stillhouse_files::read(path).map_err(|error| system_error(path, "cannot be read", &error))?;
    if bytes.len() as u64 > MAX_PICTURE_BYTES {
        let problem = format!("{}: {} bytes, expected at most {MAX_PICTURE_BYTES}", path.display(), bytes.len());
        return Err(ExperimentError::Usage(format!(
            "{problem}\n  hint: examples are a part of the page; make the image smaller"
        )));
    }
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let media_type = match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, ..] => "image/jpeg",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        [b'B', b'M', ..] => "image/bmp",
        _ => return Err(ExperimentError::Usage(format!("{}: no PNG, JPEG, WebP or BMP image", path.display()))),
    };
    Ok(PageExample::Picture { name, media_type: media_type.to_owned(), bytes })
}
