//! The check that a loss reaches every variable.

use candle_core::{DType, Device, Result, Var};

use crate::gradients::{Gradient, Gradients};

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
        if let Some(reason) = problem(grads.get(var))? {
            uncovered.push(format!("{name}: {reason}"));
        }
    }
    Ok(uncovered)
}

fn problem(grad: Option<&Gradient>) -> Result<Option<&'static str>> {
    let Some(grad) = grad else {
        return Ok(Some("no gradient"));
    };
    let values = grad.values().to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    if values.iter().any(|value| !value.is_finite()) {
        return Ok(Some("a gradient that is not finite"));
    }
    Ok(values.iter().all(|value| *value == 0.0).then_some("an all-zero gradient"))
}
