//! Transposes of matrices.

/// Side of the blocks, so that the lines of source and target that a block touches stay in the cache.
const BLOCK: usize = 16;

/// Writes the transpose of a row-major matrix with `n_columns` columns.
pub(super) fn transpose<T: Copy>(matrix: &[T], n_columns: usize, transposed: &mut [T]) {
    let n_rows = matrix.len() / n_columns;
    for row in (0..n_rows).step_by(BLOCK) {
        for column in (0..n_columns).step_by(BLOCK) {
            for column in column..(column + BLOCK).min(n_columns) {
                let end = (row + BLOCK).min(n_rows);
                let target = &mut transposed[column * n_rows + row..column * n_rows + end];
                let source = matrix[row * n_columns + column..].iter().step_by(n_columns);
                target.iter_mut().zip(source).for_each(|(target, source)| *target = *source);
            }
        }
    }
}
