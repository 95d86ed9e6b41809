//! Spectral clustering: K-means on the first eigenvectors of the normalised Laplacian (Ng, Jordan and Weiss 2002).
//!
//! C classes, K clusters. [`Similarity`] is the affinity with degrees divided out, `D^-1/2 A D^-1/2`, so the smallest
//! eigenvectors of the Laplacian are the largest of the similarity without its diagonal. Each class becomes a row of
//! the first K of them, scaled to unit length.

use super::columns;
use super::k_means::{MAX_RESTARTS, Points, Start};
use super::similarity::Similarity;
use nalgebra::DMatrix;
use stillhouse_core::Seed;

/// A class whose row of eigenvectors is shorter than this is connected to nothing.
const ISOLATED: f64 = 1e-9;
/// Iterations of the eigensolver; it usually takes two or three for each class.
const MAX_SWEEPS: usize = 1_000_000;
/// K-means restarts as often as so many multiplications allow, `C K^2` for each restart, but at least 3 times.
/// Published clusterings depend on the number of restarts.
const RESTART_WORK: usize = 1 << 28;
const MIN_RESTARTS: usize = 3;

/// Exactly `n_clusters` groups without empty ones, or none where the eigenvectors cannot be found.
pub(super) fn partition(similarity: &Similarity, n_clusters: usize, seed: Seed) -> Option<Vec<Vec<usize>>> {
    let n_classes = similarity.n_classes();
    let n_clusters = n_clusters.min(n_classes);
    let entry = |row: usize, column: usize| if row == column { 0.0 } else { similarity.get(row, column) };
    let decomposition = DMatrix::from_fn(n_classes, n_classes, entry).try_symmetric_eigen(f64::EPSILON, MAX_SWEEPS)?;
    let (values, vectors) = (decomposition.eigenvalues, decomposition.eigenvectors);
    let mut by_eigenvalue: Vec<usize> = (0..n_classes).collect();
    by_eigenvalue.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    let row = |class: usize| -> Vec<f64> {
        by_eigenvalue[..n_clusters].iter().map(|column| vectors[(class, *column)]).collect()
    };
    let mut connected = Vec::new();
    let mut points = Vec::new();
    for class in 0..n_classes {
        let has_company = (0..n_classes).any(|other| entry(class, other) > 0.0);
        let row = row(class);
        let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
        if has_company && length > ISOLATED {
            connected.push(class);
            points.push(row.iter().map(|value| value / length).collect());
        }
    }
    let n_centroids = n_clusters.min(points.len());
    let work = (points.len() * n_clusters).saturating_mul(n_centroids).max(1);
    let n_restarts = (RESTART_WORK / work).clamp(MIN_RESTARTS, MAX_RESTARTS);
    // greedy k-means++
    let start = Start { n_trials: 2 + (n_centroids as f64).ln() as usize, n_restarts };
    let clusters = Points::new(&points).clusters(n_clusters, start, seed);
    Some(columns::groups(similarity, n_clusters, &connected, clusters))
}
