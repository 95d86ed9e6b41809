//! Dropout masks and initial values: pure functions of their keys, with the moments that they should have.

use candle_core::{DType, Device, Tensor, Var};

use super::{bits, values};
use crate::init::{InitKey, kaiming_normal, kaiming_uniform, normal, uniform};
use crate::{DropoutKey, dropout};

const N: usize = 100_000;

fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64)
}

fn mask(probability: f64, key: DropoutKey) -> Vec<f64> {
    values(&dropout(&Tensor::ones(N, DType::F32, &Device::Cpu).unwrap(), probability, key).unwrap())
}

#[test]
fn dropout_drops_the_fraction_and_keeps_the_mean() {
    for probability in [0.1, 0.5, 0.9] {
        let mask = mask(probability, DropoutKey { seed: 5 });
        let kept = 1.0 / (1.0 - probability);
        assert!(mask.iter().all(|value| *value == 0.0 || (value - kept).abs() < 1e-5));
        let dropped = mask.iter().filter(|value| **value == 0.0).count() as f64 / N as f64;
        // five standard deviations of the binomial distribution
        assert!((dropped - probability).abs() < 5.0 * (probability * (1.0 - probability) / N as f64).sqrt());
    }
}

#[test]
fn dropout_masks_of_different_keys_and_neighbours_are_independent() {
    let key = DropoutKey { seed: 5 };
    let agreement = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).filter(|(a, b)| (**a == 0.0) == (**b == 0.0)).count() as f64 / a.len() as f64
    };
    let first = mask(0.5, key.derive("hidden", 1));
    for other in [key.derive("hidden", 2), key.derive("output", 1), key.derive(1, 1), DropoutKey { seed: 6 }] {
        assert!((agreement(&first, &mask(0.5, other)) - 0.5).abs() < 0.01);
    }
    for lag in [1, 2, 3, 64, 1200] {
        assert!((agreement(&first[lag..], &first[..N - lag]) - 0.5).abs() < 0.01, "lag {lag}");
    }
    assert_eq!(first, mask(0.5, key.derive("hidden", 1)));
}

#[test]
fn dropout_gradient_uses_the_same_mask() {
    let input = Var::ones(N, DType::F32, &Device::Cpu).unwrap();
    let output = dropout(&input, 0.3, DropoutKey { seed: 9 }).unwrap();
    let grads = output.sum_all().unwrap().backward().unwrap();
    assert_eq!(bits(&output), bits(grads.get(&input).unwrap()));
}

#[test]
fn a_prefix_of_the_mask_does_not_depend_on_the_length() {
    let long = mask(0.5, DropoutKey { seed: 2 });
    let short = Tensor::ones(777, DType::F32, &Device::Cpu).unwrap();
    assert_eq!(values(&dropout(&short, 0.5, DropoutKey { seed: 2 }).unwrap()), long[..777]);
}

#[test]
fn initial_values_have_their_moments() {
    let key = InitKey { seed: 3, name: "weight" };
    let (mean, var) = moments(&values(&normal(N, 1.0, 2.0, key, DType::F64, &Device::Cpu).unwrap()));
    assert!((mean - 1.0).abs() < 0.03 && (var - 4.0).abs() < 0.1);
    let (mean, var) = moments(&values(&kaiming_normal(N, 50, key, DType::F64, &Device::Cpu).unwrap()));
    assert!(mean.abs() < 0.003 && (var - 0.04).abs() < 0.001);
    let uniform = values(&kaiming_uniform(N, 50, key, DType::F64, &Device::Cpu).unwrap());
    let (mean, var) = moments(&uniform);
    assert!(mean.abs() < 0.003 && (var - 0.04).abs() < 0.001);
    assert!(uniform.iter().all(|value| value.abs() <= (6.0_f64 / 50.0).sqrt()));
}

#[test]
fn initial_values_are_frozen_and_named() {
    let draw = |seed, name| values(&uniform(3, 0.0, 1.0, InitKey { seed, name }, DType::F64, &Device::Cpu).unwrap());
    assert_eq!(draw(0, "weight"), draw(0, "weight"));
    assert_ne!(draw(0, "weight"), draw(1, "weight"));
    assert_ne!(draw(0, "weight"), draw(0, "bias"));
    assert!(kaiming_uniform(3, 0, InitKey { seed: 0, name: "w" }, DType::F32, &Device::Cpu).is_err());
    // a changed stream would change every number of every run
    assert_eq!(draw(0, "weight"), [0.519788724643415, 0.6613847894734378, 0.06987240058109156]);
}
