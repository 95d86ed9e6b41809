//! Random numbers that are the same on every machine: bounded, in `f32`, and without the platform's `ln` and `cos`.

use crate::Seed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// One random stream.
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream of a seed.
    #[inline]
    pub fn new(seed: Seed) -> Self {
        Self(seed.rng())
    }

    /// Sixty-four random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..1`.
    #[inline]
    pub fn unit(&mut self) -> f32 {
        const SCALE: f32 = 1.0 / (1u32 << 24) as f32;
        (self.0.next_u32() >> 8) as f32 * SCALE
    }

    /// Uniform in `-1..1`.
    #[inline]
    pub fn signed(&mut self) -> f32 {
        2.0 * self.unit() - 1.0
    }

    /// Mean 0, standard deviation 1, never beyond 3.5: a sum of four uniform numbers (Irwin and Hall).
    #[inline]
    pub fn bell(&mut self) -> f32 {
        bell_of(self.bits())
    }

    /// Uniform in `0..n`; 0 when `n` is 0.
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
    }
}

/// The number of [`Draws::bell`] that is computed from sixty-four random bits.
#[inline]
pub fn bell_of(bits: u64) -> f32 {
    const N_PARTS: f32 = 4.0;
    let part = |index: u32| ((bits >> (16 * index)) & 0xffff) as f32 / 65536.0;
    let sum = part(0) + part(1) + part(2) + part(3);
    // a uniform number has variance 1/12, the sum of four 1/3
    (sum - N_PARTS / 2.0) * 3f32.sqrt()
}
