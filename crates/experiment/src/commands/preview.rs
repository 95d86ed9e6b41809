//! `data preview`: a contact sheet of the training split, so that one can look at what is to be learned.

use crate::config::Experiment;
use crate::context::RunContext;
use crate::error::{ExperimentError, Result};
use crate::files::write_whole;
use crate::observer::{Interrupt, Observer};
use crate::run::{RunOptions, load_data};
use std::path::{Path, PathBuf};
use stillhouse_data::Dataset;
use stillhouse_data::contact_sheet::{ContactSheet, SheetImage};

/// Examples of each class.
const N_COLUMNS: usize = 12;
/// Classes on one sheet.
const MAX_ROWS: usize = 60;

/// Draws examples of each class, families of the built-in generator together; returns the PNG's path, by default
/// `<name>-preview.png` in the current folder.
///
/// # Errors
/// Data that cannot be loaded or are no images, or a file that cannot be written.
pub fn preview(
    experiment: &Experiment,
    out: Option<&Path>,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<PathBuf> {
    let scratch = tempfile::tempdir().map_err(|error| ExperimentError::Failed(error.into()))?;
    let context = RunContext::new(scratch.path(), &RunOptions::quiet(), observer, interrupt)?;
    let dataset = load_data(experiment, &context)?;
    let sheet = draw(&dataset)?;
    let png = sheet.to_png().map_err(|error| ExperimentError::BadData(error.into()))?;
    let path = out.map_or_else(|| PathBuf::from(format!("{}-preview.png", experiment.name())), Path::to_owned);
    write_whole(&path, &png)?;
    Ok(path)
}

fn draw(dataset: &Dataset) -> Result<ContactSheet> {
    let mut rows_of_class = vec![Vec::new(); dataset.n_classes()];
    for row in 0..dataset.train.len() {
        let rows = &mut rows_of_class[dataset.train.label(row).index()];
        if rows.len() < N_COLUMNS {
            rows.push(row);
        }
    }
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
