//! What a parquet file looks like: its schema, what its writer noted, and its first rows.

use super::columns::choose;
use super::table::{N_ROWS, Table, TableGuess, no_columns};
use crate::DataError;
use crate::images::read_header;
use parquet::basic::Type as PhysicalType;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;
use std::fs::File;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use stillhouse_files::guarded;

/// What a parquet file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParquetGuess {
    /// Texts and their labels.
    Texts(TableGuess),
    /// Images and their labels.
    Images {
        /// name of the image column
        image: String,
        /// name of the label column
        label: String,
        /// heights and widths of the first images
        sizes: Vec<[usize; 2]>,
    },
}

/// Key under which the writer notes the types of the columns.
const METADATA_KEY: &str = "huggingface";
/// Images whose sizes are looked at.
const N_IMAGES: usize = 100;
/// Bytes with which images begin: PNG, JPEG, WebP, BMP, GIF.
const IMAGE_STARTS: [&[u8]; 5] = [b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"BM", b"GIF8"];

/// Guesses the columns of a parquet file.
///
/// # Errors
/// A file that cannot be read, or without columns that look like texts or images and labels.
pub fn guess_parquet(path: &Path) -> Result<ParquetGuess, DataError> {
    let looked = looked_at(path)?;
    match looked.images.first() {
        Some(image) => {
            let label = looked.label().ok_or_else(|| {
                let found = format!(
                    "images in column `{image}` and no column of labels among `{}`",
                    looked.names().join("`, `")
                );
                DataError::invalid(path, found, "a column of whole numbers or names that occur again and again")
            })?;
            Ok(ParquetGuess::Images { image: image.clone(), label, sizes: looked.sizes })
        }
        None => {
            let found = choose(&looked.table).ok_or_else(|| no_columns(path))?;
            let guess = found.guess(&looked.table);
            Ok(ParquetGuess::Texts(TableGuess {
                label: looked.noted.first().cloned().unwrap_or(guess.label),
                split: None,
                ..guess
            }))
        }
    }
}

/// The columns of a parquet file that are no images, as a table of its first rows.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn text_columns(path: &Path) -> Result<Table, DataError> {
    looked_at(path).map(|looked| looked.table)
}

fn looked_at(path: &Path) -> Result<Looked, DataError> {
    let file = stillhouse_files::open(path).map_err(DataError::io(path, "read"))?;
    let broken =
        |text: String| DataError::invalid(path, format!("content that cannot be read ({text})"), "a parquet file");
    // the library panics on some damaged files
    let read = guarded(|| Looked::at(file).map_err(|error| error.to_string()));
    read.and_then(|looked| looked).map_err(broken)
}

/// What was seen of a file.
struct Looked {
    /// Columns of images.
    images: Vec<String>,
    /// Heights and widths of the first images of the first of these columns.
    sizes: Vec<[usize; 2]>,
    /// Columns of which the writer noted that they are labels, the one with the most classes first.
    noted: Vec<String>,
    /// The other columns, as texts.
    table: Table,
}

impl Looked {
    fn at(file: File) -> Result<Self, parquet::errors::ParquetError> {
        let reader = SerializedFileReader::new(file)?;
        let metadata = reader.metadata().file_metadata();
        let root = metadata.schema();
        let (mut images, mut sizes, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for field in root.get_fields() {
            let is_image = match field.is_group() {
                true => field.get_fields().iter().any(|part| part.name() == "bytes"),
                false => is_plain_bytes(field) && starts_like_an_image(&reader, root, field)?,
            };
            match (is_image, field.is_group()) {
                (true, _) => {
                    if images.is_empty() {
                        sizes = image_sizes(&first_rows(&reader, root, vec![field.clone()], N_IMAGES)?);
                    }
                    images.push(field.name().to_owned());
                }
                (false, true) => {}
                (false, false) => others.push(field.clone()),
            }
        }
        let noted = metadata.key_value_metadata().and_then(|pairs| {
            let text = pairs.iter().find(|pair| pair.key == METADATA_KEY)?.value.as_ref()?;
            serde_json::from_str::<serde_json::Value>(text).ok()
        });
        let n_noted =
            |field: &Arc<Type>| Some(noted.as_ref()?["info"]["features"][field.name()]["names"].as_array()?.len());
        let mut with_names: Vec<(usize, String)> =
            others.iter().filter_map(|field| Some((n_noted(field)?, field.name().to_owned()))).collect();
        with_names.sort_by_key(|(n_names, _)| std::cmp::Reverse(*n_names));
        let noted = with_names.into_iter().map(|(_, name)| name).collect();
        let names = others.iter().map(|field| field.name().to_owned()).collect();
        let rows = if others.is_empty() { Vec::new() } else { first_rows(&reader, root, others, N_ROWS)? };
        let rows = rows.into_iter().map(|row| row.iter().map(text_of).collect()).collect();
        Ok(Self { images, sizes, noted, table: Table { names: Some(names), rows } })
    }

    fn names(&self) -> &[String] {
        self.table.names.as_deref().unwrap_or_default()
    }

    /// The label column of images: what the writer noted, or by name and content.
    fn label(&self) -> Option<String> {
        if let Some(noted) = self.noted.first() {
            return Some(noted.clone());
        }
        // a column of numbers of the rows is in the place of the text, so that one column can be chosen
        let numbered =
            |(index, row): (usize, &Vec<String>)| [vec![format!("row {index} of a long text")], row.clone()].concat();
        let names = Some([vec!["text".to_owned()], self.names().to_vec()].concat());
        let table = Table { names, rows: self.table.rows.iter().enumerate().map(numbered).collect() };
        choose(&table).map(|found| found.guess(&table).label)
    }
}

/// Heights and widths of images, by their headers.
fn image_sizes(rows: &[Vec<Field>]) -> Vec<[usize; 2]> {
    let bytes = |field: &Field| match field {
        Field::Bytes(bytes) => Some(bytes.data().to_vec()),
        Field::Group(parts) => parts.get_column_iter().find_map(|(name, part)| match part {
            Field::Bytes(bytes) if name == "bytes" => Some(bytes.data().to_vec()),
            _ => None,
        }),
        _ => None,
    };
    let size = |row: &Vec<Field>| {
        let header = read_header(Cursor::new(bytes(row.first()?)?)).ok()?;
        Some([header.height, header.width])
    };
    rows.iter().filter_map(size).collect()
}

fn is_plain_bytes(field: &Type) -> bool {
    field.get_physical_type() == PhysicalType::BYTE_ARRAY
        && field.get_basic_info().converted_type() == parquet::basic::ConvertedType::NONE
}

fn starts_like_an_image(
    reader: &SerializedFileReader<File>,
    root: &Type,
    field: &Arc<Type>,
) -> Result<bool, parquet::errors::ParquetError> {
    let rows = first_rows(reader, root, vec![field.clone()], 1)?;
    Ok(match rows.first().and_then(|row| row.first()) {
        Some(Field::Bytes(bytes)) => IMAGE_STARTS.iter().any(|start| bytes.data().starts_with(start)),
        _ => false,
    })
}

fn first_rows(
    reader: &SerializedFileReader<File>,
    root: &Type,
    fields: Vec<Arc<Type>>,
    n_rows: usize,
) -> Result<Vec<Vec<Field>>, parquet::errors::ParquetError> {
    let projection = Type::group_type_builder(root.name()).with_fields(fields).build()?;
    let rows = reader.get_row_iter(Some(projection))?.take(n_rows);
    rows.map(|row| Ok(row?.get_column_iter().map(|(_, field)| field.clone()).collect())).collect()
}

fn text_of(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.trim().to_owned(),
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).trim().to_owned(),
        other => other.to_string(),
    }
}
