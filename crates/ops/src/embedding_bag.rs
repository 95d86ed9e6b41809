//! The mean of some rows of a table for each text (fastText, Joulin et al. 2017).
//!
//! Shapes: `R` rows of the table, `W` its width, `B` bags.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::composite;
use crate::element::{Element, with_element};
use crate::gradients::RowGradient;
use crate::parallel::filled;
use crate::row_groups::RowGroups;
use crate::shape::{expect_matrix, expect_positive, mismatch};
use crate::storage::{Elements, output, slice};
use crate::tape::{TableOp, apply_to_table};
use crate::token_input::TokenRows;
use crate::vector::{PREFETCH_DISTANCE, inlined, prefetch};

const NAME: &str = "embedding_bag";

/// The mean of the rows of `table [R, W]` that each bag names, `[B, W]`; a row that is named twice counts twice, and an
/// empty bag gives zeros.
///
/// # Errors
/// An id that is not below `R`.
pub fn embedding_bag(table: &Tensor, bags: &TokenRows) -> Result<Tensor> {
    let (n_rows, width) = expect_matrix(NAME, "table", table)?;
    expect_positive(NAME, "width of table", width)?;
    if !bags.ids().is_empty() && bags.largest_id() as usize >= n_rows {
        return Err(mismatch(NAME, "id", format!("below {n_rows}"), bags.largest_id()));
    }
    if !table.device().is_cpu() {
        return composite::embedding_bag(table, bags);
    }
    apply_to_table(EmbeddingBag { bags: bags.clone() }, &table.contiguous()?)
}

struct EmbeddingBag {
    bags: TokenRows,
}

impl CustomOp1 for EmbeddingBag {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, table: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        with_element!(table.dtype(), NAME, T => {
            Ok(output(means(slice::<T>(table, layout)?, width, &self.bags), (self.bags.n_rows(), width)))
        })
    }

    fn bwd(&self, table: &Tensor, _result: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.row_gradient(table, grad)?.to_dense()?))
    }
}

impl TableOp for EmbeddingBag {
    fn row_gradient(&self, table: &Tensor, grad: &Tensor) -> Result<RowGradient> {
        let (n_rows, width) = table.dims2()?;
        let grad = grad.contiguous()?;
        with_element!(grad.dtype(), NAME, T => {
            let (rows, sums) = row_sums(&Elements::<T>::of(&grad)?, width, &self.bags);
            RowGradient::new(rows, sums, n_rows, width)
        })
    }
}

/// `1 / n` for a bag of `n` ids.
fn weight<T: Element>(n_ids: usize) -> T {
    T::rounded(1.0 / n_ids.max(1) as f64)
}

fn means<T: Element>(table: &[T], width: usize, bags: &TokenRows) -> Vec<T> {
    filled(
        bags.n_rows() * width,
        BAGS_PER_CHUNK * width,
        inlined!(|start, means| {
            for (bag, mean) in (start / width..).zip(means.chunks_exact_mut(width)) {
                let ids = bags.row(bag);
                for (i, id) in ids.iter().enumerate() {
                    if let Some(later) = ids.get(i + PREFETCH_DISTANCE) {
                        prefetch(&table[*later as usize * width..][..width]);
                    }
                    let row = &table[*id as usize * width..][..width];
                    mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += *value);
                }
                let weight = weight(ids.len());
                mean.iter_mut().for_each(|sum| *sum *= weight);
            }
        }),
    )
}

/// Bags of one task of the forward pass; each reads many rows.
const BAGS_PER_CHUNK: usize = 8;

/// The rows that any bag names, ascending, and their gradients `[rows, W]`.
fn row_sums<T: Element>(grad: &[T], width: usize, bags: &TokenRows) -> (Vec<u32>, Vec<T>) {
    let mut bag_of_place = vec![0; bags.ids().len()];
    let weights: Vec<T> = (0..bags.n_rows())
        .map(|bag| {
            bag_of_place[bags.range(bag)].fill(bag as u32);
            weight(bags.range(bag).len())
        })
        .collect();
    let groups = RowGroups::of(bags.ids());
    let sums = groups.sums(
        width,
        inlined!(|place, sum: &mut [T]| {
            let bag = bag_of_place[place] as usize;
            let (weight, grad) = (weights[bag], &grad[bag * width..][..width]);
            sum.iter_mut().zip(grad).for_each(|(sum, grad)| *sum += weight * *grad);
        }),
    );
    (groups.into_rows(), sums)
}
