//! Stochastic gradient descent with momentum (Polyak 1964) or Nesterov momentum (Sutskever et al. 2013).

use candle_core::{Error, Result, Tensor, Var};

use super::in_place::{Step, check_gradient, check_state, run};
use crate::composite;
use crate::element::Element;
use crate::vector::inlined;

/// The numbers of one step of stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdHyper {
    /// The length of the step.
    pub learning_rate: f64,
    /// How much of the velocity is kept; 0 where there is no velocity.
    pub momentum: f64,
    /// Looks ahead along the new velocity.
    pub nesterov: bool,
    /// Decoupled: the parameter loses this fraction times the learning rate (Loshchilov and Hutter 2019).
    pub weight_decay: f64,
    /// What the gradient is multiplied by first: below 1 where it is clipped.
    pub gradient_scale: f64,
}

/// `velocity = momentum velocity + gradient_scale grad; param -= learning_rate (velocity + weight_decay param)`, in
/// place.
///
/// With `nesterov`, the step goes along `grad + momentum velocity` with the new velocity. `velocity` has the shape of
/// the parameter and starts at zero; without it the momentum must be 0.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit, tensors that share memory, or a momentum without a velocity.
pub fn sgd_step(param: &Var, grad: &Tensor, velocity: Option<&Tensor>, hyper: SgdHyper) -> Result<()> {
    check_velocity(param, velocity, hyper)?;
    check_gradient(SgdHyper::NAME, param, grad)?;
    if !param.device().is_cpu() {
        return composite::sgd_step(param, grad, velocity, hyper, None);
    }
    run(&hyper, param, grad, velocity)
}

pub(super) fn check_velocity(param: &Tensor, velocity: Option<&Tensor>, hyper: SgdHyper) -> Result<()> {
    match velocity {
        Some(velocity) => check_state(SgdHyper::NAME, param, velocity, param.dims()),
        None if hyper.momentum == 0.0 => Ok(()),
        None => {
            let message = format!("{}: a momentum of {} needs a velocity, got none", SgdHyper::NAME, hyper.momentum);
            Err(Error::msg(message))
        }
    }
}

impl Step for SgdHyper {
    const NAME: &'static str = "sgd_step";

    fn arithmetic<T: Element>(&self) -> impl Fn(&mut [T], &[T], &mut [T], &mut [T]) + Send + Sync {
        let learning_rate = T::rounded(self.learning_rate);
        let keep = T::rounded(1.0 - self.learning_rate * self.weight_decay);
        let gradient_scale = T::rounded(self.gradient_scale);
        let (momentum, nesterov) = (T::rounded(self.momentum), self.nesterov);
        inlined!(move |param: &mut [T], grad: &[T], velocity: &mut [T], _: &mut [T]| {
            if velocity.is_empty() {
                let pairs = param.iter_mut().zip(grad);
                pairs.for_each(|(param, grad)| *param = keep * *param - learning_rate * (*grad * gradient_scale));
                return;
            }
            for ((param, velocity), grad) in param.iter_mut().zip(velocity).zip(grad) {
                let grad = *grad * gradient_scale;
                *velocity = momentum * *velocity + grad;
                let direction = if nesterov { grad + momentum * *velocity } else { *velocity };
                *param = keep * *param - learning_rate * direction;
            }
        })
    }
}
