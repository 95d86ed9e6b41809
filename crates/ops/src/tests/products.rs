//! Matrix products: against their definition, and with the same bits for any number of threads.

use candle_core::DType;

use super::{random, values};
use crate::matmul::{Matrix, product};

const SIZES: [[usize; 3]; 19] = [
    [0, 3, 5],
    [3, 0, 5],
    [1, 1, 1],
    [7, 5, 3],
    [128, 1200, 785],
    [129, 601, 67],
    [1200, 128, 785],
    [1, 800, 1600],
    [1600, 800, 1],
    [300, 1, 800],
    [513, 33, 1031],
    [2048, 2, 300],
    [48, 800, 128],
    [3, 4000, 300],
    [60, 1300, 81],
    [5, 9000, 65],
    [5, 3, 0],
    // pieces of the least length beside short sides
    [60, 1300, 145],
    [4, 2000, 145],
];

#[test]
fn elements_are_sums_of_products_with_the_same_bits_for_any_number_of_threads() {
    for [m, k, n] in SIZES {
        let (left, right) = (floats("left", m * k), floats("right", k * n));
        let (turned_left, turned_right) = (turned(&left, m, k), turned(&right, k, n));
        let lefts = [Matrix::row_major(&left, m, k), Matrix::row_major(&turned_left, k, m).transposed()];
        let rights = [Matrix::row_major(&right, k, n), Matrix::row_major(&turned_right, n, k).transposed()];
        for (a, b) in lefts.iter().flat_map(|a| rights.iter().map(move |b| (*a, *b))) {
            let by_threads = |n_threads: usize| -> Vec<f32> {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("a pool");
                pool.install(|| product(a, b))
            };
            let found = by_threads(1);
            assert_eq!(found.len(), m * n);
            for place in (0..found.len()).step_by(found.len() / 97 + 1) {
                let terms = (0..k).map(|i| f64::from(left[place / n * k + i]) * f64::from(right[i * n + place % n]));
                let expected: f64 = terms.sum();
                let distance = (f64::from(found[place]) - expected).abs();
                assert!(distance < 1e-5 * (k as f64).max(1.0), "{m}x{k}x{n} at {place}: {distance} too far");
            }
            for n_threads in [2, 3, 5] {
                let is_equal = by_threads(n_threads).iter().zip(&found).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(is_equal, "{m}x{k}x{n}, {n_threads} threads");
            }
        }
    }
}

fn floats(name: &str, len: usize) -> Vec<f32> {
    values(&random(name, &[len], DType::F32)).into_iter().map(|value| value as f32).collect()
}

fn turned(matrix: &[f32], n_rows: usize, n_columns: usize) -> Vec<f32> {
    (0..matrix.len()).map(|place| matrix[place % n_rows.max(1) * n_columns + place / n_rows.max(1)]).collect()
}
