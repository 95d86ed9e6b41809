//! `data preview`: a page with examples of each class of the training split.

use crate::config::Experiment;
use crate::context::RunContext;
use crate::error::{ExperimentError, Result};
use crate::files::write_whole;
use crate::loading::load_data;
use crate::observer::{Interrupt, Observer};
use crate::options::RunOptions;
use crate::outputs::check_preview_output;
use crate::pictures::png_of;
use crate::report::{Picture, picture, render, shortened, style_sheet};
use serde::Serialize;
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

const TEMPLATE: &str = include_str!("preview.html.j2");

/// The values of the template.
#[derive(Serialize)]
struct Page {
    style_sheet: &'static str,
    title: String,
    about: String,
    classes: Vec<ClassExamples>,
    n_more: usize,
}

#[derive(Serialize)]
struct ClassExamples {
    label: String,
    pictures: Vec<Picture>,
    texts: Vec<ExampleText>,
}

#[derive(Serialize)]
struct ExampleText {
    text: String,
    /// the views that differ from the text
    views: Vec<String>,
}

/// Writes a page with examples of each class; returns its path, by default `<name>-preview.html` in the current folder.
///
/// # Errors
/// Data that cannot be loaded or are features, or a file that cannot be written.
pub fn preview(
    experiment: &Experiment,
    out: Option<&Path>,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<PathBuf> {
    let path = out.map_or_else(|| PathBuf::from(format!("{}-preview.html", experiment.name())), Path::to_owned);
    check_preview_output(experiment, &path)?;
    if path.extension().is_some_and(|ending| ending != "html" && ending != "htm") {
        let text = format!("{}: the preview is a page; expected a name that ends in .html", path.display());
        return Err(ExperimentError::Usage(text));
    }
    let scratch = tempfile::tempdir().map_err(|error| ExperimentError::Failed(error.into()))?;
    let context = RunContext::new(scratch.path(), &RunOptions::quiet(), observer, interrupt)?;
    let page = page(&load_data(experiment, &context)?)?;
    write_whole(&path, render(TEMPLATE, &page).as_bytes())?;
    Ok(path)
}

fn page(dataset: &Dataset) -> Result<Page> {
    let is_text = dataset.train.is_text();
    let (n_examples, max_classes) = if is_text { (N_TEXTS, MAX_TEXT_CLASSES) } else { (N_IMAGES, MAX_IMAGE_CLASSES) };
    let rows_of_class = first_rows(dataset, n_examples);
    let mut classes = Vec::new();
    for (label, rows) in dataset.labels.iter().zip(rows_of_class).take(max_classes) {
        let (mut pictures, mut texts) = (Vec::new(), Vec::new());
        for row in rows {
            if is_text {
                texts.push(example_text(dataset, row));
            } else {
                pictures.push(example_picture(dataset, row)?);
            }
        }
        classes.push(ClassExamples { label: label.clone(), pictures, texts });
    }
    Ok(Page {
        style_sheet: style_sheet(),
        title: format!("Preview of {}", dataset.name),
        about: dataset.describe(),
        classes,
        n_more: dataset.n_classes().saturating_sub(max_classes),
    })
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

fn example_picture(dataset: &Dataset, row: usize) -> Result<Picture> {
    let png = png_of(&dataset.train, row)?;
    picture(png.as_deref()).ok_or_else(|| {
        ExperimentError::Usage(format!("{}: features have no pictures; preview is for images and texts", dataset.name))
    })
}

fn example_text(dataset: &Dataset, row: usize) -> ExampleText {
    let text = dataset.train.read_text(row, None);
    let views = (0..N_VIEWS).map(|view| dataset.train.read_text(row, Some(ViewId(view))));
    let views = views.filter(|view| *view != text).map(|view| shortened(&view, SHOWN_CHARACTERS)).collect();
    ExampleText { text: shortened(&text, SHOWN_CHARACTERS), views }
}
