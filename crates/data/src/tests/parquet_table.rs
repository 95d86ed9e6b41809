//! Texts in parquet files.

use super::{assert_contains, load, refusal};
use crate::assemble::assemble;
use crate::hub::test_server::{COMMIT, Server};
use crate::hub::{Hub, HubOptions};
use crate::readers::table::parquet::read_from;
use crate::{LoadContext, TableConfig};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::json;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use stillhouse_core::Seed;
use tempfile::tempdir;

/// A file with columns `text` and `label`, and the names of the labels in its metadata.
fn write_texts(path: &Path, texts: &[&[u8]], labels: &[i64], names: &[&str]) {
    let schema =
        Arc::new(parse_message_type("message m { required binary text (utf8); required int64 label; }").unwrap());
    let noted = json!({"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}});
    let metadata = Some(vec![KeyValue::new("huggingface".to_owned(), noted.to_string())]);
    let properties = Arc::new(WriterProperties::builder().set_key_value_metadata(metadata).build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let values: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(text.to_vec())).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(labels, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

const TEXTS: [&[u8]; 6] = ["één".as_bytes(), b"two", b"three", b"four", b"five", b"six"];
const LABELS: [i64; 6] = [0, 1, 0, 1, 0, 1];

#[test]
fn names_of_classes_come_from_the_metadata() {
    let folder = tempdir().unwrap();
    write_texts(&folder.path().join("train.parquet"), &TEXTS, &LABELS, &["odd", "even"]);
    write_texts(&folder.path().join("test.parquet"), &TEXTS[..2], &LABELS[..2], &["odd", "even"]);
    let dataset = load(json!({"kind": "table", "path": folder.path()})).unwrap();
    assert_eq!(dataset.labels, ["odd", "even"]);
    assert_eq!((dataset.train.len(), dataset.valid.len()), (4, 2));
    let test = dataset.test.unseal();
    assert_eq!([test.read_text(0, None), test.read_text(1, None)], ["één", "two"]);
}

#[test]
fn empty_texts_take_their_labels_along() {
    let folder = tempdir().unwrap();
    let texts: [&[u8]; 6] = [b"a", b"", b"c", b"d", b"e", b"f"];
    write_texts(&folder.path().join("train.parquet"), &texts, &LABELS, &["odd", "even"]);
    let config = json!({"kind": "table", "path": folder.path()});
    assert_contains(&refusal(config.clone()), &["train.parquet", "an empty text in row 1", "skip_empty"]);
    let mut skipping = config;
    skipping["skip_empty"] = json!(true);
    let dataset = load(skipping).unwrap();
    let label = |text: &str| {
        let row = (0..dataset.train.len()).find(|row| dataset.train.read_text(*row, None) == text);
        row.map(|row| dataset.train.label(row).index())
    };
    assert!(["c", "e", "a"].iter().all(|text| label(text).is_none_or(|class| class == 0)));
    assert!(["d", "f"].iter().all(|text| label(text).is_none_or(|class| class == 1)));
}

#[test]
fn what_is_no_text_is_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("train.parquet");
    write_texts(&path, &[b"a", b"\xff", b"c", b"d", b"e", b"f"], &LABELS, &["odd", "even"]);
    let config = json!({"kind": "table", "path": folder.path()});
    assert_contains(&refusal(config.clone()), &["no UTF-8 in row 1"]);
    let mut other = config;
    other["text"] = json!("label");
    assert_contains(&refusal(other.clone()), &["column `label`", "a column of texts"]);
    other["text"] = json!("sentence");
    assert_contains(&refusal(other), &["no column `sentence`", "one of `text`, `label`", "key `text`"]);
}

#[test]
fn a_repository_is_the_same_dataset_as_its_files() {
    let (folder, home) = (tempdir().unwrap(), tempdir().unwrap());
    let path = folder.path().join("train.parquet");
    write_texts(&path, &TEXTS, &LABELS, &["odd", "even"]);
    let server = Server::start(&[("data/train.parquet", std::fs::read(&path).unwrap())]);
    let options = HubOptions { n_attempts: 1, ..HubOptions::new(&server.endpoint, home.path()) };
    let config: TableConfig = serde_json::from_value(json!({"repo": "owner/name"})).unwrap();
    let context = LoadContext::quiet(Seed(0));
    let found = read_from(&config, &Hub::new(options), &context).unwrap();
    let online = assemble(found, [None, None], &context).unwrap();
    let local = load(json!({"kind": "table", "path": folder.path()})).unwrap();
    assert_eq!(online.fingerprint, local.fingerprint);
    assert!(online.provenance.contains(&("commit".to_owned(), COMMIT.to_owned())));
}

#[test]
fn files_may_be_named_one_by_one() {
    let folder = tempdir().unwrap();
    let (train, test) = (folder.path().join("train.parquet"), folder.path().join("test.parquet"));
    write_texts(&train, &TEXTS, &LABELS, &["odd", "even"]);
    write_texts(&test, &TEXTS[..2], &LABELS[..2], &["odd", "even"]);
    let of_folder = load(json!({"kind": "table", "path": folder.path()})).unwrap();
    let of_files = load(json!({"kind": "table", "train": train, "test": test})).unwrap();
    assert_eq!(of_files.fingerprint, of_folder.fingerprint);
    let whole = load(json!({"kind": "table", "path": train})).unwrap();
    assert_eq!(whole.train.len() + whole.valid.len() + whole.test.len(), TEXTS.len());
    let with_split = json!({"kind": "table", "path": train, "split": "part"});
    assert_contains(&refusal(with_split), &["split: only for files of text"]);
}

#[test]
fn the_place_of_a_repository_is_checked() {
    let problems = |value: serde_json::Value| {
        let config: TableConfig = serde_json::from_value(value).unwrap();
        stillhouse_core::in_words(&crate::DataConfig::Table(config).validate())
    };
    assert_contains(&problems(json!({})), &["path: missing", "repo"]);
    assert_contains(&problems(json!({"train": "a.csv", "repo": "owner/name"})), &["repo: holds all splits"]);
    assert_contains(&problems(json!({"path": "a.csv", "revision": "main"})), &["revision: is that of repo"]);
    assert_eq!(problems(json!({"path": "a.csv", "repo": "owner/name", "revision": "main"})), "");
}
