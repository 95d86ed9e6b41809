//! Matrices and labels as people have them: types, orders, units, containers.

use super::files::{f32_bytes, write_npy};
use super::{assert_contains, config, given};
use crate::{DataError, DataProgress, Dataset, LoadContext, MatrixRows};
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use stillhouse_core::Seed;
use tempfile::{TempDir, tempdir};

const N: usize = 12;

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl DataProgress for Notes {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

/// A dataset and the notes of its load, one a line.
fn load(value: Value) -> Result<(Dataset, String), DataError> {
    let notes = Notes::default();
    let dataset = config(value).load(&LoadContext::new(Seed(0), &notes))?;
    Ok((dataset, notes.0.into_inner().unwrap().join("\n")))
}

#[track_caller]
fn refusal(value: Value) -> String {
    load(value).expect_err("this must be refused").to_string()
}

/// Small whole numbers, exact in every type.
fn value(row: usize, column: usize) -> i8 {
    ((row * 7 + column * 5) % 11) as i8
}

fn rows() -> Vec<i8> {
    (0..N * 2).map(|i| value(i / 2, i % 2)).collect()
}

fn by_columns() -> Vec<i8> {
    (0..N * 2).map(|i| value(i % N, i / N)).collect()
}

fn write(path: &Path, descr: &str, fortran: bool, shape: &str, data: &[u8]) {
    write_npy(path, descr, fortran, shape, data);
}

/// A whole set of `a.npy`, `b.npy` and their labels, and its config.
fn whole() -> (TempDir, Value) {
    let folder = tempdir().unwrap();
    let values: Vec<f32> = rows().into_iter().map(f32::from).collect();
    for name in ["a", "b"] {
        write(&folder.path().join(format!("{name}.npy")), "<f4", false, "(12, 2)", &f32_bytes(&values));
        let labels: String = (0..N).map(|row| format!("{}\n", row % 3)).collect();
        std::fs::write(folder.path().join(format!("{name}.txt")), labels).unwrap();
    }
    let file = |name: &str| folder.path().join(name);
    let config = json!({
        "kind": "features", "train": file("a.npy"), "train_labels": file("a.txt"),
        "test": file("b.npy"), "test_labels": file("b.txt"), "valid_fraction": 0.3,
    });
    (folder, config)
}

fn with(config: &Value, key: &str, value: impl Into<PathBuf>) -> Value {
    let mut config = config.clone();
    config[key] = json!(value.into());
    config
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write_tensors(path: &Path, tensors: &[(&str, Dtype, &[usize], &[u8])]) {
    let views: HashMap<String, TensorView<'_>> = tensors
        .iter()
        .map(|(name, dtype, shape, data)| ((*name).to_owned(), TensorView::new(*dtype, shape.to_vec(), data).unwrap()))
        .collect();
    std::fs::write(path, safetensors::serialize(&views, None).unwrap()).unwrap();
}

macro_rules! bytes {
    ($values:expr, $to:expr) => {
        $values.into_iter().flat_map(|value: i8| $to(value)).collect::<Vec<u8>>()
    };
}

#[test]
fn all_types_and_orders_of_numbers_are_the_same_matrix() {
    let (folder, config) = whole();
    let expected = load(config.clone()).unwrap().0.fingerprint;
    let half = |value: i8| f16::from_f32(value.into());
    let types: [(&str, Vec<u8>, Vec<u8>); 16] = [
        ("|i1", bytes!(rows(), i8::to_le_bytes), bytes!(by_columns(), i8::to_le_bytes)),
        ("|u1", bytes!(rows(), i8::to_le_bytes), bytes!(by_columns(), i8::to_le_bytes)),
        ("<i2", bytes!(rows(), |v| i16::from(v).to_le_bytes()), bytes!(by_columns(), |v| i16::from(v).to_le_bytes())),
        (">i2", bytes!(rows(), |v| i16::from(v).to_be_bytes()), bytes!(by_columns(), |v| i16::from(v).to_be_bytes())),
        ("<u2", bytes!(rows(), |v| i16::from(v).to_le_bytes()), bytes!(by_columns(), |v| i16::from(v).to_le_bytes())),
        ("<i4", bytes!(rows(), |v| i32::from(v).to_le_bytes()), bytes!(by_columns(), |v| i32::from(v).to_le_bytes())),
        (">u4", bytes!(rows(), |v| i32::from(v).to_be_bytes()), bytes!(by_columns(), |v| i32::from(v).to_be_bytes())),
        ("<u4", bytes!(rows(), |v| i32::from(v).to_le_bytes()), bytes!(by_columns(), |v| i32::from(v).to_le_bytes())),
        ("<i8", bytes!(rows(), |v| i64::from(v).to_le_bytes()), bytes!(by_columns(), |v| i64::from(v).to_le_bytes())),
        (">u8", bytes!(rows(), |v| i64::from(v).to_be_bytes()), bytes!(by_columns(), |v| i64::from(v).to_be_bytes())),
        ("<f2", bytes!(rows(), |v| half(v).to_le_bytes()), bytes!(by_columns(), |v| half(v).to_le_bytes())),
        (">f2", bytes!(rows(), |v| half(v).to_be_bytes()), bytes!(by_columns(), |v| half(v).to_be_bytes())),
        ("=f4", bytes!(rows(), |v| f32::from(v).to_le_bytes()), bytes!(by_columns(), |v| f32::from(v).to_le_bytes())),
        (">f4", bytes!(rows(), |v| f32::from(v).to_be_bytes()), bytes!(by_columns(), |v| f32::from(v).to_be_bytes())),
        ("<f8", bytes!(rows(), |v| f64::from(v).to_le_bytes()), bytes!(by_columns(), |v| f64::from(v).to_le_bytes())),
        (">f8", bytes!(rows(), |v| f64::from(v).to_be_bytes()), bytes!(by_columns(), |v| f64::from(v).to_be_bytes())),
    ];
    let train = folder.path().join("a.npy");
    for (descr, by_rows, by_columns) in types {
        for (fortran, data) in [(false, &by_rows), (true, &by_columns)] {
            write(&train, descr, fortran, "(12, 2)", data);
            assert_eq!(load(config.clone()).unwrap().0.fingerprint, expected, "{descr} {fortran}");
            // a few rows at a time, as predictions are read
            let mut matrix = MatrixRows::open(&train, None).unwrap();
            let read: Vec<f64> = (0..4).flat_map(|_| matrix.read(5).unwrap()).collect();
            assert_eq!(read, rows().into_iter().map(f64::from).collect::<Vec<_>>(), "{descr} {fortran}");
        }
    }
    let tensors = folder.path().join("a.safetensors");
    let config = with(&config, "train", &tensors);
    for (dtype, data) in [
        (Dtype::BF16, bytes!(rows(), |v| bf16::from_f32(f32::from(v)).to_le_bytes())),
        (Dtype::F16, bytes!(rows(), |v| half(v).to_le_bytes())),
        (Dtype::F64, bytes!(rows(), |v| f64::from(v).to_le_bytes())),
        (Dtype::U8, bytes!(rows(), i8::to_le_bytes)),
        (Dtype::I64, bytes!(rows(), |v| i64::from(v).to_le_bytes())),
    ] {
        write_tensors(&tensors, &[("x", dtype, &[N, 2], &data)]);
        assert_eq!(load(config.clone()).unwrap().0.fingerprint, expected, "{dtype:?}");
    }
}

#[test]
fn truth_values_are_features() {
    let (folder, config) = whole();
    let train = folder.path().join("a.npy");
    write(&train, "|b1", false, "(12, 2)", &(0..24).map(|i| u8::from(i % 5 < 2)).collect::<Vec<_>>());
    let (dataset, _) = load(config).unwrap();
    assert!((dataset.input.mean[0] - 0.4).abs() < 0.2, "{:?}", dataset.input);
}

#[test]
fn gzip_is_recognised_by_content() {
    let (folder, config) = whole();
    let expected = load(config.clone()).unwrap().0.fingerprint;
    let plain = std::fs::read(folder.path().join("a.npy")).unwrap();
    for name in ["a.npy", "c.npy.gz", "c"] {
        std::fs::write(folder.path().join(name), gzipped(&plain)).unwrap();
        let config = with(&config, "train", folder.path().join(name));
        assert_eq!(load(config).unwrap().0.fingerprint, expected, "{name}");
    }
    std::fs::write(folder.path().join("a.npy"), &gzipped(&plain)[..100]).unwrap();
    assert_contains(&refusal(config.clone()), &["a.npy", "gzip stream that breaks"]);
    // a short gzip stream of a header that claims more than deflate can hold
    let mut claims = crate::npy_head("<f4", &[1 << 20, 1 << 20]);
    claims.extend([0; 64]);
    std::fs::write(folder.path().join("a.npy"), gzipped(&claims)).unwrap();
    assert_contains(&refusal(config), &["1048576 x 1048576 values", "more than"]);
}

#[test]
fn other_containers_are_named() {
    let (folder, config) = whole();
    for (name, content, parts) in [
        ("a.npz", &b"PK\x03\x04aaaaaaaaaaaa"[..], ["zip archive", ".npz"]),
        ("a.pt", b"PK\x03\x04aaaaaaaaaaaa", ["zip archive", "torch.save"]),
        ("a.pkl", b"\x80\x04\x95aaaaaaaaaaaaa", ["pickle", "numpy.save"]),
        ("a.h5", b"\x89HDF\r\n\x1a\naaaaaaaa", ["HDF5", "numpy.save"]),
        ("a.parquet", b"PAR1aaaaaaaaaaaa", ["parquet", "numpy.save"]),
        ("a.csv", b"1.5,2.5\n1,2\n", ["text file", "numpy.loadtxt"]),
        ("a.npy", b"", ["an empty file", "write it again"]),
        ("b.safetensors", b"\x01\x02", ["no format", "numpy.save"]),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        assert_contains(&refusal(with(&config, "train", &path)), &[name, parts[0], parts[1]]);
        if parts[0] != "text file" && parts[0] != "an empty file" && parts[0] != "no format" {
            assert_contains(&refusal(with(&config, "train_labels", &path)), &[name, parts[0], "labels"]);
        }
    }
}

#[test]
fn hostile_headers_end_at_once() {
    let (folder, config) = whole();
    let train = folder.path().join("a.npy");
    let nested = format!("{}'<f4'{}", "[('a', ".repeat(15), ")]".repeat(15));
    let mut header = format!("{{'descr': {nested}, 'fortran_order': False, 'shape': (12, 2)}}\n").into_bytes();
    header.splice(0..0, [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..]].concat());
    std::fs::write(&train, &header).unwrap();
    assert_contains(&refusal(config.clone()), &["a.npy", "records of several fields"]);
    std::fs::write(&train, b"\x93NUMPY\x02\x00\xff\xff\xff\xff{").unwrap();
    assert_contains(&refusal(config.clone()), &["a.npy", "header of more than 65536 bytes"]);
    std::fs::write(&train, b"\x93NUMPY\x01\x00\xff\xf0{").unwrap();
    assert_contains(&refusal(config.clone()), &["a.npy", "header that is longer than the file"]);
    write(&train, "<f4", true, "(4611686018427387914, 4)", &[0; 160]);
    assert_contains(&refusal(config.clone()), &["4611686018427387914 x 4 values"]);
    assert!(MatrixRows::open(&train, None).is_err());
    let tensors = folder.path().join("a.safetensors");
    let config = with(&config, "train", &tensors);
    std::fs::write(&tensors, b"\0\0\0\0\0\0\0\x80{}").unwrap();
    assert_contains(&refusal(config.clone()), &["a.safetensors", "more than 100 MB"]);
    let header = r#"{"x":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat();
    std::fs::write(&tensors, bytes).unwrap();
    assert_contains(&refusal(config), &["a.safetensors", "cannot be read"]);
}

#[test]
fn labels_may_be_columns_truth_values_and_texts() {
    let (folder, config) = whole();
    let expected = load(config.clone()).unwrap().0;
    let labels = folder.path().join("y.npy");
    let with_labels = with(&with(&config, "train_labels", &labels), "test_labels", &labels);
    let numbers = |to: &dyn Fn(i64) -> Vec<u8>| (0..N as i64).flat_map(|row| to(row % 3)).collect::<Vec<u8>>();
    for (descr, shape, data) in [
        ("<i8", "(12, 1)", numbers(&|label| label.to_le_bytes().to_vec())),
        ("<i8", "(1, 12)", numbers(&|label| label.to_le_bytes().to_vec())),
        (">i4", "(12,)", numbers(&|label| (label as i32).to_be_bytes().to_vec())),
        ("<f8", "(12,)", numbers(&|label| (label as f64).to_le_bytes().to_vec())),
        ("<f4", "(12, 1)", numbers(&|label| (label as f32).to_le_bytes().to_vec())),
    ] {
        write(&labels, descr, false, shape, &data);
        assert_eq!(load(with_labels.clone()).unwrap().0.fingerprint, expected.fingerprint, "{descr} {shape}");
    }
    let names = ["fig", "pêche", "kiwi"];
    let padded = |row: usize| format!("{:\0<5}", names[row % 3]).chars().collect::<Vec<char>>();
    let big_endian: Vec<u8> = (0..N).flat_map(padded).flat_map(|letter| (letter as u32).to_be_bytes()).collect();
    write(&labels, ">U5", false, "(12,)", &big_endian);
    assert_eq!(load(with_labels.clone()).unwrap().0.labels, ["fig", "kiwi", "pêche"]);
    let bytes: Vec<u8> = (0..N).flat_map(|row| format!("{:\0<4}", ["fig", "kiwi"][row % 2]).into_bytes()).collect();
    write(&labels, "|S4", false, "(12, 1)", &bytes);
    assert_eq!(load(with_labels.clone()).unwrap().0.labels, ["fig", "kiwi"]);
    write(&labels, "|b1", false, "(12,)", &(0..12).map(|row| row % 2).collect::<Vec<u8>>());
    assert_eq!(load(with_labels.clone()).unwrap().0.labels, ["False", "True"]);

    for (descr, shape, data, parts) in [
        ("<f8", "(12,)", numbers(&|label| (label as f64 + 0.5).to_le_bytes().to_vec()), ["0.5 in item 0", "whole"]),
        ("<f8", "(12,)", numbers(&|_| f64::NAN.to_le_bytes().to_vec()), ["NaN in item 0", "whole"]),
        ("|u1", "(4, 3)", vec![1; 12], ["shape [4, 3]", "argmax(axis=1)"]),
        ("|S4", "(12,)", vec![0xff; 48], ["no UTF-8", "item 0"]),
        ("<U1", "(12,)", vec![0; 48], ["empty name", "item 0"]),
        ("|O", "(12,)", vec![0; 48], ["pickled", "dtype=str"]),
    ] {
        write(&labels, descr, false, shape, &data);
        assert_contains(&refusal(with_labels.clone()), &["y.npy", parts[0], parts[1]]);
    }
}

#[test]
fn a_tensor_is_chosen_by_its_name_where_there_are_several() {
    let (folder, config) = whole();
    let expected = load(config.clone()).unwrap().0.fingerprint;
    let both = folder.path().join("both.safetensors");
    let values = bytes!(rows(), |v| f32::from(v).to_le_bytes());
    let labels: Vec<u8> = (0..N as i64).flat_map(|row| (row % 3).to_le_bytes()).collect();
    let one_hot = vec![0; N * 3];
    write_tensors(
        &both,
        &[
            ("embeddings", Dtype::F32, &[N, 2], &values),
            ("labels", Dtype::I64, &[N], &labels),
            ("one_hot", Dtype::U8, &[N, 3], &one_hot),
        ],
    );
    let mut config = with(&with(&config, "train", &both), "test", &both);
    config["train_labels"] = json!(both);
    config["test_labels"] = json!(both);
    let parts =
        ["both.safetensors", "3 tensors", "\"embeddings\" (F32 [12, 2])", "\"one_hot\" (U8 [12, 3])", "`tensor = "];
    assert_contains(&refusal(config.clone()), &parts);
    config["tensor"] = json!("embeddings");
    assert_contains(&refusal(config.clone()), &["3 tensors", "`label_tensor = "]);
    config["label_tensor"] = json!("labels");
    assert_eq!(load(config.clone()).unwrap().0.fingerprint, expected);
    config["tensor"] = json!("labels");
    assert_contains(&refusal(config.clone()), &["shape [12]", "reshape(-1, 1)"]);
    config["tensor"] = json!("embedding");
    assert_contains(&refusal(config), &["\"embeddings\"", "expected a tensor named \"embedding\""]);
}

/// `f64` columns: 1e8 and a few ones, 1e-9 and a few parts of it, plain numbers.
fn in_f64(row: usize) -> [f64; 3] {
    [1e8 + (row % 5) as f64 * 0.25, 1e-9 * (1.0 + (row % 3) as f64), (row * row % 7) as f64 + 0.1]
}

#[test]
fn what_f64_tells_apart_stays_apart() {
    let (folder, config) = whole();
    for name in ["a", "b"] {
        let data: Vec<u8> = (0..N).flat_map(in_f64).flat_map(f64::to_le_bytes).collect();
        write(&folder.path().join(format!("{name}.npy")), "<f8", false, "(12, 3)", &data);
    }
    let (dataset, notes) = load(config).unwrap();
    assert_contains(&notes, &["a.npy", "1 of 3 columns (0) is of numbers that differ by little"]);
    assert_eq!(dataset.input.offset, [1e8, 0.0, 0.0]);
    let test = dataset.test.unseal();
    for row in 0..N {
        let mut read = [0.0; 3];
        test.read(row, None, &mut read).unwrap();
        let [offset, small, plain] = in_f64(row);
        let spec = &dataset.input;
        let exact = |column: usize, value: f64| {
            ((value - spec.offset[column] - f64::from(spec.mean[column])) / f64::from(spec.std[column])) as f32
        };
        for (column, value) in [offset, small, plain].into_iter().enumerate() {
            assert!((read[column] - exact(column, value)).abs() < 1e-5, "row {row}, column {column}: {read:?}");
        }
        // a model that is given the numbers as a text sees the same
        let text = format!("{offset},{small:e},{plain}");
        let given = given(spec, &text).unwrap().remove(0).1;
        assert_eq!(given, crate::GivenContent::Values(read.to_vec()), "{text}");
    }
    assert!(dataset.input.std.iter().zip([0.3, 8e-10, 2.0]).all(|(std, size)| *std > size / 2.0 && *std < size * 2.0));
}

#[test]
fn units_and_constant_columns() {
    let (folder, config) = whole();
    let train = folder.path().join("a.npy");
    let write_f64 = |value: &dyn Fn(usize) -> [f64; 2]| {
        let data: Vec<u8> = (0..N).flat_map(value).flat_map(f64::to_le_bytes).collect();
        write(&train, "<f8", false, "(12, 2)", &data);
    };
    write_f64(&|row| [0.1, row as f64]);
    let (dataset, notes) = load(config.clone()).unwrap();
    assert_contains(&notes, &["1 of 2 columns (0) is the same in every row"]);
    assert!(dataset.input.offset.is_empty() && dataset.input.std[0] == 1.0, "{:?}", dataset.input);
    // rounding in f64 is no content
    write_f64(&|row| [0.1 + (row % 2) as f64 * f64::EPSILON / 16.0, row as f64]);
    assert!(load(config.clone()).unwrap().0.input.offset.is_empty());
    write_f64(&|row| [row as f64 * 1e-50 / 3.0, row as f64]);
    assert_contains(&refusal(config.clone()), &["a.npy", "column 0", "another unit"]);
    // whole numbers of 64 bits, such as times in microseconds
    let times: Vec<u8> =
        (0..N as i64).flat_map(|row| [1_700_000_000_000_000 + row, row]).flat_map(i64::to_le_bytes).collect();
    write(&train, "<i8", false, "(12, 2)", &times);
    assert_eq!(load(config).unwrap().0.input.offset, [1.7e15, 0.0]);
}
