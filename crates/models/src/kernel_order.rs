//! The order of a kernel's numbers in `model.safetensors`, which is that of PyTorch and not that of memory.
//!
//! Letters: `O` outputs, `C` channels of the input, `kh` rows, `kw` columns.
//!
//! | weight | in memory | in a file of format version 2 and later | of version 1 |
//! |---|---|---|---|
//! | convolution | `[kh, kw, C, O]` | `[O, C, kh, kw]` | `[kh, kw, C, O]` |
//! | depthwise convolution | `[kh, kw, C]` | `[C, 1, kh, kw]` | `[kh, kw, C]` |
//! | all others | | as in memory | as in memory |
//!
//! Kernels in a few bits are codes, which no other program reads: they stay in the order of memory.

use std::borrow::Cow;

/// How a file holds kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KernelOrder {
    /// as in memory: format version 1
    AsInMemory,
    /// as PyTorch has them: from format version 2 on
    OutputsFirst,
}

impl KernelOrder {
    /// Places of the axes in memory along which the axes of the file run, where the two differ; `None` is an axis of length 1.
    fn axes(self, rank: usize) -> Option<[Option<usize>; 4]> {
        match (self, rank) {
            (Self::OutputsFirst, 4) => Some([Some(3), Some(2), Some(0), Some(1)]),
            (Self::OutputsFirst, 3) => Some([Some(2), None, Some(0), Some(1)]),
            _ => None,
        }
    }

    /// The shape in the file of a weight that has `dims` in memory.
    pub(crate) fn shape(self, dims: &[usize]) -> Vec<usize> {
        match self.axes(dims.len()) {
            Some(axes) => axes.map(|axis| axis.map_or(1, |axis| dims[axis])).to_vec(),
            None => dims.to_vec(),
        }
    }

    /// The numbers in the order of the file.
    pub(crate) fn write(self, values: &[f32], dims: &[usize]) -> Vec<f32> {
        self.places(dims).map_or_else(|| values.to_vec(), |places| places.map(|place| values[place]).collect())
    }

    /// The numbers in the order of memory.
    pub(crate) fn read<'a>(self, values: Cow<'a, [f32]>, dims: &[usize]) -> Cow<'a, [f32]> {
        let Some(places) = self.places(dims) else { return values };
        let mut ordered = vec![0.0; values.len()];
        places.zip(values.iter()).for_each(|(place, value)| ordered[place] = *value);
        Cow::Owned(ordered)
    }

    /// Places in memory of the numbers of the file, one after the other; none where they are the same.
    fn places(self, dims: &[usize]) -> Option<impl Iterator<Item = usize>> {
        let axes = self.axes(dims.len())?;
        let step = |axis: usize| dims[axis + 1..].iter().product::<usize>();
        let [a, b, c, d] = axes.map(|axis| axis.map_or((1, 0), |axis| (dims[axis], step(axis))));
        let places = |(len, step): (usize, usize)| (0..len).map(move |index| index * step);
        Some(places(a).flat_map(move |a| {
            places(b).flat_map(move |b| places(c).flat_map(move |c| places(d).map(move |d| a + b + c + d)))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|index| index as f32).collect()
    }

    #[test]
    fn outputs_come_first_as_in_pytorch() {
        // of [kh, kw, C, O] = [2, 1, 3, 2], number [h, 0, c, o] is 6 h + 2 c + o
        let dims = [2, 1, 3, 2];
        let order = KernelOrder::OutputsFirst;
        assert_eq!(order.shape(&dims), [2, 3, 2, 1]);
        let written = order.write(&numbers(12), &dims);
        assert_eq!(written, [0.0, 6.0, 2.0, 8.0, 4.0, 10.0, 1.0, 7.0, 3.0, 9.0, 5.0, 11.0]);
        assert_eq!(order.read(written.into(), &dims), numbers(12));
    }

    #[test]
    fn a_depthwise_kernel_has_one_channel_for_each_output() {
        let dims = [2, 2, 3];
        let order = KernelOrder::OutputsFirst;
        assert_eq!(order.shape(&dims), [3, 1, 2, 2]);
        let written = order.write(&numbers(12), &dims);
        assert_eq!(written, [0.0, 3.0, 6.0, 9.0, 1.0, 4.0, 7.0, 10.0, 2.0, 5.0, 8.0, 11.0]);
        assert_eq!(order.read(written.into(), &dims), numbers(12));
    }

    #[test]
    fn matrices_and_older_files_are_as_in_memory() {
        for (order, dims) in [(KernelOrder::OutputsFirst, &[3, 4][..]), (KernelOrder::AsInMemory, &[2, 1, 3, 2])] {
            assert_eq!(order.shape(dims), dims);
            assert_eq!(order.write(&numbers(12), dims), numbers(12));
            assert_eq!(order.read(numbers(12).into(), dims), numbers(12));
        }
    }
}
