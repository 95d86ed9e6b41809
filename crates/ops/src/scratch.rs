//! Memory that a loop over chunks uses again and again.

/// Bytes of a cache line, which is also the longest vector: a vector that crosses lines costs two accesses.
const LINE: usize = 64;

/// A buffer that starts at a cache line. It grows and is not cleared between uses.
#[derive(Default)]
pub(crate) struct Scratch<T> {
    data: Vec<T>,
}

impl<T: Copy + Default> Scratch<T> {
    /// `len` elements with whatever content they had before.
    pub(crate) fn take(&mut self, len: usize) -> &mut [T] {
        let slack = LINE / size_of::<T>();
        if self.data.len() < len + slack {
            self.data = vec![T::default(); len + slack];
        }
        let start = self.data.as_ptr().align_offset(LINE).min(slack);
        &mut self.data[start..start + len]
    }

    /// The elements that the last `take` gave out.
    pub(crate) fn values(&self) -> &[T] {
        let slack = LINE / size_of::<T>();
        &self.data[self.data.as_ptr().align_offset(LINE).min(slack)..]
    }
}
