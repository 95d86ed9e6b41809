//! Second moments of what layers read: all that the closed forms have to know about examples.

use nalgebra::{Cholesky, DMatrix, DVector};

/// Share of the mean diagonal that is added to the second moments: inputs that never vary would make them singular.
const RIDGE: f64 = 1e-6;

/// Rows that are multiplied at once.
const ROWS_AT_ONCE: usize = 4096;

/// Second moments `E[x x^T]` of what a layer reads, added up row by row.
#[derive(Clone, Debug)]
pub struct Moments {
    n_inputs: usize,
    /// `[I, I]`
    sum: DMatrix<f64>,
    n_rows: usize,
}

impl Moments {
    /// No row yet, of `n_inputs` numbers.
    pub fn new(n_inputs: usize) -> Self {
        Self { n_inputs, sum: DMatrix::zeros(n_inputs, n_inputs), n_rows: 0 }
    }

    /// Takes rows `[N, I]`.
    ///
    /// # Panics
    /// If these are not whole rows.
    pub fn add(&mut self, rows: &[f32]) {
        assert!(rows.len().is_multiple_of(self.n_inputs), "{} numbers in rows of {}", rows.len(), self.n_inputs);
        let columns = columns(rows, self.n_inputs);
        self.sum += &columns * columns.transpose();
        self.n_rows += columns.ncols();
    }

    /// Numbers in a row, `I`.
    pub fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    /// The moments about the mean of all inputs but the last, which is a constant 1, and that mean, `[I - 1]`.
    pub(crate) fn about_mean(&self) -> (Self, DVector<f64>) {
        let n_inputs = self.n_inputs - 1;
        let n_rows = self.n_rows.max(1) as f64;
        let mean = self.sum.view((0, n_inputs), (n_inputs, 1)).column(0) / n_rows;
        let sum = self.sum.view((0, 0), (n_inputs, n_inputs)) - n_rows * &mean * mean.transpose();
        (Self { n_inputs, sum, n_rows: self.n_rows }, mean)
    }

    /// `C`.
    fn mean_squares(&self) -> DMatrix<f64> {
        &self.sum / self.n_rows.max(1) as f64
    }

    /// `C`, made regular: inputs that never vary, or vary with others, get a variance of their own.
    pub(crate) fn regular(&self) -> DMatrix<f64> {
        let n = self.n_inputs;
        let mut moments = self.mean_squares();
        let ridge = RIDGE * moments.trace() / n as f64;
        // without any input, all directions are alike
        let ridge = if ridge > 0.0 { ridge } else { 1.0 };
        (0..n).for_each(|index| moments[(index, index)] += ridge);
        moments
    }

    /// The lower triangle `L` of `C = L L^T`.
    pub(crate) fn root(&self) -> DMatrix<f64> {
        let n = self.n_inputs;
        Cholesky::new(self.regular()).map_or_else(|| DMatrix::identity(n, n), |cholesky| cholesky.unpack())
    }

    /// `C^-1`.
    pub(crate) fn inverse(&self) -> DMatrix<f64> {
        let n = self.n_inputs;
        Cholesky::new(self.regular()).map_or_else(|| DMatrix::identity(n, n), |cholesky| cholesky.inverse())
    }
}

/// What a layer reads in a network and in a smaller form of it, for the same examples.
#[derive(Clone, Debug)]
pub struct PairedMoments {
    /// of what it reads in the smaller form
    smaller: Moments,
    /// `E[x z^T]` of the inputs `x` in the network and `z` in the smaller form, `[I, I]`
    cross: DMatrix<f64>,
}

/// A layer with other numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Refit {
    /// `[O, K]`
    pub weight: Vec<f32>,
    /// to be added to the bias, `[O]`
    pub shift: Vec<f32>,
}

impl PairedMoments {
    /// Of rows `[N, I]` in the network and in the smaller form, the last of the inputs a constant 1.
    ///
    /// # Panics
    /// If these are not whole rows, or not as many.
    pub fn new(n_inputs: usize, whole: &[f32], smaller: &[f32]) -> Self {
        assert_eq!(whole.len(), smaller.len(), "a row of the network for each of the smaller form");
        let mut of_smaller = Moments::new(n_inputs);
        let mut cross = DMatrix::zeros(n_inputs, n_inputs);
        // a few thousand rows at a time: in f64 they take twice the room
        for (whole, smaller) in whole.chunks(ROWS_AT_ONCE * n_inputs).zip(smaller.chunks(ROWS_AT_ONCE * n_inputs)) {
            cross += columns(whole, n_inputs) * columns(smaller, n_inputs).transpose();
            of_smaller.add(smaller);
        }
        cross /= of_smaller.n_rows.max(1) as f64;
        Self { smaller: of_smaller, cross }
    }

    /// What the layer reads in the smaller form.
    pub fn smaller(&self) -> &Moments {
        &self.smaller
    }

    /// The layer that gives out in the smaller form, with the least squared error, what a weight `[O, I - 1]` gives out in the
    /// network, from these inputs, in ascending order, and a constant: `W E[x z_K^T] E[z_K z_K^T]^-1`.
    ///
    /// # Panics
    /// If the weight has another number of inputs, or an input does not exist.
    pub fn refit(&self, weight: &[f32], kept: &[usize]) -> Refit {
        let n_inputs = self.smaller.n_inputs - 1;
        assert!(weight.len().is_multiple_of(n_inputs), "{} numbers in rows of {n_inputs}", weight.len());
        let n_outputs = weight.len() / n_inputs;
        let weight = DMatrix::from_fn(n_outputs, n_inputs + 1, |o, i| {
            if i < n_inputs { f64::from(weight[o * n_inputs + i]) } else { 0.0 }
        });
        let kept: Vec<usize> = kept.iter().copied().chain([n_inputs]).collect();
        let (moments, cross) = self.regular();
        let target = (weight.clone() * cross.select_columns(&kept)).transpose();
        let among_kept = moments.select_columns(&kept).select_rows(&kept);
        let solved = Cholesky::new(among_kept).map_or_else(
            // with the ridge it is positive definite; rounding alone could spoil it
            || weight.select_columns(&kept).transpose(),
            |cholesky| cholesky.solve(&target),
        );
        let (n_kept, entry) = (kept.len() - 1, |o: usize, k: usize| solved[(k, o)] as f32);
        Refit {
            weight: (0..n_outputs).flat_map(|o| (0..n_kept).map(move |k| entry(o, k))).collect(),
            shift: (0..n_outputs).map(|o| entry(o, n_kept)).collect(),
        }
    }

    /// Share of what a weight `[O, I - 1]` gives out in the network, in mean squares about its mean, that no weight can give out in the
    /// smaller form; `whole` is of what it reads in the network.
    ///
    /// # Panics
    /// If the weight has another number of inputs.
    pub fn lost(&self, weight: &[f32], whole: &Moments) -> f64 {
        let n_inputs = self.smaller.n_inputs - 1;
        let weight =
            DMatrix::from_row_iterator(weight.len() / n_inputs, n_inputs, weight.iter().map(|w| f64::from(*w)));
        let squares = |moments: &DMatrix<f64>| (&weight * moments).dot(&weight);
        let all = squares(&whole.about_mean().0.mean_squares());
        let given = &self.cross * self.smaller.inverse() * self.cross.transpose();
        let squared = whole.mean_squares() - given;
        if all > 0.0 { squares(&squared.view((0, 0), (n_inputs, n_inputs)).into_owned()) / all } else { 0.0 }
    }

    /// Both moments with the same ridge: it pulls towards the weight as it is, not towards 0.
    fn regular(&self) -> (DMatrix<f64>, DMatrix<f64>) {
        let moments = self.smaller.regular();
        let cross = &self.cross + (&moments - self.smaller.mean_squares());
        (moments, cross)
    }
}

/// Rows `[N, I]` as columns.
fn columns(rows: &[f32], n_inputs: usize) -> DMatrix<f64> {
    DMatrix::from_iterator(n_inputs, rows.len() / n_inputs, rows.iter().map(|value| f64::from(*value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{numbers, with_constant};
    use proptest::prelude::*;

    /// `[N, O]` of rows `[N, I]`.
    fn outputs(weight: &[f32], shift: &[f32], rows: &[f32]) -> Vec<f32> {
        let n_inputs = weight.len() / shift.len();
        let of_row = |row: &[f32]| -> Vec<f32> {
            let dot = |weights: &[f32]| weights.iter().zip(row).map(|(w, x)| w * x).sum::<f32>();
            weight.chunks_exact(n_inputs).zip(shift).map(|(weights, shift)| dot(weights) + shift).collect()
        };
        rows.chunks_exact(n_inputs).flat_map(of_row).collect()
    }

    fn squared_error(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
    }

    #[test]
    fn a_layer_whose_inputs_were_changed_by_a_linear_map_is_refit_exactly() {
        let (weight, rows) = (numbers(2 * 3, 0.1), numbers(3 * 50, 0.3));
        // the second and third trade places, one is twice as large, and all are moved
        let changed: Vec<f32> =
            rows.chunks_exact(3).flat_map(|row| [2.0 * row[0] + 1.0, row[2] - 3.0, row[1] + 0.5]).collect();
        let paired = PairedMoments::new(4, &with_constant(&rows, 3), &with_constant(&changed, 3));
        let Refit { weight: new, shift } = paired.refit(&weight, &[0, 1, 2]);
        let error = squared_error(&outputs(&weight, &[0.0; 2], &rows), &outputs(&new, &shift, &changed));
        assert!(error < 1e-6, "{error}");
        let same = PairedMoments::new(4, &with_constant(&rows, 3), &with_constant(&rows, 3)).refit(&weight, &[0, 1, 2]);
        let differs = same.weight.iter().zip(&weight).map(|(a, b)| a - b).chain(same.shift);
        assert!(differs.into_iter().all(|value| value.abs() < 1e-5), "nothing to make up for");
    }

    proptest! {
        #[test]
        fn no_other_layer_is_nearer(seed in 0.0..1.0_f64, index in 0..8_usize, step in -0.2..0.2_f32) {
            let (weight, rows, noise) = (numbers(2 * 3, seed), numbers(3 * 60, seed + 0.3), numbers(3 * 60, seed + 0.77));
            let changed: Vec<f32> = rows.iter().zip(&noise).map(|(value, noise)| value + noise).collect();
            let paired = PairedMoments::new(4, &with_constant(&rows, 3), &with_constant(&changed, 3));
            let Refit { weight: new, shift } = paired.refit(&weight, &[0, 1, 2]);
            let wanted = outputs(&weight, &[0.0; 2], &rows);
            let least = squared_error(&wanted, &outputs(&new, &shift, &changed));
            let means: Vec<f32> = (0..2).map(|o| wanted.iter().skip(o).step_by(2).sum::<f32>() / 60.0).collect();
            let all = squared_error(&wanted, &means.repeat(60));
            let mut of_whole = Moments::new(4);
            of_whole.add(&with_constant(&rows, 3));
            let lost = paired.lost(&weight, &of_whole) as f32;
            prop_assert!((lost - least / all).abs() < 1e-3 * lost + 1e-4, "{lost} {least} {all}");
            let (mut other, mut other_shift) = (new.clone(), shift.clone());
            other.iter_mut().chain(&mut other_shift).nth(index).into_iter().for_each(|value| *value += step);
            let error = squared_error(&wanted, &outputs(&other, &other_shift, &changed));
            prop_assert!(least <= error * (1.0 + 1e-4) + 1e-6, "{least} {error}");
        }
    }
}
