//! Examples a second of a workload of `experiments/speed/workloads.toml`, as one line of JSON, beside the PyTorch
//! programs there that read the same file.
//!
//! ```text
//! export RAYON_NUM_THREADS=2 CANDLE_NUM_THREADS=1
//! cargo run --release -p stillhouse-experiment --example speed -- mlp_adamw --rounds 5
//! ```
//!
//! `--steps`, `--batch-size`, `--width` and `--classes` replace the workload's own sizes; `specialists` trains several
//! models side by side and one after another. What runs is `fit` with all that belongs to it: reading batches, the
//! schedule, the checks of the loss.

mod data;
mod measure;
mod options;
mod peak;
mod specialists;

use measure::{Rates, train};
use options::Options;
use serde_json::json;
use std::error::Error;
use stillhouse_core::Seed;
use stillhouse_experiment::parallel;
use stillhouse_train::FORWARD_PASSES_PER_STEP;

fn main() -> Result<(), Box<dyn Error>> {
    stillhouse_experiment::keep_freed_memory();
    let options = Options::from_command_line()?;
    let line = match options.workload.n_specialists {
        None => one_model(&options)?,
        Some(n_specialists) => specialists::measure(&options, n_specialists)?,
    };
    println!("{line}");
    Ok(())
}

/// One model with all threads inside its operations.
fn one_model(options: &Options) -> Result<serde_json::Value, Box<dyn Error>> {
    let Options { name, workload, n_threads, .. } = options;
    let split = data::examples(workload)?;
    let (rates, peak_flops) = parallel::alone(*n_threads, |share| -> Result<_, String> {
        let rates = train(workload, &split, Seed(0), options.n_rounds, share)?;
        Ok((rates, peak::flops_per_second().map_err(|error| error.to_string())?))
    })??;
    let Rates { examples_per_s, last_loss, flops_per_example, n_parameters } = &rates;
    let rate = median(examples_per_s);
    let flops_per_s = FORWARD_PASSES_PER_STEP * *flops_per_example as f64 * rate;
    Ok(json!({
        "side": "stillhouse",
        "workload": name,
        "n_threads": n_threads,
        "examples_per_s": rate,
        "rounds": examples_per_s,
        "last_loss": last_loss,
        "n_parameters": n_parameters,
        "flops_per_s": flops_per_s,
        "peak_flops_per_s": peak_flops,
        "share_of_peak": flops_per_s / peak_flops,
        "peak_bytes": peak::resident_bytes(),
    }))
}

/// The middle of some numbers.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}
