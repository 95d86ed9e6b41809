//! A limit on the L2 norm of the incoming weights of every unit (Srebro and Shraibman 2005), used with dropout.
//!
//! Shapes: `O` output units, `I` inputs of a unit; kernels of `kh` rows and `kw` columns, `C` input channels.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor, Var};

use crate::composite;
use crate::element::{Element, with_element};
use crate::parallel::{for_each_chunk, rows_per_chunk, sum_over_rows};
use crate::shape::{expect_positive_number, mismatch};
use crate::storage::slice_mut;
use crate::vector::{inlined, sum};

/// Shrinks every row of `weight [O, ..]` whose L2 norm is above `limit` to that norm, in place.
///
/// Rows of a linear weight `[O, I]` are the incoming weights of one output unit.
///
/// # Errors
/// A limit that is not above 0, or a weight of fewer than two axes.
pub fn max_norm_rows(weight: &Var, limit: f64) -> Result<()> {
    run(weight, &MaxNorm { limit, units: Units::Rows })
}

/// Shrinks every column of `weight [.., O]` whose L2 norm over all other axes is above `limit` to that norm, in place.
///
/// Columns of a convolution weight `[kh, kw, C, O]` are the incoming weights of one output channel.
///
/// # Errors
/// As [`max_norm_rows`].
pub fn max_norm_columns(weight: &Var, limit: f64) -> Result<()> {
    run(weight, &MaxNorm { limit, units: Units::Columns })
}

fn run(weight: &Tensor, op: &MaxNorm) -> Result<()> {
    expect_positive_number(op.name(), "limit", op.limit)?;
    if weight.rank() < 2 {
        return Err(mismatch(op.name(), "shape of weight", "at least 2 axes", weight.dims()));
    }
    if weight.elem_count() == 0 {
        return Ok(());
    }
    if !weight.device().is_cpu() {
        return composite::max_norm(weight, op.limit, matches!(op.units, Units::Rows));
    }
    weight.inplace_op1(op)
}

enum Units {
    Rows,
    Columns,
}

struct MaxNorm {
    limit: f64,
    units: Units,
}

impl InplaceOp1 for MaxNorm {
    fn name(&self) -> &'static str {
        match self.units {
            Units::Rows => "max_norm_rows",
            Units::Columns => "max_norm_columns",
        }
    }

    fn cpu_fwd(&self, weight: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let dims = layout.dims();
        with_element!(weight.dtype(), self.name(), T => {
            let weight = slice_mut::<T>(weight, layout)?;
            match self.units {
                Units::Rows => limit_rows(weight, weight.len() / dims[0], self.limit),
                Units::Columns => limit_columns(weight, dims[dims.len() - 1], self.limit),
            }
            Ok(())
        })
    }
}

fn limit_rows<T: Element>(weight: &mut [T], row_len: usize, limit: f64) {
    for_each_chunk(
        weight,
        rows_per_chunk(row_len) * row_len,
        inlined!(|_, rows| {
            for row in rows.chunks_exact_mut(row_len) {
                let norm = sum(row, |value| value.widened() * value.widened()).sqrt();
                if norm > limit {
                    let factor = T::rounded(limit / norm);
                    row.iter_mut().for_each(|value| *value *= factor);
                }
            }
        }),
    );
}

fn limit_columns<T: Element>(weight: &mut [T], n_columns: usize, limit: f64) {
    let values: &[T] = weight;
    let square_sums = sum_over_rows(
        values.len() / n_columns,
        n_columns,
        n_columns,
        inlined!(|rows, sums| {
            for row in values[rows.start * n_columns..rows.end * n_columns].chunks_exact(n_columns) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value.widened() * value.widened());
            }
        }),
    );
    let factor = |norm: f64| if norm > limit { limit / norm } else { 1.0 };
    let factors: Vec<T> = square_sums.iter().map(|sum| T::rounded(factor(sum.sqrt()))).collect();
    for_each_chunk(
        weight,
        rows_per_chunk(n_columns) * n_columns,
        inlined!(|_, rows| {
            for row in rows.chunks_exact_mut(n_columns) {
                row.iter_mut().zip(&factors).for_each(|(value, factor)| *value *= *factor);
            }
        }),
    );
}
