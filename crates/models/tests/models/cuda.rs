//! Every architecture on a GPU: predictions, gradients and a few steps against the same model on the CPU.

use crate::cases::{N_OUTPUTS, batch, every_case, labels, loss_and_gradients, sgd_step, train_mode};
use candle_core::{DType, Device, Tensor};
use stillhouse_core::{InputShape, Seed};
use stillhouse_models::{Mode, Model, ModelConfig, ModelInput};
use stillhouse_ops::gradient_coverage;

fn gpu() -> Device {
    Device::new_cuda(0).expect("a GPU")
}

fn model(config: &ModelConfig, input: &InputShape, device: &Device) -> Model {
    Model::new(config, input, N_OUTPUTS, Seed(1), device).unwrap()
}

fn on(device: &Device, inputs: &ModelInput) -> ModelInput {
    match inputs {
        ModelInput::Values(values) => values.to_device(device).unwrap().into(),
        ModelInput::Bags(bags) => ModelInput::Bags(bags.clone()),
        ModelInput::Tokens(tokens) => ModelInput::Tokens(tokens.clone()),
    }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference, and what rounding may make of it: the sums of these nets are short, so that some units in the
/// last place of the largest element are left. The gradient of a key's bias is zero, and rounding is all that there is of it.
fn difference(got: &Tensor, expected: &Tensor) -> (f32, f32) {
    let (got, expected) = (values(got), values(expected));
    assert_eq!(got.len(), expected.len());
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let distances = got.iter().zip(&expected).map(|(got, expected)| (got - expected).abs());
    // a NaN is never the larger one of two numbers
    let distance =
        if got.iter().all(|value| value.is_finite()) { distances.fold(0.0, f32::max) } else { f32::INFINITY };
    (distance, 2e-4 * largest + 1e-5)
}

#[test]
fn losses_gradients_and_predictions_agree_with_the_cpu() {
    let device = gpu();
    let mut wrong = Vec::new();
    for (config, input) in every_case() {
        let [on_cpu, on_gpu] = [&Device::Cpu, &device].map(|device| model(&config, &input, device));
        let inputs = batch(&input, 10, 2);
        let mut compare = |what: String, got: &Tensor, expected: &Tensor| {
            let (distance, tolerance) = difference(got, expected);
            if distance > tolerance {
                wrong.push(format!("{what} of {config:?}: {distance:.1e}, expected at most {tolerance:.1e}"));
            }
        };
        let (expected, expected_gradients) = loss_and_gradients(&on_cpu, &inputs, &labels(10), 0);
        let (loss, gradients) = loss_and_gradients(&on_gpu, &on(&device, &inputs), &labels(10), 0);
        assert!(loss.device().is_cuda());
        compare("loss".to_owned(), &loss, &expected);
        let named: Vec<_> = on_gpu.params().iter().map(|param| (param.name.clone(), param.var.clone())).collect();
        assert_eq!(gradient_coverage(&gradients, &named).unwrap(), Vec::<String>::new(), "{config:?}");
        for (param, twin) in on_gpu.params().iter().zip(on_cpu.params()) {
            let got = gradients.get(&param.var).unwrap().to_dense().unwrap();
            compare(param.name.clone(), &got, &expected_gradients.get(&twin.var).unwrap().to_dense().unwrap());
        }
        for (buffer, twin) in on_gpu.buffers().iter().zip(on_cpu.buffers()) {
            compare(buffer.name.clone(), &buffer.var, &twin.var);
        }
        let [got, expected] = [(&on_gpu, on(&device, &inputs)), (&on_cpu, inputs)]
            .map(|(model, inputs)| model.forward(&inputs, Mode::Eval).unwrap());
        assert!(!got.track_op());
        compare("predictions".to_owned(), &got, &expected);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rounding grows from step to step; losses of a few steps stay together.
#[test]
fn a_few_steps_take_the_same_course_as_on_the_cpu() {
    let device = gpu();
    for (config, input) in every_case() {
        let inputs = batch(&input, 20, 2);
        let course = |device: &Device| -> Vec<f32> {
            let (model, inputs) = (model(&config, &input, device), on(device, &inputs));
            (0..10).map(|step| sgd_step(&model, &inputs, &labels(20), 0.1, step)).collect()
        };
        for (step, (got, expected)) in course(&device).into_iter().zip(course(&Device::Cpu)).enumerate() {
            assert!((got - expected).abs() < 5e-3 * expected, "{config:?}, step {step}: {got} and {expected}");
        }
    }
}

#[test]
fn weights_from_the_gpu_predict_the_same_on_the_cpu() {
    let (config, input) = every_case().swap_remove(9);
    let trained = model(&config, &input, &gpu());
    let inputs = batch(&input, 4, 3);
    trained.forward(&on(&gpu_of(&trained), &inputs), train_mode(0)).unwrap();
    let state = trained.state_dict().unwrap();
    let twin = model(&config, &input, &Device::Cpu);
    twin.load_state(state).unwrap();
    let expected = trained.forward(&on(&gpu_of(&trained), &inputs), Mode::Eval).unwrap();
    let (distance, tolerance) = difference(&twin.forward(&inputs, Mode::Eval).unwrap(), &expected);
    assert!(distance <= tolerance, "{distance}");
}

fn gpu_of(model: &Model) -> Device {
    model.device().clone()
}
