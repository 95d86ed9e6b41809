//! Inputs as they are found, before they are decoded.
//!
//! Shapes: `H` height, `W` width, `C` channels, `F` features.

use crate::DataError;
use crate::images::given_image;
use std::path::PathBuf;
use stillhouse_core::InputSpec;

/// A thing that holds inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenPlace {
    /// A word of the command line: a file, a folder, a text or a row of numbers.
    Word(String),
    /// A file of texts, one a line.
    Lines(PathBuf),
    /// Standard input: a text a line.
    StandardInput,
}

impl GivenPlace {
    /// What messages and a column of sources call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Lines(path) => path.display().to_string(),
            Self::StandardInput => STANDARD_INPUT.to_owned(),
        }
    }
}

/// What standard input is called in a column of sources.
pub(super) const STANDARD_INPUT: &str = "stdin";

/// Where an input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenSource {
    /// The file, `stdin` for standard input, or the text or the numbers as they were given.
    pub place: String,
    /// The row of a file of rows or lines, counted from 0; a header is not counted.
    pub row: Option<u64>,
}

impl GivenSource {
    /// An input that is all of its place.
    pub(super) fn whole(place: impl Into<String>) -> Self {
        Self { place: place.into(), row: None }
    }

    /// A row of a place.
    pub(super) fn row(place: &str, row: u64) -> Self {
        Self { place: place.to_owned(), row: Some(row) }
    }
}

/// `photo.png`, or `texts.csv row 7`.
impl std::fmt::Display for GivenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place)?;
        self.row.map_or(Ok(()), |row| write!(f, " row {row}"))
    }
}

/// One example to predict, not decoded yet.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenInput {
    /// where it comes from
    pub source: GivenSource,
    pub(super) content: Undecoded,
}

/// The content of an input before it is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Undecoded {
    Image(PathBuf),
    Numbers(Vec<f32>),
    Text(String),
}

/// The content of an example to predict.
#[derive(Clone, Debug, PartialEq)]
pub enum GivenContent {
    /// Normalised numbers, `[H, W, C]` or `[F]`.
    Values(Vec<f32>),
    /// A text, for the model's own encoder.
    Text(String),
}

impl GivenInput {
    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        if let Undecoded::Text(text) = &self.content { Some(text) } else { None }
    }

    /// What the model takes; an image file is read and decoded.
    ///
    /// # Errors
    /// A file that cannot be read or is no PNG, JPEG, WebP or BMP image.
    pub fn read(self, input: &InputSpec) -> Result<GivenContent, DataError> {
        match self.content {
            Undecoded::Image(path) => given_image(input, &path).map(GivenContent::Values),
            Undecoded::Numbers(values) => Ok(GivenContent::Values(values)),
            Undecoded::Text(text) => Ok(GivenContent::Text(text)),
        }
    }
}

/// What [`super::visit_given`] finds.
#[derive(Debug)]
pub enum Given {
    /// So many inputs follow of the next place, where that is known before they are read.
    Expected(u64),
    /// An input.
    Input(GivenInput),
    /// An input, or the rest of a file, that cannot be read.
    Bad {
        /// the input or the file
        source: GivenSource,
        /// why
        error: DataError,
    },
}

/// Takes what is found; an error ends the visit.
pub type TakeGiven<'a> = dyn FnMut(Given) -> Result<(), DataError> + 'a;
