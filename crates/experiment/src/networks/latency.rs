//! How long a prediction of one example takes.

use crate::error::Result;
use std::time::Instant;

/// Runs before the clock counts: caches fill, buffers grow.
const N_WARMUPS: usize = 10;
const N_RUNS: usize = 50;

/// Median and 95th percentile of the milliseconds of one call, after warm-up, in this thread pool.
pub(crate) fn latency_ms(mut predict_one: impl FnMut() -> Result<()>) -> Result<[f64; 2]> {
    let mut times_ms = Vec::with_capacity(N_RUNS);
    for run in 0..N_WARMUPS + N_RUNS {
        let start = Instant::now();
        predict_one()?;
        if run >= N_WARMUPS {
            times_ms.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times_ms.sort_by(f64::total_cmp);
    Ok([50, 95].map(|percent| times_ms[N_RUNS * percent / 100]))
}
