//! Several models side by side, each with one thread, against the same ones one after another.

use crate::options::Options;
use crate::{data, measure::train_whole, median, peak};
use serde_json::{Value, json};
use std::error::Error;
use std::time::Instant;
use stillhouse_core::Seed;
use stillhouse_experiment::parallel::{Share, side_by_side};

/// Examples a second of all of them together: as a run trains them, one after another with one thread, and one after
/// another with all threads inside of each.
pub fn measure(options: &Options, n_specialists: usize) -> Result<Value, Box<dyn Error>> {
    let Options { name, workload, n_threads, n_rounds } = options;
    let split = data::examples(workload)?;
    let seeds: Vec<Seed> = (0..n_specialists as u64).map(Seed).collect();
    let n_examples = (n_specialists * workload.steps * workload.batch_size) as f64;
    let rate = |n_threads: usize, n_workers: usize| -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        let work = |seed: &Seed, share: &Share<'_>| train_whole(workload, &split, *seed, share);
        side_by_side(n_threads, n_workers, &seeds, work)?.into_iter().collect::<Result<Vec<()>, String>>()?;
        Ok(n_examples / start.elapsed().as_secs_f64())
    };
    let mut rates: [Vec<f64>; 3] = Default::default();
    // in turns, so that a slow moment of the machine meets all of them
    for _ in 0..*n_rounds {
        for (rates, (n_threads, n_workers)) in rates.iter_mut().zip([(*n_threads, *n_threads), (1, 1), (*n_threads, 1)])
        {
            rates.push(rate(n_threads, n_workers)?);
        }
    }
    let [together, one_thread, all_threads] = rates;
    Ok(json!({
        "side": "stillhouse",
        "workload": name,
        "n_threads": n_threads,
        "examples_per_s": median(&together),
        "rounds": together,
        "one_after_another_1_thread": median(&one_thread),
        "one_after_another_all_threads": median(&all_threads),
        "speedup_over_1_thread": median(&together) / median(&one_thread),
        "peak_bytes": peak::resident_bytes(),
    }))
}
