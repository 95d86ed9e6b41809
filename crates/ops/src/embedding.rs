//! Rows of a table, one for each id.
//!
//! Shapes: `R` rows of the table, `W` its width, `N` ids.

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::composite;
use crate::element::{Element, with_element};
use crate::gradients::RowGradient;
use crate::parallel::{filled, rows_per_chunk};
use crate::row_groups::RowGroups;
use crate::shape::{expect_matrix, expect_positive, mismatch};
use crate::storage::{Elements, output, slice};
use crate::tape::{TableOp, apply_to_table};
use crate::vector::inlined;

const NAME: &str = "embedding";

/// The rows of `table [R, W]` that `ids` name, `[N, W]`.
///
/// # Errors
/// An id that is not below `R`.
pub fn embedding(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    let (n_rows, width) = expect_matrix(NAME, "table", table)?;
    expect_positive(NAME, "width of table", width)?;
    if let Some(id) = ids.iter().find(|id| **id as usize >= n_rows) {
        return Err(mismatch(NAME, "id", format!("below {n_rows}"), id));
    }
    if !table.device().is_cpu() {
        return composite::embedding(table, ids);
    }
    apply_to_table(Embedding { ids: ids.into() }, &table.contiguous()?)
}

struct Embedding {
    ids: Arc<[u32]>,
}

impl CustomOp1 for Embedding {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, table: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        with_element!(table.dtype(), NAME, T => {
            let table = slice::<T>(table, layout)?;
            let values = filled(self.ids.len() * width, rows_per_chunk(width) * width, inlined!(|start, rows| {
                for (row, id) in rows.chunks_exact_mut(width).zip(&self.ids[start / width..]) {
                    row.copy_from_slice(&table[*id as usize * width..][..width]);
                }
            }));
            Ok(output(values, (self.ids.len(), width)))
        })
    }

    fn bwd(&self, table: &Tensor, _result: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.row_gradient(table, grad)?.to_dense()?))
    }
}

impl TableOp for Embedding {
    fn row_gradient(&self, table: &Tensor, grad: &Tensor) -> Result<RowGradient> {
        let (n_rows, width) = table.dims2()?;
        let grad = grad.contiguous()?;
        with_element!(grad.dtype(), NAME, T => {
            let (rows, sums) = row_sums(&Elements::<T>::of(&grad)?, width, &self.ids);
            RowGradient::new(rows, sums, n_rows, width)
        })
    }
}

/// The rows that occur, ascending, and their gradients `[rows, W]`.
fn row_sums<T: Element>(grad: &[T], width: usize, ids: &[u32]) -> (Vec<u32>, Vec<T>) {
    let groups = RowGroups::of(ids);
    let sums = groups.sums(
        width,
        inlined!(|place, sum: &mut [T]| {
            sum.iter_mut().zip(&grad[place * width..][..width]).for_each(|(sum, grad)| *sum += *grad);
        }),
    );
    (groups.into_rows(), sums)
}
