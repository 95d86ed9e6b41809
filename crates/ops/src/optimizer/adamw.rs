//! Adam with decoupled weight decay (Kingma and Ba 2015; Loshchilov and Hutter 2019).

use candle_core::{Result, Tensor, Var};

use super::in_place::{Step, check_gradient, check_state, run};
use crate::composite;
use crate::element::Element;
use crate::shape::mismatch;
use crate::vector::inlined;

/// The numbers of one step of AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWHyper {
    /// The length of the step.
    pub learning_rate: f64,
    /// How much of the mean of the gradients is kept.
    pub beta1: f64,
    /// How much of the mean of their squares is kept.
    pub beta2: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// Decoupled: the parameter loses this fraction times the learning rate.
    pub weight_decay: f64,
    /// What the gradient is multiplied by first: below 1 where it is clipped.
    pub gradient_scale: f64,
    /// The number of this step, from 1; corrects the means for their start at zero.
    pub step: u64,
}

/// One step of AdamW, in place, along `g = gradient_scale grad`: `m = beta1 m + (1 - beta1) g`, `v = beta2 v + (1 -
/// beta2) g^2`, `param -= learning_rate (m^ / (sqrt(v^) + eps) + weight_decay param)` with `m^ = m / (1 - beta1^step)`,
/// `v^` likewise.
///
/// `moments [2, ..]` holds `m` and `v`, each of the parameter's shape, and starts at zero.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit, tensors that share memory, or a step of 0.
pub fn adamw_step(param: &Var, grad: &Tensor, moments: &Tensor, hyper: AdamWHyper) -> Result<()> {
    check_moments(param, moments, hyper)?;
    check_gradient(AdamWHyper::NAME, param, grad)?;
    if !param.device().is_cpu() {
        return composite::adamw_step(param, grad, moments, hyper, None);
    }
    run(&hyper, param, grad, Some(moments))
}

pub(super) fn check_moments(param: &Tensor, moments: &Tensor, hyper: AdamWHyper) -> Result<()> {
    let shape: Vec<usize> = std::iter::once(2).chain(param.dims().iter().copied()).collect();
    check_state(AdamWHyper::NAME, param, moments, &shape)?;
    if hyper.step == 0 {
        return Err(mismatch(AdamWHyper::NAME, "step", "at least 1", hyper.step));
    }
    Ok(())
}

impl AdamWHyper {
    /// `1 / (1 - beta^step)` of both means.
    pub(crate) fn corrections(&self) -> [f64; 2] {
        [self.beta1, self.beta2].map(|beta| 1.0 / (1.0 - beta.powf(self.step as f64)))
    }
}

impl Step for AdamWHyper {
    const NAME: &'static str = "adamw_step";

    fn arithmetic<T: Element>(&self) -> impl Fn(&mut [T], &[T], &mut [T], &mut [T]) + Send + Sync {
        let [correction1, correction2] = self.corrections();
        let (beta1, beta2) = (T::rounded(self.beta1), T::rounded(self.beta2));
        let (rest1, rest2) = (T::rounded(1.0 - self.beta1), T::rounded(1.0 - self.beta2));
        let step_len = T::rounded(self.learning_rate * correction1);
        let (correction2, eps) = (T::rounded(correction2), T::rounded(self.eps));
        let keep = T::rounded(1.0 - self.learning_rate * self.weight_decay);
        let gradient_scale = T::rounded(self.gradient_scale);
        inlined!(move |param: &mut [T], grad: &[T], first: &mut [T], second: &mut [T]| {
            for (((param, first), second), grad) in param.iter_mut().zip(first).zip(second).zip(grad) {
                let grad = *grad * gradient_scale;
                *first = beta1 * *first + rest1 * grad;
                *second = beta2 * *second + rest2 * grad * grad;
                *param = keep * *param - step_len * *first / (Element::sqrt(*second * correction2) + eps);
            }
        })
    }
}
