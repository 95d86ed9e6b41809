//! Chunks of a fixed size, spread over the rayon pool that the caller runs in.
//!
//! The cut depends on the sizes of the tensors only, and sums over chunks are taken in the order of the chunks, so
//! every result has the same bits for any number of threads.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::vector::{at_full_width, inlined};

/// Elements of one chunk of an elementwise pass: large enough to hide the cost of a task, small enough for the L2
/// cache.
pub(crate) const CHUNK: usize = 16 * 1024;

/// True where tasks would only cost: one thread, or one chunk.
pub(crate) fn is_serial(n_chunks: usize) -> bool {
    n_chunks <= 1 || rayon::current_num_threads() == 1
}

/// Calls `work(chunk_idx)` for every chunk and returns the results in the order of the chunks.
pub(crate) fn map_chunks<R: Send>(n_chunks: usize, work: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
    let work = |chunk_idx| at_full_width(inlined!(|| work(chunk_idx)));
    if is_serial(n_chunks) {
        return (0..n_chunks).map(work).collect();
    }
    (0..n_chunks).into_par_iter().map(work).collect()
}

/// Calls `work(start, chunk)` for the chunks of `values`, each of `chunk_len` elements but the last.
pub(crate) fn for_each_chunk<T: Send>(
    values: &mut [T],
    chunk_len: usize,
    work: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    map_chunks_mut(values, chunk_len, work);
}

/// As [`for_each_chunk`], and returns the results in the order of the chunks.
pub(crate) fn map_chunks_mut<T: Send, R: Send>(
    values: &mut [T],
    chunk_len: usize,
    work: impl Fn(usize, &mut [T]) -> R + Send + Sync,
) -> Vec<R> {
    let chunk_len = chunk_len.max(1);
    let work = |(i, chunk): (usize, &mut [T])| at_full_width(inlined!(|| work(i * chunk_len, chunk)));
    if is_serial(values.len().div_ceil(chunk_len)) {
        return values.chunks_mut(chunk_len).enumerate().map(work).collect();
    }
    values.par_chunks_mut(chunk_len).enumerate().map(work).collect()
}

/// Calls `work(index, part)` for parts of `values` of the given lengths, one after the other.
pub(crate) fn for_each_part<T: Send>(
    values: &mut [T],
    lengths: impl Iterator<Item = usize>,
    work: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    let mut rest = values;
    let parts: Vec<&mut [T]> =
        lengths.map(|len| rest.split_off_mut(..len).expect("parts no longer than the whole")).collect();
    if is_serial(parts.len()) {
        parts.into_iter().enumerate().for_each(|(i, part)| work(i, part));
    } else {
        parts.into_par_iter().enumerate().for_each(|(i, part)| work(i, part));
    }
}

/// A new vector of `len` elements, filled chunk by chunk.
///
/// A chunk holds zeros when the work on it begins. They are written then, so that they only reach the cache: a pass of
/// zeros over the whole memory would cost as much as a simple operation.
pub(crate) fn filled<T: Copy + Default + Send>(
    len: usize,
    chunk_len: usize,
    work: impl Fn(usize, &mut [T]) + Send + Sync,
) -> Vec<T> {
    filled_with_results(len, chunk_len, work).0
}

/// As [`filled`], with the results of the chunks in their order.
pub(crate) fn filled_with_results<T: Copy + Default + Send, R: Send>(
    len: usize,
    chunk_len: usize,
    work: impl Fn(usize, &mut [T]) -> R + Send + Sync,
) -> (Vec<T>, Vec<R>) {
    let mut values: Vec<T> = Vec::with_capacity(len);
    // each chunk is zeroed where it will be written, in the cache and by its own thread, not in a pass over all memory
    let results = map_chunks_mut(
        &mut values.spare_capacity_mut()[..len],
        chunk_len,
        inlined!(|start, chunk| work(start, cleared(chunk))),
    );
    // SAFETY: the chunks cover the first `len` elements of the capacity, and each was initialised.
    unsafe { values.set_len(len) };
    (values, results)
}

/// Fills memory with zeros.
pub(crate) fn cleared<T: Copy + Default>(memory: &mut [MaybeUninit<T>]) -> &mut [T] {
    memory.fill(MaybeUninit::new(T::default()));
    // SAFETY: every element was initialised by the line above, and `MaybeUninit<T>` has the layout of `T`
    unsafe { &mut *(std::ptr::from_mut(memory) as *mut [T]) }
}

/// Rows of one chunk of a pass over rows of `row_len` elements.
pub(crate) fn rows_per_chunk(row_len: usize) -> usize {
    (CHUNK / row_len.max(1)).max(1)
}

/// Sums over rows: `add(row_idx, sums)` adds one row of `n_rows` to `sums` of `len` numbers.
pub(crate) fn sum_over_rows(
    n_rows: usize,
    row_len: usize,
    len: usize,
    add: impl Fn(std::ops::Range<usize>, &mut [f64]) + Send + Sync,
) -> Vec<f64> {
    let rows = rows_per_chunk(row_len);
    let partial_sums = map_chunks(
        n_rows.div_ceil(rows),
        inlined!(|chunk_idx| {
            let mut sums = vec![0.0; len];
            let start = chunk_idx * rows;
            add(start..(start + rows).min(n_rows), &mut sums);
            sums
        }),
    );
    let mut total = vec![0.0; len];
    for sums in &partial_sums {
        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    total
}
