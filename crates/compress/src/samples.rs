//! Rows of numbers for tests.

/// Numbers that look random: a Weyl sequence.
pub(crate) fn numbers(n: usize, offset: f64) -> Vec<f32> {
    let weyl = |index: usize| ((index as f64 * 0.754_877_666 + offset).fract() - 0.5) as f32;
    (0..n).map(|index| weyl(index) * weyl(3 * index + 1)).collect()
}

/// Rows `[N, I + 1]` with a constant 1 behind each.
pub(crate) fn with_constant(rows: &[f32], n_inputs: usize) -> Vec<f32> {
    rows.chunks_exact(n_inputs).flat_map(|row| [row, &[1.0]].concat()).collect()
}
