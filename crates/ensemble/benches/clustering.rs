//! Clusters of 15000 classes from a stream of a million predictions, and what that takes.
//!
//! ```text
//! cargo bench -p stillhouse-ensemble --bench clustering
//! ```
//!
//! The predictions are made up: an example's probability lies on its own class and on some others of its block of 150.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time and memory; the crate does not")]

use rand_chacha::rand_core::RngCore;
use std::time::Instant;
use stillhouse_core::Seed;
use stillhouse_ensemble::{
    AffinityKind, ClusterCount, ClusteringConfig, ClusteringMethod, HeldOutPredictions, OnlineKMeans,
};

const N_CLASSES: usize = 15_000;
const N_BLOCKS: usize = 100;
const N_EXAMPLES: usize = 1_000_000;
const N_CONFUSED: usize = 6;
const ROWS_AT_ONCE: usize = 512;

fn main() {
    let config = ClusteringConfig {
        affinity: AffinityKind::PredictionCovariance,
        predictions: HeldOutPredictions::Validation,
        method: ClusteringMethod::OnlineKMeans(ClusterCount { n_clusters: Some(N_BLOCKS) }),
        max_classes: None,
        coverage: 1,
    };
    let mut rng = Seed(0).rng();
    let mut below = |n: usize| (rng.next_u64() % n as u64) as usize;
    let mut online = OnlineKMeans::new(N_CLASSES, &config, Seed(0)).unwrap();
    let mut rows = vec![0.0_f32; ROWS_AT_ONCE * N_CLASSES];
    let mut learning = 0.0;
    for _ in 0..N_EXAMPLES / ROWS_AT_ONCE {
        rows.fill(0.0);
        for row in rows.chunks_exact_mut(N_CLASSES) {
            let label = below(N_CLASSES);
            row[label] = 0.5;
            for _ in 0..N_CONFUSED {
                let other = (label + N_BLOCKS * below(N_CLASSES / N_BLOCKS)) % N_CLASSES;
                row[other] += 0.4 / N_CONFUSED as f32;
            }
            row[below(N_CLASSES)] += 0.1;
        }
        let start = Instant::now();
        online.push(&rows);
        learning += start.elapsed().as_secs_f64();
    }
    let start = Instant::now();
    let clustering = online.finish().unwrap();
    let finishing = start.elapsed().as_secs_f64();
    let (mut together, mut pairs) = (0.0, 0.0);
    for cluster in clustering.clusters() {
        let mut counts = vec![0.0; N_BLOCKS];
        cluster.members().iter().for_each(|class| counts[class.index() % N_BLOCKS] += 1.0);
        together += counts.iter().map(|count| count * (count - 1.0)).sum::<f64>();
        pairs += (cluster.len() * (cluster.len() - 1)) as f64;
    }
    println!("{N_EXAMPLES} predictions of {N_CLASSES} classes, {} clusters", clustering.clusters().len());
    println!("stream {learning:.1} s, end {finishing:.1} s, peak memory {}", peak_memory());
    println!("pairs in a cluster that belong together: {:.1} %", 100.0 * together / pairs);
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown".into(), |value| value.trim().to_owned())
}
