//! Parquet files, whole and damaged.

use super::files::{Column, png, write_parquet, write_parquet_folder};
use super::{assert_contains, config, load, raw_image, refusal};
use crate::assemble::assemble;
use crate::hub::test_server::{COMMIT, Manners, Server};
use crate::hub::{Hub, HubOptions};
use crate::{HubImagesConfig, LoadContext};
use serde_json::json;
use std::path::Path;
use stillhouse_core::{ClassId, InputShape, Seed};
use tempfile::tempdir;

fn tables(path: &Path) -> serde_json::Value {
    json!({"kind": "hub_images", "path": path, "valid_fraction": 0.2})
}

fn pictures(n: usize) -> Vec<Option<Vec<u8>>> {
    (0..n).map(|i| Some(png(i as u8))).collect()
}

#[test]
fn names_of_classes_come_from_the_metadata() {
    let folder = tempdir().unwrap();
    write_parquet_folder(folder.path(), 15);
    let dataset = load(tables(folder.path())).unwrap();
    assert_eq!(dataset.labels, ["fig", "kiwi", "plum"]);
    assert_eq!((dataset.train.len(), dataset.valid.len(), dataset.test.len()), (12, 3, 15));
    assert_eq!(dataset.input.shape, InputShape::Image { channels: 3, height: 6, width: 5 });
    let test = dataset.test.unseal();
    assert_eq!(test.labels()[..4], [0, 1, 2, 0].map(ClassId));
    let expected = image::load_from_memory(&png(5 * 5 + 90)).unwrap().into_rgb8().into_raw();
    assert_eq!(raw_image(&test, 5).pixels, expected);
}

#[test]
fn several_files_follow_one_another() {
    let (one, many) = (tempdir().unwrap(), tempdir().unwrap());
    let labels: Vec<i64> = (0..12).map(|i| i % 3).collect();
    write_parquet(&one.path().join("train.parquet"), &pictures(12), &Column::Numbers(&labels), None);
    for (part, range) in [(0, 0..5), (1, 5..12)] {
        let path = many.path().join(format!("sub/train-{part}.parquet"));
        write_parquet(&path, &pictures(12)[range.clone()], &Column::Numbers(&labels[range]), None);
    }
    assert_eq!(load(tables(one.path())).unwrap().fingerprint, load(tables(many.path())).unwrap().fingerprint);
}

#[test]
fn labels_may_be_names() {
    let folder = tempdir().unwrap();
    let names: Vec<&str> = (0..12).map(|i| ["pear", "fig"][i % 2]).collect();
    write_parquet(&folder.path().join("train.parquet"), &pictures(12), &Column::Names(&names), None);
    let bad = ["pear", "fig", "melon"];
    assert_eq!(load(tables(folder.path())).unwrap().labels, ["fig", "pear"]);
    write_parquet(&folder.path().join("test.parquet"), &pictures(3), &Column::Names(&bad), None);
    assert_contains(&refusal(tables(folder.path())), &["test.parquet", "label `melon` in row 2"]);
}

#[test]
fn what_does_not_fit_into_memory_is_decoded_again_to_the_same_bits() {
    let folder = tempdir().unwrap();
    write_parquet_folder(folder.path(), 15);
    let load = |memory_limit_bytes| {
        let context = LoadContext { memory_limit_bytes, ..LoadContext::quiet(Seed(0)) };
        config(tables(folder.path())).load(&context).unwrap()
    };
    // The second limit holds some cells and then moves them into a temporary file.
    let (resident, spooled) = (load(None), load(Some(500)));
    assert_eq!(resident.fingerprint, spooled.fingerprint);
    for row in 0..resident.train.len() {
        assert_eq!(raw_image(&resident.train, row), raw_image(&spooled.train, row));
    }
}

#[test]
fn absent_columns_are_named_with_those_that_are_there() {
    let folder = tempdir().unwrap();
    write_parquet_folder(folder.path(), 6);
    let mut config = tables(folder.path());
    config["label"] = json!("fine_label");
    assert_contains(&refusal(config), &["no column `fine_label`", "one of `image`, `label`", "hint"]);
    let mut config = tables(folder.path());
    config["image"] = json!("img");
    assert_contains(&refusal(config.clone()), &["no column `img`", "`image`"]);
    config["image"] = json!("label");
    assert_contains(&refusal(config), &["column `label` without image bytes", "[\"image\"]"]);
}

#[test]
fn labels_outside_the_names_are_placed() {
    let folder = tempdir().unwrap();
    for bad in [-1, 3] {
        let labels = [0, 1, 2, bad, 1, 2];
        let path = folder.path().join("train.parquet");
        write_parquet(&path, &pictures(6), &Column::Numbers(&labels), Some(&["a", "b", "c"]));
        assert_contains(
            &refusal(tables(folder.path())),
            &["train.parquet", &format!("label `{bad}` in row 3"), "0..=2"],
        );
    }
}

#[test]
fn damaged_cells_and_files_are_placed() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("train.parquet");
    let labels = [0, 1, 0, 1, 0, 1];
    let mut cells = pictures(6);
    cells[4].as_mut().unwrap().truncate(60);
    write_parquet(&path, &cells, &Column::Numbers(&labels), None);
    assert_contains(&refusal(tables(folder.path())), &["train.parquet", "in row 4", "expected a whole PNG"]);
    cells[4] = None;
    write_parquet(&path, &cells, &Column::Numbers(&labels), None);
    assert_contains(&refusal(tables(folder.path())), &["no value in column `image`, row 4"]);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    assert_contains(&refusal(tables(folder.path())), &["train.parquet", "a whole parquet file", "hint"]);
}

#[test]
fn folders_without_tables_are_explained() {
    let folder = tempdir().unwrap();
    assert_contains(&refusal(tables(folder.path())), &["no parquet file"]);
    assert_contains(&refusal(tables(&folder.path().join("absent"))), &["cannot list", "absent"]);
}

#[test]
fn a_repository_is_the_same_dataset_as_its_files() {
    let (folder, home) = (tempdir().unwrap(), tempdir().unwrap());
    write_parquet_folder(folder.path(), 15);
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let (train, test) = ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet");
    let server = Server::start(&[(&format!("data/{train}"), read(train)), (&format!("data/{test}"), read(test))]);
    let repository = HubImagesConfig {
        repo: Some("owner/name".to_owned()),
        path: None,
        ..serde_json::from_value(json!({"path": "", "valid_fraction": 0.2})).unwrap()
    };
    let load_from = |offline: bool, revision: Option<&str>| {
        let options = HubOptions { offline, n_attempts: 1, ..HubOptions::new(&server.endpoint, home.path()) };
        let config = HubImagesConfig { revision: revision.map(str::to_owned), ..repository.clone() };
        let context = LoadContext::quiet(Seed(0));
        assemble(config.read_from(&Hub::new(options), &context)?, [None, None], &context)
    };
    let online = load_from(false, None).unwrap();
    assert_eq!(online.fingerprint, load(tables(folder.path())).unwrap().fingerprint);
    assert!(online.provenance.contains(&("commit".to_owned(), COMMIT.to_owned())));
    server.behave(Manners { status: Some(500), ..Manners::default() });
    assert_contains(&load_from(false, None).unwrap_err().to_string(), &["hub repository `owner/name`", "status 500"]);
    for revision in [None, Some(COMMIT)] {
        assert_eq!(load_from(true, revision).unwrap().fingerprint, online.fingerprint);
    }
}
