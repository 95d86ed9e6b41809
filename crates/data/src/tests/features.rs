//! Matrices of features, whole and damaged.

use super::files::{f32_bytes, write_npy};
use super::{assert_contains, load, refusal};
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;
use stillhouse_core::{ClassId, InputShape};
use tempfile::{TempDir, tempdir};

const N: usize = 12;

fn values() -> Vec<f32> {
    (0..N * 2).map(|i| (i * i % 17) as f32 - 3.0).collect()
}

fn labels() -> String {
    (0..N).map(|row| format!("{}\n", row % 3)).collect()
}

/// `a.npy`, `b.npy` and `a.txt`, `b.txt`, all whole.
fn whole() -> (TempDir, serde_json::Value) {
    let folder = tempdir().unwrap();
    for name in ["a", "b"] {
        write_npy(&folder.path().join(format!("{name}.npy")), "<f4", false, "(12, 2)", &f32_bytes(&values()));
        std::fs::write(folder.path().join(format!("{name}.txt")), labels()).unwrap();
    }
    let file = |name: &str| folder.path().join(name);
    let config = json!({
        "kind": "features", "train": file("a.npy"), "train_labels": file("a.txt"),
        "test": file("b.npy"), "test_labels": file("b.txt"), "valid_fraction": 0.3,
    });
    (folder, config)
}

fn write_safetensors(path: &Path, dtype: safetensors::Dtype, data: &[u8]) {
    let view = safetensors::tensor::TensorView::new(dtype, vec![N, 2], data).unwrap();
    let tensors = HashMap::from([("embeddings".to_owned(), view)]);
    std::fs::write(path, safetensors::serialize(&tensors, None).unwrap()).unwrap();
}

#[test]
fn every_spelling_of_a_matrix_is_the_same_dataset() {
    let (folder, config) = whole();
    let dataset = load(config.clone()).unwrap();
    assert_eq!(dataset.input.shape, InputShape::Features { n_features: 2 });
    assert_eq!((dataset.train.len(), dataset.valid.len(), dataset.test.len()), (9, 3, 12));
    let train = folder.path().join("a.npy");
    let columns: Vec<f32> = (0..2).flat_map(|c| (0..N).map(move |r| values()[r * 2 + c])).collect();
    write_npy(&train, "<f4", true, "(12, 2)", &f32_bytes(&columns));
    assert_eq!(load(config.clone()).unwrap().fingerprint, dataset.fingerprint);
    let doubles: Vec<u8> = values().iter().flat_map(|value| f64::from(*value).to_be_bytes()).collect();
    write_npy(&train, ">f8", false, "(12, 2)", &doubles);
    assert_eq!(load(config.clone()).unwrap().fingerprint, dataset.fingerprint);
    let mut config = config;
    config["train"] = json!(folder.path().join("a.safetensors"));
    write_safetensors(&folder.path().join("a.safetensors"), safetensors::Dtype::F32, &f32_bytes(&values()));
    assert_eq!(load(config.clone()).unwrap().fingerprint, dataset.fingerprint);
    // Small whole numbers are exact in bf16.
    let halves: Vec<u8> = values().iter().flat_map(|value| value.to_le_bytes()[2..].to_vec()).collect();
    write_safetensors(&folder.path().join("a.safetensors"), safetensors::Dtype::BF16, &halves);
    assert_eq!(load(config).unwrap().fingerprint, dataset.fingerprint);
}

#[test]
fn features_are_standardised_and_have_no_image() {
    let (_folder, config) = whole();
    let dataset = load(config).unwrap();
    let mut sums = [0.0f32; 2];
    for row in 0..dataset.train.len() {
        let mut out = [0.0; 2];
        dataset.train.read(row, Some(stillhouse_core::ViewId(3)), &mut out).unwrap();
        sums.iter_mut().zip(out).for_each(|(sum, value)| *sum += value);
    }
    assert!(sums.iter().all(|sum| sum.abs() < 1e-4), "{sums:?}");
    assert_eq!(dataset.train.preview(0, None).unwrap(), crate::Preview::Nothing);
}

#[test]
fn labels_may_be_numbers_or_names() {
    let (folder, mut config) = whole();
    let data: Vec<u8> = (0..N as i64).flat_map(|row| (row % 3).to_le_bytes()).collect();
    write_npy(&folder.path().join("a-labels.npy"), "<i8", false, "(12,)", &data);
    let expected = load(config.clone()).unwrap();
    config["train_labels"] = json!(folder.path().join("a-labels.npy"));
    assert_eq!(load(config.clone()).unwrap().fingerprint, expected.fingerprint);
    let names: String = (0..N).map(|row| ["pear\n", "fig\n", "kiwi\n"][row % 3]).collect();
    for file in ["a.txt", "b.txt"] {
        std::fs::write(folder.path().join(file), &names).unwrap();
    }
    config["train_labels"] = json!(folder.path().join("a.txt"));
    let dataset = load(config).unwrap();
    assert_eq!(dataset.labels, ["fig", "kiwi", "pear"]);
    assert_eq!(dataset.test.unseal().labels()[..3], [2, 0, 1].map(ClassId));
}

#[test]
fn numbers_that_are_not_finite_are_placed() {
    let (folder, config) = whole();
    for (bad, spelled) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
        let mut values = values();
        values[9] = bad;
        write_npy(&folder.path().join("a.npy"), "<f4", false, "(12, 2)", &f32_bytes(&values));
        assert_contains(&refusal(config.clone()), &["a.npy", &format!("{spelled} in row 4, column 1"), "finite"]);
    }
    let doubles: Vec<u8> = values().iter().flat_map(|_| 1e300f64.to_le_bytes()).collect();
    write_npy(&folder.path().join("a.npy"), "<f8", false, "(12, 2)", &doubles);
    assert_contains(&refusal(config), &["1e300 in row 0, column 0", "up to 1.7e38"]);
}

#[test]
fn labels_must_fit() {
    let (folder, config) = whole();
    let test_labels = folder.path().join("b.txt");
    std::fs::write(&test_labels, labels().replacen('2', "3", 1)).unwrap();
    assert_contains(&refusal(config.clone()), &["b.txt", "label `3` in line 3", "0..=2"]);
    std::fs::write(&test_labels, "0\n1\n").unwrap();
    assert_contains(&refusal(config.clone()), &["2 labels", "expected 12"]);
    std::fs::write(&test_labels, labels().replacen('1', "", 1)).unwrap();
    assert_contains(&refusal(config.clone()), &["an empty line 2"]);
    std::fs::write(&test_labels, labels().replace(['0', '1', '2'], "x")).unwrap();
    assert_contains(&refusal(config), &["label `x` in line 1", "a label in 0..=2"]);
}

#[test]
fn shapes_and_types_must_fit() {
    let (folder, config) = whole();
    let train = folder.path().join("a.npy");
    for (descr, shape, parts) in [
        ("<f4", "(24,)", ["shape [24]", "a matrix"]),
        ("<f4", "(0, 2)", ["shape [0, 2]", "a matrix"]),
        ("<f4", "(12, 2, 1)", ["shape [12, 2, 1]", "x.reshape(len(x), -1)"]),
        ("|V2", "(12, 4)", ["bfloat16", "astype(numpy.float32)"]),
        ("<c8", "(12, 1)", ["complex", "real numbers"]),
        ("<U4", "(6, 1)", ["texts", "expected numbers"]),
        ("<f4", "(11, 2)", ["8 bytes behind the array", "a file of its own"]),
        ("<f4", "(13, 2)", ["13 x 2 values of 4 bytes", "the file is cut off"]),
        ("<f4", "(4294967296, 4294967296)", ["4294967296 x 4294967296 values", "header damaged"]),
        ("<f4", "(8, 3)", ["12 labels", "expected 8"]),
    ] {
        write_npy(&train, descr, false, shape, &f32_bytes(&values()));
        assert_contains(&refusal(config.clone()), &parts);
    }
    write_npy(&train, "<f4", false, "(12, 1)", &f32_bytes(&values()[..N]));
    assert_contains(&refusal(config.clone()), &["b.npy", "2 features", "expected 1"]);
    std::fs::remove_file(&train).unwrap();
    assert_contains(&refusal(config.clone()), &["cannot read", "a.npy"]);
}
