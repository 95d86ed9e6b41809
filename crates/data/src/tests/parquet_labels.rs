//! The labels and columns of parquet files in the forms that writers give them.

use super::files::{Column, png, write_parquet};
use super::{assert_contains, load, load_noted, refusal};
use crate::Dataset;
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::json;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use stillhouse_core::ClassId;
use tempfile::tempdir;

/// Values of one column; a missing one has the level 0.
enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<Option<Vec<u8>>>),
}

fn bytes(values: &[&str]) -> Values {
    Values::Bytes(values.iter().map(|value| Some(value.as_bytes().to_vec())).collect())
}

struct Options<'a> {
    names: Option<&'a [&'a str]>,
    compression: Compression,
}

const PLAIN: Options<'static> = Options { names: None, compression: Compression::UNCOMPRESSED };

/// A file of the columns of a schema such as `required int32 label;`.
fn write(path: &Path, schema: &str, columns: Vec<Values>, options: &Options<'_>) {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {schema} }}")).unwrap());
    let metadata = options.names.map(|names| {
        let noted = json!({"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}});
        vec![KeyValue::new("huggingface".to_owned(), noted.to_string())]
    });
    let properties =
        WriterProperties::builder().set_key_value_metadata(metadata).set_compression(options.compression).build();
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for values in columns {
        let mut column = group.next_column().unwrap().unwrap();
        match (column.untyped(), values) {
            (ColumnWriter::BoolColumnWriter(writer), Values::Bool(values)) => writer.write_batch(&values, None, None),
            (ColumnWriter::Int32ColumnWriter(writer), Values::Int32(values)) => writer.write_batch(&values, None, None),
            (ColumnWriter::Int64ColumnWriter(writer), Values::Int64(values)) => writer.write_batch(&values, None, None),
            (ColumnWriter::FloatColumnWriter(writer), Values::Float(values)) => writer.write_batch(&values, None, None),
            (ColumnWriter::DoubleColumnWriter(writer), Values::Double(values)) => {
                writer.write_batch(&values, None, None)
            }
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Bytes(values)) => {
                let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
                let values: Vec<ByteArray> = values.into_iter().flatten().map(ByteArray::from).collect();
                writer.write_batch(&values, Some(&levels), None)
            }
            _ => panic!("values of another type than the schema's"),
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

const TEXT: &str = "optional binary text (utf8);";

fn texts(n: usize) -> Values {
    Values::Bytes((0..n).map(|i| Some(format!("text {i}").into_bytes())).collect())
}

/// Loads a folder of texts and gives the notes too.
fn load_texts(folder: &Path) -> (Dataset, String) {
    load_noted(json!({"kind": "table", "path": folder}))
}

#[test]
fn labels_may_have_any_type_that_names_a_class() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("train.parquet");
    let cases: Vec<(&str, Values, &[&str])> = vec![
        ("required boolean label;", Values::Bool([true, false].repeat(4)), &["false", "true"]),
        ("required int32 label (INTEGER(8,true));", Values::Int32([0, 1].repeat(4)), &["0", "1"]),
        ("required int32 label (INTEGER(16,false));", Values::Int32([2, 1].repeat(4)), &["1", "2"]),
        ("required int64 label (INTEGER(64,false));", Values::Int64([0, 1].repeat(4)), &["0", "1"]),
        ("required float label;", Values::Float([0.0, 1.0].repeat(4)), &["0", "1"]),
        ("required double label;", Values::Double([1.0, 2.0].repeat(4)), &["1", "2"]),
        ("optional binary label (utf8);", bytes(&["a ", "b", " a", "b\n"].repeat(2)), &["a", "b"]),
        ("optional binary label;", bytes(&["a", "b"].repeat(4)), &["a", "b"]),
    ];
    for (schema, labels, names) in cases {
        write(&path, &format!("{TEXT} {schema}"), vec![texts(8), labels], &PLAIN);
        assert_eq!(load(json!({"kind": "table", "path": folder.path()})).unwrap().labels, names, "{schema}");
    }
    let refused: Vec<(&str, Values, &[&str])> = vec![
        ("required double label;", Values::Double(vec![0.0, 0.5, 1.0]), &["label `0.5` in row 1", "whole number"]),
        ("required float label;", Values::Float(vec![0.0, f32::NAN, 1.0]), &["label `NaN` in row 1"]),
        ("required int64 label (INTEGER(64,false));", Values::Int64(vec![0, -1, 1]), &["row 1"]),
        ("required int32 label (DECIMAL(4,2));", Values::Int32(vec![0, 1, 1]), &["column `label` of type DECIMAL"]),
        ("optional binary label (utf8);", bytes(&["a", " ", "b"]), &["an empty label in row 1"]),
        (
            "optional binary label (utf8);",
            Values::Bytes(vec![Some(b"a".to_vec()), None, Some(b"b".to_vec())]),
            &["no value in column `label`, row 1"],
        ),
        (
            "optional binary label (utf8);",
            Values::Bytes(vec![Some(b"a".to_vec()), Some(b"\xe9".to_vec()), Some(b"b".to_vec())]),
            &["no UTF-8 in row 1"],
        ),
    ];
    for (schema, labels, parts) in refused {
        write(&path, &format!("{TEXT} {schema}"), vec![texts(3), labels], &PLAIN);
        assert_contains(&refusal(json!({"kind": "table", "path": folder.path()})), parts);
    }
}

#[test]
fn numbers_go_by_the_names_of_their_file() {
    let folder = tempdir().unwrap();
    let schema = format!("{TEXT} required int64 label;");
    let write = |name: &str, labels: &[i64], names: Option<&[&str]>| {
        let options = Options { names, ..PLAIN };
        let columns = vec![texts(labels.len()), Values::Int64(labels.to_vec())];
        write(&folder.path().join(name), &schema, columns, &options);
    };
    let classes_of_test = || {
        let (dataset, notes) = load_texts(folder.path());
        (dataset.labels.join(" "), dataset.test.unseal().labels().to_vec(), notes)
    };
    let train = [0, 1, 2].repeat(4);
    write("train-0.parquet", &train, Some(&["fig", "kiwi", "plum"]));
    write("test.parquet", &[0, 1, 2], Some(&["plum", "fig", "kiwi"]));
    let (names, classes, notes) = classes_of_test();
    assert_eq!((names.as_str(), classes), ("fig kiwi plum", [2, 0, 1].map(ClassId).to_vec()));
    assert_contains(&notes, &["test.parquet", "labels go by name"]);

    write("test.parquet", &[0, 1, 2], Some(&["fig", "kiwi", "plum"]));
    assert_eq!(classes_of_test().2, "", "the same names need no note");
    write("test.parquet", &[0, 1, 2], None);
    assert_contains(&classes_of_test().2, &["test.parquet: names no classes"]);

    write("test.parquet", &[0, 1], Some(&["plum", "melon"]));
    let text = refusal(json!({"kind": "table", "path": folder.path()}));
    assert_contains(&text, &["test.parquet", "label `1 (`melon`)` in row 1", "training files name"]);
    write("test.parquet", &[0, 0], Some(&["plum", "melon"]));
    assert_eq!(classes_of_test().1, [2, 2].map(ClassId), "a name without rows does not matter");
    write("test.parquet", &[0, 2], Some(&["plum", "kiwi"]));
    assert_contains(&refusal(json!({"kind": "table", "path": folder.path()})), &["label `2` in row 1"]);

    write("test.parquet", &[0, 1], Some(&["plum", "melon"]));
    write("train-1.parquet", &[0, 1, 0, 1], Some(&["melon", "kiwi"]));
    let (names, classes, _) = classes_of_test();
    assert_eq!((names.as_str(), classes), ("fig kiwi plum melon", [2, 3].map(ClassId).to_vec()));
}

#[test]
fn names_and_numbers_of_names_are_the_same_labels() {
    let folder = tempdir().unwrap();
    let numbers = format!("{TEXT} required int64 label;");
    let strings = format!("{TEXT} optional binary label (utf8);");
    let named = Options { names: Some(&["kiwi", "fig"]), ..PLAIN };
    let (train, test) = (folder.path().join("train.parquet"), folder.path().join("test.parquet"));
    write(&train, &numbers, vec![texts(8), Values::Int64([0, 1].repeat(4))], &named);
    write(&test, &strings, vec![texts(2), bytes(&["fig", "kiwi"])], &PLAIN);
    let dataset = load_texts(folder.path()).0;
    assert_eq!(
        (dataset.labels.join(" "), dataset.test.unseal().labels()),
        ("kiwi fig".into(), &[1, 0].map(ClassId)[..])
    );
    write(&train, &strings, vec![texts(8), bytes(&["kiwi", "fig"].repeat(4))], &PLAIN);
    write(&test, &numbers, vec![texts(2), Values::Int64(vec![0, 1])], &named);
    let dataset = load_texts(folder.path()).0;
    assert_eq!(
        (dataset.labels.join(" "), dataset.test.unseal().labels()),
        ("fig kiwi".into(), &[1, 0].map(ClassId)[..])
    );
}

#[test]
fn usual_compressions_are_read_and_others_named() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("train.parquet");
    let schema = format!("{TEXT} required int32 label;");
    let write = |compression| {
        let columns = vec![texts(40), Values::Int32([0, 1].repeat(20))];
        write(&path, &schema, columns, &Options { compression, ..PLAIN });
    };
    let mut fingerprints = Vec::new();
    let level = Default::default;
    for compression in
        [Compression::ZSTD(level()), Compression::SNAPPY, Compression::GZIP(Default::default()), Compression::LZ4_RAW]
    {
        write(compression);
        fingerprints.push(load_texts(folder.path()).0.fingerprint);
    }
    write(Compression::UNCOMPRESSED);
    let plain = load_texts(folder.path()).0.fingerprint;
    assert!(fingerprints.iter().all(|fingerprint| *fingerprint == plain));
    // a list of one name, then the number of the compression, as a footer has them
    let mut bytes = std::fs::read(&path).unwrap();
    let before = b"\x19\x18\x05label\x15";
    let at = bytes.windows(before.len()).rposition(|window| window == before).unwrap() + before.len();
    const BROTLI: u8 = 4 << 1;
    bytes[at] = BROTLI;
    std::fs::write(&path, bytes).unwrap();
    let text = refusal(json!({"kind": "table", "path": path}));
    assert_contains(&text, &["column `label` compressed with brotli", "expected zstd", "compression=\"zstd\""]);
    assert!(!text.contains("damaged"), "{text}");
}

#[test]
fn plain_columns_of_bytes_are_images() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("train.parquet");
    let images = || Values::Bytes((0..8).map(|i| Some(png(i))).collect());
    let schema = "optional binary img; optional binary caption (utf8); required int32 label;";
    write(&path, schema, vec![images(), texts(8), Values::Int32([0, 1].repeat(4))], &PLAIN);
    let wanted = json!({"kind": "hub_images", "path": folder.path()});
    let dataset = load(wanted.clone()).unwrap();
    let structs = tempdir().unwrap();
    let of_struct: Vec<_> = (0..8).map(|i| Some(png(i))).collect();
    write_parquet(&structs.path().join("train.parquet"), &of_struct, &Column::Numbers(&[0, 1].repeat(4)), None);
    let same = load(json!({"kind": "hub_images", "path": structs.path()})).unwrap();
    assert_eq!(dataset.fingerprint, same.fingerprint);
    assert_eq!(
        load(json!({"kind": "hub_images", "path": path})).unwrap().fingerprint,
        same.fingerprint,
        "a file alone"
    );
    let mut texts_as_images = wanted;
    texts_as_images["image"] = json!("caption");
    assert_contains(&refusal(texts_as_images), &["column `caption` without image bytes", "[\"img\"]"]);
    let two = "optional binary a; optional binary b; required int32 label;";
    write(&path, two, vec![images(), images(), Values::Int32([0, 1].repeat(4))], &PLAIN);
    assert_contains(&refusal(json!({"kind": "hub_images", "path": folder.path()})), &["[\"a\", \"b\"]", "key `image`"]);
}

#[test]
fn paths_without_bytes_are_explained() {
    let folder = tempdir().unwrap();
    write_parquet(&folder.path().join("train.parquet"), &[None, None], &Column::Numbers(&[0, 1]), None);
    let text = refusal(json!({"kind": "hub_images", "path": folder.path()}));
    assert_contains(
        &text,
        &["no value in column `image`, row 0", "not the files that a path names", "embed_external_files"],
    );
}

#[test]
fn missing_texts_are_empty_ones() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("train.parquet");
    let mut values: Vec<_> = (0..9).map(|i| Some(format!("text {i}").into_bytes())).collect();
    values[4] = None;
    let schema = format!("{TEXT} required int32 label;");
    write(&path, &schema, vec![Values::Bytes(values), Values::Int32([0, 1, 0].repeat(3))], &PLAIN);
    assert_contains(&refusal(json!({"kind": "table", "path": path})), &["row 4", "skip_empty"]);
    let dataset = load(json!({"kind": "table", "path": path, "skip_empty": true})).unwrap();
    assert_eq!(dataset.train.len() + dataset.valid.len() + dataset.test.len(), 8);
}

#[test]
fn what_is_no_parquet_file_is_not_called_damaged() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("train.parquet");
    let cases: [(&[u8], &str); 5] = [
        (b"", "an empty file"),
        (b"text,label\na,b\n", "content of another kind"),
        (b"PAR1 and something, PARE", "an encrypted file"),
        (b"PAR1 and something", "without its end"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
    ];
    for (content, part) in cases {
        std::fs::write(&path, content).unwrap();
        let text = refusal(json!({"kind": "table", "path": path}));
        assert_contains(&text, &["train.parquet", part]);
        assert_eq!(text.contains("damaged"), part == "without its end", "{text}");
    }
}

/// Every byte of a small file is changed: the library's panics are told as a file that cannot be read.
#[test]
fn damaged_files_are_refused_or_read_and_never_panic() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("train.parquet");
    let images: Vec<_> = (0..4).map(|i| Some(png(i))).collect();
    write_parquet(&path, &images, &Column::Numbers(&[0, 1, 0, 1]), None);
    let whole = std::fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&path, bytes).unwrap();
        if let Err(error) = load(json!({"kind": "hub_images", "path": path})) {
            assert_contains(&error.to_string(), &["train.parquet"]);
        }
    }
}
