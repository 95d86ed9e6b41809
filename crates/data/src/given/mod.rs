//! What a user gives to a finished model, which brings its own shape and normalisation: names of files and folders, tables,
//! matrices, texts and rows of numbers.
//!
//! | model of | given | read |
//! |---|---|---|
//! | images | a file | PNG, JPEG, WebP, BMP; whatever its name ends in |
//! | images | a folder | all images in it and in the folders in it, in the order of their paths; other files get a note |
//! | texts | a file of rows (`.csv`, `.tsv`, `.tab`, `.jsonl`, `.ndjson`, `.json`, `.parquet`) | one column of it, as `kind = "table"` reads it |
//! | texts | a file `.txt`, a file of `--lines`, standard input | one text a line |
//! | texts | any other word | the word |
//! | features | `.npy` or safetensors | a matrix, one row an example |
//! | features | any other word | numbers with commas or spaces between them |
//!
//! Files of rows and lines, and matrices, may be gzipped. [`visit_given`] hands inputs out one by one and undecoded, so that
//! memory does not grow with their number; [`GivenInput::read`] decodes one, in whatever thread.

mod input;
mod kind;
mod texts;

pub use input::{Given, GivenContent, GivenInput, GivenPlace, GivenSource, TakeGiven};

use crate::features::{given_features, given_matrix};
use crate::readers::image_listing::list_all;
use crate::{DataError, LoadContext};
use input::Undecoded;
use kind::{TextFile, is_matrix};
use std::path::Path;
use stillhouse_core::{InputShape, InputSpec};

/// Hands out the inputs of all places in their order, for a model with this input. `column` names the texts of tables; without it
/// an obvious column is taken, with a note. What cannot be read is handed out too ([`Given::Bad`]), and the visit goes on behind it.
///
/// # Errors
/// Those of `take`; an interruption.
pub fn visit_given(
    input: &InputSpec,
    places: &[GivenPlace],
    column: Option<&str>,
    context: &LoadContext<'_>,
    take: &mut TakeGiven<'_>,
) -> Result<(), DataError> {
    for place in places {
        context.check_interrupted()?;
        // an error of `take` ends the visit, one of the reader belongs to the place
        let mut stopped = None;
        let mut guarded_take = |given| {
            take(given).map_err(|error| {
                stopped = Some(error);
                DataError::Interrupted
            })
        };
        let read = match place {
            GivenPlace::Word(word) => visit_word(input, word, column, context, &mut guarded_take),
            GivenPlace::Lines(path) => texts::visit_lines(path, &mut guarded_take),
            GivenPlace::StandardInput => texts::visit_standard_input(&mut guarded_take),
        };
        match (stopped, read) {
            (Some(error), _) => return Err(error),
            (None, Err(error)) if error.is_interrupted() => return Err(error),
            (None, Err(error)) => take(Given::Bad { source: GivenSource::whole(place.name()), error })?,
            (None, Ok(())) => {}
        }
    }
    Ok(())
}

/// The inputs of one word of a command line.
fn visit_word(
    input: &InputSpec,
    word: &str,
    column: Option<&str>,
    context: &LoadContext<'_>,
    take: &mut TakeGiven<'_>,
) -> Result<(), DataError> {
    let mut one = |content| take(Given::Input(GivenInput { source: GivenSource::whole(word), content }));
    let path = Path::new(word);
    match input.shape {
        InputShape::Image { .. } => visit_images(path, context, take),
        InputShape::Features { .. } if is_matrix(path) => {
            let mut take_row = |row: u64, values: Result<Vec<f32>, DataError>| {
                let source = GivenSource::row(word, row);
                take(match values {
                    Ok(values) => Given::Input(GivenInput { source, content: Undecoded::Numbers(values) }),
                    Err(error) => Given::Bad { source, error },
                })
            };
            given_matrix(input, path, context, &mut take_row)
        }
        InputShape::Features { .. } => one(Undecoded::Numbers(given_features(input, word)?)),
        InputShape::Text {} | InputShape::Tokens { .. } => match TextFile::of(path) {
            Some(TextFile::Table) => texts::visit_table(path, column, context, take),
            Some(TextFile::Lines) => texts::visit_lines(path, take),
            None => {
                note_unread_file(path, context);
                one(Undecoded::Text(word.to_owned()))
            }
        },
    }
}

fn visit_images(path: &Path, context: &LoadContext<'_>, take: &mut TakeGiven<'_>) -> Result<(), DataError> {
    let files = list_all(path, context)?;
    if files.is_empty() {
        let expected = "PNG, JPEG, WebP or BMP files in it, or in the folders in it";
        return Err(DataError::invalid(path, "no images", expected));
    }
    take(Given::Expected(files.len() as u64))?;
    files.into_iter().try_for_each(|path| {
        let source = GivenSource::whole(path.display().to_string());
        take(Given::Input(GivenInput { source, content: Undecoded::Image(path) }))
    })
}

/// Says of a text that is the name of a file or a folder that the name was predicted.
fn note_unread_file(path: &Path, context: &LoadContext<'_>) {
    let name = path.display();
    match (path.is_file(), path.is_dir()) {
        (true, _) => context.note(format!(
            "{name} is a file, and its name was predicted as a text; --lines {name} predicts its lines, and names that end in \
             .csv, .tsv, .jsonl, .json, .parquet or .txt are read"
        )),
        (_, true) => context.note(format!(
            "{name} is a folder, and its name was predicted as a text; a model of texts reads files that are named one by one"
        )),
        _ => {}
    }
}
