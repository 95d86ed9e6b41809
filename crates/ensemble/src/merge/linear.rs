//! Solves small systems of linear equations by Cholesky factorisation, those of several examples at once.
//!
//! M unknowns; matrices are row-major `[M, M]` of lanes, of which only the lower triangle is read and written.

use super::lanes::Lanes;

/// A pivot below this share of the diagonal that it came from has lost every digit.
const PIVOT_FLOOR: f64 = 1e-15;
/// Rows that are reduced together: as many independent sums keep the processor's adders busy.
const ROWS: usize = 4;

/// Solves `H x = b` for symmetric positive definite `H`. The system is `[M + 1, M]`: the rows of `H`, then `b`, which
/// becomes `x`; `H` is overwritten.
///
/// `b` is treated as one more row of the matrix: once the factorisation `H = L L'` is done, it holds `L^-1 b`, and only
/// the back substitution is left. A pivot that has lost all its digits to rounding is replaced by a huge one, as
/// interior-point codes do (Wright 1999, SIAM Journal on Optimization 9): its unknown does not change in this step, and
/// the direction remains one of descent.
#[inline(always)]
pub(super) fn solve_in_place(system: &mut [Lanes], n: usize) {
    for column in 0..n {
        let mut row = column;
        while row + ROWS <= n + 1 {
            reduce::<ROWS>(system, n, column, row);
            row += ROWS;
        }
        for row in row..=n {
            reduce::<1>(system, n, column, row);
        }
        finish_column(system, n, column);
    }
    let (matrix, rhs) = system.split_at_mut(n * n);
    for row in (0..n).rev() {
        let line = &matrix[row * n..][..=row];
        let value = rhs[row] / line[row];
        rhs[row] = value;
        for (rhs, entry) in rhs[..row].iter_mut().zip(line) {
            *rhs -= *entry * value;
        }
    }
}

/// Subtracts from `R` entries of a column the products of the columns before.
#[inline(always)]
fn reduce<const R: usize>(matrix: &mut [Lanes], n: usize, column: usize, first: usize) {
    let mut sums = [Lanes::ZERO; R];
    let pivot_row = &matrix[column * n..][..column];
    let rows: [&[Lanes]; R] = std::array::from_fn(|row| &matrix[(first + row) * n..][..column]);
    for (k, pivot) in pivot_row.iter().enumerate() {
        for row in 0..R {
            sums[row] += rows[row][k] * *pivot;
        }
    }
    for (row, sum) in sums.into_iter().enumerate() {
        matrix[(first + row) * n + column] -= sum;
    }
}

/// Takes the root of the pivot and divides the column by it. The diagonal before the reduction, which the pivot is
/// compared with, is the pivot plus the squares to its left.
#[inline(always)]
fn finish_column(system: &mut [Lanes], n: usize, column: usize) {
    let line = &system[column * n..][..=column];
    let pivot = line[column];
    let mut diagonal = pivot;
    for entry in &line[..column] {
        diagonal += *entry * *entry;
    }
    let floor = diagonal * Lanes::splat(PIVOT_FLOOR);
    let root = pivot.map(f64::sqrt).where_less(floor, pivot, Lanes::splat(f64::MAX.sqrt()));
    system[column * n + column] = root;
    for row in column + 1..=n {
        let entry = &mut system[row * n + column];
        *entry = *entry / root;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splat(values: &[f64]) -> Vec<Lanes> {
        values.iter().copied().map(Lanes::splat).collect()
    }

    #[test]
    fn a_known_system() {
        // by Cramer's rule: the determinant is 67
        let mut system = splat(&[4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 1.0, 3.0, 6.0, 1.0, 2.0, 3.0]);
        solve_in_place(&mut system, 3);
        for (found, expected) in system[9..].iter().zip([6.0 / 67.0, 7.0 / 67.0, 29.0 / 67.0]) {
            assert!(found.0.iter().all(|found| (found - expected).abs() < 1e-14), "{found:?}");
        }
    }

    /// `(1 1' + diag(1 ... 9) scale) x = b`
    fn system(scale: f64) -> Vec<f64> {
        let entry = |index: usize| if index / 9 == index % 9 { 1.0 + scale * (index / 9 + 1) as f64 } else { 1.0 };
        (0..81).map(entry).chain((0..9).map(|row| scale - row as f64)).collect()
    }

    #[test]
    fn lanes_do_not_affect_each_other() {
        let scales = [1.0, 0.1, 7.0, 1e-9, 2.0, 3.0, 1e9, 0.5];
        let systems = scales.map(system);
        let mut together: Vec<Lanes> =
            (0..90).map(|index| Lanes(std::array::from_fn(|lane| systems[lane][index]))).collect();
        solve_in_place(&mut together, 9);
        for (lane, scale) in scales.into_iter().enumerate() {
            let mut alone = splat(&system(scale));
            solve_in_place(&mut alone, 9);
            assert!(together[81..].iter().zip(&alone[81..]).all(|(together, alone)| together.0[lane] == alone.0[0]));
        }
    }

    #[test]
    fn a_singular_matrix_gives_finite_numbers() {
        let mut system = splat(&[1.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        solve_in_place(&mut system, 2);
        assert!(system[4..].iter().all(|x| x.0[0].is_finite()));
        assert!((system[4].0[0] - 1.0).abs() < 1e-12 && system[5].0[0].abs() < 1e-12);
    }
}
