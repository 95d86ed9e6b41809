//! Stochastic gradient descent with momentum (Polyak 1964) or Nesterov momentum (Sutskever et al. 2013).

use candle_core::{Error, Result, Tensor, Var};
use rayon::prelude::*;

use super::in_place::{Step, check, run};
use crate::composite;
use crate::element::Element;
use crate::parallel::{CHUNK, for_each_chunk, is_serial};

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
}

/// `velocity = momentum velocity + grad; param -= learning_rate (velocity + weight_decay param)`, in place.
///
/// With `nesterov`, the step goes along `grad + momentum velocity` with the new velocity. `velocity` has the shape of the
/// parameter and starts at zero; without it the momentum must be 0.
pub fn sgd_step(param: &Var, grad: &Tensor, velocity: Option<&Tensor>, hyper: SgdHyper) -> Result<()> {
    check(SgdHyper::NAME, param, grad, velocity.map(|velocity| (velocity, param.dims())))?;
    if velocity.is_none() && hyper.momentum != 0.0 {
        let message = format!("{}: a momentum of {} needs a velocity, got none", SgdHyper::NAME, hyper.momentum);
        return Err(Error::msg(message));
    }
    if !param.device().is_cpu() {
        return composite::sgd_step(param, grad, velocity, hyper);
    }
    run(&hyper, param, grad, velocity)
}

impl Step for SgdHyper {
    const NAME: &'static str = "sgd_step";

    fn step<T: Element>(&self, param: &mut [T], grad: &[T], velocity: &mut [T]) {
        let learning_rate = T::from_f64(self.learning_rate);
        let keep = T::from_f64(1.0 - self.learning_rate * self.weight_decay);
        if velocity.is_empty() {
            for_each_chunk(param, CHUNK, |start, param| {
                let pairs = param.iter_mut().zip(&grad[start..]);
                pairs.for_each(|(param, grad)| *param = keep * *param - learning_rate * *grad);
            });
            return;
        }
        let momentum = T::from_f64(self.momentum);
        let step_chunk = |((param, velocity), grad): ((&mut [T], &mut [T]), &[T])| {
            for ((param, velocity), grad) in param.iter_mut().zip(velocity).zip(grad) {
                *velocity = momentum * *velocity + *grad;
                let direction = if self.nesterov { *grad + momentum * *velocity } else { *velocity };
                *param = keep * *param - learning_rate * direction;
            }
        };
        if is_serial(param.len().div_ceil(CHUNK)) {
            step_chunk(((param, velocity), grad));
        } else {
            let chunks = param.par_chunks_mut(CHUNK).zip(velocity.par_chunks_mut(CHUNK)).zip(grad.par_chunks(CHUNK));
            chunks.for_each(step_chunk);
        }
    }
}
