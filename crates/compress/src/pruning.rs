//! Units that a layer can do without, and the layer that makes up for them.
//!
//! A layer computes `y = W x`. Where some inputs go, the rest can take over what is linear in them: with `C = E[x x^T]`, the best weight
//! for the inputs `K` is `W C_:K C_KK^-1`, and what is lost is `E |W x - W' x_K|^2`. Leaving out one more group `c` of inputs costs
//! `tr(W_c A_cc^-1 W_c^T)`, with `W` the best weight so far and `A` the inverse of `C` over the inputs so far (optimal brain surgeon,
//! Hassibi and Stork 1993, on a layer's outputs). Both are brought up to date by one step of elimination, so the cheapest
//! group is known exactly each time. A constant input stands for the bias: it never goes.

use crate::Moments;
use nalgebra::{Cholesky, DMatrix};

/// What pruning has to know about a layer that reads units.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// `[O, I]`
    pub weight: &'a [f32],
    /// of the inputs and a constant 1 behind them, `I + 1`
    pub moments: &'a Moments,
    /// the unit of each input, `[I]`
    pub units: &'a [usize],
}

/// Units in the order in which they go, cheapest first; the last one is not among them.
#[derive(Clone, Debug, PartialEq)]
pub struct RemovalOrder {
    /// units
    pub units: Vec<usize>,
    /// share of the layer's output, in mean squares about its mean, that is lost once these many units and one more are gone
    pub errors: Vec<f64>,
}

impl Reader<'_> {
    fn n_inputs(&self) -> usize {
        self.units.len()
    }

    /// `[O, I + 1]`; the constant input has weights of 0.
    fn weight(&self) -> DMatrix<f64> {
        let n_inputs = self.n_inputs();
        assert!(self.weight.len().is_multiple_of(n_inputs), "{} numbers in rows of {n_inputs}", self.weight.len());
        assert_eq!(self.moments.n_inputs(), n_inputs + 1, "second moments of the inputs and a constant");
        let n_outputs = self.weight.len() / n_inputs;
        DMatrix::from_fn(n_outputs, n_inputs + 1, |o, i| {
            if i < n_inputs { f64::from(self.weight[o * n_inputs + i]) } else { 0.0 }
        })
    }

    /// The order in which units go, each time the one that costs least.
    ///
    /// # Panics
    /// If the moments or the weight are of another number of inputs.
    pub fn removal_order(&self) -> RemovalOrder {
        let mut weight = self.weight();
        let mut inverse = self.moments.inverse();
        let n_units = self.units.iter().max().map_or(0, |last| last + 1);
        let mut inputs_of = vec![Vec::new(); n_units];
        self.units.iter().enumerate().for_each(|(input, unit)| inputs_of[*unit].push(input));
        let mut left: Vec<usize> = (0..n_units).collect();
        let (mut units, mut errors, mut lost) = (Vec::new(), Vec::new(), 0.0);
        while left.len() > 1 {
            let costs = left.iter().map(|unit| cost(&weight, &inverse, &inputs_of[*unit]));
            let (position, cost) =
                costs.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).expect("there is more than one unit left");
            let unit = left.remove(position);
            eliminate(&mut weight, &mut inverse, &inputs_of[unit]);
            lost += cost;
            units.push(unit);
            errors.push(lost);
        }
        // without the last unit only the constant is left: all of the output's variance is lost
        let all = lost + left.first().map_or(0.0, |unit| cost(&weight, &inverse, &inputs_of[*unit]));
        let all = if all > 0.0 { all } else { 1.0 };
        RemovalOrder { units, errors: errors.into_iter().map(|error| error / all).collect() }
    }
}

/// What leaving out these inputs costs in mean squares: `tr(W_c A_cc^-1 W_c^T)`.
fn cost(weight: &DMatrix<f64>, inverse: &DMatrix<f64>, group: &[usize]) -> f64 {
    if let [input] = group {
        return weight.column(*input).norm_squared() / inverse[(*input, *input)];
    }
    let columns = weight.select_columns(group);
    let solved = solve(&block(inverse, group), &columns.transpose());
    columns.transpose().component_mul(&solved).sum()
}

/// Takes these inputs out of the inverse, and lets the others take over what they can.
fn eliminate(weight: &mut DMatrix<f64>, inverse: &mut DMatrix<f64>, group: &[usize]) {
    let rows = inverse.select_rows(group);
    let solved = solve(&block(inverse, group), &rows);
    *weight -= weight.select_columns(group) * &solved;
    *inverse -= rows.transpose() * &solved;
    for &input in group {
        weight.column_mut(input).fill(0.0);
        inverse.column_mut(input).fill(0.0);
        inverse.row_mut(input).fill(0.0);
    }
}

fn block(matrix: &DMatrix<f64>, group: &[usize]) -> DMatrix<f64> {
    DMatrix::from_fn(group.len(), group.len(), |row, column| matrix[(group[row], group[column])])
}

/// `M^-1 B` of a positive definite `M`.
fn solve(matrix: &DMatrix<f64>, right: &DMatrix<f64>) -> DMatrix<f64> {
    match Cholesky::new(matrix.clone()) {
        Some(cholesky) => cholesky.solve(right),
        // rounding has spoilt it: these inputs are the same as others, which take over
        None => DMatrix::zeros(right.nrows(), right.ncols()),
    }
}

/// How many units go of each layer, so that `n_numbers` of what is left is at most `budget`; `orders` with what a unit of the layer costs
/// in numbers. The unit that goes next is the one that loses the least share of its layer's output for each number that it saves.
/// As many go as can, if there are not enough.
pub fn choose_removals(
    orders: &[(&RemovalOrder, usize)],
    budget: usize,
    n_numbers: impl Fn(&[usize]) -> usize,
) -> Vec<usize> {
    let mut removed = vec![0; orders.len()];
    let next_cost = |(order, n_saved): &(&RemovalOrder, usize), n_removed: usize| {
        let before = n_removed.checked_sub(1).map_or(0.0, |last| order.errors[last]);
        order.errors.get(n_removed).map(|error| (error - before) / (*n_saved).max(1) as f64)
    };
    while n_numbers(&removed) > budget {
        let costs = orders.iter().zip(&removed).map(|(order, n_removed)| next_cost(order, *n_removed));
        let cheapest = costs.enumerate().filter_map(|(index, cost)| Some((index, cost?)));
        let Some((index, _)) = cheapest.min_by(|a, b| a.1.total_cmp(&b.1)) else { break };
        removed[index] += 1;
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PairedMoments;
    use crate::samples::{numbers, with_constant};
    use proptest::prelude::*;

    fn moments(rows: &[f32], n_inputs: usize) -> Moments {
        let mut moments = Moments::new(n_inputs + 1);
        moments.add(&with_constant(rows, n_inputs));
        moments
    }

    /// Mean squared error of the layer with only these inputs, refit.
    fn error(reader: &Reader, rows: &[f32], kept: &[usize]) -> f64 {
        let n_inputs = reader.units.len();
        let read = with_constant(rows, n_inputs);
        let refit = PairedMoments::new(n_inputs + 1, &read, &read).refit(reader.weight, kept);
        let n_outputs = reader.weight.len() / n_inputs;
        let mut sum = 0.0;
        for row in rows.chunks_exact(n_inputs) {
            for o in 0..n_outputs {
                let whole: f64 = (0..n_inputs).map(|i| f64::from(reader.weight[o * n_inputs + i] * row[i])).sum();
                let terms = kept.iter().enumerate().map(|(k, i)| f64::from(refit.weight[o * kept.len() + k] * row[*i]));
                sum += (whole - terms.sum::<f64>() - f64::from(refit.shift[o])).powi(2);
            }
        }
        sum / (rows.len() / n_inputs) as f64
    }

    #[test]
    fn a_unit_that_others_can_replace_goes_first_and_nothing_is_lost() {
        // input 2 is input 0 plus 3 times input 1 plus 5, and its weights are the largest
        let rows: Vec<f32> = (0..60)
            .flat_map(|n| {
                let [a, b] = [numbers(100, 0.2)[n], numbers(100, 0.7)[n + 3]];
                [a, b, a + 3.0 * b + 5.0, numbers(100, 0.4)[n + 7]]
            })
            .collect();
        let weight = [1.0, 0.5, 9.0, 1.0, -1.0, 2.0, 8.0, -2.0];
        let moments = moments(&rows, 4);
        let reader = Reader { weight: &weight, moments: &moments, units: &[0, 1, 2, 3] };
        let order = reader.removal_order();
        assert_eq!(order.units.len(), 3);
        assert!(order.errors[0] < 1e-4, "{order:?}");
        let kept: Vec<usize> = (0..4).filter(|input| *input != order.units[0]).collect();
        assert!(order.units[0] < 3, "the fourth input cannot be replaced: {order:?}");
        assert!(error(&reader, &rows, &kept) < 1e-4);
    }

    #[test]
    fn units_are_removed_until_the_budget_is_met_where_they_cost_least() {
        let cheap = RemovalOrder { units: vec![2, 0, 1], errors: vec![0.01, 0.02, 0.9] };
        let dear = RemovalOrder { units: vec![0, 1], errors: vec![0.5, 0.8] };
        let n_numbers = |removed: &[usize]| 10 * (4 - removed[0]) + 20 * (3 - removed[1]);
        let orders = [(&cheap, 10), (&dear, 20)];
        assert_eq!(choose_removals(&orders, 100, n_numbers), [0, 0]);
        assert_eq!(choose_removals(&orders, 80, n_numbers), [2, 0]);
        assert_eq!(choose_removals(&orders, 60, n_numbers), [2, 1], "0.5 for 20 numbers before 0.88 for 10");
        assert_eq!(choose_removals(&orders, 0, n_numbers), [3, 2], "a unit of each layer stays");
    }

    proptest! {
        #[test]
        fn the_order_knows_what_is_lost_and_each_step_is_the_cheapest(seed in 0.0..1.0_f64, size in 1..3_usize) {
            let (n_units, n_outputs) = (4, 3);
            let n_inputs = n_units * size;
            let (weight, rows) = (numbers(n_outputs * n_inputs, seed), numbers(n_inputs * 50, seed + 0.37));
            let units: Vec<usize> = (0..n_inputs).map(|input| input % n_units).collect();
            let moments = moments(&rows, n_inputs);
            let reader = Reader { weight: &weight, moments: &moments, units: &units };
            let order = reader.removal_order();
            let without = |gone: &[usize]| -> f64 {
                let kept: Vec<usize> = (0..n_inputs).filter(|input| !gone.contains(&units[*input])).collect();
                error(&reader, &rows, &kept)
            };
            let all = without(&[0, 1, 2, 3]);
            for n_gone in 1..n_units {
                let (gone, found) = (&order.units[..n_gone], order.errors[n_gone - 1]);
                let expected = without(gone) / all;
                prop_assert!((found - expected).abs() < 1e-3 * expected + 1e-6, "{found} {expected}");
                for other in (0..n_units).filter(|unit| !gone.contains(unit)) {
                    let instead: Vec<usize> = gone[..n_gone - 1].iter().copied().chain([other]).collect();
                    prop_assert!(without(&instead) / all >= expected * (1.0 - 1e-3) - 1e-6);
                }
            }
        }
    }
}
