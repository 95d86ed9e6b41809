//! Examples without labels of every kind of data but texts, which `table.rs` has.

use super::files::{Column, f32_bytes, header, png, write_idx, write_idx_file, write_images, write_npy, write_parquet};
use super::{assert_contains, load, load_with, raw_image, try_load_with};
use crate::{Dataset, LoadContext, Split};
use serde_json::{Value, json};
use stillhouse_core::{ClassId, Seed, ViewId};
use tempfile::tempdir;

/// The last rows of a split, which are those without labels.
fn last(split: &Split, n_rows: usize) -> impl Iterator<Item = usize> {
    split.len() - n_rows..split.len()
}

fn refusal_with(data: &Value, transfer: Value) -> String {
    let context = LoadContext::quiet(Seed(0));
    try_load_with(data.clone(), Some(transfer), None, &context).unwrap_err().to_string()
}

fn noted<'a>(dataset: &'a Dataset, what: &str) -> Option<&'a str> {
    dataset.provenance.iter().find(|(key, _)| key == what).map(|(_, text)| &text[..])
}

#[test]
fn images_without_labels_come_from_folders_and_tables() {
    let root = tempdir().unwrap();
    let data_folder = root.path().join("data");
    write_images(&data_folder, "train", &["ant", "bee"], 8);
    write_images(&data_folder, "test", &["ant", "bee"], 2);
    let test_image = std::fs::read(data_folder.join("test/ant/0.png")).unwrap_or_else(|_| {
        let file = stillhouse_files::files_below(&data_folder.join("test/ant")).unwrap().remove(0);
        std::fs::read(file).unwrap()
    });
    let data = json!({ "kind": "image_folder", "path": data_folder, "valid_fraction": 0.25 });
    let images = [png(201), png(202), test_image];
    let more = root.path().join("more");
    for (name, bytes) in ["a/deep/0.png", "b.png", "c.png"].iter().zip(&images) {
        std::fs::create_dir_all(more.join(name).parent().unwrap()).unwrap();
        std::fs::write(more.join(name), bytes).unwrap();
    }
    std::fs::write(more.join("list.txt"), "no image").unwrap();
    let table = root.path().join("more.parquet");
    let cells: Vec<_> = images.iter().cloned().map(Some).collect();
    write_parquet(&table, &cells, &Column::Numbers(&[0, 0, 0]), None);
    let plain = load(data.clone()).unwrap();
    for path in [&more, &table] {
        let with = load_with(data.clone(), Some(json!({ "path": path })), Some(json!({ "path": path })));
        assert_eq!((&with.fingerprint, &with.input), (&plain.fingerprint, &plain.input));
        assert_eq!(noted(&with, "images without labels that are test images"), Some("1"));
        assert_eq!(noted(&with, "images of no class that are images without labels"), Some("3"));
        let transfer = with.transfer.unwrap();
        assert_eq!((transfer.n_unlabelled, transfer.split.len()), (3, plain.train.len() + 3));
        let (test, of_no_class) = with.test.unseal_all();
        let of_no_class = of_no_class.unwrap();
        for (nth, row) in last(&transfer.split, 3).enumerate() {
            let expected = image::load_from_memory(&images[nth]).unwrap().into_rgb8().into_raw();
            assert_eq!(raw_image(&transfer.split, row).pixels, expected);
            assert_eq!(raw_image(&of_no_class, nth).pixels, expected);
            assert_eq!([transfer.split.label(row), of_no_class.label(nth)], [ClassId::UNKNOWN; 2]);
        }
        assert_eq!(raw_image(&transfer.split, 0), raw_image(&plain.train, 0));
        assert_eq!(test.len(), 4);
    }
    std::fs::copy(&table, more.join("train.parquet")).unwrap();
    assert_contains(&refusal_with(&data, json!({ "path": more })), &["parquet files or images"]);
    std::fs::remove_file(more.join("train.parquet")).unwrap();
    // names of splits mean nothing here
    let tables = root.path().join("tables");
    std::fs::create_dir(&tables).unwrap();
    for name in ["train.parquet", "unsupervised.parquet"] {
        std::fs::copy(&table, tables.join(name)).unwrap();
    }
    assert_eq!(load_with(data.clone(), Some(json!({ "path": tables })), None).transfer.unwrap().n_unlabelled, 6);
    std::fs::create_dir(root.path().join("none")).unwrap();
    assert_contains(&refusal_with(&data, json!({ "path": root.path().join("none") })), &["none", "no image"]);
    assert_contains(&refusal_with(&data, json!({ "path": "nowhere" })), &["nowhere"]);
    assert_contains(
        &refusal_with(&data, json!({ "path": more, "text": "words" })),
        &["text: of no meaning for this kind of data", "`path`, `image` or `max_examples`"],
    );
    assert_contains(&refusal_with(&data, json!({})), &["path: missing"]);
}

#[test]
fn images_without_labels_are_the_same_in_memory_and_on_demand() {
    let root = tempdir().unwrap();
    let (data_folder, more) = (root.path().join("data"), root.path().join("more"));
    write_images(&data_folder, "train", &["ant", "bee"], 8);
    std::fs::create_dir(&more).unwrap();
    (0..5).for_each(|nth| std::fs::write(more.join(format!("{nth}.png")), png(100 + nth)).unwrap());
    let augment = json!({ "kind": "shift", "max_pixels": 1 });
    let data = json!({ "kind": "image_folder", "path": data_folder, "augment": augment });
    let read = |memory_limit_bytes| {
        let context = LoadContext { memory_limit_bytes, ..LoadContext::quiet(Seed(0)) };
        try_load_with(data.clone(), Some(json!({ "path": more })), None, &context).unwrap().transfer.unwrap()
    };
    let (all, some, none) = (read(None), read(Some(16 * 90 + 1)), read(Some(0)));
    assert_eq!([&all.fingerprint, &some.fingerprint], [&none.fingerprint; 2]);
    for row in 0..all.split.len() {
        let view = |split: &Split| {
            let mut values = vec![0.0; 90];
            split.read(row, Some(ViewId(3)), &mut values).unwrap();
            values
        };
        assert_eq!([view(&all.split), view(&some.split)], [view(&none.split), view(&none.split)]);
    }
}

#[test]
fn idx_images_without_labels_have_the_size_of_the_data() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 40, false);
    let data = json!({ "kind": "idx", "path": folder.path() });
    let more = tempdir().unwrap();
    let pixels: Vec<u8> = (0..36).collect();
    write_idx_file(more.path(), "more", &[header(&[0x803, 3, 4, 3]), pixels.clone()].concat(), true);
    let with = load_with(data.clone(), Some(json!({ "path": more.path().join("more.gz") })), None);
    let transfer = with.transfer.unwrap();
    let found: Vec<Vec<u8>> = last(&transfer.split, 3).map(|row| raw_image(&transfer.split, row).pixels).collect();
    assert_eq!(found.concat(), pixels);
    write_idx_file(more.path(), "other", &[header(&[0x803, 3, 3, 4]), pixels].concat(), false);
    let refused = refusal_with(&data, json!({ "path": more.path().join("other") }));
    assert_contains(&refused, &["3 x 4 pixels", "4 x 3 pixels"]);
}

#[test]
fn features_without_labels_have_as_many_columns() {
    let folder = tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let values: Vec<f32> = (0..40).map(|i| (i * i % 17) as f32).collect();
    write_npy(&file("a.npy"), "<f4", false, "(20, 2)", &f32_bytes(&values));
    std::fs::write(file("a.txt"), "0\n1\n".repeat(10)).unwrap();
    let data = json!({
        "kind": "features", "train": file("a.npy"), "train_labels": file("a.txt"),
        "test": file("a.npy"), "test_labels": file("a.txt"),
    });
    write_npy(&file("more.npy"), "<f4", false, "(4, 2)", &f32_bytes(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]));
    let with = load_with(data.clone(), Some(json!({ "path": file("more.npy") })), None);
    assert_eq!(noted(&with, "rows without labels"), Some(&format!("4 of {}", file("more.npy").display())[..]));
    let (transfer, input) = (with.transfer.unwrap(), &with.input);
    for (nth, row) in last(&transfer.split, 4).enumerate() {
        let mut found = [0.0; 2];
        transfer.split.read(row, None, &mut found).unwrap();
        let expected = [0, 1].map(|c| ((2 * nth + c + 1) as f32 - input.mean[c]) / input.std[c]);
        assert_eq!(found, expected);
    }
    // a sample of two of four rows, the same whenever it is drawn, and with a name of its own
    let sampled = json!({ "path": file("more.npy"), "max_examples": 2 });
    let two = load_with(data.clone(), Some(sampled.clone()), None);
    assert_eq!(noted(&two, "rows without labels that are used"), Some("2 of 4, seeded"));
    let two = two.transfer.unwrap();
    assert_eq!((two.n_unlabelled, two.split.len()), (2, 20));
    let again = load_with(data.clone(), Some(sampled), None).transfer.unwrap();
    assert_eq!(two.fingerprint, again.fingerprint);
    assert_ne!(two.fingerprint, transfer.fingerprint);
    write_npy(&file("wide.npy"), "<f4", false, "(2, 3)", &f32_bytes(&[0.0; 6]));
    let refused = refusal_with(&data, json!({ "path": file("wide.npy") }));
    assert_contains(&refused, &["wide.npy", "3 features", "2, as in"]);
}

#[test]
fn glyphs_without_labels_are_by_new_writers_or_of_new_characters() {
    let data = json!({ "kind": "glyphs", "n_classes": 12, "train_per_class": 10, "test_per_class": 3 });
    let read = |memory_limit_bytes| {
        let context = LoadContext { memory_limit_bytes, ..LoadContext::quiet(Seed(0)) };
        let table = Some(json!({ "per_class": 2 }));
        try_load_with(data.clone(), table.clone(), table, &context).unwrap()
    };
    let (plain, ahead, on_demand) = (load(data.clone()).unwrap(), read(None), read(Some(0)));
    assert_eq!((&plain.fingerprint, &plain.input), (&ahead.fingerprint, &ahead.input));
    assert_eq!(noted(&ahead, "images without labels that are test images"), None);
    let (transfer, drawn) = (ahead.transfer.unwrap(), on_demand.transfer.unwrap());
    assert_eq!((transfer.n_unlabelled, &transfer.fingerprint), (24, &drawn.fingerprint));
    for row in 0..transfer.split.len() {
        assert_eq!(raw_image(&transfer.split, row), raw_image(&drawn.split, row));
    }
    let of_no_class = ahead.test.unseal_all().1.unwrap();
    assert_eq!(of_no_class.len(), 24);
    // the characters of a larger alphabet that this one is the beginning of
    let larger = load(json!({ "kind": "glyphs", "n_classes": 24, "train_per_class": 2, "test_per_class": 2 })).unwrap();
    let test = larger.test.unseal();
    assert_eq!(raw_image(&of_no_class, 0), raw_image(&test, 12));
    // more glyphs than are hashed: their number tells two tables apart
    let many = |per_class: usize| {
        let context = LoadContext { memory_limit_bytes: Some(0), ..LoadContext::quiet(Seed(0)) };
        let table = Some(json!({ "per_class": per_class }));
        try_load_with(data.clone(), table, None, &context).unwrap().transfer.unwrap().fingerprint
    };
    assert_ne!(many(2000), many(2100));
    assert_contains(&refusal_with(&data, json!({ "path": "more" })), &["path: of no meaning", "per_class: missing"]);
    let every = json!({ "kind": "glyphs", "n_classes": 20000, "train_per_class": 2, "test_per_class": 1 });
    let context = LoadContext { memory_limit_bytes: Some(0), ..LoadContext::quiet(Seed(0)) };
    let refused = try_load_with(every, None, Some(json!({ "per_class": 1 })), &context).unwrap_err().to_string();
    assert_contains(&refused, &["all 20000 characters as classes"]);
}
