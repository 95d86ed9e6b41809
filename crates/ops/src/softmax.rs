//! Softmax of rows of logits, for predictions.
//!
//! Shapes: `N` rows of logits, `C` classes.

use crate::loss::Exponentials;
use crate::parallel::{for_each_chunk, rows_per_chunk};
use crate::vector::inlined;

/// Replaces every row of logits `[N, C]` by its probabilities, `softmax(row)`, in place.
///
/// Logits that do not make up whole rows are left as they are.
pub fn softmax_rows(logits: &mut [f32], n_classes: usize) {
    if n_classes == 0 {
        return;
    }
    for_each_chunk(
        logits,
        rows_per_chunk(n_classes) * n_classes,
        inlined!(|_, chunk| {
            for row in chunk.chunks_exact_mut(n_classes) {
                let share = (1.0 / Exponentials::of(row, 1.0).sum) as f32;
                row.iter_mut().for_each(|value| *value *= share);
            }
        }),
    );
}
