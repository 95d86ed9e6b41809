//! `data preview`: examples of each class of the training split, as a page, or images as one contact sheet.

use crate::config::Experiment;
use crate::context::RunContext;
use crate::error::{ExperimentError, Result};
use crate::files::write_whole;
use crate::loading::load_data;
use crate::observer::{Interrupt, Observer};
use crate::options::RunOptions;
use crate::outputs::check_preview_output;
use crate::pictures::{contact_sheet, png_of};
use crate::report::{PreviewClass, PreviewExample, preview_page, shortened};
use std::path::{Path, PathBuf};
use stillhouse_core::ViewId;
use stillhouse_data::Dataset;

/// Images of each class.
const N_IMAGES: usize = 12;
/// Texts of each class.
const N_TEXTS: usize = 4;
/// Views of each text, where texts are augmented.
const N_VIEWS: u32 = 3;
/// Most classes on a page of images.
const MAX_IMAGE_CLASSES: usize = 100;
/// Most classes on a page of texts.
const MAX_TEXT_CLASSES: usize = 500;
/// Characters of a text that are shown.
const SHOWN_CHARACTERS: usize = 300;

/// Writes examples of each class; returns the path, by default `<name>-preview.html` in the current folder. A path that ends
/// in `.png` becomes a contact sheet, a line for each class.
///
/// # Errors
/// Data that cannot be loaded or are features, texts for a sheet, or a file that cannot be written.
pub fn preview(
    experiment: &Experiment,
    out: Option<&Path>,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<PathBuf> {
    let path = out.map_or_else(|| PathBuf::from(format!("{}-preview.html", experiment.name())), Path::to_owned);
    check_preview_output(experiment, &path)?;
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let is_sheet = match ending.as_deref() {
        Some("png") => true,
        Some("html" | "htm") | None => false,
        Some(_) => {
            let text = format!("{}: a preview's name ends in .html (a page) or .png (images)", path.display());
            return Err(ExperimentError::Usage(text));
        }
    };
    let options = RunOptions::quiet();
    let context = RunContext::unrecorded(&options.run_dir(experiment), &options, observer, interrupt);
    let dataset = load_data(experiment, &context)?;
    let bytes = if is_sheet { sheet(&dataset)? } else { page(&dataset)?.into_bytes() };
    write_whole(&path, &bytes)?;
    Ok(path)
}

fn sheet(dataset: &Dataset) -> Result<Vec<u8>> {
    let mut lines = first_rows(dataset, N_IMAGES);
    lines.truncate(MAX_IMAGE_CLASSES);
    contact_sheet(&dataset.train, &lines)?.ok_or_else(|| {
        let text = format!("{}: a contact sheet is for images\n  hint: give a name that ends in .html", dataset.name);
        ExperimentError::Usage(text)
    })
}

fn page(dataset: &Dataset) -> Result<String> {
    let is_text = dataset.train.is_text();
    let (n_examples, max_classes) = if is_text { (N_TEXTS, MAX_TEXT_CLASSES) } else { (N_IMAGES, MAX_IMAGE_CLASSES) };
    let rows_of_class = first_rows(dataset, n_examples);
    let mut classes = Vec::new();
    for (label, rows) in dataset.labels.iter().zip(rows_of_class).take(max_classes) {
        let example = |row| if is_text { Ok(example_text(dataset, row)) } else { example_picture(dataset, row) };
        let examples = rows.into_iter().map(example).collect::<Result<_>>()?;
        classes.push(PreviewClass { label: label.clone(), examples });
    }
    let n_more = dataset.n_classes().saturating_sub(max_classes);
    Ok(preview_page(format!("Preview of {}", dataset.name), dataset.describe(), &classes, n_more))
}

/// The first training rows of each class.
fn first_rows(dataset: &Dataset, n_rows: usize) -> Vec<Vec<usize>> {
    let mut rows_of_class = vec![Vec::new(); dataset.n_classes()];
    for row in 0..dataset.train.len() {
        let rows = &mut rows_of_class[dataset.train.label(row).index()];
        if rows.len() < n_rows {
            rows.push(row);
        }
    }
    rows_of_class
}

fn example_picture(dataset: &Dataset, row: usize) -> Result<PreviewExample> {
    let png = png_of(&dataset.train, row)?;
    if png.is_none() {
        let text = format!("{}: features have no pictures; preview is for images and texts", dataset.name);
        return Err(ExperimentError::Usage(text));
    }
    Ok(PreviewExample { png, ..PreviewExample::default() })
}

fn example_text(dataset: &Dataset, row: usize) -> PreviewExample {
    let text = dataset.train.read_text(row, None);
    let views = (0..N_VIEWS).map(|view| dataset.train.read_text(row, Some(ViewId(view))));
    let views = views.filter(|view| *view != text).map(|view| shortened(&view, SHOWN_CHARACTERS)).collect();
    PreviewExample { text: Some(shortened(&text, SHOWN_CHARACTERS)), views, ..PreviewExample::default() }
}
