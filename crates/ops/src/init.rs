//! Initial values of parameters: a pure function of a seed, the parameter's name and its shape.
//!
//! Shapes: `O` output units, `I` inputs of a unit; kernels of `kh` rows and `kw` columns, `C` input channels.

use candle_core::{DType, Device, Result, Shape, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::shape::expect_positive;

/// Where the values of one parameter come from and what they become.
#[derive(Clone, Copy, Debug)]
pub struct InitKey<'a> {
    /// The seed of the whole model.
    pub seed: u64,
    /// The name of the parameter, unique in the model.
    pub name: &'a str,
}

impl InitKey<'_> {
    fn rng(self) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&hash_name(self.name).to_le_bytes());
        ChaCha8Rng::from_seed(key)
    }
}

/// Uniform in `[-sqrt(6 / fan_in), sqrt(6 / fan_in))`, which keeps the variance through a rectifier (He et al. 2015).
///
/// `fan_in` is the number of inputs of one output unit: `I` for a linear weight `[O, I]`, `kh kw C` for a convolution.
///
/// # Errors
/// A `fan_in` of 0, or a tensor that the device cannot hold.
pub fn kaiming_uniform(
    shape: impl Into<Shape>,
    fan_in: usize,
    key: InitKey<'_>,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    expect_positive("kaiming_uniform", "fan_in", fan_in)?;
    let bound = (6.0 / fan_in as f64).sqrt();
    uniform(shape, -bound, bound, key, dtype, device)
}

/// Normal with mean 0 and standard deviation `sqrt(2 / fan_in)` (He et al. 2015); see [`kaiming_uniform`].
///
/// # Errors
/// As [`kaiming_uniform`].
pub fn kaiming_normal(
    shape: impl Into<Shape>,
    fan_in: usize,
    key: InitKey<'_>,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    expect_positive("kaiming_normal", "fan_in", fan_in)?;
    normal(shape, 0.0, (2.0 / fan_in as f64).sqrt(), key, dtype, device)
}

/// Uniform in `[low, high)`.
///
/// # Errors
/// A tensor that the device cannot hold, or a dtype that is not a float.
pub fn uniform(
    shape: impl Into<Shape>,
    low: f64,
    high: f64,
    key: InitKey<'_>,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let mut rng = key.rng();
    from_fn(shape, dtype, device, || low + (high - low) * unit(&mut rng))
}

/// Normal with the given mean and standard deviation (Box and Muller 1958).
///
/// # Errors
/// A tensor that the device cannot hold, or a dtype that is not a float.
pub fn normal(
    shape: impl Into<Shape>,
    mean: f64,
    std: f64,
    key: InitKey<'_>,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let mut rng = key.rng();
    from_fn(shape, dtype, device, || {
        // 1 - u is never 0, whose logarithm would be infinite
        let radius = (-2.0 * (1.0 - unit(&mut rng)).ln()).sqrt();
        mean + std * radius * (std::f64::consts::TAU * unit(&mut rng)).cos()
    })
}

fn from_fn(shape: impl Into<Shape>, dtype: DType, device: &Device, mut next: impl FnMut() -> f64) -> Result<Tensor> {
    let shape = shape.into();
    let values: Vec<f64> = (0..shape.elem_count()).map(|_| next()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)
}

/// Uniform in `[0, 1)`, with all 53 bits of the fraction.
fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The 64-bit FNV-1a hash of a name.
pub(crate) fn hash_name(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
