//! `data preview`: a contact sheet of the training split, or a page of its texts, so that one can look at what is to be
//! learned.

use super::preview_texts::text_page;
use crate::config::Experiment;
use crate::context::RunContext;
use crate::error::{ExperimentError, Result};
use crate::files::write_whole;
use crate::observer::{Interrupt, Observer};
use crate::outputs::check_preview_output;
use crate::run::{RunOptions, load_data};
use std::path::{Path, PathBuf};
use stillhouse_data::Dataset;
use stillhouse_data::contact_sheet::{ContactSheet, SheetImage};

/// Examples of each class.
const N_COLUMNS: usize = 12;
/// Classes on one sheet.
const MAX_ROWS: usize = 60;

/// Shows examples of each class: images as one picture, families of the built-in generator together, texts as a page.
/// Returns the file's path, by default `<name>-preview.png` or `.html` in the current folder.
///
/// # Errors
/// Data that cannot be loaded or are features, or a file that cannot be written.
pub fn preview(
    experiment: &Experiment,
    out: Option<&Path>,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<PathBuf> {
    if let Some(out) = out {
        check_preview_output(experiment, out)?;
    }
    let scratch = tempfile::tempdir().map_err(|error| ExperimentError::Failed(error.into()))?;
    let context = RunContext::new(scratch.path(), &RunOptions::quiet(), observer, interrupt)?;
    let dataset = load_data(experiment, &context)?;
    let (ending, bytes) = match dataset.train.is_text() {
        true => ("html", text_page(&dataset).into_bytes()),
        false => ("png", draw(&dataset)?.to_png().map_err(|error| ExperimentError::BadData(error.into()))?),
    };
    let path = out.map_or_else(|| PathBuf::from(format!("{}-preview.{ending}", experiment.name())), Path::to_owned);
    check_preview_output(experiment, &path)?;
    write_whole(&path, &bytes)?;
    Ok(path)
}

/// The first training rows of each class.
pub(super) fn first_rows(dataset: &Dataset, n_rows: usize) -> Vec<Vec<usize>> {
    let mut rows_of_class = vec![Vec::new(); dataset.n_classes()];
    for row in 0..dataset.train.len() {
        let rows = &mut rows_of_class[dataset.train.label(row).index()];
        if rows.len() < n_rows {
            rows.push(row);
        }
    }
    rows_of_class
}

fn draw(dataset: &Dataset) -> Result<ContactSheet> {
    let rows_of_class = first_rows(dataset, N_COLUMNS);
    let family = |class: usize| dataset.families.as_ref().map(|families| families[class]);
    let mut classes: Vec<usize> = (0..dataset.n_classes()).collect();
    classes.sort_by_key(|class| (family(*class), *class));
    let mut sheet = ContactSheet::new(MAX_ROWS);
    let mut current_family = None;
    for class in classes {
        if sheet.is_full() {
            break;
        }
        if let Some(family) = family(class).filter(|family| current_family != Some(*family)) {
            sheet.heading(format!("family {family}"));
            current_family = Some(family);
        }
        let images = rows_of_class[class].iter().map(|row| sheet_image(dataset, *row)).collect::<Result<_>>()?;
        sheet.row(dataset.labels[class].clone(), images);
    }
    Ok(sheet)
}

fn sheet_image(dataset: &Dataset, row: usize) -> Result<SheetImage> {
    let image = dataset.train.raw_image(row)?.ok_or_else(|| {
        ExperimentError::Usage(format!("{}: features have no pictures; preview is for images", dataset.name))
    })?;
    SheetImage::new(image.pixels, image.height, image.width, image.channels)
        .map_err(|error| ExperimentError::BadData(error.into()))
}
