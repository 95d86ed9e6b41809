//! How an example is named in tables for other programs.

use crate::report::csv::text_field;
use stillhouse_core::ExampleId;
use stillhouse_data::{Source, Split};

/// The columns of [`example_row`].
pub(crate) const EXAMPLE_COLUMNS: [&str; 5] = ["id", "source", "row", "path", "label"];

/// An example of a split. `id` is its number in soft targets; `row` counts from 0 in `source`, and the windows of a text share it;
/// `path` is the image's file, as it was found below the folder of the config; `label` is empty where there is none.
pub(crate) fn example_row(split: &Split, row: usize, labels: &[String]) -> [String; 5] {
    let example = split.example_id(row);
    let (source, whole) = match split.whole_of_extra(row) {
        Some(whole) => ("transfer", whole),
        None => (Source::of(example).0.name(), Source::of(ExampleId(split.whole(row))).1),
    };
    let path = split.file(row).map_or(String::new(), |file| file.display().to_string());
    let label = labels.get(split.label(row).index()).map_or("", String::as_str);
    [
        example.0.to_string(),
        source.to_owned(),
        whole.to_string(),
        text_field(&path).into_owned(),
        text_field(label).into_owned(),
    ]
}
