//! Soft targets survive the disk, and nothing else does.

use proptest::prelude::*;
use std::path::{Path, PathBuf};
use stillhouse_core::{ClassId, ExampleId, ExampleView, Temperature, ViewId};
use stillhouse_targets::{
    Layout, SoftTargets, TargetBatch, TargetsError, TargetsInfo, TargetsWriter, TeacherInfo, soften,
};

fn dense() -> Layout {
    Layout::Dense {}
}

fn sparse(k: usize) -> Layout {
    Layout::sparse(k, 1000, [Temperature::new(4.0).unwrap()])
}

fn info(n_classes: usize, layout: Layout) -> TargetsInfo {
    TargetsInfo {
        layout,
        labels: (0..n_classes).map(|class| format!("class \"{class}\" \\ é")).collect(),
        dataset: "glyphs-7f3a".into(),
        teachers: vec![TeacherInfo { name: "generalist".into(), fingerprint: "0a1b".into() }],
        transform: "none".into(),
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

fn row_of(key: ExampleView, n_classes: usize) -> Vec<f32> {
    row(n_classes, key.example.0 % 1000 * 3 + key.view.map_or(0, |view| u64::from(view.0) + 1))
}

fn small_keys() -> Vec<ExampleView> {
    vec![key(2, Some(u32::MAX)), key(7, None), key(7, Some(0)), key(7, Some(1)), key(u64::MAX, None)]
}

/// Keys for four chunks, the last one cut short.
fn many_keys() -> Vec<ExampleView> {
    (0..400).map(|example| key(example, None)).collect()
}

const MANY_CLASSES: usize = 9000;

fn write_chunk(writer: &TargetsWriter, chunk_idx: usize, n_classes: usize) {
    let probs: Vec<f32> = writer.chunk_keys(chunk_idx).iter().flat_map(|key| row_of(*key, n_classes)).collect();
    writer.write_chunk(chunk_idx, &probs).unwrap();
}

fn write(path: &Path, keys: &[ExampleView], n_classes: usize, layout: Layout) -> Vec<u8> {
    let writer = TargetsWriter::create(path, info(n_classes, layout), keys.to_vec()).unwrap();
    (0..writer.n_chunks()).for_each(|chunk_idx| write_chunk(&writer, chunk_idx, n_classes));
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

/// A folder with a store of five rows.
fn small(layout: Layout) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("targets.safetensors");
    let bytes = write(&path, &small_keys(), 5, layout);
    (folder, path, bytes)
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_dense_file_gives_back_what_was_written() {
    let (folder, path, bytes) = small(dense());
    let back = SoftTargets::open(&path).unwrap();
    assert_eq!((back.info(), back.keys()), (&info(5, dense()), &small_keys()[..]));
    let asked = [key(7, Some(1)), key(2, Some(u32::MAX))];
    let expected = asked.map(|key| row_of(key, 5)).concat();
    assert_eq!(back.batch(&asked, Temperature::ONE).unwrap(), TargetBatch::Dense { probs: expected.clone() });
    let best = (0..5).max_by(|a, b| expected[*a].total_cmp(&expected[*b])).unwrap();
    assert_eq!(back.top_class(asked[0]), Some(ClassId(best as u32)));
    assert_eq!(back.top_class(key(7, Some(2))), None);
    let size = dense().size_bytes(5, 5);
    assert!((size..size + 4096).contains(&(bytes.len() as u64)));
    assert_eq!(files(folder.path()), 1, "no temporary file is left");
}

#[test]
fn a_sparse_file_gives_back_buckets() {
    let (_folder, path, _) = small(sparse(2));
    let back = SoftTargets::open(&path).unwrap();
    let four = Temperature::new(4.0).unwrap();
    for key in small_keys() {
        let mut expected = vec![0.0; 5];
        soften(&row_of(key, 5), four, &mut expected);
        let TargetBatch::Sparse { classes, probs, tails } = back.batch(&[key], four).unwrap() else { panic!() };
        for (class, prob) in classes.iter().zip(&probs) {
            assert!((prob - expected[*class as usize]).abs() < 1e-4);
            expected[*class as usize] = 0.0;
        }
        assert!((tails[0] - expected.iter().sum::<f32>()).abs() < 1e-6);
        assert!(expected.iter().all(|other| probs.iter().all(|prob| other <= prob)), "{probs:?} {expected:?}");
        let top = if probs[0] >= probs[1] { classes[0] } else { classes[1] };
        assert_eq!(back.top_class(key), Some(ClassId(top)));
    }
    let error = back.batch(&small_keys()[..1], Temperature::new(3.0).unwrap()).unwrap_err().to_string();
    assert!(error.starts_with("soft targets at T = 3, found T = 1, 4\nhint"), "{error}");
    let error = back.dense_batch(&small_keys(), four).unwrap_err().to_string();
    assert!(error.contains("keeps some classes of a row only"), "{error}");
}

#[test]
fn any_reader_of_safetensors_can_read_it() {
    let (_folder, _, bytes) = small(dense());
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("probs").unwrap().shape(), [5, 5]);
    assert_eq!(tensors.tensor("view_ids").unwrap().dtype(), safetensors::Dtype::I64);
    let ids = tensors.tensor("example_ids").unwrap();
    assert_eq!(&ids.data()[..16], [2, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
    let probs = tensors.tensor("probs").unwrap();
    assert_eq!(probs.data()[..4], row_of(key(2, Some(u32::MAX)), 5)[0].to_le_bytes());

    let (_folder, _, bytes) = small(sparse(2));
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let shape = |name| tensors.tensor(name).unwrap().shape().to_vec();
    assert_eq!([shape("tail_masses"), shape("classes"), shape("codes")], [[5, 2], [5, 2], [5, 2]]);
    assert_eq!(tensors.tensor("classes").unwrap().dtype(), safetensors::Dtype::U16);
}

#[test]
fn every_flipped_bit_is_found() {
    for layout in [dense(), sparse(2)] {
        let (_folder, path, bytes) = small(layout);
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1 << (position % 8);
            std::fs::write(&path, damaged).unwrap();
            let error = SoftTargets::open(&path).map(|_| ()).expect_err(&format!("byte {position}")).to_string();
            assert!(error.contains("targets.safetensors") && error.contains("expected"), "byte {position}: {error}");
        }
    }
}

#[test]
fn a_flipped_byte_names_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("targets.safetensors");
    let mut bytes = write(&path, &many_keys(), MANY_CLASSES, sparse(3));
    let last_chunk = bytes.len() - 4 * 3 - 5 * 32;
    bytes[last_chunk] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = SoftTargets::open(&path).unwrap_err().to_string();
    let (_, checksums) = error.split_once(": rows 384 to 399: checksum ").expect(&error);
    let (found, expected) = (&checksums[..64], &checksums[64 + ", expected ".len()..][..64]);
    assert_ne!(found, expected);
    assert!(error.contains("the file is damaged"), "{error}");
}

#[test]
fn truncated_and_foreign_files_are_refused() {
    let (folder, path, bytes) = small(dense());
    let refused = |path: &Path| SoftTargets::open(path).unwrap_err().to_string();
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = refused(&path);
        assert!(error.contains(": found ") && error.contains(", expected "), "{length}: {error}");
    }
    std::fs::write(&path, [&bytes[..], b"more"].concat()).unwrap();
    assert!(refused(&path).contains("length: found"));
    std::fs::write(&path, "just some text, long enough to hold a header").unwrap();
    assert!(refused(&path).contains("header: found"));
    assert!(matches!(SoftTargets::open(&folder.path().join("absent")), Err(TargetsError::Io { .. })));
    let error = SoftTargets::open(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("it is a folder, expected a file"), "{error}");
}

#[test]
fn another_version_and_format_say_so() {
    let (_folder, path, bytes) = small(dense());
    for (old, new, what) in [
        (&br#"\"version\":2"#[..], &br#"\"version\":3"#[..], "version"),
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
fn chunks_may_come_in_any_order_from_many_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("targets");
    let expected = write(&path, &many_keys(), MANY_CLASSES, sparse(3));
    let writer = TargetsWriter::create(&path, info(MANY_CLASSES, sparse(3)), many_keys()).unwrap();
    assert_eq!(writer.missing_chunks(), [0, 1, 2, 3]);
    std::thread::scope(|scope| {
        for chunk_idx in [3, 0, 2, 1] {
            let writer = &writer;
            scope.spawn(move || write_chunk(writer, chunk_idx, MANY_CLASSES));
        }
    });
    writer.finish().unwrap();
    assert!(std::fs::read(&path).unwrap() == expected);
}

#[test]
fn an_interrupted_store_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let expected = write(&folder.path().join("whole"), &many_keys(), MANY_CLASSES, sparse(3));
    let path = folder.path().join("targets");
    let partial = folder.path().join("targets.partial");
    let resume = || TargetsWriter::resume(&path, info(MANY_CLASSES, sparse(3)), many_keys()).unwrap();
    let writer = resume();
    write_chunk(&writer, 2, MANY_CLASSES);
    write_chunk(&writer, 0, MANY_CLASSES);
    assert!(writer.finish().unwrap_err().to_string().ends_with("2 of 4 chunks are missing"));
    assert!(partial.exists() && !path.exists());

    // a chunk that was cut off by a crash, which left its checksum but not all of its content
    let mut bytes = std::fs::read(&partial).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[header + 9] ^= 4;
    std::fs::write(&partial, bytes).unwrap();
    let writer = resume();
    assert_eq!(writer.missing_chunks(), [0, 1, 3]);
    writer.missing_chunks().into_iter().for_each(|chunk_idx| write_chunk(&writer, chunk_idx, MANY_CLASSES));
    writer.finish().unwrap();
    assert!(std::fs::read(&path).unwrap() == expected && !partial.exists());
}

#[test]
fn a_store_for_something_else_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("targets");
    let begin = |info: TargetsInfo, keys| TargetsWriter::resume(&path, info, keys).unwrap();
    let writer = begin(info(5, dense()), small_keys());
    write_chunk(&writer, 0, 5);
    drop(writer);
    assert!(begin(info(5, dense()), small_keys()).missing_chunks().is_empty());
    let mut other_keys = small_keys();
    other_keys[0].example = ExampleId(1);
    assert_eq!(begin(info(5, dense()), other_keys).missing_chunks(), [0]);
    let other = TargetsInfo { dataset: "glyphs-7f3b".into(), ..info(5, dense()) };
    assert_eq!(begin(other, small_keys()).missing_chunks(), [0]);
}

#[test]
fn a_failed_write_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("occupied");
    std::fs::create_dir(&path).unwrap();
    let writer = TargetsWriter::create(&path, info(5, dense()), small_keys()).unwrap();
    let busy = TargetsWriter::create(&path, info(5, dense()), small_keys()).map(|_| ()).unwrap_err().to_string();
    assert!(busy.contains("occupied.partial: is being written by another program"), "{busy}");
    write_chunk(&writer, 0, 5);
    assert!(matches!(writer.finish(), Err(TargetsError::Io { .. })));
    assert_eq!(files(folder.path()), 1);
    assert!(TargetsWriter::create(&folder.path().join("no/such/folder"), info(5, dense()), small_keys()).is_err());
}

#[test]
fn rows_that_are_no_distributions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let writer =
        TargetsWriter::create(&folder.path().join("targets"), info(2, dense()), vec![key(4, Some(2))]).unwrap();
    let error = |probs: &[f32]| writer.write_chunk(0, probs).unwrap_err().to_string();
    assert_eq!(error(&[1.5, -0.5]), "example 4, view 2: class 1 has probability -0.5, expected 0 to 1");
    assert!(error(&[f32::NAN, 1.0]).contains("class 0"));
    assert!(error(&[3.0, 1.0]).contains("sum to 4"));
    assert_eq!(writer.missing_chunks(), [0]);
}

#[test]
fn keys_and_layouts_that_make_no_store_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = |info: TargetsInfo, keys: &[ExampleView]| {
        TargetsWriter::create(&folder.path().join("targets"), info, keys.to_vec()).map(|_| ()).unwrap_err().to_string()
    };
    let twice = [key(1, None), key(3, None), key(3, None)];
    assert_eq!(error(info(5, dense()), &twice), "example 3 has two rows");
    assert!(error(info(5, dense()), &[key(1, None), key(0, None)]).starts_with("example 0 stands after a later one"));
    assert!(error(info(5, dense()), &[]).contains("found 5 and 0"));
    assert!(error(info(0, dense()), &small_keys()).contains("found 0 and 5"));
    assert!(error(info(2, sparse(3)), &small_keys()).contains("keeps 3 classes of a row, expected 1 to 2"));
    assert_eq!(files(folder.path()), 0);
}

#[test]
fn misaligned_keys_are_refused() {
    for layout in [dense(), sparse(2)] {
        let (_folder, path, _) = small(layout);
        let targets = SoftTargets::open(&path).unwrap();
        let error = targets.batch(&[key(7, Some(0)), key(2, None)], Temperature::ONE).unwrap_err();
        assert!(error.to_string().starts_with("no soft target for example 2\nhint"));
    }
}

#[test]
fn targets_of_other_data_or_classes_are_refused() {
    let (_folder, path, _) = small(dense());
    let targets = SoftTargets::open(&path).unwrap();
    targets.check_dataset("glyphs-7f3a").unwrap();
    let error = targets.check_dataset("mnist").unwrap_err().to_string();
    assert!(error.contains("glyphs-7f3a") && error.contains("mnist"));
    let mut labels = info(5, dense()).labels;
    targets.check_labels(&labels).unwrap();
    labels.swap(1, 2);
    let refused = |labels: &[String]| targets.check_labels(labels).unwrap_err().to_string();
    assert!(refused(&labels).starts_with("soft targets have class 1 = Some("));
    labels.swap(1, 2);
    labels.pop();
    assert!(refused(&labels).starts_with("soft targets have class 4 =") && refused(&labels).ends_with("expected None"));
}

#[test]
fn stats_of_a_one_hot_and_a_flat_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("targets");
    let layout = Layout::sparse(2, 4, [Temperature::new(2.0).unwrap()]);
    let writer = TargetsWriter::create(&path, info(4, layout), vec![key(0, None), key(0, Some(0))]).unwrap();
    writer.write_chunk(0, &[0.0, 0.0, 1.0, 0.0, 0.25, 0.25, 0.25, 0.25]).unwrap();
    writer.finish().unwrap();
    let stats = SoftTargets::open(&path).unwrap().stats();
    assert_eq!((stats.n_rows, stats.n_examples, stats.n_classes), (2, 1, 4));
    assert_eq!(stats.bytes_per_row, 16 + 2 * 4 + 4 + 2 * 4);
    assert_eq!(stats.compression, 32.0 / 36.0);
    // 1/4, 1/4 and a tail of 1/2
    assert!((stats.mean_entropy - (0.5 * 4.0_f64.ln() + 0.5 * 2.0_f64.ln()) / 2.0).abs() < 1e-7);
    assert!((stats.mean_top_prob - 0.625).abs() < 1e-7);
    for kept in &stats.kept_mass {
        assert!((kept.mean - 0.75).abs() < 1e-7);
        assert_eq!((kept.percentiles[0], kept.percentiles[6]), (0.5, 1.0));
    }
    assert_eq!(stats.kept_mass[1].temperature, 2.0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]
    #[test]
    fn any_keys_come_back(
        keys in prop::collection::btree_set((0_u64..50, prop::option::of(0_u32..4)), 1..40),
        is_dense in any::<bool>(),
    ) {
        let keys: Vec<ExampleView> = keys.into_iter().map(|(example, view)| key(example, view)).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("targets");
        write(&path, &keys, 5, if is_dense { dense() } else { sparse(3) });
        let targets = SoftTargets::open(&path).unwrap();
        prop_assert_eq!(targets.keys(), &keys[..]);
        for key in keys {
            let row = row_of(key, 5);
            let top = (0..5).fold(0, |best, class| if row[class] > row[best] { class } else { best });
            prop_assert_eq!(targets.top_class(key), Some(ClassId(top as u32)));
        }
    }
}
