//! What a user gives to a finished model, which brings its own shape and normalisation.

use crate::DataError;
use crate::features::given_features;
use crate::images::given_images;
use std::path::Path;
use stillhouse_core::{InputShape, InputSpec};

/// One example to predict.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenExample {
    /// the file, or the numbers or the text as they were given
    pub name: String,
    /// what the model takes
    pub content: GivenContent,
}

/// The content of an example to predict.
#[derive(Clone, Debug, PartialEq)]
pub enum GivenContent {
    /// Normalised numbers, `[H, W, C]` or `[F]`.
    Values(Vec<f32>),
    /// A text, for the model's own encoder.
    Text(String),
}

/// The examples of one word of a command line: an image file or all images of a folder, a row of numbers, or a text, whichever
/// the model takes. Image files are read one by one, when they are asked for.
///
/// # Errors
/// A folder without images, a row of another length than the model takes; for each file, one that is no image.
pub fn given_examples<'a>(
    input: &'a InputSpec,
    given: &'a str,
) -> Result<Box<dyn Iterator<Item = Result<GivenExample, DataError>> + 'a>, DataError> {
    let one = |content| -> Box<dyn Iterator<Item = Result<GivenExample, DataError>>> {
        Box::new(std::iter::once(Ok(GivenExample { name: given.to_owned(), content })))
    };
    match input.shape {
        InputShape::Image { .. } => Ok(Box::new(given_images(input, Path::new(given))?.map(|image| {
            let (path, values) = image?;
            Ok(GivenExample { name: path.display().to_string(), content: GivenContent::Values(values) })
        }))),
        InputShape::Features { .. } => Ok(one(GivenContent::Values(given_features(input, given)?))),
        InputShape::Text {} | InputShape::Tokens { .. } => Ok(one(GivenContent::Text(given.to_owned()))),
    }
}
