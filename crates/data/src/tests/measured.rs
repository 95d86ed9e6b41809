//! What a model is measured on.

use super::files::{header, write_idx, write_idx_file, write_images};
use super::{config, load};
use crate::{LoadContext, Measured};
use serde_json::json;
use std::fs;
use stillhouse_core::Seed;
use tempfile::tempdir;

fn measured(value: serde_json::Value) -> Measured {
    config(value).load_measured(&LoadContext::quiet(Seed(0))).unwrap()
}

fn rows(classes: &[&str]) -> String {
    let lines: Vec<String> = classes.iter().enumerate().map(|(row, class)| format!("text {row},{class}\n")).collect();
    format!("text,label\n{}", lines.concat())
}

#[test]
fn a_file_without_splits_is_measured_whole() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("handed_over.csv");
    fs::write(&path, rows(&["b", "a", "b", "c", "c"])).unwrap();
    let found = measured(json!({"kind": "table", "path": path}));
    assert_eq!((found.split.len(), found.labels), (5, vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
    assert_eq!(found.split.labels().iter().map(|class| class.0).collect::<Vec<_>>(), [1, 0, 1, 2, 2]);
    assert_eq!(found.rows, format!("all rows of {}", path.display()));
    assert_eq!(found.split.read_text(4, None), "text 4");
    // one class is enough to measure a model
    fs::write(&path, rows(&["a", "a"])).unwrap();
    assert_eq!(measured(json!({"kind": "table", "train": path})).split.len(), 2);
}

#[test]
fn images_of_one_split_and_labels_with_gaps_are_measured() {
    let folder = tempdir().unwrap();
    write_images(folder.path(), "test", &["ant", "bee"], 3);
    let images = json!({"kind": "image_folder", "path": folder.path()});
    let found = measured(images.clone());
    assert_eq!((found.split.len(), found.labels), (6, vec!["ant".to_owned(), "bee".to_owned()]));
    assert!(load(images).unwrap_err().to_string().contains("no folder `train`"));
    let idx = tempdir().unwrap();
    let images = [header(&[0x803, 3, 2, 2]), vec![9; 12]].concat();
    write_idx_file(idx.path(), "t10k-images-idx3-ubyte", &images, false);
    write_idx_file(idx.path(), "t10k-labels-idx1-ubyte", &[header(&[0x801, 3]), vec![7, 2, 7]].concat(), false);
    let found = measured(json!({"kind": "idx", "path": idx.path()}));
    assert_eq!((found.split.len(), found.labels), (3, vec!["2".to_owned(), "7".to_owned()]));
}

#[test]
fn windows_of_measured_texts_are_those_of_a_test_split() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("long.csv");
    fs::write(&path, "text,label\nabcdefghijkl,a\nabcdef,b\n").unwrap();
    let table = json!({"kind": "table", "path": path, "windows": {"length": 6, "train_stride": 1}});
    let found = measured(table);
    assert_eq!(found.split.labels().iter().map(|class| class.0).collect::<Vec<_>>(), [0, 0, 1]);
}

#[test]
fn named_splits_are_measured_by_their_name() {
    let folder = tempdir().unwrap();
    let file = |name: &str, n_rows: usize| {
        let path = folder.path().join(name);
        fs::write(&path, rows(&["a", "b"].repeat(n_rows))).unwrap();
        path
    };
    let (train, valid, test) = (file("train.csv", 9), file("valid.csv", 2), file("test.csv", 3));
    let found = measured(json!({"kind": "table", "train": train, "valid": valid, "test": test}));
    assert_eq!((found.split.len(), &found.rows[..]), (6, "the test split"));
    let found = measured(json!({"kind": "table", "train": train, "valid": valid}));
    assert_eq!((found.split.len(), &found.rows[..]), (4, "the validation split, since there is no test split"));
    let one = folder.path().join("one.csv");
    fs::write(&one, "text,label,split\nx,a,train\ny,b,train\nz,a,test\n").unwrap();
    assert_eq!(measured(json!({"kind": "table", "path": one, "split": "split"})).split.len(), 1);
}

#[test]
fn idx_files_of_one_split_are_measured_whole() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 40, false);
    assert_eq!(measured(json!({"kind": "idx", "path": folder.path()})).rows, "the test split");
    for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    let found = measured(json!({"kind": "idx", "path": folder.path()}));
    assert_eq!(found.split.len(), 40);
    assert!(found.rows.starts_with("all rows of ") && found.rows.ends_with("t10k-images-idx3-ubyte"), "{}", found.rows);
    let table = json!({"kind": "idx", "path": folder.path()});
    assert!(config(table).load(&LoadContext::quiet(Seed(0))).is_err(), "a run needs both");
}
