//! Cholesky factorisation of a small dense matrix.
//!
//! M unknowns; matrices are row-major `[M, M]`, of which only the lower triangle is read and written.

/// A pivot below this share of the diagonal that it came from has lost every digit.
const PIVOT_FLOOR: f64 = 1e-15;

/// Solves `H x = b` in place (`b` becomes `x`) for a symmetric positive definite `H`, which is overwritten.
///
/// A pivot that rounding has eaten is replaced by a huge one, as interior-point codes do: its unknown stays still for
/// this step, and the direction remains one of descent.
pub(super) fn solve_in_place(matrix: &mut [f64], rhs: &mut [f64]) {
    let n = rhs.len();
    for row in 0..n {
        let (above, current) = matrix.split_at_mut(row * n);
        for column in 0..row {
            let other = &above[column * n..][..=column];
            let value = current[column] - dot(&current[..column], &other[..column]);
            current[column] = value / other[column];
        }
        let diagonal = current[row];
        let pivot = diagonal - dot(&current[..row], &current[..row]);
        current[row] = if pivot > PIVOT_FLOOR * diagonal { pivot.sqrt() } else { f64::MAX.sqrt() };
        rhs[row] = (rhs[row] - dot(&current[..row], &rhs[..row])) / current[row];
    }
    for row in (0..n).rev() {
        let line = &matrix[row * n..][..=row];
        let value = rhs[row] / line[row];
        rhs[row] = value;
        rhs[..row].iter_mut().zip(line).for_each(|(rhs, entry)| *rhs -= entry * value);
    }
}

/// Four partial sums, so that the processor need not wait for one addition after the other.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a_chunks, b_chunks) = (a.chunks_exact(4), b.chunks_exact(4));
    let tail: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_system() {
        // by Cramer's rule: the determinant is 67
        let mut matrix = [4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 1.0, 3.0, 6.0];
        let mut x = [1.0, 2.0, 3.0];
        solve_in_place(&mut matrix, &mut x);
        for (found, expected) in x.iter().zip([6.0 / 67.0, 7.0 / 67.0, 29.0 / 67.0]) {
            assert!((found - expected).abs() < 1e-14, "{x:?}");
        }
    }

    #[test]
    fn a_singular_matrix_gives_finite_numbers() {
        let mut matrix = [1.0, 0.0, 1.0, 1.0];
        let mut x = [1.0, 1.0];
        solve_in_place(&mut matrix, &mut x);
        assert!(x.iter().all(|value| value.is_finite()));
        assert!((x[0] - 1.0).abs() < 1e-12 && x[1].abs() < 1e-12);
    }
}
