//! Laws that hold for the splits of any source.

use super::files::write_idx;
use super::{config, load, raw_image};
use crate::{Dataset, LoadContext, Split};
use serde_json::json;
use std::collections::HashSet;
use std::path::Path;
use stillhouse_core::{ClassId, ExampleId, Seed, ViewId};
use tempfile::tempdir;

fn idx(path: &Path) -> serde_json::Value {
    json!({"kind": "idx", "path": path})
}

#[test]
fn a_share_of_the_labels_is_held_back() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 100, false);
    let all = load(idx(folder.path())).unwrap();
    let held = load(json!({"kind": "idx", "path": folder.path(), "labelled_fraction": 0.2})).unwrap();
    let count = |split: &Split, class: u32| split.labels().iter().filter(|label| label.0 == class).count();
    for class in 0..5 {
        assert_eq!((count(&all.train, class), count(&held.train, class)), (18, 4));
    }
    let transfer = held.transfer.as_ref().unwrap();
    assert_eq!((held.train.len(), transfer.n_unlabelled, transfer.split.len()), (20, 70, 90));
    assert_eq!(ids(&transfer.split)[..20], ids(&held.train));
    assert!(transfer.split.labels()[20..].iter().all(|label| *label == ClassId::UNKNOWN));
    let of = |ids: Vec<ExampleId>| ids.into_iter().collect::<HashSet<_>>();
    assert_eq!(of(ids(&transfer.split)), of(ids(&all.train)), "the same examples");
    assert_eq!(ids(&held.valid), ids(&all.valid), "and the same validation examples");
    assert_ne!(held.fingerprint, all.fingerprint);
    assert!(
        held.provenance.contains(&(
            "labels held back".to_owned(),
            "of 70 of 90 training examples (stratified, seeded)".to_owned()
        ))
    );
    // an example's content goes with its name
    let same = ids(&all.train).iter().position(|id| *id == transfer.split.example_id(89)).unwrap();
    assert_eq!(raw_image(&transfer.split, 89).pixels, raw_image(&all.train, same).pixels);
}

fn load_seeded(path: &Path, seed: u64) -> Dataset {
    config(idx(path)).load(&LoadContext::quiet(Seed(seed))).unwrap()
}

fn ids(split: &Split) -> Vec<ExampleId> {
    (0..split.len()).map(|row| split.example_id(row)).collect()
}

#[test]
fn examples_of_different_splits_have_different_names() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 60, false);
    let dataset = load_seeded(folder.path(), 0);
    let all = [ids(&dataset.train), ids(&dataset.valid), ids(&dataset.test.unseal())].concat();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 120);
}

#[test]
fn names_outlive_the_split_and_the_seed() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 60, false);
    let (a, b) = (load_seeded(folder.path(), 0), load_seeded(folder.path(), 1));
    let union = |dataset: &Dataset| -> HashSet<ExampleId> {
        ids(&dataset.train).into_iter().chain(ids(&dataset.valid)).collect()
    };
    assert_eq!(union(&a), union(&b));
    assert_ne!(ids(&a.valid), ids(&b.valid), "another seed holds out others");
    assert_eq!(ids(&a.valid), ids(&load_seeded(folder.path(), 0).valid));
    let id = a.train.example_id(7);
    assert_eq!(a.train.select(&[9, 7]).example_id(1), id);
    let row = (0..a.train.len()).find(|&row| a.train.example_id(row) == id).unwrap();
    assert_eq!(row, 7);
}

#[test]
fn validation_is_stratified() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 100, false);
    let dataset = load_seeded(folder.path(), 5);
    for class in (0..5).map(ClassId) {
        let count = |split: &Split| split.labels().iter().filter(|label| **label == class).count();
        assert_eq!((count(&dataset.train), count(&dataset.valid)), (18, 2));
    }
}

#[test]
fn a_selection_is_a_split_like_any_other() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 60, false);
    let train = load_seeded(folder.path(), 0).train;
    let selected = train.select(&[4, 0, 4]);
    assert_eq!(selected.labels(), [train.label(4), train.label(0), train.label(4)]);
    assert_eq!(selected.n_classes(), train.n_classes());
    assert_eq!(raw_image(&selected, 1), raw_image(&train, 0));
}

#[test]
fn the_fingerprint_hears_every_change_but_not_the_path() {
    let (folder, copy) = (tempdir().unwrap(), tempdir().unwrap());
    write_idx(folder.path(), 60, false);
    write_idx(copy.path(), 60, false);
    let original = load(idx(folder.path())).unwrap().fingerprint;
    assert_eq!(load(idx(copy.path())).unwrap().fingerprint, original);
    let with = |key: &str, value: serde_json::Value| {
        let mut changed = idx(copy.path());
        changed[key] = value;
        load(changed).unwrap().fingerprint
    };
    let names = copy.path().join("names");
    std::fs::write(&names, "0\n1\n2\n3\nfour\n").unwrap();
    let mut seen = HashSet::from([original.clone()]);
    assert!(seen.insert(with("valid_fraction", json!(0.2))));
    assert!(seen.insert(with("label_names", json!(names))));
    assert!(seen.insert(with("augment", json!({"kind": "shift", "max_pixels": 1}))));
    assert!(seen.insert(with("augment", json!({"kind": "shift", "max_pixels": 2}))));
    assert!(seen.insert(load_seeded(folder.path(), 1).fingerprint));
    for (file, position) in [("train-images-idx3-ubyte", 16), ("t10k-images-idx3-ubyte", 500)] {
        let path = copy.path().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[position] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(seen.insert(load(idx(copy.path())).unwrap().fingerprint), "{file}");
    }
}

#[test]
fn loads_do_not_depend_on_threads() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 60, false);
    let load = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| load_seeded(folder.path(), 0))
    };
    let (one, four) = (load(1), load(4));
    assert_eq!(one.fingerprint, four.fingerprint);
    assert_eq!(one.input, four.input);
    assert_eq!(ids(&one.valid), ids(&four.valid));
}

#[test]
fn values_out_of_range_are_all_named() {
    let refused = |value: serde_json::Value| config(value).validate();
    for fraction in [0.0, 1.0, -0.5, 7.0] {
        let messages = refused(json!({"kind": "idx", "path": "p", "valid_fraction": fraction}));
        assert!(messages.len() == 1 && messages[0].key == "valid_fraction", "{messages:?}");
    }
    let messages = refused(json!({"kind": "image_folder", "path": "p", "size": [0, 9], "channels": 2}));
    assert!(messages[0].key == "size[0]" && messages[1].key == "channels", "{messages:?}");
    assert!(refused(json!({"kind": "hub_images"}))[0].to_string().starts_with("path: missing"));
    // a path wins over a repository, so that any config can be pointed at local files
    assert!(refused(json!({"kind": "hub_images", "repo": "a/b", "path": "p"})).is_empty());
    assert!(refused(json!({"kind": "hub_images", "path": "p", "revision": "x"}))[0].key == "revision");
    let error = load(json!({"kind": "idx", "path": "p", "valid_fraction": 2.0})).unwrap_err();
    assert!(error.is_config());
}

#[test]
fn unknown_keys_are_refused() {
    let parsed = serde_json::from_value::<crate::DataConfig>(json!({"kind": "idx", "path": "p", "valid_fracton": 0.1}));
    assert!(parsed.unwrap_err().to_string().contains("valid_fracton"));
}

#[test]
fn mixed_views_are_the_same_wherever_they_are_read() {
    let data = json!({ "kind": "glyphs", "n_classes": 10, "train_per_class": 6, "test_per_class": 1 });
    let plain = load(data).unwrap().train;
    let mixed = plain.clone().mixed(0.5);
    let read = |split: &Split, row: usize, view: Option<ViewId>| {
        let mut values = vec![0.0; split.input().shape.n_values()];
        split.read(row, view, &mut values).unwrap();
        values
    };
    let alone: Vec<Vec<f32>> = (0..plain.len()).map(|row| read(&plain, row, None)).collect();
    let reversed: Vec<usize> = (0..plain.len()).rev().collect();
    let reversed = mixed.select(&reversed);
    let mut n_mixed = 0;
    for (row, example) in alone.iter().enumerate() {
        assert_eq!((&read(&mixed, row, None), mixed.label_of_view(row, None)), (example, plain.label(row)));
        for view in (0..4).map(|view| Some(ViewId(view))) {
            let values = read(&mixed, row, view);
            assert_eq!(values, read(&reversed, plain.len() - 1 - row, view));
            if mixed.label_of_view(row, view) == plain.label(row) {
                assert_eq!(values, *example);
                continue;
            }
            n_mixed += 1;
            // some example explains what the first one leaves, with one share for all pixels
            let is_sum = |other: &Vec<f32>| {
                let pixel = (0..values.len())
                    .max_by(|a, b| (example[*a] - other[*a]).abs().total_cmp(&(example[*b] - other[*b]).abs()));
                let pixel = pixel.unwrap();
                let share = (values[pixel] - other[pixel]) / (example[pixel] - other[pixel]);
                let is_near =
                    |(value, (a, b)): (&f32, (&f32, &f32))| (share * a + (1.0 - share) * b - value).abs() < 1e-3;
                (0.0..=1.0).contains(&share) && values.iter().zip(example.iter().zip(other)).all(is_near)
            };
            assert!(values == *example || alone.iter().any(is_sum), "row {row}, {view:?}");
        }
    }
    let n_views = 4 * plain.len();
    assert!((n_views / 3..2 * n_views / 3).contains(&n_mixed), "{n_mixed} of {n_views}");
}
