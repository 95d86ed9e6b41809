//! The laws, each over all cases.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::cases::{Case, Scale, cases};
use super::{bits, distance, random, run, values, weighted_sum};
use crate::{Gradients, composite, gradient_coverage};

/// Step of the central differences: small against the distance of random inputs to a kink, large against rounding.
const STEP: f64 = 1e-6;

fn numeric_gradient(case: &Case, input_idx: usize) -> Vec<f64> {
    let flat = values(&case.inputs[input_idx]);
    let loss_at = |element: usize, step: f64| {
        let mut moved = flat.clone();
        moved[element] += step;
        let mut inputs = case.inputs.clone();
        let shape = inputs[input_idx].shape().clone();
        inputs[input_idx] = Tensor::from_vec(moved, shape, inputs[input_idx].device()).unwrap();
        values(&weighted_sum(&(case.op)(&inputs).unwrap()))[0]
    };
    (0..flat.len()).map(|element| (loss_at(element, STEP) - loss_at(element, -STEP)) / (2.0 * STEP)).collect()
}

#[test]
fn gradients_are_derivatives() {
    for case in cases(Scale::Small, DType::F64) {
        let (_, grads) = run(&case.op, &case.inputs);
        for (input_idx, grad) in grads.iter().enumerate() {
            for (analytic, numeric) in values(grad).iter().zip(numeric_gradient(&case, input_idx)) {
                // the rounding of the loss, divided by the step, is some 1e-7 where it sums up a thousand outputs
                let tolerance = 1e-6 * (1.0 + numeric.abs());
                assert!(
                    (analytic - numeric).abs() < tolerance,
                    "{}, input {input_idx}: analytic {analytic}, numeric {numeric}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn composites_agree() {
    for (scale, dtype, tolerance) in [(Scale::Small, DType::F64, 1e-12), (Scale::Large, DType::F32, 2e-3)] {
        for case in cases(scale, dtype) {
            let (output, grads) = run(&case.op, &case.inputs);
            let (expected, expected_grads) = run(&case.reference, &case.inputs);
            for (got, expected) in
                std::iter::once(&output).chain(&grads).zip(std::iter::once(&expected).chain(&expected_grads))
            {
                let scale = 1.0 + values(expected).iter().map(|value| value.abs()).fold(0.0, f64::max);
                assert!(distance(got, expected) < tolerance * scale, "{}: {}", case.name, distance(got, expected));
            }
        }
    }
}

/// Random numbers are never zero; the inputs of a rectifier are: in empty texts, and under the black background of
/// images.
#[test]
fn the_rectifier_has_no_gradient_at_zero_and_keeps_nan() {
    let on_device = |input: &Tensor| composite::relu(input);
    for relu in [&crate::relu as &dyn Fn(&Tensor) -> Result<Tensor>, &on_device] {
        let input = Tensor::new(&[-1.0_f32, 0.0, 2.0, f32::NEG_INFINITY, f32::NAN], &Device::Cpu).unwrap();
        let (output, grads) = run(&|x| relu(&x[0]), &[input.narrow(0, 0, 4).unwrap()]);
        assert_eq!(values(&output), [0.0, 0.0, 2.0, 0.0]);
        let has_gradient: Vec<bool> = values(&grads[0]).iter().map(|value| *value != 0.0).collect();
        assert_eq!(has_gradient, [false, false, true, false]);
        assert!(values(&relu(&input).unwrap())[4].is_nan());
    }
}

/// The same values behind other strides and an offset.
fn strided(tensor: &Tensor) -> Result<Tensor> {
    let reversed: Vec<usize> = (0..tensor.rank()).rev().collect();
    let padding = tensor.narrow(0, 0, 1)?;
    let shifted = Tensor::cat(&[&padding, tensor], 0)?.narrow(0, 1, tensor.dim(0)?)?;
    if tensor.rank() < 2 {
        return Ok(shifted);
    }
    let moved = shifted.permute(reversed.clone())?.contiguous()?.permute(reversed)?;
    assert!(tensor.elem_count() == tensor.dim(0)? || !moved.is_contiguous());
    Ok(moved)
}

#[test]
fn strides_do_not_matter() {
    for case in cases(Scale::Small, DType::F32) {
        let (output, grads) = run(&case.op, &case.inputs);
        let op = |inputs: &[Tensor]| (case.op)(&inputs.iter().map(strided).collect::<Result<Vec<_>>>()?);
        let (strided_output, strided_grads) = run(&op, &case.inputs);
        assert_eq!(bits(&output), bits(&strided_output), "{}", case.name);
        for (grad, strided_grad) in grads.iter().zip(&strided_grads) {
            assert_eq!(distance(grad, strided_grad), 0.0, "{}", case.name);
        }
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let pool = |n_threads| rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
    for case in cases(Scale::Large, DType::F32) {
        let in_pool = |n_threads: usize| {
            let (output, grads) = pool(n_threads).install(|| run(&case.op, &case.inputs));
            std::iter::once(&output).chain(&grads).map(bits).collect::<Vec<_>>()
        };
        let expected = in_pool(1);
        for n_threads in [2, 3] {
            assert!(in_pool(n_threads) == expected, "{}: {n_threads} threads", case.name);
        }
    }
}

#[test]
fn untracked_inputs_get_no_gradient() {
    let input = random("input", &[2, 5, 5, 3], DType::F32);
    let weight = Var::from_tensor(&random("weight", &[3, 3, 3, 4], DType::F32)).unwrap();
    let output = crate::conv2d(&input, &weight, 1, 1).unwrap();
    let grads = weighted_sum(&output).backward().unwrap();
    assert!(grads.get(&input).is_none());
    assert!(grads.get(&weight).is_some());
}

#[test]
fn coverage_names_what_a_loss_does_not_reach() {
    let var = |name: &str| (name.to_string(), Var::from_tensor(&random(name, &[3], DType::F32)).unwrap());
    let vars = [var("reached"), var("cut"), var("dead"), var("broken")];
    let sum = (vars[0].1.as_tensor() + vars[1].1.detach()).unwrap();
    let sum = (sum + (vars[2].1.as_tensor() - vars[2].1.as_tensor()).unwrap()).unwrap();
    let sum = (sum + (vars[3].1.as_tensor() * f64::NAN).unwrap()).unwrap();
    let grads = Gradients::of_candle(&sum.sum_all().unwrap()).unwrap();
    let uncovered = gradient_coverage(&grads, &vars).unwrap();
    let expected = ["cut: no gradient", "dead: an all-zero gradient", "broken: a gradient that is not finite"];
    assert_eq!(uncovered, expected);
}

#[test]
fn batch_statistics_are_those_of_the_batch() {
    let input = (random("input", &[7, 3, 5], DType::F32) + 1000.0).unwrap();
    let ones = Tensor::ones(5, DType::F32, input.device()).unwrap();
    let (output, mean, var) = crate::batch_norm_train(&input, &ones, &ones.zeros_like().unwrap(), 0.0, false).unwrap();
    let rows = input.to_dtype(DType::F64).unwrap().reshape((21, 5)).unwrap();
    assert!(distance(&mean, &rows.mean(0).unwrap().to_dtype(DType::F32).unwrap()) < 1e-4);
    let centred = rows.broadcast_sub(&rows.mean(0).unwrap()).unwrap();
    assert!(distance(&var, &centred.sqr().unwrap().mean(0).unwrap().to_dtype(DType::F32).unwrap()) < 1e-6);
    let normalised = output.reshape((21, 5)).unwrap();
    assert!(values(&normalised.mean(0).unwrap()).iter().all(|mean| mean.abs() < 1e-4));
    assert!(values(&normalised.sqr().unwrap().mean(0).unwrap()).iter().all(|var| (var - 1.0).abs() < 1e-4));
}

#[test]
fn running_averages_move_by_their_momentum() {
    let running = Tensor::new(&[1.0_f32, 2.0], &Device::Cpu).unwrap();
    let batch = Tensor::new(&[3.0_f32, 0.0], running.device()).unwrap();
    crate::update_running_average(&running, &batch, 0.25).unwrap();
    assert_eq!(values(&running), [1.5, 1.5]);
}

#[test]
fn tiles_of_a_convolution_round_little() {
    for (side, c) in [(32, 32), (8, 256)] {
        let input = random("input", &[2, side, side, c], DType::F32);
        let weight = (random("weight", &[3, 3, c, c], DType::F32) * (2.0 / (9 * c) as f64).sqrt()).unwrap();
        let op = |x: &[Tensor]| crate::conv2d(&x[0], &x[1], 1, 1);
        let doubles = [&input, &weight].map(|tensor| tensor.to_dtype(DType::F64).unwrap());
        let (output, grads) = run(&op, &[input, weight]);
        let (expected, expected_grads) = run(&op, &doubles);
        for (got, expected) in
            std::iter::once(&output).chain(&grads).zip(std::iter::once(&expected).chain(&expected_grads))
        {
            let mean_square =
                |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64;
            let expected = values(expected);
            let errors: Vec<f64> = values(got).iter().zip(&expected).map(|(a, b)| a - b).collect();
            let error = (mean_square(&errors) / mean_square(&expected)).sqrt();
            assert!(error < 1e-5, "{side}x{side}x{c}: {error}");
        }
    }
}
