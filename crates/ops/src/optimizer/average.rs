//! The exponential moving average of a parameter (Polyak and Juditsky 1992; as in Tarvainen and Valpola 2017,
//! arXiv:1703.01780).

use candle_core::{Result, Tensor};

use super::in_place::{Step, check_gradient, run};
use crate::composite;
use crate::element::Element;
use crate::vector::inlined;

/// `average += (1 - decay) (param - average)`, in place.
///
/// # Errors
/// Shapes, dtypes or devices that do not fit, or tensors that share memory.
pub fn average_step(average: &Tensor, param: &Tensor, decay: f64) -> Result<()> {
    check_gradient(Average::NAME, average, param)?;
    if !average.device().is_cpu() {
        return composite::average_step(average, param, decay);
    }
    run(&Average { decay }, average, param, None)
}

struct Average {
    decay: f64,
}

impl Step for Average {
    const NAME: &'static str = "average_step";

    fn arithmetic<T: Element>(&self) -> impl Fn(&mut [T], &[T], &mut [T], &mut [T]) + Send + Sync {
        let share = T::rounded(1.0 - self.decay);
        inlined!(move |averages: &mut [T], params: &[T], _: &mut [T], _: &mut [T]| {
            averages.iter_mut().zip(params).for_each(|(average, param)| *average += share * (*param - *average));
        })
    }
}
