//! Batches: the plan's order and the same bits, however they are filled.

use super::load;
use crate::{Batch, Loader, Split};
use serde_json::json;
use stillhouse_core::{ExampleView, ViewId};

fn augmented() -> Split {
    let glyphs = json!({
        "kind": "glyphs", "n_classes": 10, "train_per_class": 8, "test_per_class": 1,
        "augment": {"kind": "shift", "max_pixels": 2},
    });
    load(glyphs).unwrap().train
}

fn plan(split: &Split) -> Vec<(usize, Option<ViewId>)> {
    let views = [None, Some(ViewId(0)), Some(ViewId(7))];
    (0..split.len()).rev().map(|row| (row, views[row % 3])).collect()
}

fn batches(loader: Loader) -> Vec<Batch> {
    loader.map(Result::unwrap).collect()
}

#[test]
fn batches_follow_the_plan() {
    let split = augmented();
    let plan = plan(&split);
    let batches = batches(Loader::new(split.clone(), plan.clone(), None, 16, false, 2));
    assert_eq!(batches.len(), split.len().div_ceil(16));
    let read: Vec<_> =
        batches.iter().flat_map(|batch| batch.rows.iter().zip(&batch.examples).zip(&batch.labels)).collect();
    assert_eq!(read.len(), plan.len());
    for (((row, example), label), (planned, view)) in read.into_iter().zip(plan) {
        assert_eq!(*row, planned);
        assert_eq!(*example, ExampleView { example: split.example_id(planned), view });
        assert_eq!(*label, split.label(planned));
    }
}

#[test]
fn bits_do_not_depend_on_threads_or_prefetching() {
    let split = augmented();
    let reference = batches(Loader::new(split.clone(), plan(&split), None, 7, false, 0));
    for n_threads in [1, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        for n_prefetch in [1, 3, 50] {
            let loader = || Loader::new(split.clone(), plan(&split), None, 7, false, n_prefetch);
            assert_eq!(pool.install(|| batches(loader())), reference);
        }
    }
}

#[test]
fn a_view_is_its_own_rendering() {
    let split = augmented();
    let read = |row, view| {
        let mut out = vec![0.0; 784];
        split.read(row, view, &mut out).unwrap();
        out
    };
    assert_eq!(read(3, Some(ViewId(1))), read(3, Some(ViewId(1))));
    assert!((1..9).any(|view| read(3, Some(ViewId(view))) != read(3, Some(ViewId(0)))));
    // A view belongs to the example, whatever row it has in a split.
    let selected = split.select(&[5, 3]);
    let mut out = vec![0.0; 784];
    selected.read(1, Some(ViewId(1)), &mut out).unwrap();
    assert_eq!(out, read(3, Some(ViewId(1))));
}

#[test]
fn the_last_batch_can_be_dropped() {
    let split = augmented();
    let sizes = |drop_last| -> Vec<usize> {
        batches(Loader::new(split.clone(), plan(&split)[..20].to_vec(), None, 8, drop_last, 1))
            .iter()
            .map(Batch::len)
            .collect()
    };
    assert_eq!(sizes(false), [8, 8, 4]);
    assert_eq!(sizes(true), [8, 8]);
    assert_eq!(Loader::new(split.clone(), Vec::new(), None, 8, false, 2).count(), 0);
}

#[test]
fn a_loader_can_be_dropped_at_any_time() {
    let split = augmented();
    for n_read in 0..4 {
        let mut loader = Loader::new(split.clone(), plan(&split), None, 5, false, 2);
        assert_eq!(loader.by_ref().take(n_read).count(), n_read);
    }
}

#[test]
fn an_error_ends_the_batches() {
    use super::files::write_images;
    use crate::LoadContext;
    let root = tempfile::tempdir().unwrap();
    let paths = write_images(root.path(), "train", &["a", "b"], 10);
    let context = LoadContext { memory_limit_bytes: Some(0), ..LoadContext::quiet(stillhouse_core::Seed(0)) };
    let data = super::config(json!({"kind": "image_folder", "path": root.path()}));
    let train = data.load(&context).unwrap().train;
    paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    for n_prefetch in [0, 3] {
        let plan = (0..train.len()).map(|row| (row, None)).collect();
        let results: Vec<_> = Loader::new(train.clone(), plan, None, 2, false, n_prefetch).collect();
        assert_eq!(results.len(), 1);
        assert!(results[0].as_ref().unwrap_err().to_string().contains("cannot read"));
    }
}
