//! Convolution by matrix products whose left side are the image rows themselves: the forward pass and the gradient of
//! the input, for every kernel, stride and padding.
//!
//! Shapes: as in [`conv2d`](super): `N` images of `H` rows, `W` columns and `C` channels; `O` output channels.

use pulp::{Simd, WithSimd};

use super::Conv2dSize;
use super::lattice::{Pass, PatchKernel};
use super::panels::{Destination, Left, Panels, multiply};
use super::transpose::transpose;
use crate::simd::{Lanes, run};

/// The output `[N, H', W', O]`, and the results of `visit` for each finished band, in the order of the bands.
pub(super) fn forward<T: Lanes, R: Send>(
    input: &[T],
    weight: &[T],
    size: &Conv2dSize,
    visit: impl Fn(&[T]) -> R + Send + Sync,
) -> (Vec<T>, Vec<R>) {
    let kernel = run(Pack { matrix: weight, depth: size.patch_len(), n_columns: size.n_outputs });
    Pass::forward(size, kernel).run(input, size.batch, visit)
}

/// The gradient of the input, `[N, H, W, C]`.
pub(super) fn backward_input<T: Lanes>(grad: &[T], weight: &[T], size: &Conv2dSize) -> Vec<T> {
    let matrix_len = size.n_inputs * size.n_outputs;
    let pass = Pass::backward(size, |taps| {
        let mut transposed = vec![T::default(); taps.len() * matrix_len];
        for (tap, target) in taps.iter().zip(transposed.chunks_exact_mut(matrix_len)) {
            transpose(&weight[tap * matrix_len..][..matrix_len], size.n_outputs, target);
        }
        run(Pack { matrix: &transposed, depth: taps.len() * size.n_outputs, n_columns: size.n_inputs })
    });
    pass.run(grad, size.batch, |_| ()).0
}

impl<T: Lanes> PatchKernel<T> for Panels<T> {
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, patches: Left<'_, T>, target: &mut Destination<'_, T>) {
        multiply(simd, patches, self, target);
    }
}

struct Pack<'a, T> {
    matrix: &'a [T],
    depth: usize,
    n_columns: usize,
}

impl<T: Lanes> WithSimd for Pack<'_, T> {
    type Output = Panels<T>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Panels<T> {
        Panels::pack::<S>(self.matrix, self.depth, self.n_columns)
    }
}
