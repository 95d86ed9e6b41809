//! Tables of texts: what is read, what is refused and how.

use super::{assert_contains, config, load, load_with, refusal, try_load_with};
use crate::{DataProgress, Dataset, LoadContext, Split};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use stillhouse_core::{ClassId, Seed, ViewId, in_words};
use tempfile::{TempDir, tempdir};

/// A folder with one file.
fn folder_with(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// Every text of a dataset with its label, sorted.
fn all_texts(dataset: Dataset) -> Vec<(String, String)> {
    let Dataset { labels, train, valid, test, .. } = dataset;
    let of = |split: &Split| -> Vec<(String, String)> {
        let row = |row| (split.read_text(row, None).into_owned(), labels[split.label(row).index()].clone());
        (0..split.len()).map(row).collect()
    };
    let mut all = [of(&train), of(&valid), of(&test.unseal())].concat();
    all.sort();
    all
}

fn texts_of(split: &Split) -> Vec<String> {
    (0..split.len()).map(|row| split.read_text(row, None).into_owned()).collect()
}

/// A table of one file, whose splits are carved.
fn carved(path: &Path) -> Value {
    json!({"kind": "table", "path": path, "valid_fraction": 0.3})
}

#[test]
fn texts_without_labels_and_of_no_class_change_nothing_else() {
    let folder = tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let train = path("train.csv", "text,label\nabcdef,x\nghijkl,y\nmnopqr,x\nstuvwx,y\n");
    let test = path("test.csv", "text,label\nabab,x\ncdcd,y\n");
    let more = path("more.jsonl", "{\"words\": \"123456\"}\n{\"words\": \"abab\"}\n");
    let other = path("other.csv", "text\nstuvwx\nyyy\n");
    let windows = json!({ "length": 3, "train_stride": 3, "test_stride": 2 });
    let mut data = json!({ "kind": "table", "train": train, "test": test, "valid_fraction": 0.5, "windows": windows });
    for is_cut in [true, false] {
        if !is_cut {
            data.as_object_mut().unwrap().remove("windows");
        }
        let transfer = Some(json!({ "path": more, "text": "words" }));
        let out_of_scope = Some(json!({ "path": other }));
        let (plain, with) = (load(data.clone()).unwrap(), load_with(data.clone(), transfer, out_of_scope));
        let transfer = with.transfer.as_ref().unwrap();
        assert_eq!((&plain.fingerprint, texts_of(&plain.train)), (&with.fingerprint, texts_of(&with.train)));
        let unlabelled: &[&str] = if is_cut { &["123", "456", "aba"] } else { &["123456", "abab"] };
        let expected = [texts_of(&plain.train), unlabelled.iter().map(|&text| text.to_owned()).collect()].concat();
        assert_eq!((texts_of(&transfer.split), transfer.n_unlabelled), (expected, unlabelled.len()));
        let n_train = with.train.len();
        assert_eq!(&transfer.split.labels()[..n_train], with.train.labels());
        assert!(transfer.split.labels()[n_train..].iter().all(|label| *label == ClassId::UNKNOWN));
        assert_eq!(transfer.split.example_id(0), with.train.example_id(0));
        let leaks = with.provenance.iter().find(|(what, _)| what == "texts without labels that are test texts");
        assert_eq!(leaks.map(|(_, n)| n.as_str()), Some("1"));
        let twins = with.provenance.iter().filter(|(what, _)| what.starts_with("texts of no class that are"));
        assert_eq!(twins.count(), 1, "one of them is a training or a validation text");
        assert!(plain.test.out_of_scope_fingerprint().is_none() && with.test.out_of_scope_fingerprint().is_some());
        let (test, of_no_class) = with.test.unseal_all();
        assert_eq!(texts_of(&test), texts_of(&plain.test.unseal()));
        let expected: &[&str] = if is_cut { &["stu", "uvw", "yyy"] } else { &["stuvwx", "yyy"] };
        let of_no_class = of_no_class.unwrap();
        assert_eq!(texts_of(&of_no_class), expected);
        assert!(of_no_class.labels().iter().all(|label| *label == ClassId::UNKNOWN));
    }
}

#[test]
fn held_back_texts_stand_before_further_texts_without_labels() {
    let rows: String = (0..40).map(|nth| format!("text {nth:02} abcdef,{}\n", nth % 2)).collect();
    let (folder, path) = folder_with("all.csv", format!("text,label\n{rows}"));
    let more = folder.path().join("more.csv");
    std::fs::write(&more, "text\nmore\n").unwrap();
    let windows = json!({ "length": 7, "train_stride": 7 });
    let data = json!({ "kind": "table", "path": path, "labelled_fraction": 0.25, "windows": windows });
    let loaded = load_with(data, Some(json!({ "path": more })), None);
    let (transfer, n_train) = (loaded.transfer.unwrap(), loaded.train.len());
    // 36 texts are not for the test, 32 not for validation; 8 of them keep their labels, each of two windows
    assert_eq!((n_train, transfer.n_unlabelled), (16, 48 + 1));
    assert_eq!(texts_of(&transfer.split).last().unwrap(), "more");
    assert!(texts_of(&transfer.split)[n_train..n_train + 48].iter().any(|text| text.starts_with("text ")));
}

#[test]
fn a_split_called_eval_is_the_one_that_is_missing() {
    let sizes = |splits: &[&str]| {
        let rows: Vec<String> =
            (0..40).map(|nth| format!("t{nth},{},{}\n", nth % 2, splits[nth % splits.len()])).collect();
        let (_folder, path) = folder_with("all.csv", format!("text,label,split\n{}", rows.concat()));
        let loaded = load(json!({ "kind": "table", "path": path, "split": "split" }));
        loaded.map(|data| [data.train.len(), data.valid.len(), data.test.len()]).map_err(|error| error.to_string())
    };
    assert_eq!(sizes(&["train", "train", "train", "test", "eval"]), Ok([24, 8, 8]));
    assert_eq!(sizes(&["train", "train", "train", "dev", "eval"]), Ok([24, 8, 8]));
    assert!(sizes(&["train", "test", "dev", "eval"]).unwrap_err().contains("next to validation and test rows"));
}

#[test]
fn texts_of_both_kinds_stand_behind_a_table_that_all_splits_are_carved_from() {
    let rows: String = (0..30).map(|nth| format!("text {nth},{}\n", nth % 2)).collect();
    let (folder, path) = folder_with("all.csv", format!("text,label\n{rows}"));
    let written = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        Some(json!({ "path": path }))
    };
    let (transfer, out_of_scope) = (written("more.csv", "text\na\nb\n"), written("none.csv", "text\nb\nc\n"));
    let (plain, with) = (load(carved(&path)).unwrap(), load_with(carved(&path), transfer, out_of_scope));
    assert_eq!(with.fingerprint, plain.fingerprint);
    assert_eq!(texts_of(&with.transfer.as_ref().unwrap().split)[with.train.len()..], ["a", "b"]);
    let both = with.provenance.iter().find(|(what, _)| what == "texts of no class that are texts without labels");
    assert_eq!(both.map(|(_, n)| n.as_str()), Some("1"));
    let (test, of_no_class) = with.test.unseal_all();
    assert_eq!(texts_of(&test), texts_of(&plain.test.unseal()));
    assert_eq!(texts_of(&of_no_class.unwrap()), ["b", "c"]);
}

#[test]
fn texts_without_labels_can_be_one_list_of_several() {
    let (folder, path) = folder_with("all.json", r#"{"train": [["a", "x"]], "oos": [["b", "oos"], ["c", "oos"]]}"#);
    let train = folder.path().join("train.csv");
    std::fs::write(&train, "text,label\n".to_owned() + &"p,x\nq,y\n".repeat(10)).unwrap();
    let read = |table: Value| {
        let data = json!({ "kind": "table", "train": train });
        try_load_with(data, Some(table), None, &LoadContext::quiet(Seed(0))).map_err(|error| error.to_string())
    };
    let transfer = read(json!({ "path": path, "text": 1, "list": "oos" })).unwrap().transfer.unwrap();
    assert_eq!(texts_of(&transfer.split)[transfer.split.len() - 2..], ["b", "c"]);
    let refused = |table| read(table).unwrap_err();
    assert_contains(&refused(json!({ "path": path, "text": 1, "list": "ood" })), &["all.json", "no text", "`ood`"]);
    let all = refused(json!({ "path": path, "text": 1 }));
    assert_contains(&all, &["all.json", "several lists", "list = \"oos\""]);
    assert_contains(&refused(json!({ "path": "a.jsonl", "list": "oos" })), &["list: only a .json file has lists"]);
}

fn with(mut config: Value, key: &str, value: Value) -> Value {
    config[key] = value;
    config
}

const ROWS: [(&str, &str); 8] = [
    ("hello, you", "en"),
    ("good \"day\"", "en"),
    ("two\nlines", "en"),
    ("a b", "en"),
    ("hallo", "de"),
    ("größe", "de"),
    ("c d", "de"),
    ("e f", "de"),
];

fn expected_rows() -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = ROWS.iter().map(|(text, label)| ((*text).into(), (*label).into())).collect();
    rows.sort();
    rows
}

fn as_csv(line_end: &str, delimiter: char) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let rows = ROWS.iter().map(|(text, label)| format!("{label}{delimiter}{}{line_end}", quoted(text)));
    format!("label{delimiter}text{line_end}{}", rows.collect::<String>())
}

#[test]
fn quotes_line_ends_and_byte_order_marks_do_not_matter() {
    let plain = as_csv("\n", ',');
    let contents: [(&str, Vec<u8>); 5] = [
        ("a.csv", plain.clone().into()),
        ("b.csv", as_csv("\r\n", ',').into()),
        ("c.csv", [b"\xef\xbb\xbf", plain.as_bytes()].concat()),
        ("d.csv", plain.trim_end().into()),
        ("e.csv", plain.replace("\nen,", "\n\nen,").into()),
    ];
    for (name, content) in contents {
        let (_folder, path) = folder_with(name, content);
        assert_eq!(all_texts(load(carved(&path)).unwrap()), expected_rows(), "{name}");
    }
}

#[test]
fn every_format_gives_the_same_dataset() {
    let objects: Vec<Value> = ROWS.iter().map(|(text, label)| json!({"text": text, "label": label, "x": 1})).collect();
    let lists: Vec<Value> = ROWS.iter().map(|(text, label)| json!([text, label])).collect();
    let lines = |rows: &[Value]| rows.iter().map(|row| format!("{row}\n")).collect::<String>();
    let numbered = |path: &Path| with(with(carved(path), "text", json!(1)), "label", json!("2"));
    let (_csv_folder, csv) = folder_with("a.csv", as_csv("\n", ','));
    let expected = load(carved(&csv)).unwrap().fingerprint;
    let check = |name: &str, content: &[u8], config: &dyn Fn(&Path) -> Value| {
        let (_folder, path) = folder_with(name, content);
        assert_eq!(load(config(&path)).unwrap().fingerprint, expected, "{name}");
    };
    check("a.tsv", as_csv("\n", '\t').as_bytes(), &|path| with(carved(path), "quotes", json!(true)));
    check("a.txt", as_csv("\n", ';').as_bytes(), &|path| with(carved(path), "delimiter", json!(";")));
    check("a.jsonl", lines(&objects).as_bytes(), &carved);
    check("a.ndjson", lines(&lists).as_bytes(), &numbered);
    check("a.json", Value::Array(objects).to_string().as_bytes(), &carved);
    let mut compressed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    compressed.write_all(as_csv("\n", ',').as_bytes()).unwrap();
    check("a.csv.gz", &compressed.finish().unwrap(), &carved);
    let by_split = json!({"train": lists, "oos_train": [["no", "class"]], "version": 1});
    check("b.json", by_split.to_string().as_bytes(), &numbered);
}

#[test]
fn columns_may_have_numbers_and_no_header() {
    let (_folder, path) = folder_with("a.tsv", "x\t1\tsay \"a\"\nx\t1\tb\nx\t1\tc\ny\t2\td\ny\t2\te\ny\t2\tf\n");
    let numbered = with(with(with(carved(&path), "header", json!(false)), "text", json!(3)), "label", json!(1));
    let dataset = load(numbered.clone()).unwrap();
    assert_eq!(dataset.labels, ["x", "y"]);
    assert_eq!(all_texts(dataset)[0], ("b".to_owned(), "x".to_owned()));
    assert_contains(&refusal(with(numbered.clone(), "label", json!(4))), &["a.tsv", "3 columns", "1..=3"]);
    assert_contains(&refusal(with(numbered, "label", json!("lang"))), &["without a header", "label = NUMBER"]);
    assert_contains(&refusal(with(carved(&path), "text", json!(3))), &["no column `3`", "header = false"]);
}

#[test]
fn splits_come_from_files_a_column_or_are_carved() {
    let folder = tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let train = write("train.csv", "text,label\na,x\nb,x\nc,y\nd,y\n");
    let valid = write("valid.csv", "text,label\ne,x\n");
    let test = write("test.csv", "text,label\nf,y\na,x\n");
    let files = load(json!({"kind": "table", "train": train, "valid": valid, "test": test})).unwrap();
    assert!(
        files
            .provenance
            .contains(&("test texts seen in training".into(), "1 of 2 are identical to a training text".into()))
    );
    let all =
        write("all.csv", "part,text,label\ntest,f,y\ntrain,a,x\nTrain,b,x\ndev,e,x\ntrain,c,y\ntrain,d,y\ntest,a,x\n");
    let by_column = json!({"kind": "table", "path": all, "split": "part"});
    let together = load(by_column.clone()).unwrap();
    assert_eq!(files.fingerprint, together.fingerprint);
    assert_eq!(texts_of(&together.train), ["a", "b", "c", "d"]);
    assert_eq!(texts_of(&together.valid), ["e"]);
    assert_eq!(texts_of(&together.test.unseal()), ["f", "a"]);
    write("all.csv", "part,text,label\ntrain,a,x\ntrain,b,y\ntset,c,x\n");
    assert_contains(&refusal(by_column), &["split `tset` in line 4", "train, valid or test"]);
    let carved_test = load(json!({"kind": "table", "train": train, "valid": valid})).unwrap();
    assert_eq!((carved_test.train.len(), carved_test.test.len()), (2, 2));
}

#[test]
fn labels_that_are_numbers_are_sorted_as_such() {
    let (_folder, path) = folder_with("a.csv", "text,label\na,10\nb,10\nc,10\nd,9\ne, 9 \nf,9\ng,100\nh,100\ni,100\n");
    assert_eq!(load(carved(&path)).unwrap().labels, ["9", "10", "100"]);
}

#[test]
fn dirt_is_placed_and_explained() {
    let start = "text,label\na,x\nb,y\n";
    let cases: [(&str, &[u8], &[&str]); 10] = [
        ("rows of another width", b"c\n", &["1 columns in line 4", "expected 2, as in the header", "double quotes"]),
        ("too many cells", b"\n\nc,d,y\n", &["3 columns in line 6"]),
        ("an open quote", b"\"c,x\nd,y\ne,x\n", &["a quotation mark in line 4", "never closed"]),
        ("no UTF-8", b"c\xe9,x\n", &["byte 0xe9", "column `text`, line 4", "iconv"]),
        ("an empty text", b" ,x\n", &["an empty text in line 4", "skip_empty = true"]),
        ("an empty label", b"c, \n", &["an empty label in line 4"]),
        ("a good row, then none", b"c,x\r\nd\r\n", &["1 columns in line 5"]),
        ("an open quote in the last column", b"c,\"x\nd,y\ne,y\n", &["a quotation mark in line 4", "never closed"]),
        ("another delimiter", b"c;x\n", &["1 columns in line 4"]),
        ("a label in UTF-16", b"c,x\xff\n", &["column `label`, line 4"]),
    ];
    for (name, dirt, parts) in cases {
        let (_folder, path) = folder_with("dirty.csv", [start.as_bytes(), dirt].concat());
        let text = refusal(carved(&path));
        assert_contains(&text, &["dirty.csv"]);
        assert!(parts.iter().all(|part| text.contains(part)), "{name}: {text}");
    }
}

#[test]
fn files_that_are_no_tables_are_refused() {
    let cases: [(&str, &[u8], &[&str]); 8] = [
        ("a.csv", b"", &["an empty file"]),
        ("a.csv", b"text,label\n", &["a header and no row"]),
        ("a.csv", b"\xff\xfet", &["UTF-16", "in the middle of a character"]),
        ("a.csv", b"sentence,intent\na,b\n", &["no column `text`", "one of `sentence`, `intent`", "key `text`"]),
        ("a.csv", b"text,text,label\na,b,c\n", &["several columns `text`"]),
        ("a.xlsx", b"PK", &["unknown format", ".csv, .tsv, .jsonl or .json", "delimiter"]),
        ("a.csv.gz", b"no gzip", &["no column `text`", "a.csv.gz"]),
        ("a.csv", b"text,label\na,x\nb,x\nc,x\n", &["1 class(es)"]),
    ];
    for (name, content, parts) in cases {
        let (_folder, path) = folder_with(name, content);
        assert_contains(&refusal(carved(&path)), parts);
    }
    assert_contains(&refusal(carved(Path::new("absent.csv"))), &["cannot read absent.csv"]);
}

#[test]
fn dirt_in_json_is_placed() {
    let good = "{\"text\": \"a\", \"label\": \"x\"}\n";
    let cases: [(&str, &[&str]); 6] = [
        ("{\"text\": \"a\"", &["line 3", "no JSON"]),
        ("{\"text\": \"a\", \"lable\": 1}", &["no column `label` in line 3", "`lable`, `text`"]),
        ("{\"text\": null, \"label\": 1}", &["null in column `text`, line 3"]),
        ("{\"text\": [\"a\"], \"label\": 1}", &["a list in column `text`, line 3"]),
        ("[\"a\", \"x\"]", &["no column `text` in line 3", "by their numbers"]),
        ("7", &["a number in line 3"]),
    ];
    for (dirt, parts) in cases {
        let (_folder, path) = folder_with("a.jsonl", format!("{good}\n{dirt}\n"));
        assert_contains(&refusal(carved(&path)), parts);
    }
    let (_folder, path) = folder_with("a.json", "{\"train\": [[\"a\", \"x\"], [\"b\"]]}");
    let numbered = with(with(carved(&path), "text", json!(1)), "label", json!(2));
    assert_contains(&refusal(numbered), &["no column `2` in item 2 of `train`"]);
    let (_folder, path) = folder_with("a.json", "{\"test\": [{\"text\": \"a\", \"label\": \"x\"}]}");
    assert_contains(&refusal(carved(&path)), &["no training row"]);
    let (_folder, path) = folder_with("a.json", "{\"train\": [[\"a\", \"x\"]], \"test\": [[\"b\", \"x\"]]}");
    let numbered = json!({"kind": "table", "train": path, "text": 1, "label": 2});
    assert_contains(&refusal(numbered), &["several lists", "`test`", "given as path"]);
}

#[test]
fn labels_that_training_does_not_know_are_placed() {
    let (_train_folder, train) = folder_with("train.csv", "text,label\na,x\nb,y\nc,x\nd,y\n");
    let (_test_folder, test) = folder_with("test.csv", "text,label\na,x\n\"b\nb\",y\nc,z\n");
    let text = refusal(json!({"kind": "table", "train": train, "test": test}));
    assert_contains(&text, &["test.csv", "label `z` in line 5", "classes of the training split"]);
}

#[test]
fn empty_and_long_texts_are_counted() {
    let (_folder, path) = folder_with("a.csv", "text,label\n,x\nbébé,x\nc,x\ncc,x\nd,y\ne,y\nf,y\n");
    let config = with(with(carved(&path), "skip_empty", json!(true)), "max_characters", json!(3));
    let dataset = load(config).unwrap();
    let note = |key: &str| dataset.provenance.iter().find(|(found, _)| found == key).map(|(_, value)| value.clone());
    assert_eq!(note("training texts left out, being empty").as_deref(), Some("1"));
    assert_eq!(note("training texts shortened").as_deref(), Some("1"));
    assert_eq!(all_texts(dataset)[0].0, "béb");
}

#[test]
fn windows_of_one_text_stay_on_one_side() {
    let rows: String = (0..10).map(|row| format!("{}{row}abcdefghij{row},{}\n", row % 2, row % 2)).collect();
    let (_folder, path) = folder_with("a.csv", format!("text,label\n{rows}"));
    let windows = json!({"length": 4, "train_stride": 2});
    let dataset = load(with(carved(&path), "windows", windows)).unwrap();
    assert_eq!((dataset.train.len(), dataset.valid.len(), dataset.test.len()), (6 * 5, 2 * 3, 2 * 3));
    let mark = |text: &str| text.chars().find(|c| c.is_ascii_digit()).map(|c| c.to_string());
    assert!(texts_of(&dataset.train).iter().all(|text| text.chars().count() == 4));
    let starts = |split: &Split| texts_of(split).iter().filter_map(|text| mark(text)).collect::<Vec<_>>();
    assert!(!starts(&dataset.train).is_empty() && !starts(&dataset.valid).is_empty());
    assert_eq!(dataset.train.labels().len(), 30);
    let wholes: Vec<u64> = (0..30).map(|row| dataset.train.whole(row)).collect();
    assert!(wholes.chunks(5).all(|text| text.iter().all(|whole| *whole == text[0])), "{wholes:?}");
    let valid = dataset.valid.whole(0);
    assert!(!wholes.contains(&valid));
    assert_eq!(dataset.train.example_id(3), dataset.train.select(&[3]).example_id(0));
}

#[test]
fn views_are_functions_of_seed_example_and_view() {
    let (_folder, path) = folder_with("a.csv", as_csv("\n", ','));
    let augment = json!({"kind": "text", "word_dropout": 0.3, "character_noise": 0.3, "window": 5});
    let plain = load(carved(&path)).unwrap();
    let with_views = with(carved(&path), "augment", augment);
    let (one, two) = (load(with_views.clone()).unwrap(), load(with_views.clone()).unwrap());
    let other = config(with_views).load(&LoadContext::quiet(Seed(1))).unwrap();
    assert_ne!(plain.fingerprint, one.fingerprint);
    let views = |dataset: &Dataset| -> Vec<String> {
        let view = |(row, view)| dataset.train.read_text(row, Some(ViewId(view))).into_owned();
        (0..dataset.train.len()).flat_map(|row| (0..6).map(move |view| (row, view))).map(view).collect()
    };
    assert_eq!(views(&one), views(&two));
    assert_ne!(views(&one), views(&other));
    assert_eq!(texts_of(&one.train), texts_of(&plain.train));
}

#[test]
fn values_that_make_no_sense_are_named() {
    let problems = |value: Value| in_words(&config(value).validate());
    let path = json!({"kind": "table", "path": "a.csv"});
    assert_contains(&problems(json!({"kind": "table"})), &["path: missing"]);
    assert_contains(&problems(with(path.clone(), "train", json!("b.csv"))), &["a single file in place of"]);
    assert_contains(&problems(with(path.clone(), "test", json!("b.csv"))), &["no valid and no test"]);
    assert_contains(&problems(json!({"kind": "table", "train": "a.csv", "split": "s"})), &["given as path"]);
    assert_contains(&problems(with(path.clone(), "delimiter", json!("é"))), &["delimiter: must be"]);
    assert_contains(&problems(with(path.clone(), "max_characters", json!(0))), &["max_characters"]);
    let zero = json!({"length": 0, "train_stride": 1});
    assert_contains(&problems(with(path.clone(), "windows", zero)), &["windows.length"]);
    assert_contains(
        &problems(with(path, "augment", json!({"kind": "text", "shift": 2}))),
        &["augment.shift", "windows"],
    );
}

#[test]
fn a_load_stops_when_it_is_asked_to() {
    struct Stop;
    impl DataProgress for Stop {
        fn is_interrupted(&self) -> bool {
            true
        }
    }
    let (_folder, path) = folder_with("a.csv", as_csv("\n", ','));
    let error = config(carved(&path)).load(&LoadContext::new(Seed(0), &Stop)).unwrap_err();
    assert!(error.is_interrupted());
}
