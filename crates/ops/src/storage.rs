//! From candle's tensors to slices of numbers, and back.

use candle_core::{CpuStorage, Device, Error, Layout, Result, Shape, Storage, StorageRef, Tensor};

use crate::element::Element;

/// The elements of a contiguous tensor on the CPU, locked for reading.
pub(crate) struct Elements<'a, T> {
    storage: StorageRef<'a>,
    start: usize,
    len: usize,
    element: std::marker::PhantomData<T>,
}

impl<'a, T: Element> Elements<'a, T> {
    pub(crate) fn of(tensor: &'a Tensor) -> Result<Self> {
        let (storage, layout) = tensor.storage_and_layout();
        let (start, len) = match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(cpu), Some((start, end))) => {
                cpu.as_slice::<T>()?;
                (start, end - start)
            }
            (Storage::Cpu(_), None) => {
                return Err(Error::msg("internal: a strided tensor where a contiguous is needed"));
            }
            _ => return Err(Error::msg("internal: a tensor on another device where one on the cpu is needed")),
        };
        Ok(Self { storage, start, len, element: std::marker::PhantomData })
    }
}

impl<T: Element> std::ops::Deref for Elements<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &*self.storage {
            Storage::Cpu(cpu) => {
                let all = cpu.as_slice::<T>().expect("the type was checked when the tensor was locked");
                &all[self.start..self.start + self.len]
            }
            _ => unreachable!("the device was checked when the tensor was locked"),
        }
    }
}

/// The elements of a contiguous argument of a custom operation.
pub(crate) fn slice<'a, T: Element>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let (start, end) = contiguous_range(layout)?;
    Ok(&storage.as_slice::<T>()?[start..end])
}

/// The elements of a contiguous tensor that an operation changes in place.
pub(crate) fn slice_mut<'a, T: Element>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [T]> {
    let (start, end) = contiguous_range(layout)?;
    let all: &mut dyn std::any::Any = match storage {
        CpuStorage::F32(values) => values,
        CpuStorage::F64(values) => values,
        _ => return Err(Error::msg("expected f32")),
    };
    match all.downcast_mut::<Vec<T>>() {
        Some(values) => Ok(&mut values[start..end]),
        None => Err(Error::msg("tensors of one operation must have the same dtype")),
    }
}

fn contiguous_range(layout: &Layout) -> Result<(usize, usize)> {
    layout.contiguous_offsets().ok_or_else(|| Error::msg("internal: a strided tensor where a contiguous is needed"))
}

/// The output of a custom operation.
pub(crate) fn output<T: Element>(values: Vec<T>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (T::to_cpu_storage_owned(values), shape.into())
}

/// A tensor on the CPU that is no part of any graph.
pub(crate) fn tensor<T: Element>(values: Vec<T>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// True where two tensors lie in the same memory, whether or not they overlap there.
pub(crate) fn shares_storage(a: &Tensor, b: &Tensor) -> bool {
    let address = |tensor: &Tensor| {
        let (storage, _) = tensor.storage_and_layout();
        std::ptr::from_ref(&*storage).addr()
    };
    address(a) == address(b)
}
