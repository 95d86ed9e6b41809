//! `idx` folders, whole and damaged.

use super::files::{header, write_idx, write_idx_file};
use super::{assert_contains, load, load_noted, raw_image, refusal};
use serde_json::json;
use std::path::Path;
use stillhouse_core::InputShape;
use tempfile::tempdir;

fn idx(path: &Path) -> serde_json::Value {
    json!({"kind": "idx", "path": path, "valid_fraction": 0.2})
}

#[test]
fn plain_and_gzipped_files_are_the_same_dataset() {
    let (plain, gz) = (tempdir().unwrap(), tempdir().unwrap());
    write_idx(plain.path(), 40, false);
    write_idx(gz.path(), 40, true);
    let dataset = load(idx(plain.path())).unwrap();
    assert_eq!(dataset.labels, ["0", "1", "2", "3", "4"]);
    assert_eq!(dataset.input.shape, InputShape::Image { channels: 1, height: 4, width: 3 });
    assert_eq!((dataset.train.len(), dataset.valid.len(), dataset.test.len()), (30, 10, 40));
    assert_eq!(dataset.fingerprint, load(idx(gz.path())).unwrap().fingerprint);
    assert!(dataset.describe().contains("5 classes, 30 train, 10 valid, 40 test, 4 x 3 grey"));
}

#[test]
fn pixels_come_back_normalised() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 40, false);
    let dataset = load(idx(folder.path())).unwrap();
    let test = dataset.test.unseal();
    let raw = raw_image(&test, 2);
    assert_eq!((raw.height, raw.width, raw.channels), (4, 3, 1));
    assert_eq!(raw.pixels, (24..36).map(|i| (i * 7 + 100) as u8).collect::<Vec<_>>());
    let mut values = vec![0.0; 12];
    test.read(2, None, &mut values).unwrap();
    let (mean, std) = (dataset.input.mean[0], dataset.input.std[0]);
    assert_eq!(values[5], (f32::from(raw.pixels[5]) / 255.0 - mean) / std);
}

#[test]
fn the_training_split_is_standardised() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 200, false);
    let train = load(idx(folder.path())).unwrap().train;
    let mut values = vec![0.0; train.len() * 12];
    for (row, out) in values.chunks_exact_mut(12).enumerate() {
        train.read(row, None, out).unwrap();
    }
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32;
    assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-3, "{mean} {variance}");
}

#[test]
fn emnist_names_and_orientation() {
    let folder = tempdir().unwrap();
    for prefix in ["emnist-letters-train", "emnist-letters-test"] {
        let mut images = header(&[0x803, 4, 2, 3]);
        images.extend((0..24u8).collect::<Vec<_>>());
        write_idx_file(folder.path(), &format!("{prefix}-images-idx3-ubyte"), &images, true);
        let labels = [header(&[0x801, 4]), vec![1, 2, 1, 2]].concat();
        write_idx_file(folder.path(), &format!("{prefix}-labels-idx1-ubyte"), &labels, true);
    }
    std::fs::write(folder.path().join("names.txt"), "a\nb\n").unwrap();
    let mut config = idx(folder.path());
    config["transpose"] = json!(true);
    let dataset = load(config).unwrap();
    assert_eq!(dataset.labels, ["1", "2"]);
    let raw = raw_image(&dataset.test.unseal(), 0);
    assert_eq!((raw.height, raw.width), (3, 2));
    assert_eq!(raw.pixels, [0, 3, 1, 4, 2, 5]);
}

#[test]
fn damaged_files_are_named() {
    let folder = tempdir().unwrap();
    let fresh = || write_idx(folder.path(), 10, false);
    let damage = |name: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        fresh();
        let path = folder.path().join(name);
        std::fs::write(&path, change(std::fs::read(&path).unwrap())).unwrap();
        refusal(idx(folder.path()))
    };
    let images = "train-images-idx3-ubyte";
    let labels = "t10k-labels-idx1-ubyte";
    let cut = damage(images, &|bytes| bytes[..50].to_vec());
    assert_contains(&cut, &[images, "found 50 bytes", "expected 136", "hint: the file is cut off"]);
    let magic = damage(images, &|bytes| [&[0, 0, 8, 1], &bytes[4..]].concat());
    assert_contains(&magic, &[images, "magic number 0x00000801", "0x00000803"]);
    assert_contains(&damage(images, &|_| vec![0, 0]), &[images, "2 bytes"]);
    assert_contains(&damage(images, &|bytes| [bytes, vec![1]].concat()), &["more than 136 bytes"]);
    let huge = damage(images, &|_| header(&[0x803, u32::MAX, u32::MAX, u32::MAX]));
    assert_contains(&huge, &["dimensions"]);
    let range = damage(labels, &|mut bytes| (bytes[8 + 3] = 9, bytes).1);
    assert_contains(&range, &[labels, "label `9` in item 3", "0..=4"]);
    let gap = damage("train-labels-idx1-ubyte", &|mut bytes| (bytes[8 + 3] = 200, bytes).1);
    assert_contains(&gap, &["label 200 in item 3"]);
    let count = damage(labels, &|bytes| [&header(&[0x801, 9]), &bytes[8..17]].concat());
    assert_contains(&count, &[labels, "9 labels", "expected 10"]);
}

#[test]
fn absent_and_ambiguous_files_are_named() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 10, true);
    std::fs::remove_file(folder.path().join("t10k-images-idx3-ubyte.gz")).unwrap();
    assert_contains(&refusal(idx(folder.path())), &["no images file", "`t10k-images-idx3-ubyte`"]);
    std::fs::write(folder.path().join("emnist-test-images-idx3-ubyte"), "").unwrap();
    std::fs::write(folder.path().join("emnist-x-test-images.idx3-ubyte"), "").unwrap();
    assert_contains(&refusal(idx(folder.path())), &["emnist-test-images", "hint: put each variant"]);
    assert_contains(&refusal(idx(&folder.path().join("nowhere"))), &["cannot list", "nowhere"]);
}

#[test]
fn a_broken_gzip_stream_is_named() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 100, true);
    let path = folder.path().join("train-images-idx3-ubyte.gz");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert_contains(&refusal(idx(folder.path())), &["train-images-idx3-ubyte.gz", "gzip stream", "hint:"]);
}

#[test]
fn names_from_a_file() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 10, false);
    let names = folder.path().join("names.txt");
    let mut config = idx(folder.path());
    config["label_names"] = json!(names);
    std::fs::write(&names, "top\ncoat\nbag\nboot\nhat\n").unwrap();
    assert_eq!(load(config.clone()).unwrap().labels[3], "boot");
    std::fs::write(&names, "top\ncoat\nbag\nboot\n").unwrap();
    assert_contains(&refusal(config.clone()), &["label `4` in item 4", "0..=3"]);
    std::fs::write(&names, "top\ncoat\ntop\n").unwrap();
    assert_contains(&refusal(config), &["`top` in lines 1 and 3"]);
}

#[test]
fn names_may_count_from_1_and_be_a_mapping() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 10, false);
    for name in ["train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"] {
        let path = folder.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8..].iter_mut().for_each(|label| *label += 1);
        std::fs::write(&path, bytes).unwrap();
    }
    let names = folder.path().join("names.txt");
    let mut config = idx(folder.path());
    config["label_names"] = json!(names);
    for content in ["a\nb\nc\nd\ne\n", "1 97\n2 98\n3 99\n4 100\n5 101\n6 102\n\n"] {
        std::fs::write(&names, content).unwrap();
        let dataset = load(config.clone()).unwrap();
        assert_eq!(dataset.labels[..5], ["a", "b", "c", "d", "e"]);
        assert_eq!(dataset.test.unseal().labels()[..3], [0, 1, 2].map(stillhouse_core::ClassId));
    }
    std::fs::write(&names, "0 97\n1 98\n2 99\n3 100\n4 101\n").unwrap();
    assert_contains(&refusal(config), &["train-labels", "label `5` in item 4", "0..=4"]);
}

#[test]
fn content_says_what_is_gzipped_and_lengths_are_bounded() {
    let (plain, zipped) = (tempdir().unwrap(), tempdir().unwrap());
    write_idx(plain.path(), 40, false);
    write_idx(zipped.path(), 40, true);
    for name in ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        let gz = zipped.path().join(format!("{name}.gz"));
        std::fs::rename(gz, zipped.path().join(name)).unwrap();
    }
    let plain_named_gz = zipped.path().join("t10k-images-idx3-ubyte.gz");
    std::fs::copy(plain.path().join("t10k-images-idx3-ubyte"), plain_named_gz).unwrap();
    assert_eq!(load(idx(zipped.path())).unwrap().fingerprint, load(idx(plain.path())).unwrap().fingerprint);
    let mut long = header(&[0x803, 40, 4, 3]);
    long.resize(50 << 20, 0);
    write_idx_file(plain.path(), "train-images-idx3-ubyte", &long, true);
    std::fs::rename(plain.path().join("train-images-idx3-ubyte.gz"), plain.path().join("train-images-idx3-ubyte"))
        .unwrap();
    assert_contains(&refusal(idx(plain.path())), &["train-images", "more than 496 bytes"]);
}

#[test]
fn a_validation_split_of_its_own_and_files_of_no_split() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 40, false);
    for noun in ["images-idx3", "labels-idx1"] {
        let from = folder.path().join(format!("t10k-{noun}-ubyte"));
        std::fs::copy(&from, folder.path().join(format!("extra-{noun}-ubyte"))).unwrap();
        std::fs::copy(&from, folder.path().join(format!("validation-{noun}-ubyte"))).unwrap();
    }
    let (dataset, notes) = load_noted(idx(folder.path()));
    assert_eq!((dataset.train.len(), dataset.valid.len(), dataset.test.len()), (40, 40, 40));
    assert_contains(&notes, &["`extra-images-idx3-ubyte`, `extra-labels-idx1-ubyte`", "no split"]);
}

#[test]
fn images_on_their_side_are_noted() {
    let folder = tempdir().unwrap();
    write_idx(folder.path(), 40, false);
    for path in stillhouse_files::entries(folder.path()).unwrap() {
        let name = path.file_name().unwrap().to_string_lossy().replace("t10k", "test");
        std::fs::rename(&path, folder.path().join(format!("emnist-digits-{name}"))).unwrap();
    }
    assert_contains(&load_noted(idx(folder.path())).1, &["transpose = true"]);
    let mut upright = idx(folder.path());
    upright["transpose"] = json!(true);
    assert_eq!(load_noted(upright).1, "");
}
