//! Whole loads from small files that the tests write themselves.

mod features;
mod files;
mod given;
mod glyphs;
mod guess;
mod hub_images;
mod idx;
mod image_folder;
mod loader;
mod measured;
mod parquet_table;
mod splits;
mod table;

use crate::{DataConfig, DataError, Dataset, LoadContext, Preview, RawImage, Split};
use stillhouse_core::Seed;

/// A config written as in a config file, in JSON.
fn config(value: serde_json::Value) -> DataConfig {
    serde_json::from_value(value).unwrap()
}

fn load(value: serde_json::Value) -> Result<Dataset, DataError> {
    config(value).load(&LoadContext::quiet(Seed(0)))
}

/// The stored pixels of an image.
fn raw_image(split: &Split, row: usize) -> RawImage {
    match split.preview(row, None).unwrap() {
        Preview::Picture(image) => image,
        other => panic!("an image is shown as {other:?}"),
    }
}

/// The message of a load that has to fail.
fn refusal(value: serde_json::Value) -> String {
    load(value).expect_err("this must be refused").to_string()
}

#[track_caller]
fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}
