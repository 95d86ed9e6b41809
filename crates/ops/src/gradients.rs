//! Gradients of variables, as a reverse pass returns them: a whole tensor, or some rows of a table.
//!
//! Shapes: `R` rows of a table, `W` its width, `n` rows that a batch reads.

use std::collections::HashMap;

use candle_core::{Result, Tensor, TensorId};

use crate::arithmetic::add_in_place;
use crate::composite;
use crate::element::{Element, with_element};
use crate::row_groups::RowGroups;
use crate::shape::expect_shape;
use crate::storage::{Elements, tensor};
use crate::vector::inlined;

/// The gradient of one variable.
#[derive(Clone, Debug)]
pub enum Gradient {
    /// of the variable's own shape
    Dense(Tensor),
    /// of the rows that were read; that of all others is zero
    Rows(RowGradient),
}

impl Gradient {
    /// The elements that may differ from zero: a tensor of the variable's shape, or of the rows that were read. It has
    /// the norm of the whole, and changing it in place changes the gradient.
    pub fn values(&self) -> &Tensor {
        match self {
            Self::Dense(values) => values,
            Self::Rows(rows) => &rows.values,
        }
    }

    /// The sum with another gradient of the same variable; it may lie in the memory of this one.
    ///
    /// # Errors
    /// Gradients of other shapes.
    pub fn plus(self, other: &Self) -> Result<Self> {
        match (self, other) {
            (Self::Rows(sum), Self::Rows(other)) => Ok(Self::Rows(sum.plus(other)?)),
            (Self::Dense(sum), other) => {
                let other = other.to_dense()?;
                expect_shape("gradient", "second gradient", &other, sum.dims())?;
                add_in_place(&sum, &other)?;
                Ok(Self::Dense(sum))
            }
            (Self::Rows(sum), other) => Self::Dense(sum.to_dense()?).plus(other),
        }
    }

    /// A tensor of the variable's shape.
    ///
    /// # Errors
    /// A failing copy.
    pub fn to_dense(&self) -> Result<Tensor> {
        match self {
            Self::Dense(values) => Ok(values.clone()),
            Self::Rows(rows) => rows.to_dense(),
        }
    }
}

/// The gradient of some rows of a table `[R, W]`.
#[derive(Clone, Debug)]
pub struct RowGradient {
    /// ascending, each once
    pub(crate) rows: Vec<u32>,
    /// `[n, W]`
    pub(crate) values: Tensor,
    pub(crate) n_rows: usize,
}

impl RowGradient {
    /// `rows` ascend; `values` are those of one row after the other, `[n, W]`.
    pub(crate) fn new<T: Element>(rows: Vec<u32>, values: Vec<T>, n_rows: usize, width: usize) -> Result<Self> {
        let values = tensor(values, (rows.len(), width))?;
        Ok(Self { rows, values, n_rows })
    }

    /// The rows that were read, ascending.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The gradient of these rows, `[n, W]`.
    pub fn values(&self) -> &Tensor {
        &self.values
    }

    /// Rows of the table, `R`.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The gradient of the whole table, `[R, W]`.
    ///
    /// # Errors
    /// A failing copy.
    pub fn to_dense(&self) -> Result<Tensor> {
        let width = self.values.dim(1)?;
        if !self.values.device().is_cpu() {
            let all: Vec<u32> = (0..self.n_rows as u32).collect();
            return composite::rows_or_zeros(&self.values, &self.rows, &all);
        }
        with_element!(self.values.dtype(), "row_gradient", T => {
            let values = Elements::<T>::of(&self.values)?;
            let mut table = vec![T::ZERO; self.n_rows * width];
            for (row, values) in self.rows.iter().zip(values.chunks_exact(width)) {
                table[*row as usize * width..][..width].copy_from_slice(values);
            }
            tensor(table, (self.n_rows, width))
        })
    }

    /// The sum with another gradient of the same table.
    pub(crate) fn plus(&self, other: &Self) -> Result<Self> {
        let width = self.values.dim(1)?;
        let places: Vec<u32> = self.rows.iter().chain(&other.rows).copied().collect();
        let groups = RowGroups::of(&places);
        if !self.values.device().is_cpu() {
            let rows = groups.into_rows();
            let [first, second] =
                [self, other].map(|gradient| composite::rows_or_zeros(&gradient.values, &gradient.rows, &rows));
            return Ok(Self { values: (first? + second?)?, rows, n_rows: self.n_rows });
        }
        with_element!(self.values.dtype(), "row_gradient", T => {
            let (first, second) = (Elements::<T>::of(&self.values)?, Elements::<T>::of(&other.values)?);
            let terms = [&*first, &*second].concat();
            let sums = groups.sums(width, inlined!(|place, sum: &mut [T]| {
                sum.iter_mut().zip(&terms[place * width..][..width]).for_each(|(sum, term)| *sum += *term);
            }));
            Self::new(groups.into_rows(), sums, self.n_rows, width)
        })
    }
}

/// The gradients of the variables that a loss depends on. Each lies in memory of its own, so it may be changed in
/// place.
#[derive(Debug)]
pub struct Gradients(HashMap<TensorId, Gradient>);

impl Gradients {
    pub(crate) fn new(gradients: HashMap<TensorId, Gradient>) -> Self {
        Self(gradients)
    }

    /// The gradients that candle's own reverse pass finds, for a loss outside of any recording.
    ///
    /// # Errors
    /// A failing operation.
    pub fn of_candle(loss: &Tensor) -> Result<Self> {
        let store = loss.backward()?;
        let gradients = store.get_ids().filter_map(|id| Some((*id, Gradient::Dense(store.get_id(*id)?.clone()))));
        Ok(Self(gradients.collect()))
    }

    /// The gradient of a variable; none where the loss does not depend on it.
    pub fn get(&self, variable: &Tensor) -> Option<&Gradient> {
        self.0.get(&variable.id())
    }

    /// Adds the gradient of some rows of a table to what there is of its gradient.
    pub(crate) fn add_rows(&mut self, table: &Tensor, rows: RowGradient) -> Result<()> {
        let sum = match self.0.remove(&table.id()) {
            None => Gradient::Rows(rows),
            Some(Gradient::Rows(sum)) => Gradient::Rows(sum.plus(&rows)?),
            Some(Gradient::Dense(sum)) => Gradient::Dense((sum + rows.to_dense()?)?),
        };
        self.0.insert(table.id(), sum);
        Ok(())
    }

    /// Takes a variable's gradient out.
    pub fn remove(&mut self, variable: &Tensor) -> Option<Gradient> {
        self.0.remove(&variable.id())
    }
}
