//! Tables in the state in which people have them: read as their owner means them, or refused with a way out.

use super::{assert_contains, config, load_with};
use crate::{DataError, DataProgress, Dataset, LoadContext, Split};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use stillhouse_core::Seed;
use tempfile::tempdir;

/// Keeps notes.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl DataProgress for Notes {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

/// Texts `<label> <row>` of three labels.
fn rows() -> Vec<(String, String)> {
    (0..12)
        .map(|row| (format!("{} {row}", ["ask", "go", "see"][row % 3]), ["ask", "go", "see"][row % 3].to_owned()))
        .collect()
}

fn delimited(rows: &[(String, String)], delimiter: char, end: &str) -> String {
    let rows = rows.iter().map(|(text, label)| format!("{text}{delimiter}{label}{end}"));
    format!("text{delimiter}label{end}{}", rows.collect::<String>())
}

fn objects() -> Vec<Value> {
    rows().iter().map(|(text, label)| json!({"text": text, "label": label})).collect()
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Loads a table of one file with more keys, and what was noted.
fn load(name: &str, content: impl AsRef<[u8]>, keys: Value) -> (Result<Dataset, DataError>, String) {
    let folder = tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let mut value = json!({"kind": "table", "path": path, "valid_fraction": 0.3});
    let Value::Object(keys) = keys else { panic!("keys of a table") };
    value.as_object_mut().unwrap().extend(keys);
    load_config(value)
}

fn load_config(value: Value) -> (Result<Dataset, DataError>, String) {
    let notes = Notes::default();
    let dataset = config(value).load(&LoadContext::new(Seed(0), &notes));
    (dataset, notes.0.into_inner().unwrap().join("\n"))
}

fn read(name: &str, content: impl AsRef<[u8]>, keys: Value) -> (Dataset, String) {
    let (dataset, notes) = load(name, content, keys);
    (dataset.unwrap_or_else(|error| panic!("{name}: {error}")), notes)
}

/// A message, which has to be short and without control characters.
fn refused(name: &str, content: impl AsRef<[u8]>, keys: Value) -> String {
    let text = load(name, content, keys).0.expect_err("this must be refused").to_string();
    assert!(text.len() < 1500 && text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
    text
}

/// All texts of a dataset.
fn texts(dataset: Dataset) -> BTreeSet<String> {
    let Dataset { train, valid, test, .. } = dataset;
    let of = |split: &Split| (0..split.len()).map(|row| split.read_text(row, None).into_owned()).collect::<Vec<_>>();
    [of(&train), of(&valid), of(&test.unseal())].concat().into_iter().collect()
}

fn all_texts() -> BTreeSet<String> {
    rows().into_iter().map(|(text, _)| text).collect()
}

#[test]
fn content_decides_how_json_is_divided() {
    let pretty = serde_json::to_string_pretty(&objects()).unwrap();
    let whole = Value::Array(objects()).to_string();
    let contents = [
        lines(&objects()),
        lines(&objects()).replace('\n', "\r\n"),
        lines(&objects()).replace('\n', "\r"),
        pretty,
        whole,
    ];
    let pairs: Vec<Value> = rows().iter().map(|(text, label)| json!([text, label])).collect();
    let numbered = json!({"text": 1, "label": 2});
    for name in ["a.json", "a.jsonl", "a.ndjson", "a.json.gz"] {
        for content in &contents {
            assert_eq!(texts(read(name, content, json!({})).0), all_texts(), "{name}: {content}");
            assert_eq!(texts(read(name, gzip(content.as_bytes()), json!({})).0), all_texts(), "{name} in gzip");
        }
        for content in [lines(&pairs), Value::Array(pairs.clone()).to_string()] {
            assert_eq!(texts(read(name, content, numbered.clone()).0), all_texts(), "{name} of lists");
        }
    }
    let fingerprint = |content: &str| read("a.json", content, json!({})).0.fingerprint;
    assert_eq!(fingerprint(&contents[0]), fingerprint(&contents[4]));
}

#[test]
fn one_list_is_the_table_whatever_its_key() {
    for key in ["data", "rows", "train", "test"] {
        let content = json!({"version": 3, key: objects(), "names": ["ask", "go"], "info": {"a": [1]}}).to_string();
        let folder = tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, &content).unwrap();
        let (dataset, notes) = load_config(json!({"kind": "table", "train": path, "valid_fraction": 0.3}));
        assert_eq!(texts(dataset.unwrap()), all_texts(), "{key}");
        assert_contains(&notes, &["the list `names` is left alone: a string is no row"]);
        if key != "test" {
            assert_eq!(texts(read("a.json", &content, json!({})).0), all_texts(), "{key}");
        }
    }
    let (dataset, notes) =
        read("a.json", json!({"train": objects(), "oos": [{"text": "", "label": "x"}]}).to_string(), json!({}));
    assert_eq!(texts(dataset), all_texts());
    assert_contains(&notes, &["the list `oos` (1 rows) is named after no split"]);
    let two = json!({"a": objects(), "b": objects()}).to_string();
    assert_contains(&refused("a.json", two, json!({})), &["no training row"]);
    let folder = tempdir().unwrap();
    let (path, train) = (folder.path().join("a.json"), folder.path().join("train.json"));
    std::fs::write(&path, json!({"data": objects()}).to_string()).unwrap();
    std::fs::write(&train, json!(objects()).to_string()).unwrap();
    let with = load_with(json!({"kind": "table", "train": train}), Some(json!({"path": path})), None);
    assert_eq!(with.transfer.unwrap().n_unlabelled, 12);
}

#[test]
fn another_delimiter_is_named() {
    for (delimiter, key) in [(';', "delimiter = \";\""), ('\t', "delimiter = \"\\t\""), ('|', "delimiter = \"|\"")] {
        let content = delimited(&rows(), delimiter, "\n");
        assert_contains(&refused("a.csv", &content, json!({})), &["between the columns", "expected `,`", key]);
        let numbered = json!({"header": false, "text": 1, "label": 2});
        assert_contains(&refused("a.csv", &content, numbered), &[key]);
        assert_eq!(texts(read("a.csv", &content, json!({"delimiter": delimiter})).0), all_texts());
    }
    let commas = delimited(&rows(), ',', "\n");
    assert_contains(&refused("a.tsv", commas, json!({})), &["found `,`", "expected the tab", "delimiter = \",\""]);
    let other_name = delimited(&rows(), ';', "\n").replace("text;", "Tweet;");
    assert_contains(&refused("a.csv", other_name, json!({})), &["found `;`"]);
}

#[test]
fn quotation_marks_that_swallow_rows_are_found() {
    let mut open = rows();
    open[3].0.insert(0, '"');
    open[9].0.insert(0, '"');
    for end in ["\n", "\r\n", "\r"] {
        let text = refused("a.csv", delimited(&open, ',', end), json!({}));
        assert_contains(&text, &["opens in line 5", "in line 11", "quotes = false"]);
    }
    let (dataset, _) = read("a.csv", delimited(&open, ',', "\n"), json!({"quotes": false}));
    assert_eq!(dataset.train.len() + dataset.valid.len() + dataset.test.unseal().len(), 12);
    // a quotation mark at the beginning and one at the end of another text look like one text of many lines
    let mut closed = rows();
    closed[3].0.insert(0, '"');
    closed[9].0.push('"');
    assert_contains(
        &refused("a.csv", delimited(&closed, ',', "\n"), json!({})),
        &["line 5", "whole rows", "quotes = false"],
    );
    let mut never = rows();
    never[9].0.insert(0, '"');
    assert_contains(&refused("a.csv", delimited(&never, ',', "\n"), json!({})), &["line 11", "never closed", "quotes"]);
    let mut several_lines = rows();
    several_lines[3].0 = "\"dear you,\nthanks, and bye,\n\nme, of \"\"old\"\"\"".to_owned();
    let (dataset, notes) = read("a.csv", delimited(&several_lines, ',', "\n"), json!({}));
    assert!(texts(dataset).contains("dear you,\nthanks, and bye,\n\nme, of \"old\""));
    assert_eq!(notes, "");
    let mut behind = rows();
    behind[3].0 = "\"Well\" he said".to_owned();
    assert_contains(&read("a.csv", delimited(&behind, ',', "\n"), json!({})).1, &["quoted piece", "quotes = false"]);
}

#[test]
fn quotation_marks_without_quotes_are_told() {
    let mut labels = rows();
    labels.iter_mut().step_by(2).for_each(|(_, label)| *label = format!("\"{label}\""));
    let (dataset, notes) = read("a.tsv", delimited(&labels, '\t', "\n"), json!({}));
    assert_eq!(dataset.labels, ["ask", "go", "see"]);
    assert_contains(&notes, &["`\"ask\"` (2 rows)", "6 rows"]);
    let mut all = rows();
    all.iter_mut().for_each(|(text, label)| (*text, *label) = (format!("\"{text}\""), format!("\"{label}\"")));
    let content = delimited(&all, '\t', "\n");
    assert_contains(&read("a.tsv", &content, json!({})).1, &["12 of 12 texts", "all labels", "quotes = true"]);
    let (dataset, notes) = read("a.tsv", &content, json!({"quotes": true}));
    assert_eq!((texts(dataset), notes), (all_texts(), String::new()));
    let quoted_header = content.replacen("text\tlabel", "\"text\"\t\"label\"", 1);
    assert_contains(&refused("a.tsv", quoted_header, json!({})), &["quotes = true"]);
    let broken = delimited(&all, '\t', "\n").replacen("ask ", "ask\n", 1);
    assert_contains(&refused("a.tsv", broken, json!({})), &["line 2", "quotes = true"]);
}

#[test]
fn labels_that_are_one_are_one_class() {
    let relabel = |names: [&str; 6]| -> Vec<(String, String)> {
        (0..24).map(|row| (format!("text {row}"), names[row % 6].to_owned())).collect()
    };
    let check = |names: [&str; 6], expected: &[&str], parts: &[&str]| {
        let rows = relabel(names);
        let values: Vec<Value> = rows.iter().map(|(text, label)| json!({"text": text, "label": label})).collect();
        for (name, content) in [("a.csv", delimited(&rows, ',', "\n")), ("a.json", Value::Array(values).to_string())] {
            let (dataset, notes) = read(name, content, json!({}));
            assert_eq!(dataset.labels, expected, "{name}");
            assert_contains(&notes, parts);
        }
    };
    check(["1", "1.0", "2", "2.0", "10", "10.0"], &["1", "2", "10"], &["`1.0` (4 rows)", "12 rows"]);
    check(["é", "e\u{301}", "ô", "o\u{302}", "a", "a\u{200b}"], &["a", "é", "ô"], &["`\\u{e9}` (4 rows)"]);
    check(["a", "nan", "b", "c", "d", "e"], &["a", "b", "c", "d", "e", "nan"], &["`nan` (4 rows)", "missing"]);
    check(["True", "true", "False", "false", "True", "false"], &["false", "true"], &["`True`"]);
    let bools = (0..12).map(|row| json!({"text": format!("text {row}"), "label": row % 2 == 0})).collect::<Vec<_>>();
    assert_eq!(read("a.jsonl", lines(&bools), json!({})).0.labels, ["false", "true"]);
}

#[test]
fn splits_may_spell_a_class_differently() {
    let folder = tempdir().unwrap();
    let write = |name: &str, rows: &[(&str, &str)]| {
        let path = folder.path().join(name);
        let rows: Vec<_> = rows.iter().map(|(text, label)| ((*text).to_owned(), (*label).to_owned())).collect();
        std::fs::write(&path, delimited(&rows, ',', "\n")).unwrap();
        path
    };
    let train = write("train.csv", &[("a", "1"), ("b", "2"), ("c", "1"), ("d", "2")]);
    let test = write("test.csv", &[("e", "2.0"), ("f", "1.0")]);
    let (dataset, notes) = load_config(json!({"kind": "table", "train": train, "test": test, "valid_fraction": 0.5}));
    let test = dataset.unwrap().test.unseal();
    assert_eq!(test.labels().iter().map(|class| class.index()).collect::<Vec<_>>(), [1, 0]);
    assert_contains(&notes, &["test.csv", "`2.0` (1 row) is `2`"]);
    let test = write("other.csv", &[("e", "two")]);
    let refused = load_config(json!({"kind": "table", "train": train, "test": test})).0.unwrap_err().to_string();
    assert_contains(&refused, &["other.csv", "label `two` in line 2"]);
}

#[test]
fn labels_that_cannot_be_written_are_refused_at_once() {
    let mut long = rows();
    long[4].1 = "x".repeat(70_000);
    assert_contains(&refused("a.csv", delimited(&long, ',', "\n"), json!({})), &["70000 characters", "line 6"]);
    let mut broken = rows();
    broken[4].1 = "\"go\nhome\"".to_owned();
    assert_contains(
        &refused("a.csv", delimited(&broken, ',', "\n"), json!({})),
        &["line break", "line 6", "`go\\nhome`"],
    );
    let mut objects = objects();
    objects[4]["label"] = json!("go\u{1b}[2J");
    assert_contains(&refused("a.jsonl", lines(&objects), json!({})), &["control character (U+001B)", "line 5"]);
}

#[test]
fn a_header_that_is_repeated_is_no_row() {
    let once = delimited(&rows(), ',', "\n");
    let twice = format!("{once}\u{feff}{once} text , label \n");
    let (dataset, notes) = read("a.csv", &twice, json!({}));
    assert_eq!((dataset.labels.len(), texts(dataset)), (3, all_texts()));
    assert_contains(&notes, &["repeat the header are left out: 2, the first in line 14"]);
}

#[test]
fn texts_that_are_missing_are_left_out_where_that_is_wished() {
    let mut values = objects();
    values.push(json!({"text": null, "label": "go"}));
    values.push(json!({"label": "go"}));
    values.push(json!({"text": "", "label": null}));
    values.push(json!({"text": "NOT A NUMBER", "label": "see"}));
    let content = lines(&values).replace("\"NOT A NUMBER\"", "NaN");
    let skip = json!({"skip_empty": true});
    let (dataset, notes) = read("a.jsonl", &content, skip.clone());
    assert_eq!(texts(dataset), all_texts());
    assert_contains(&notes, &["rows without a text, which are left out: 4"]);
    assert_contains(&refused("a.jsonl", &content, json!({})), &["null in column `text`, line 13", "skip_empty = true"]);
    let nan = lines(&objects()) + "{\"text\": NaN, \"label\": \"go\"}\n";
    assert_contains(&refused("a.jsonl", nan, json!({})), &["an empty text in line 13"]);
    let misnamed = json!({"skip_empty": true, "text": "texts"});
    assert_contains(&refused("a.jsonl", &content, misnamed), &["no text in column `texts` of any row", "key `text`"]);
    let whole = format!("[{}]", content.trim().replace('\n', ","));
    assert_eq!(texts(read("a.json", whole, skip.clone()).0), all_texts());
    let empty_rows = delimited(&rows(), ',', "\n") + ",\n , \n,go\n";
    assert_contains(&read("a.csv", empty_rows, skip).1, &["left out: 3"]);
    let words = delimited(&rows(), ',', "\n") + "null,go\nNaN,see\n";
    assert_contains(&read("a.csv", words, json!({})).1, &["missing value", "read as texts: 2"]);
}

#[test]
fn files_are_read_by_what_is_in_them() {
    let content = delimited(&rows(), ',', "\r\n");
    let utf16 = |to_bytes: fn(u16) -> [u8; 2]| {
        format!("\u{feff}{content}").encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>()
    };
    let contents: [Vec<u8>; 7] = [
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        gzip(content.as_bytes()),
        gzip(&utf16(u16::to_le_bytes)),
        content.replace("\r\n", "\r").into_bytes(),
        format!("{content}\u{1a}").into_bytes(),
        content.replace("text,label", " text , label ").into_bytes(),
    ];
    let expected = read("a.csv", &content, json!({})).0.fingerprint;
    for (nth, content) in contents.iter().enumerate() {
        for name in ["a.csv", "a.csv.gz", "A.CSV"] {
            assert_eq!(read(name, content, json!({})).0.fingerprint, expected, "{nth} as {name}");
        }
    }
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n";
    for name in ["a.csv", "a.tsv", "a.json", "a.jsonl", "a.csv.gz", "a.txt"] {
        assert_contains(&refused(name, pointer, json!({})), &["Git LFS", "git lfs pull"]);
    }
    let others: [(&[u8], &str); 5] = [
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"\x28\xb5\x2f\xfd\0", "zstd"),
        (b"BZh9", "bzip2"),
        (b"PAR1", "parquet"),
        (b"\xfd7zXZ\0", "xz"),
    ];
    for (content, what) in others {
        for name in ["a.csv", "a.json", "a.xlsx", "a.csv.zst"] {
            assert_contains(&refused(name, content, json!({})), &[what, "hint"]);
        }
    }
    assert_contains(
        &refused("a.csv", "text,label\ncaf\u{e9},x\n".chars().map(|c| c as u8).collect::<Vec<_>>(), json!({})),
        &["0xe9", "WINDOWS-1252"],
    );
}

#[test]
fn a_column_of_nearly_the_name_is_named() {
    let content = delimited(&rows(), ',', "\n").replacen("label", "Label", 1);
    assert_contains(&refused("a.csv", content, json!({})), &["no column `label`", "label = \"Label\""]);
    let other: Vec<Value> = rows().iter().map(|(text, label)| json!({" Text": text, "label": label})).collect();
    assert_contains(&refused("a.jsonl", lines(&other), json!({})), &["no column `text`", "text = \" Text\""]);
}

#[test]
fn rows_and_columns_are_bounded() {
    let row = vec![b'a'; 17 << 20];
    let csv = |field: &[u8]| [b"text,label\na,x\n", field, b",y\n"].concat();
    assert_contains(&refused("a.csv", csv(&row), json!({})), &["more than 16 MiB in line 3"]);
    let quoted = [b"\"", &row[..]].concat();
    assert_contains(&refused("a.csv", csv(&quoted), json!({})), &["quotation mark in line 3", "16 MiB"]);
    assert_contains(&refused("a.csv", vec![b','; 1 << 20], json!({})), &["1048577 columns", "at most 16384"]);
    let commas = [b"text,label\na,x\n", &vec![b','; 1 << 20][..]].concat();
    assert_contains(&refused("a.csv", commas, json!({})), &["1048577 columns in line 3", "expected 2"]);
    let object = [b"{\"text\": \"", &row[..], b"\", \"label\": \"x\"}"].concat();
    assert_contains(&refused("a.jsonl", &object, json!({})), &["16 MiB"]);
    assert_contains(&refused("a.json", [b"[", &object[..], b"]"].concat(), json!({})), &["16 MiB"]);
    let deep = "[".repeat(100_000);
    for name in ["a.json", "a.jsonl"] {
        assert_contains(&refused(name, &deep, json!({})), &["recursion limit"]);
    }
    let bomb = gzip(&vec![b'a'; 64 << 20]);
    for name in ["a.csv.gz", "a.jsonl", "a.json"] {
        assert_contains(&refused(name, &bomb, json!({})), &[Path::new(name).to_str().unwrap()]);
    }
}
