//! What a user gives to a finished model.

use super::files::write_images;
use super::{assert_contains, given, load, visited};
use crate::{GivenContent, GivenPlace, ParquetColumn, ParquetKind, ParquetWriter};
use serde_json::json;
use stillhouse_core::{InputShape, InputSpec};
use tempfile::tempdir;

fn two_features() -> InputSpec {
    InputSpec::new(InputShape::Features { n_features: 2 }, vec![1.0, 2.0], vec![2.0, 4.0])
}

#[test]
fn a_file_becomes_what_the_dataset_would_have_made_of_it() {
    let root = tempdir().unwrap();
    let paths = write_images(root.path(), "train", &["a", "b"], 6);
    let dataset = load(json!({"kind": "image_folder", "path": root.path(), "size": [8, 8], "channels": 1})).unwrap();
    let mut expected = vec![0.0; 64];
    let path = &paths[dataset.train.example_id(2).0 as usize];
    dataset.train.read(2, None, &mut expected).unwrap();
    let name = path.display().to_string();
    let found = given(&dataset.input, &name).unwrap();
    assert_eq!(found, [(name, GivenContent::Values(expected))]);
    let of_folder = given(&dataset.input, path.parent().unwrap().to_str().unwrap()).unwrap();
    assert_eq!(of_folder.len(), 6);
    assert!(of_folder.is_sorted_by_key(|(name, _)| name.clone()) && of_folder.contains(&found[0]));
    assert_eq!(given(&dataset.input, root.path().to_str().unwrap()).unwrap().len(), 12, "and all folders in it");
}

#[test]
fn what_the_model_does_not_take_is_refused() {
    let refused = |input: &InputSpec, text: &str| given(input, text).unwrap_err().to_string();
    let grey = InputSpec::new(InputShape::Image { channels: 1, height: 2, width: 2 }, vec![0.0], vec![1.0]);
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    assert_contains(&refused(&grey, &at("")), &["no images", "PNG"]);
    std::fs::write(at("text.png"), "text").unwrap();
    assert_contains(&refused(&grey, &at("text.png")), &["text.png", "no known image format"]);
    assert_contains(&refused(&grey, &at("absent.png")), &["cannot read", "absent.png"]);
    assert_contains(&refused(&two_features(), "1"), &["1 values", "expected 2"]);
    assert_contains(&refused(&two_features(), "1 NaN"), &["NaN at position 1"]);
    assert_contains(&refused(&two_features(), "one two"), &["\"one two\"", "a row of numbers"]);
}

#[test]
fn rows_of_features_are_normalised_and_texts_stay() {
    let content = |input: &InputSpec, text: &str| given(input, text).unwrap().remove(0).1;
    assert_eq!(content(&two_features(), "3.0, 2.0"), GivenContent::Values(vec![1.0, 0.0]));
    let text = InputSpec::new(InputShape::Text {}, Vec::new(), Vec::new());
    assert_eq!(content(&text, "3.0, 2.0"), GivenContent::Text("3.0, 2.0".to_owned()));
}

fn texts() -> InputSpec {
    InputSpec::new(InputShape::Text {}, Vec::new(), Vec::new())
}

/// The texts of a file in their order, with their rows, and the notes.
fn texts_of(name: &str, content: impl AsRef<[u8]>, column: Option<&str>) -> Result<(Vec<String>, String), String> {
    let folder = tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let (found, notes) = visited(&texts(), &[GivenPlace::Word(path.display().to_string())], column);
    let text = |(row, given): (usize, Result<crate::GivenInput, String>)| {
        let given = given?;
        assert_eq!((given.source.row, &given.source.place), (Some(row as u64), &path.display().to_string()));
        let GivenContent::Text(text) = given.read(&texts()).unwrap() else { panic!("a text") };
        Ok(text)
    };
    let found: Result<Vec<String>, String> = found.into_iter().enumerate().map(text).collect();
    Ok((found?, notes.replace(&path.display().to_string(), name)))
}

#[test]
fn the_column_of_texts_is_the_named_or_the_obvious_one() {
    let read = |name: &str, content: &str, column: Option<&str>| texts_of(name, content, column).unwrap();
    let mails = "id,subject,body\n1,hi,\"a long, long text\"\n2,\"x \"\"y\"\"\",bye for now\n";
    let (found, notes) = read("a.csv", mails, None);
    assert_eq!(found, ["a long, long text", "bye for now"]);
    assert_eq!(notes, "a.csv: the column `body` is read; --column NAME reads another one");
    assert_eq!(read("a.csv", mails, Some("subject")), (vec!["hi".to_owned(), "x \"y\"".to_owned()], String::new()));
    assert_eq!(read("a.csv", mails, Some("2")).0, ["hi", "x \"y\""]);
    // a file of texts alone, with a name above them and without one
    assert_eq!(read("a.csv", "text\none\ntwo\n", None), (vec!["one".to_owned(), "two".to_owned()], String::new()));
    let (found, notes) = read("a.tsv", "one\ntwo\n", None);
    assert_eq!(found, ["one", "two"]);
    assert_contains(&notes, &["no line names it: the first line is a text too"]);
    // the only column that is not of numbers, under a name that says nothing
    assert_eq!(read("a.tsv", "a\tb\n1\tone\n2\ttwo\n", None).0, ["one", "two"]);
    assert_eq!(read("a.csv", "a;b\n1;one\n2;two\n", None).0, ["one", "two"]);
    let lines = "{\"n\":1,\"message\":\"one\"}\n{\"n\":2,\"message\":null}\n";
    assert_eq!(read("a.jsonl", lines, None).0, ["one", ""]);
    assert_eq!(read("a.json", "[{\"q\":\"one\"},{\"q\":\"two\"}]", None).0, ["one", "two"]);
    assert_eq!(read("a.txt", "one\n\ntwo", None).0, ["one", "", "two"]);
}

#[test]
fn a_column_that_is_absent_or_not_obvious_is_asked_for() {
    let refused = |name: &str, content: &str, column: Option<&str>| texts_of(name, content, column).unwrap_err();
    let pairs = "first,second\none text,other text\nmore text,other more\n";
    assert_contains(&refused("a.csv", pairs, None), &["obviously", "--column: `first`, `second`"]);
    assert_contains(&refused("a.csv", pairs, Some("third")), &["no column `third`", "`first`, `second`"]);
    assert_contains(&refused("a.csv", "", None), &["a.csv"]);
    assert_contains(
        &refused("a.json", "{\"a\":[{\"text\":\"x\"}],\"b\":[{\"text\":\"y\"}]}", None),
        &["several lists", "file of its own"],
    );
    assert_contains(&refused("a.parquet", "PAR1 and no more", None), &["a.parquet"]);
}

#[test]
fn parquet_files_are_written_and_read_back() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let kinds = [("n", ParquetKind::UInt64), ("question", ParquetKind::Text), ("probs", ParquetKind::Floats)];
    let out = Box::new(std::fs::File::create(&path).unwrap());
    let mut writer = ParquetWriter::new(out, &kinds, vec![("k".into(), "v".into())]).unwrap();
    for group in [["one", "two"], ["three", ""]] {
        let questions = group.map(|text| (!text.is_empty()).then(|| text.to_owned())).to_vec();
        let probs = vec![vec![0.25, 0.75], Vec::new()];
        writer
            .write(&[
                ParquetColumn::UInt64(vec![Some(1), Some(u64::MAX)]),
                ParquetColumn::Text(questions),
                ParquetColumn::Floats(probs),
            ])
            .unwrap();
    }
    writer.finish().unwrap();
    let (found, notes) = texts_of("b.parquet", std::fs::read(&path).unwrap(), None).unwrap();
    assert_eq!(found, ["one", "two", "three", ""]);
    assert_contains(&notes, &["the column `question` is read"]);
}

#[test]
fn rows_of_a_matrix_are_what_their_numbers_are() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let values: Vec<u8> =
        [3.0_f32, 2.0, f32::NAN, 1.0, -1.0, 0.5].iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(&path, [crate::npy_head("<f4", &[3, 2]), values].concat()).unwrap();
    let place = GivenPlace::Word(path.display().to_string());
    let (found, _) = visited(&two_features(), std::slice::from_ref(&place), None);
    assert_contains(found[1].as_ref().unwrap_err(), &["x.npy row 1", "NaN in row 1, column 0"]);
    let content = |row: usize| found[row].clone().unwrap().read(&two_features()).unwrap();
    for (row, text) in [(0, "3,2"), (2, "-1,0.5")] {
        assert_eq!(content(row), given(&two_features(), text).unwrap().remove(0).1);
    }
    let three = InputSpec::new(InputShape::Features { n_features: 3 }, vec![0.0; 3], vec![1.0; 3]);
    assert_contains(visited(&three, &[place], None).0[0].as_ref().unwrap_err(), &["2 numbers in a row", "expected 3"]);
}

#[test]
fn a_bad_place_does_not_end_the_others() {
    let place = |word: &str| GivenPlace::Word(word.to_owned());
    let (found, _) = visited(&two_features(), &[place("1,2"), place("one"), place("3,4")], None);
    assert!(found[0].is_ok() && found[1].is_err() && found[2].is_ok());
}
