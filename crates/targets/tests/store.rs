//! Soft targets survive the disk, and nothing else does.

use proptest::prelude::*;
use std::path::Path;
use stillhouse_core::{ExampleId, ExampleView, Temperature, ViewId};
use stillhouse_targets::{SoftTargets, SoftTargetsBuilder, TargetsError, TargetsInfo, TeacherInfo, size_bytes};

fn info(n_classes: usize) -> TargetsInfo {
    TargetsInfo {
        labels: (0..n_classes).map(|class| format!("class \"{class}\" \\ é")).collect(),
        dataset: "glyphs-7f3a".into(),
        teachers: vec![TeacherInfo { name: "generalist".into(), fingerprint: "0a1b".into() }],
        transform: "none".into(),
        temperature: Temperature::ONE,
    }
}

fn key(example: u64, view: Option<u32>) -> ExampleView {
    ExampleView { example: ExampleId(example), view: view.map(ViewId) }
}

fn row(n_classes: usize, seed: u64) -> Vec<f32> {
    let mut row: Vec<f32> = (0..n_classes as u64).map(|class| ((seed * 31 + class * 7) % 13) as f32 + 1e-6).collect();
    let total: f32 = row.iter().sum();
    row.iter_mut().for_each(|prob| *prob /= total);
    row
}

fn number(key: ExampleView) -> u64 {
    key.example.0 % 1000 * 3 + key.view.map_or(0, |view| u64::from(view.0) + 1)
}

fn targets(keys: &[ExampleView]) -> SoftTargets {
    let mut builder = SoftTargetsBuilder::new(info(5));
    for key in keys {
        builder.push(*key, &row(5, number(*key))).unwrap();
    }
    builder.finish().unwrap()
}

fn small() -> SoftTargets {
    targets(&[key(7, None), key(7, Some(1)), key(7, Some(0)), key(u64::MAX, None), key(2, Some(u32::MAX))])
}

fn written(targets: &SoftTargets, folder: &Path) -> (std::path::PathBuf, Vec<u8>) {
    let path = folder.join("targets.safetensors");
    targets.write(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn a_file_gives_back_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bytes) = written(&small(), folder.path());
    let back = SoftTargets::open(&path).unwrap();
    assert_eq!(back, small());
    assert_eq!(back.row(key(7, Some(1))), Some(row(5, number(key(7, Some(1)))).as_slice()));
    assert_eq!(back.row(key(7, Some(2))), None);
    assert!((size_bytes(5, 5)..size_bytes(5, 5) + 4096).contains(&(bytes.len() as u64)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn any_reader_of_safetensors_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = written(&small(), folder.path());
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("probs").unwrap().shape(), [5, 5]);
    assert_eq!(tensors.tensor("view_ids").unwrap().dtype(), safetensors::Dtype::I64);
    let ids = tensors.tensor("example_ids").unwrap();
    assert_eq!(&ids.data()[..16], [2, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
    let probs = tensors.tensor("probs").unwrap();
    assert_eq!(probs.data()[..4], row(5, number(key(2, Some(u32::MAX))))[0].to_le_bytes());
}

#[test]
fn every_flipped_bit_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bytes) = written(&small(), folder.path());
    for position in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1 << (position % 8);
        std::fs::write(&path, damaged).unwrap();
        let error = SoftTargets::open(&path).map(|_| ()).expect_err(&format!("byte {position}")).to_string();
        assert!(error.contains("targets.safetensors") && error.contains("expected"), "byte {position}: {error}");
    }
}

#[test]
fn a_flipped_byte_of_a_row_names_both_checksums() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut bytes) = written(&small(), folder.path());
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let Err(TargetsError::Checksum { found, expected, .. }) = SoftTargets::open(&path) else { panic!("not noticed") };
    assert!(found != expected && found.len() == 64 && expected.len() == 64);
}

#[test]
fn truncated_and_foreign_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bytes) = written(&small(), folder.path());
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(matches!(SoftTargets::open(&path), Err(TargetsError::Format { .. })), "{length}");
    }
    std::fs::write(&path, [&bytes[..], b"more"].concat()).unwrap();
    assert!(matches!(SoftTargets::open(&path), Err(TargetsError::Format { what: "length", .. })));
    std::fs::write(&path, "just some text, long enough to hold a header").unwrap();
    assert!(matches!(SoftTargets::open(&path), Err(TargetsError::Format { what: "header", .. })));
    let text = String::from_utf8_lossy(&bytes).replace("stillhouse-soft", "stillhouse-hard");
    assert_ne!(text.as_bytes(), bytes);
    assert!(matches!(SoftTargets::open(&folder.path().join("absent")), Err(TargetsError::Io { .. })));
}

#[test]
fn another_version_and_format_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bytes) = written(&small(), folder.path());
    for (old, new, what) in [
        (&br#"\"version\":1"#[..], &br#"\"version\":2"#[..], "version"),
        (b"stillhouse-soft", b"stillhouse-hard", "format"),
    ] {
        let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
        let mut other = bytes.clone();
        other[at..at + new.len()].copy_from_slice(new);
        std::fs::write(&path, other).unwrap();
        assert!(SoftTargets::open(&path).unwrap_err().to_string().contains(what));
    }
}

#[test]
fn a_failed_write_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("occupied");
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(small().write(&path), Err(TargetsError::Io { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(small().write(&folder.path().join("no/such/folder")).is_err());
}

#[test]
fn rows_that_are_no_distributions_are_refused() {
    let mut builder = SoftTargetsBuilder::new(info(2));
    let mut error = |probs: &[f32]| builder.push(key(4, Some(2)), probs).unwrap_err().to_string();
    assert_eq!(error(&[1.0]), "example 4, view 2: 1 probabilities, expected 2");
    assert_eq!(error(&[1.5, -0.5]), "example 4, view 2: class 1 has probability -0.5, expected 0 to 1");
    assert!(error(&[f32::NAN, 1.0]).contains("class 0"));
    assert!(error(&[3.0, 1.0]).contains("sum to 4"));
    assert!(matches!(builder.finish(), Err(TargetsError::Empty { n_classes: 2, n_rows: 0 })));
}

#[test]
fn two_rows_for_one_view_are_refused() {
    let mut builder = SoftTargetsBuilder::new(info(5));
    for example in [3, 1, 3] {
        builder.push(key(example, None), &row(5, example)).unwrap();
    }
    assert_eq!(builder.finish().unwrap_err().to_string(), "example 3 has two rows");
}

#[test]
fn misaligned_keys_are_refused() {
    let targets = small();
    let mut out = vec![0.0; 10];
    targets.gather(&[key(7, Some(0)), key(2, Some(u32::MAX))], &mut out).unwrap();
    assert_eq!(out[..5], *targets.row(key(7, Some(0))).unwrap());
    assert_eq!(out[5..], *targets.row(key(2, Some(u32::MAX))).unwrap());
    let error = targets.gather(&[key(7, Some(0)), key(2, None)], &mut out).unwrap_err();
    assert!(error.to_string().starts_with("no soft target for example 2\nhint"));
}

#[test]
fn targets_of_other_data_or_classes_are_refused() {
    let targets = small();
    targets.check_dataset("glyphs-7f3a").unwrap();
    let error = targets.check_dataset("mnist").unwrap_err().to_string();
    assert!(error.contains("glyphs-7f3a") && error.contains("mnist"));
    let mut labels = info(5).labels;
    targets.check_labels(&labels).unwrap();
    labels.swap(1, 2);
    assert!(matches!(targets.check_labels(&labels), Err(TargetsError::Labels { class: 1, .. })));
    labels.swap(1, 2);
    labels.pop();
    assert!(matches!(targets.check_labels(&labels), Err(TargetsError::Labels { class: 4, expected: None, .. })));
}

#[test]
fn mean_entropy_of_a_one_hot_and_a_flat_row() {
    let mut builder = SoftTargetsBuilder::with_capacity(info(4), 2);
    builder.push(key(0, None), &[0.0, 0.0, 1.0, 0.0]).unwrap();
    builder.push(key(1, None), &[0.25; 4]).unwrap();
    assert!((builder.finish().unwrap().mean_entropy() - 4.0_f64.ln() / 2.0).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]
    #[test]
    fn bytes_depend_on_the_content_only(
        keys in prop::collection::btree_set((0_u64..50, prop::option::of(0_u32..4)), 1..40),
        shuffle in any::<u64>(),
    ) {
        let keys: Vec<ExampleView> = keys.into_iter().map(|(example, view)| key(example, view)).collect();
        let mut shuffled = keys.clone();
        shuffled.sort_by_key(|key| (key.example.0 + 1).wrapping_mul(shuffle | 1).rotate_left(key.view.map_or(0, |v| v.0)));
        let folder = tempfile::tempdir().unwrap();
        let (path, bytes) = written(&targets(&keys), folder.path());
        let (_, other) = written(&targets(&shuffled), folder.path());
        prop_assert!(bytes == other);
        prop_assert_eq!(SoftTargets::open(&path).unwrap(), targets(&keys));
    }
}
