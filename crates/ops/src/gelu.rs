//! The Gaussian error linear unit (Hendrycks and Gimpel 2016), exact and in the approximation of GPT-2.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::composite;
use crate::element::{Element, with_element};
use crate::parallel::{CHUNK, filled};
use crate::storage::{Elements, output, slice, tensor};
use crate::tape::apply1;
use crate::vector::inlined;

/// Which formula of the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gelu {
    /// `x P(x)` with the distribution function `P` of the standard normal, as in BERT
    Exact,
    /// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`
    Tanh,
}

/// The unit, element by element.
///
/// # Errors
/// A dtype that is not a float.
pub fn gelu(input: &Tensor, formula: Gelu) -> Result<Tensor> {
    if !input.device().is_cpu() {
        return composite::gelu(input, formula);
    }
    apply1(formula, &input.contiguous()?)
}

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        with_element!(input.dtype(), self.name(), T => {
            let input = slice::<T>(input, layout)?;
            let values = filled(input.len(), CHUNK, inlined!(|start, chunk| {
                let input = &input[start..start + chunk.len()];
                for (value, x) in chunk.iter_mut().zip(input) {
                    *value = self.value_and_slope(*x).0;
                }
            }));
            Ok(output(values, layout.shape().clone()))
        })
    }

    fn bwd(&self, input: &Tensor, _result: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        with_element!(grad.dtype(), self.name(), T => {
            let (grads, inputs) = (Elements::<T>::of(&grad)?, Elements::<T>::of(input)?);
            let (grads, inputs): (&[T], &[T]) = (&grads, &inputs);
            let values = filled(grads.len(), CHUNK, inlined!(|start, chunk| {
                let (grad, input) = (&grads[start..start + chunk.len()], &inputs[start..start + chunk.len()]);
                for ((value, grad), x) in chunk.iter_mut().zip(grad).zip(input) {
                    *value = *grad * self.value_and_slope(*x).1;
                }
            }));
            Ok(Some(tensor(values, grad.shape().clone())?))
        })
    }
}

/// `sqrt(2 / pi)`.
pub(crate) const TANH_SCALE: f64 = 0.797_884_560_802_865_4;
pub(crate) const TANH_CUBE: f64 = 0.044_715;

impl Gelu {
    #[inline(always)]
    fn value_and_slope<T: Element>(self, x: T) -> (T, T) {
        match self {
            Self::Exact => {
                let (cumulated, density) = x.normal();
                (x * cumulated, cumulated + x * density)
            }
            Self::Tanh => {
                let [scale, cube, half, three] = [TANH_SCALE, TANH_CUBE, 0.5, 3.0].map(T::rounded);
                let inner = scale * x * (T::ONE + cube * x * x);
                // tanh(u) = 1 - 2 / (e^2u + 1)
                let tanh = T::ONE - (T::ONE + T::ONE) / (Element::exp(inner + inner) + T::ONE);
                let slope = scale * (T::ONE + three * cube * x * x);
                let value = half * x * (T::ONE + tanh);
                (value, half * (T::ONE + tanh) + half * x * (T::ONE - tanh * tanh) * slope)
            }
        }
    }
}
