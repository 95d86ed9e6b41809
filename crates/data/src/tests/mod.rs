//! Whole loads from small files that the tests write themselves.

mod features;
mod files;
mod given;
mod glyphs;
mod guess;
mod hub_images;
mod idx;
mod image_files;
mod image_folder;
mod loader;
mod matrices;
mod measured;
mod parquet_labels;
mod parquet_table;
mod scarce;
mod splits;
mod table;
mod table_as_found;
mod unlabelled;

use crate::{
    DataConfig, DataError, DataProgress, Dataset, Given, GivenContent, GivenInput, GivenPlace, LoadContext, Preview,
    RawImage, Split, UnlabelledConfig, UnlabelledConfigs, visit_given,
};
use std::sync::Mutex;
use stillhouse_core::{InputSpec, Seed};

/// A config written as in a config file, in JSON.
fn config(value: serde_json::Value) -> DataConfig {
    serde_json::from_value(value).unwrap()
}

fn load(value: serde_json::Value) -> Result<Dataset, DataError> {
    config(value).load(&LoadContext::quiet(Seed(0)))
}

/// A load with examples without labels, and of no class.
fn try_load_with(
    data: serde_json::Value,
    transfer: Option<serde_json::Value>,
    out_of_scope: Option<serde_json::Value>,
    context: &LoadContext<'_>,
) -> Result<Dataset, DataError> {
    let table = |value: serde_json::Value| -> UnlabelledConfig { serde_json::from_value(value).unwrap() };
    let (transfer, out_of_scope) = (transfer.map(table), out_of_scope.map(table));
    let unlabelled = UnlabelledConfigs { transfer: transfer.as_ref(), out_of_scope: out_of_scope.as_ref() };
    config(data).load_with(&unlabelled, context)
}

fn load_with(
    data: serde_json::Value,
    transfer: Option<serde_json::Value>,
    out_of_scope: Option<serde_json::Value>,
) -> Dataset {
    try_load_with(data, transfer, out_of_scope, &LoadContext::quiet(Seed(0))).unwrap()
}

/// The stored pixels of an image.
fn raw_image(split: &Split, row: usize) -> RawImage {
    match split.preview(row, None).unwrap() {
        Preview::Picture(image) => image,
        other => panic!("an image is shown as {other:?}"),
    }
}

/// A dataset and the notes of its load.
fn load_noted(value: serde_json::Value) -> (Dataset, String) {
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);
    impl DataProgress for Notes {
        fn note(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }
    let notes = Notes::default();
    let dataset = config(value).load(&LoadContext::new(Seed(0), &notes)).unwrap();
    (dataset, notes.0.into_inner().unwrap().join("\n"))
}

/// What is found of places that are given to a model, in words where it is bad, and the notes.
fn visited(
    input: &InputSpec,
    places: &[GivenPlace],
    column: Option<&str>,
) -> (Vec<Result<GivenInput, String>>, String) {
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);
    impl DataProgress for Notes {
        fn note(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }
    let (notes, mut found) = (Notes::default(), Vec::new());
    visit_given(input, places, column, &LoadContext::new(Seed(0), &notes), &mut |given| {
        match given {
            Given::Expected(_) => {}
            Given::Input(input) => found.push(Ok(input)),
            Given::Bad { source, error } => found.push(Err(format!("{source}: {error}"))),
        }
        Ok(())
    })
    .unwrap();
    (found, notes.0.into_inner().unwrap().join("\n"))
}

/// What a word of the command line becomes: the source of each input, and what the model takes.
fn given(input: &InputSpec, word: &str) -> Result<Vec<(String, GivenContent)>, String> {
    let (found, _) = visited(input, &[GivenPlace::Word(word.to_owned())], None);
    let read = |given: Result<GivenInput, String>| {
        let given = given?;
        let source = given.source.to_string();
        Ok((source, given.read(input).map_err(|error| error.to_string())?))
    };
    found.into_iter().map(read).collect()
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
