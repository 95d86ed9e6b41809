//! What the machine can do at most: the best matrix product of this process, and the memory that it has touched.

use candle_core::{Device, Result, Tensor};
use std::time::Instant;

/// `[M, K] [K, N]` of the products that are tried.
const SHAPES: [(usize, usize, usize); 4] = [(128, 1200, 1200), (512, 512, 512), (1024, 1024, 1024), (2048, 1024, 1024)];
const N_REPETITIONS: usize = 10;

/// Floating-point operations a second of the best product, in the caller's rayon pool.
pub fn flops_per_second() -> Result<f64> {
    let mut best = 0.0_f64;
    for (m, k, n) in SHAPES {
        let (left, right) = (random(m, k)?, random(k, n)?);
        for _ in 0..N_REPETITIONS {
            let start = Instant::now();
            left.matmul(&right)?;
            best = best.max(2.0 * (m * k * n) as f64 / start.elapsed().as_secs_f64());
        }
    }
    Ok(best)
}

fn random(n_rows: usize, n_columns: usize) -> Result<Tensor> {
    Tensor::rand(-1.0_f32, 1.0, (n_rows, n_columns), &Device::Cpu)
}

/// Most memory that the process had at a time, where the system tells.
pub fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}
