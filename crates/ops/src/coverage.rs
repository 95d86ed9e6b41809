//! The check that a loss reaches every variable.

use candle_core::{DType, Device, Result, Var};
use std::fmt;

use crate::gradients::{Gradient, Gradients};

/// What is wrong with the gradient of a variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GradientProblem {
    /// There is none: an operation between the loss and the variable lost it.
    Missing,
    /// It holds this infinity or NaN.
    NotFinite(f64),
    /// All of it is zero: an operation lost it, or inputs, dropout or rectifiers made it zero.
    Zero,
}

impl fmt::Display for GradientProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no gradient",
            Self::NotFinite(_) => "a gradient that is not finite",
            Self::Zero => "an all-zero gradient",
        })
    }
}

/// Variables of `named_vars` without a gradient in `grads`, or with one that is all zero or not finite.
///
/// Each entry is the name and the reason, as in `conv1.weight: no gradient`; an empty list means that all is well. Some
/// operations of candle cut the graph without an error, and what lies below them then never moves: run this at the
/// first step of every training.
///
/// # Errors
/// A failing tensor operation.
pub fn gradient_coverage(grads: &Gradients, named_vars: &[(String, Var)]) -> Result<Vec<String>> {
    let mut uncovered = Vec::new();
    for (name, var) in named_vars {
        if let Some(problem) = gradient_problem(grads, var)? {
            uncovered.push(format!("{name}: {problem}"));
        }
    }
    Ok(uncovered)
}

/// What is wrong with the gradient of one variable, if anything is.
///
/// # Errors
/// A failing tensor operation.
pub fn gradient_problem(grads: &Gradients, var: &Var) -> Result<Option<GradientProblem>> {
    let Some(grad) = grads.get(var) else { return Ok(Some(GradientProblem::Missing)) };
    let values = values_of(grad)?;
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Ok(Some(GradientProblem::NotFinite(*value)));
    }
    Ok(values.iter().all(|value| *value == 0.0).then_some(GradientProblem::Zero))
}

fn values_of(grad: &Gradient) -> Result<Vec<f64>> {
    grad.values().to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()
}
