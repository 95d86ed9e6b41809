//! Linear layers of low rank, with the least error on what they read.
//!
//! A layer computes `y = W x + b`, `W` of `[O, I]`. With the covariance `C = L L^T` of `x` over some examples and the singular value
//! decomposition `W L = U S V^T`, the product of `U_r S_r` and `V_r^T L^-1` is the matrix of rank `r` with the least
//! `E |W x - W' x - s|^2`, which is the sum of the squared singular values that are left out (Eckart and Young 1936; DRONE, Chen et al.
//! 2021); the shift `s` of the bias makes up for the mean. Plain truncation of `W` is the same with `C = 1` and no shift; it takes no
//! notice of what the layer reads.

use crate::Moments;
use nalgebra::{DMatrix, DVector};

/// A direction that explains less of its layer is rounding.
const LEAST_SHARE: f64 = 1e-12;

/// A layer's singular values on what it reads, and all its factors.
#[derive(Clone, Debug)]
pub struct LayerSpectrum {
    /// `U`, `[O, k]`
    left: DMatrix<f64>,
    /// descending, `[k]`
    values: Vec<f64>,
    /// `L^-T V`, `[I, k]`
    right: DMatrix<f64>,
    /// of what it reads, `[I]`
    mean: DVector<f64>,
}

/// The two factors of a layer of low rank.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// `[r, I]`
    pub first: Vec<f32>,
    /// `[O, r]`
    pub second: Vec<f32>,
    /// to be added to the bias, `[O]`
    pub shift: Vec<f32>,
}

impl LayerSpectrum {
    /// The spectrum of a weight `[O, I]` on inputs with these second moments, of which the last is that of a constant 1.
    ///
    /// # Panics
    /// If the weight has another number of inputs.
    pub fn new(weight: &[f32], moments: &Moments) -> Self {
        let (covariance, mean) = moments.about_mean();
        Self::on(weight, &covariance, mean)
    }

    /// The spectrum of a weight `[O, I]` whatever it reads.
    ///
    /// # Panics
    /// If these are not whole rows of weights.
    pub fn plain(weight: &[f32], n_inputs: usize) -> Self {
        Self::on(weight, &Moments::new(n_inputs), DVector::zeros(n_inputs))
    }

    fn on(weight: &[f32], moments: &Moments, mean: DVector<f64>) -> Self {
        let n_inputs = moments.n_inputs();
        assert!(weight.len().is_multiple_of(n_inputs), "{} numbers in rows of {n_inputs}", weight.len());
        let n_outputs = weight.len() / n_inputs;
        let weight = DMatrix::from_row_iterator(n_outputs, n_inputs, weight.iter().map(|value| f64::from(*value)));
        let root = moments.root();
        let svd = (weight * &root).svd(true, true);
        let (left, values) = (svd.u.expect("asked for"), svd.singular_values);
        let right = svd.v_t.expect("asked for").transpose();
        let right = root.transpose().solve_upper_triangular(&right).expect("a Cholesky factor has a positive diagonal");
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
        Self {
            left: left.select_columns(&order),
            values: order.iter().map(|index| values[*index]).collect(),
            right: right.select_columns(&order),
            mean,
        }
    }

    /// The most directions that the layer can read.
    pub fn rank(&self) -> usize {
        self.values.len()
    }

    /// `[O, I]`.
    fn dims(&self) -> [usize; 2] {
        [self.left.nrows(), self.right.nrows()]
    }

    /// The factors of rank `rank`; the singular values are shared out evenly, so that both are of one size.
    ///
    /// # Panics
    /// If the layer has no such rank.
    pub fn factors(&self, rank: usize) -> Factors {
        let [n_outputs, n_inputs] = self.dims();
        assert!((1..=self.values.len()).contains(&rank), "rank {rank} of {}", self.values.len());
        let root = |k: usize| self.values[k].max(0.0).sqrt();
        let first = (0..rank).flat_map(|k| (0..n_inputs).map(move |i| (root(k) * self.right[(i, k)]) as f32));
        let second = (0..n_outputs).flat_map(|o| (0..rank).map(move |k| (self.left[(o, k)] * root(k)) as f32));
        // what the directions that are left out give out in the mean
        let shares = (rank..self.values.len()).map(|k| (k, self.values[k] * self.right.column(k).dot(&self.mean)));
        let shares: Vec<(usize, f64)> = shares.collect();
        let shift =
            (0..n_outputs).map(|o| shares.iter().map(|(k, share)| self.left[(o, *k)] * share).sum::<f64>() as f32);
        Factors { first: first.collect(), second: second.collect(), shift: shift.collect() }
    }

    /// `E |W x - W' x - s|^2` of the best `W'` of this rank and shift.
    pub fn error(&self, rank: usize) -> f64 {
        self.values[rank.min(self.values.len())..].iter().map(|value| value * value).sum()
    }

    /// Ranks from this one on save no numbers.
    fn n_saving(&self) -> usize {
        let [n_outputs, n_inputs] = self.dims();
        (n_outputs * n_inputs).div_ceil(n_outputs + n_inputs)
    }
}

/// Ranks for several layers so that all together have at most `share` of their numbers; None for a layer that stays whole.
///
/// Singular values are taken in the order of what they explain of their layer for each number that they cost, so that one budget is
/// shared out among all layers. A layer whose rank would save nothing stays whole.
pub fn choose_ranks(layers: &[LayerSpectrum], share: f64) -> Vec<Option<usize>> {
    let n_numbers: usize = layers.iter().map(|layer| layer.dims().iter().product::<usize>()).sum();
    let mut budget = (share * n_numbers as f64) as usize;
    let mut gains: Vec<(f64, usize)> = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let (all, cost) = (layer.error(0).max(f64::MIN_POSITIVE), layer.dims().iter().sum::<usize>());
        let explained = layer.values.iter().map(|value| value * value / all).filter(|share| *share > LEAST_SHARE);
        gains.extend(explained.map(|share| (share / cost as f64, index)));
    }
    // a stable sort keeps the order inside a layer, and equal inputs in equal order
    gains.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut ranks = vec![1; layers.len()];
    let cost = |index: usize| layers[index].dims().iter().sum::<usize>();
    budget = budget.saturating_sub((0..layers.len()).map(cost).sum());
    let mut seen = vec![0; layers.len()];
    for (_, index) in gains {
        seen[index] += 1;
        // the first one of each layer is there
        if seen[index] == ranks[index] + 1 && cost(index) <= budget && ranks[index] < layers[index].n_saving() {
            ranks[index] += 1;
            budget -= cost(index);
        }
    }
    let whole_from = |index: usize| layers[index].n_saving().min(layers[index].values.len());
    (0..layers.len()).map(|index| (ranks[index] < whole_from(index)).then_some(ranks[index])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{numbers, with_constant};
    use proptest::prelude::*;

    fn product(factors: &Factors, rank: usize, [n_outputs, n_inputs]: [usize; 2]) -> Vec<f32> {
        let entry = |o: usize, i: usize| -> f32 {
            (0..rank).map(|k| factors.second[o * rank + k] * factors.first[k * n_inputs + i]).sum()
        };
        (0..n_outputs).flat_map(|o| (0..n_inputs).map(move |i| entry(o, i))).collect()
    }

    /// Mean squared distance of the layer's outputs and those of its factors of this rank, for rows `[N, I]`.
    fn distance(weight: &[f32], spectrum: &LayerSpectrum, rank: usize, rows: &[f32]) -> f64 {
        let (dims, factors) = (spectrum.dims(), spectrum.factors(rank));
        let n_inputs = dims[1];
        let product = product(&factors, rank, dims);
        let output = |weight: &[f32], row: &[f32]| -> f64 {
            weight.iter().zip(row).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum()
        };
        let of_row = |row: &[f32]| -> f64 {
            let pairs = weight.chunks_exact(n_inputs).zip(product.chunks_exact(n_inputs)).zip(&factors.shift);
            pairs.map(|((a, b), shift)| (output(a, row) - output(b, row) - f64::from(*shift)).powi(2)).sum()
        };
        let rows: Vec<&[f32]> = rows.chunks_exact(n_inputs).collect();
        rows.iter().map(|row| of_row(row)).sum::<f64>() / rows.len() as f64
    }

    fn spectra(weight: &[f32], rows: &[f32], n_inputs: usize) -> [LayerSpectrum; 2] {
        let mut moments = Moments::new(n_inputs + 1);
        moments.add(&with_constant(rows, n_inputs));
        [LayerSpectrum::new(weight, &moments), LayerSpectrum::plain(weight, n_inputs)]
    }

    #[test]
    fn full_rank_is_the_layer_itself_and_errors_are_the_singular_values_left_out() {
        let dims = [5, 7];
        let (weight, rows) = (numbers(35, 0.1), numbers(7 * 40, 0.3));
        let [whitened, _] = spectra(&weight, &rows, 7);
        let whole = product(&whitened.factors(5), 5, dims);
        assert!(weight.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-5));
        for rank in 1..5 {
            let found = distance(&weight, &whitened, rank, &rows);
            let expected = whitened.error(rank);
            assert!((found - expected).abs() < 1e-3 * expected + 1e-9, "rank {rank}: {found}, {expected}");
        }
    }

    #[test]
    fn what_the_layer_reads_decides_what_is_kept() {
        // two inputs that carry everything, four that are never seen
        let rows: Vec<f32> =
            (0..100).flat_map(|n| [numbers(200, 0.2)[n], numbers(200, 0.7)[n + 3], 0.0, 0.0, 0.0, 0.0]).collect();
        let mut weight = vec![0.1; 4 * 6];
        weight.chunks_exact_mut(6).enumerate().for_each(|(o, row)| {
            row[0] = [1.0, 0.5, -0.3, 0.2][o];
            row[2] = [10.0, -20.0, 5.0, 7.0][o];
            row[4] = [3.0, 9.0, 4.0, -30.0][o];
        });
        let [whitened, plain] = spectra(&weight, &rows, 6);
        let error = |spectrum: &LayerSpectrum| distance(&weight, spectrum, 2, &rows);
        assert!(error(&whitened) < 1e-8, "{}", error(&whitened));
        assert!(error(&plain) > 1e-4, "{}", error(&plain));
    }

    #[test]
    fn ranks_share_one_budget() {
        // a layer of rank 1, and one whose singular values are all alike
        let (low, high) = (numbers(8, 0.4), numbers(8, 0.9));
        let rank_one: Vec<f32> = low.iter().flat_map(|a| high.iter().map(move |b| a * b)).collect();
        let identity: Vec<f32> = (0..64).map(|index| f32::from(u8::from(index % 9 == 0))).collect();
        let layers = [rank_one, identity].map(|weight| LayerSpectrum::plain(&weight, 8));
        assert_eq!(choose_ranks(&layers, 1.0)[0], Some(1), "more would explain nothing");
        assert_eq!(choose_ranks(&layers, 0.5), [Some(1), Some(3)], "64 numbers: 16 for the first, 48 for the second");
        assert_eq!(choose_ranks(&layers, 0.0), [Some(1), Some(1)], "a layer has one direction at least");
        assert_eq!(choose_ranks(&layers[1..], 1.0), [None], "four directions of eight cost as much as the whole");
        assert_eq!(choose_ranks(&[], 0.5), []);
    }

    proptest! {
        #[test]
        fn whitening_never_does_worse_on_what_was_read(seed in 0.0..1.0_f64, rank in 1..4_usize) {
            let (weight, rows) = (numbers(4 * 6, seed), numbers(6 * 30, seed + 0.37));
            let [whitened, plain] = spectra(&weight, &rows, 6);
            let error = |spectrum: &LayerSpectrum| distance(&weight, spectrum, rank, &rows);
            prop_assert!(error(&whitened) <= error(&plain) * (1.0 + 1e-3) + 1e-9);
        }
    }
}
