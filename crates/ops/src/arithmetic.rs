//! Sums and multiples of tensors: what models and losses need between the larger operations.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, InplaceOp2, Layout, Result, Shape, Tensor};

use crate::element::with_element;
use crate::parallel::{CHUNK, filled, for_each_chunk};
use crate::shape::{expect_same_kind, expect_shape};
use crate::storage::{output, slice, slice_mut};
use crate::tape::{apply1, apply2};
use crate::vector::inlined;

/// `a + b`, of equal shapes.
///
/// # Errors
/// Other shapes, dtypes or devices.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    expect_shape(Add.name(), "second input", b, a.dims())?;
    expect_same_kind(Add.name(), a, &[("second input", b)])?;
    if !a.device().is_cpu() {
        return a + b;
    }
    apply2(Add, &a.contiguous()?, &b.contiguous()?)
}

/// `factor input`.
///
/// # Errors
/// A dtype that is not a float.
pub fn scale(input: &Tensor, factor: f64) -> Result<Tensor> {
    if !input.device().is_cpu() {
        return input * factor;
    }
    apply1(Scale { factor }, &input.contiguous()?)
}

/// `sum += term`, in place.
pub(crate) fn add_in_place(sum: &Tensor, term: &Tensor) -> Result<()> {
    sum.inplace_op2(&term.contiguous()?, &AddInPlace)
}

struct Add;

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        with_element!(a.dtype(), self.name(), T => {
            let (a, b) = (slice::<T>(a, a_layout)?, slice::<T>(b, b_layout)?);
            let values = filled(a.len(), CHUNK, inlined!(|start, chunk| {
                let terms = a[start..].iter().zip(&b[start..]);
                chunk.iter_mut().zip(terms).for_each(|(value, (a, b))| *value = *a + *b);
            }));
            Ok(output(values, a_layout.shape().clone()))
        })
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(grad.clone()), Some(grad.clone())))
    }
}

struct Scale {
    factor: f64,
}

impl CustomOp1 for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        with_element!(input.dtype(), self.name(), T => {
            let (input, factor) = (slice::<T>(input, layout)?, self.factor as T);
            let values = filled(input.len(), CHUNK, inlined!(|start, chunk| {
                chunk.iter_mut().zip(&input[start..]).for_each(|(value, input)| *value = *input * factor);
            }));
            Ok(output(values, layout.shape().clone()))
        })
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some((grad * self.factor)?))
    }
}

struct AddInPlace;

impl InplaceOp2 for AddInPlace {
    fn name(&self) -> &'static str {
        "add_in_place"
    }

    fn cpu_fwd(
        &self,
        sum: &mut CpuStorage,
        sum_layout: &Layout,
        term: &CpuStorage,
        term_layout: &Layout,
    ) -> Result<()> {
        with_element!(sum.dtype(), "add_in_place", T => {
            let term = slice::<T>(term, term_layout)?;
            for_each_chunk(slice_mut::<T>(sum, sum_layout)?, CHUNK, inlined!(|start, chunk| {
                chunk.iter_mut().zip(&term[start..]).for_each(|(sum, term)| *sum += *term);
            }));
            Ok(())
        })
    }
}
