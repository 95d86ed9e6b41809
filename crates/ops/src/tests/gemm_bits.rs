//! The matrix product itself does not depend on its number of threads.

use candle_core::DType;

use super::{random, values};
use crate::matmul::{Matrix, Write, multiply};

#[test]
fn gemm_gives_the_same_bits_for_any_number_of_threads() {
    let sizes = [[1, 1, 1], [7, 5, 3], [128, 1200, 785], [129, 601, 67], [1, 800, 300], [300, 1, 800], [513, 33, 1031]];
    for [m, k, n] in sizes {
        let floats = |name: &str, len: usize| -> Vec<f32> {
            values(&random(name, &[len], DType::F32)).into_iter().map(|value| value as f32).collect()
        };
        let (left, right) = (floats("left", m * k), floats("right", k * n));
        for transposed in [false, true] {
            let right =
                if transposed { Matrix::row_major(&right, n, k).transposed() } else { Matrix::row_major(&right, k, n) };
            let product = |parallelism: gemm::Parallelism| {
                let mut values = vec![0.5_f32; m * n];
                multiply(&mut values, Matrix::row_major(&left, m, k), right, Write::Add, parallelism);
                values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let expected = product(gemm::Parallelism::None);
            for n_threads in [2, 3, 5] {
                assert!(product(gemm::Parallelism::Rayon(n_threads)) == expected, "{m}x{k}x{n}, {n_threads} threads");
            }
        }
    }
}
