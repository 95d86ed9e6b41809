//! Writing and reading a store of soft targets, against copying the same bytes in memory and writing them to a file.
//!
//! ```text
//! cargo bench -p stillhouse-targets --bench store
//! ```
//!
//! N rows, C classes, k classes kept of a row. All figures of a line come from one run; medians over repetitions. The
//! file lies in the folder for temporary files: what it is compared with is that file system, and its cache.

use rayon::prelude::*;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;
use stillhouse_core::{ExampleId, ExampleView, Seed, Temperature};
use stillhouse_targets::{Layout, SoftTargets, TargetsInfo, TargetsWriter};

/// Rows, classes, classes that are kept; none for a dense store.
const SHAPES: [(usize, usize, Option<usize>); 6] = [
    (400_000, 100, None),
    (100_000, 443, None),
    (100_000, 443, Some(32)),
    (8_000, 15_000, None),
    (8_000, 15_000, Some(64)),
    (8_000, 15_000, Some(256)),
];
const N_REPETITIONS: usize = 5;
const BATCH: usize = 128;
/// Different rows that are written over and over.
const N_DIFFERENT: usize = 512;

fn main() {
    println!(
        "| N | C | kept | bytes a row | write | of it encoding | open and check | read batches | plain file | memcpy |\n\
         |---|---|---|---|---|---|---|---|---|---|"
    );
    for (n_rows, n_classes, k) in SHAPES {
        let layout = match k {
            Some(k) => Layout::sparse(k, n_classes, [2.0, 4.0, 8.0].map(|t| Temperature::new(t).unwrap())),
            None => Layout::Dense {},
        };
        let case = Case { n_rows, n_classes, layout, rows: rows(n_classes) };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("targets.safetensors");
        let write = median(|| case.write(&path));
        let bytes = std::fs::read(&path).unwrap();
        let open = median(|| drop(black_box(SoftTargets::open(&path).unwrap())));
        let targets = SoftTargets::open(&path).unwrap();
        let read = median(|| case.read(&targets));
        let copied = folder.path().join("plain");
        let plain = median(|| {
            std::fs::write(&copied, &bytes).unwrap();
            std::fs::File::open(&copied).unwrap().sync_all().unwrap();
        });
        let mut destination = vec![0_u8; bytes.len()];
        let memcpy = median(|| black_box(&mut destination).copy_from_slice(black_box(&bytes)));
        let encode = median_of(|| case.encode(folder.path()));
        let speed = |seconds: f64| match bytes.len() as f64 / seconds {
            speed if speed < 1e8 => format!("{:.1} MB/s", speed / 1e6),
            speed => format!("{:.2} GB/s", speed / 1e9),
        };
        let per_row = |seconds: f64| format!("{:.2} us", seconds / n_rows as f64 * 1e6);
        println!(
            "| {n_rows} | {n_classes} | {} | {} | {} ({}) | {} | {} | {} ({}) | {} | {} |",
            k.map_or("all".to_owned(), |k| k.to_string()),
            case.layout.row_bytes(n_classes),
            per_row(write),
            speed(write),
            per_row(encode * n_rows as f64),
            speed(open),
            per_row(read),
            speed(read),
            speed(plain),
            speed(memcpy),
        );
    }
}

struct Case {
    n_rows: usize,
    n_classes: usize,
    layout: Layout,
    /// `[N_DIFFERENT, C]`
    rows: Vec<f32>,
}

/// Distributions with one class ahead and a long tail.
fn rows(n_classes: usize) -> Vec<f32> {
    let row = |nth: usize| {
        let logit = |class: usize| {
            let random = Seed(nth as u64).derive("logit", class as u64).0;
            let uniform = (random >> 11) as f64 / (1_u64 << 53) as f64;
            if class == nth % n_classes { 12.0 } else { 10.0 * uniform }
        };
        let exps: Vec<f64> = (0..n_classes).map(|class| logit(class).exp()).collect();
        let total: f64 = exps.iter().sum();
        exps.into_iter().map(move |value| (value / total) as f32).collect::<Vec<f32>>()
    };
    (0..N_DIFFERENT).into_par_iter().flat_map_iter(row).collect()
}

fn keys(n_rows: usize) -> Vec<ExampleView> {
    (0..n_rows as u64).map(|example| ExampleView { example: ExampleId(example), view: None }).collect()
}

impl Case {
    fn info(&self) -> TargetsInfo {
        TargetsInfo {
            layout: self.layout.clone(),
            dataset: "benchmark".into(),
            teachers: Vec::new(),
            transform: "none".into(),
            labels: (0..self.n_classes).map(|class| class.to_string()).collect(),
        }
    }

    /// Writes the store, chunks by all threads.
    fn write(&self, path: &Path) {
        let writer = TargetsWriter::create(path, self.info(), keys(self.n_rows)).unwrap();
        (0..writer.n_chunks()).into_par_iter().for_each(|chunk_idx| {
            let rows = writer.chunk_rows(chunk_idx);
            let row = |nth: usize| &self.rows[nth % N_DIFFERENT * self.n_classes..][..self.n_classes];
            let probs: Vec<f32> = rows.flat_map(row).copied().collect();
            writer.write_chunk(chunk_idx, &probs).unwrap();
        });
        writer.finish().unwrap();
    }

    /// Seconds of one thread for a row, without a file worth mentioning.
    fn encode(&self, folder: &Path) -> f64 {
        let n_rows = 128;
        let path = folder.join("one_chunk");
        let writer = TargetsWriter::create(&path, self.info(), keys(n_rows)).unwrap();
        let start = Instant::now();
        writer.write_chunk(0, &self.rows[..n_rows * self.n_classes]).unwrap();
        start.elapsed().as_secs_f64() / n_rows as f64
    }

    /// Reads all rows once in a shuffled order, batch by batch, at `T = 4`, in one thread.
    fn read(&self, targets: &SoftTargets) {
        let stride = 7919;
        let order: Vec<ExampleView> = (0..self.n_rows).map(|nth| targets.keys()[nth * stride % self.n_rows]).collect();
        let temperature = Temperature::new(if self.layout == (Layout::Dense {}) { 1.0 } else { 4.0 }).unwrap();
        for batch in order.chunks(BATCH) {
            black_box(targets.batch(batch, temperature).unwrap());
        }
    }
}

/// Median of the seconds that the work takes.
fn median(mut work: impl FnMut()) -> f64 {
    median_of(|| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    })
}

fn median_of(measure: impl FnMut() -> f64) -> f64 {
    let mut times: Vec<f64> = std::iter::repeat_with(measure).take(N_REPETITIONS).collect();
    times.sort_by(f64::total_cmp);
    times[N_REPETITIONS / 2]
}
