//! A file of predictions, or of skipped inputs, that appears whole or not at all.

use super::matrix::ProbabilityMatrix;
use super::{PredictOptions, Prediction, PredictionRows, RowFormat, SkippedInput};
use crate::error::{Result, system_error};
use crate::files::{check_output, write_pieces};
use crate::report::csv::{text_field, write_rows};
use std::path::{Path, PathBuf};
use stillhouse_data::GivenPlace;
use stillhouse_files::NewFile;

/// A file of predictions that is not yet in its place.
pub struct PredictionFile {
    path: PathBuf,
    file: NewFile,
    content: Content,
}

enum Content {
    Rows(PredictionRows),
    Matrix(ProbabilityMatrix),
}

/// Whether a file's name ends as that of a matrix of probabilities.
pub fn is_matrix(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"))
}

impl PredictionFile {
    /// Begins a file, in the format that the ending of its name says.
    ///
    /// # Errors
    /// Another ending; a place that cannot be written, or holds one of the inputs.
    pub fn create(path: &Path, options: &PredictOptions, n_classes: usize) -> Result<Self> {
        let format = if is_matrix(path) { None } else { Some(RowFormat::of_path(path)?) };
        check_is_no_input(path, options)?;
        let created = NewFile::create(path).and_then(|file| {
            let out = file.writer()?;
            let content = match format {
                Some(format) => Content::Rows(PredictionRows::new(Box::new(out), format, options.top_k)?),
                None => Content::Matrix(ProbabilityMatrix::new(out, n_classes)?),
            };
            Ok((file, content))
        });
        let (file, content) = created.map_err(|error| system_error(path, "cannot be written", &error))?;
        Ok(Self { path: path.to_owned(), file, content })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// A full disk.
    pub fn write(&mut self, predictions: &[Prediction]) -> Result<()> {
        let written = match &mut self.content {
            Content::Rows(rows) => rows.write(predictions),
            Content::Matrix(matrix) => matrix.write(predictions),
        };
        written.map_err(|error| system_error(&self.path, "cannot be written", &error))
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// A full disk, a place that cannot be written.
    pub fn keep(self) -> Result<()> {
        let finished = match self.content {
            Content::Rows(rows) => rows.finish(),
            Content::Matrix(matrix) => matrix.finish(),
        };
        let kept = finished.and_then(|()| self.file.keep());
        kept.map_err(|error| system_error(&self.path, "cannot be written", &error))
    }
}

/// Refuses a file that would take the place of an input.
///
/// # Errors
/// Such a file.
pub(super) fn check_is_no_input(path: &Path, options: &PredictOptions) -> Result<()> {
    let inputs = options.inputs.iter().filter_map(|place| match place {
        GivenPlace::Word(word) => Some(Path::new(word)),
        GivenPlace::Lines(path) => Some(path.as_path()),
        GivenPlace::StandardInput => None,
    });
    check_output(path, inputs)
}

impl PredictOptions {
    /// Writes a CSV file of the inputs that were left out: their source, row and reason.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn write_skipped(&self, path: &Path, skipped: &[SkippedInput]) -> Result<()> {
        let header = ["source", "row", "reason"].map(str::to_owned).to_vec();
        let row = |input: &SkippedInput| {
            let row = input.source.row.map_or(String::new(), |row| row.to_string());
            vec![text_field(&input.source.place).into_owned(), row, text_field(&input.reason).into_owned()]
        };
        write_pieces(path, |out| write_rows(out, std::iter::once(header).chain(skipped.iter().map(row))))
    }

    /// Refuses files to write that are inputs, or one another.
    ///
    /// # Errors
    /// Such a file.
    pub fn check_skipped(&self, path: &Path) -> Result<()> {
        check_is_no_input(path, self)
    }
}
