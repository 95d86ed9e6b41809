//! Inverted dropout whose mask is a pure function of a key and the position of the element (Srivastava et al. 2014).
//!
//! The backward computes the mask again, so nothing is kept between the passes, and any thread may compute any part.
//!
//! Shapes: tensors of any shape, as a row of elements; an element is known by its position.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::composite;
use crate::element::{Element, value_or_zero, with_element};
use crate::parallel::{CHUNK, filled};
use crate::shape::mismatch;
use crate::storage::{Elements, output, slice, tensor};
use crate::tape::apply1;
use crate::vector::inlined;

const NAME: &str = "dropout";

/// The key of one dropout mask.
///
/// ```
/// use stillhouse_ops::DropoutKey;
/// let key = DropoutKey { seed: 7 };
/// assert_eq!(key.derive("hidden.1", 20), key.derive("hidden.1", 20));
/// assert_ne!(key.derive("hidden.1", 20), key.derive("hidden.1", 21));
/// assert_ne!(key.derive(1, 20), key.derive(2, 20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DropoutKey {
    /// The state of the stream.
    pub seed: u64,
}

impl DropoutKey {
    /// The key of one layer, given by name or number, at one training step.
    pub fn derive(self, layer: impl Into<LayerKey>, step: u64) -> Self {
        let LayerKey(layer) = layer.into();
        Self { seed: mix(mix(self.seed ^ layer).wrapping_add(step)) }
    }
}

/// The name or the number of a layer, as a part of a [`DropoutKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LayerKey(u64);

impl From<u64> for LayerKey {
    fn from(number: u64) -> Self {
        Self(mix(number))
    }
}

impl From<&str> for LayerKey {
    fn from(name: &str) -> Self {
        Self(mix(crate::init::hash_name(name)))
    }
}

/// Sets each element of `input` to zero with probability `probability` and divides the others by `1 - probability`.
///
/// The probability is at least 0 and below 1; it is rounded to a multiple of 2^-32.
///
/// # Errors
/// A probability that is not at least 0 and below 1, or a dtype that is not a float.
pub fn dropout(input: &Tensor, probability: f64, key: DropoutKey) -> Result<Tensor> {
    let Some(mask) = Mask::checked(probability, key)? else {
        return Ok(input.clone());
    };
    if !input.device().is_cpu() {
        return composite::dropout(input, &mask);
    }
    apply1(mask, &input.contiguous()?)
}

/// A mask over any number of elements: zeros, and `1 / (1 - p)`.
pub(crate) struct Mask {
    key: u64,
    /// An element is dropped if its 32 random bits are below this.
    threshold: u32,
    scale: f64,
}

impl Mask {
    /// None for a probability of 0.
    pub(crate) fn checked(probability: f64, key: DropoutKey) -> Result<Option<Self>> {
        if !(0.0..1.0).contains(&probability) {
            return Err(mismatch(NAME, "probability", "at least 0 and below 1", probability));
        }
        Ok((probability > 0.0).then(|| Self::new(probability, key)))
    }

    pub(crate) fn new(probability: f64, key: DropoutKey) -> Self {
        let threshold = (probability * (u32::MAX as f64 + 1.0)) as u32;
        Self { key: mix(key.seed), threshold, scale: 1.0 / (1.0 - probability) }
    }

    /// What an element that is not dropped is multiplied by.
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    /// `values` times the mask.
    pub(crate) fn apply<T: Element>(&self, values: &[T]) -> Vec<T> {
        filled(
            values.len(),
            CHUNK,
            inlined!(|start, chunk| {
                chunk.copy_from_slice(&values[start..start + chunk.len()]);
                self.apply_at(start, chunk);
            }),
        )
    }

    /// Multiplies `values`, which begin at element `start` of the whole, by their part of the mask; `start` is even.
    #[inline(always)]
    pub(crate) fn apply_at<T: Element>(&self, start: usize, values: &mut [T]) {
        // one hash serves two elements
        let scale = T::rounded(self.scale);
        let first = self.key.wrapping_add((start / 2) as u64);
        let n_pairs = (values.len() / 2) as u64;
        let (pairs, rest) = values.as_chunks_mut::<2>();
        for (nth, pair) in (0..).zip(pairs) {
            let [low, high] = self.factors(first.wrapping_add(nth), scale);
            *pair = [pair[0] * low, pair[1] * high];
        }
        if let [last] = rest {
            *last *= self.factors(first.wrapping_add(n_pairs), scale)[0];
        }
    }

    /// The mask at two neighbouring elements.
    #[inline(always)]
    fn factors<T: Element>(&self, counter: u64, scale: T) -> [T; 2] {
        let bits = mix(counter);
        [bits as u32, (bits >> 32) as u32].map(|bits| value_or_zero(bits >= self.threshold, scale))
    }
}

impl CustomOp1 for Mask {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        with_element!(input.dtype(), NAME, T => {
            Ok(output(self.apply(slice::<T>(input, layout)?), layout.shape().clone()))
        })
    }

    fn bwd(&self, _input: &Tensor, _result: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        with_element!(grad.dtype(), NAME, T => {
            Ok(Some(tensor(self.apply(&Elements::<T>::of(&grad)?), grad.shape().clone())?))
        })
    }
}

/// One step of the SplitMix64 generator (Steele, Lea and Flood 2014): a bijection that scatters neighbouring inputs.
#[inline(always)]
fn mix(input: u64) -> u64 {
    let mut bits = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
