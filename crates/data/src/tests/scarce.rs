//! Classes with a single training example: what is said of them, and where it goes.

use super::load_noted;
use serde_json::json;
use std::fs;
use tempfile::tempdir;

/// A table with so many texts of each class.
fn table(counts: &[(&str, usize)]) -> String {
    let rows = counts.iter().flat_map(|(class, n)| (0..*n).map(move |nth| format!("{class}\ttext {nth} of {class}\n")));
    format!("label\ttext\n{}", rows.collect::<String>())
}

#[test]
fn a_single_example_stays_in_training_and_is_told_of() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("all.tsv");
    // of two examples one goes to the test split, and the other is not carved any more
    fs::write(&path, table(&[("many", 30), ("two", 2), ("one", 1), ("three", 3)])).unwrap();
    let (dataset, notes) = load_noted(json!({ "kind": "table", "path": path, "label": "label" }));
    let class = |name: &str| dataset.labels.iter().position(|label| label == name).unwrap();
    let n_train = |name: &str| dataset.train.labels().iter().filter(|label| label.index() == class(name)).count();
    assert_eq!(["one", "two", "three"].map(n_train), [1, 1, 1]);
    let n_valid = |name: &str| dataset.valid.labels().iter().filter(|label| label.index() == class(name)).count();
    assert_eq!(["one", "two", "three"].map(n_valid), [0, 0, 1]);
    let expected = "3 of 4 classes have a single training text, which stays in the training split: ";
    assert!(notes.contains(expected), "{notes}");
    let rest = "; of these, 2 not in the validation split and 1 not in the test split, where nothing can be chosen or \
                measured by them";
    assert!(notes.ends_with(rest), "{notes}");
    for name in ["`one`", "`two`", "`three`"] {
        assert!(notes.contains(name), "{notes}");
    }
}

#[test]
fn splits_of_their_own_are_counted_too_and_names_are_few() {
    let folder = tempdir().unwrap();
    let write = |name: &str, counts: &[(&str, usize)]| {
        let path = folder.path().join(name);
        fs::write(&path, table(counts)).unwrap();
        path
    };
    let rare = ["a", "b", "c", "d", "e", "f"].map(|class| (class, 1));
    let train = write("train.tsv", &[&rare[..], &[("z", 9)]].concat());
    let test = write("test.tsv", &[&rare[..], &[("z", 2)]].concat());
    let config = json!({ "kind": "table", "train": train, "valid": test, "test": test, "label": "label" });
    let (_, notes) = load_noted(config);
    assert!(notes.contains("6 of 7 classes have a single training text"), "{notes}");
    assert!(notes.contains("`a`, `b`, `c`, `d` and 2 more"), "{notes}");
    assert!(!notes.contains("of these"), "{notes}");
    let many = write("many.tsv", &[("a", 9), ("z", 9)]);
    let (_, notes) = load_noted(json!({ "kind": "table", "train": many, "test": many, "label": "label" }));
    assert!(!notes.contains("single training"), "{notes}");
}
