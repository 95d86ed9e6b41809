//! The recorded reverse pass against candle's own, and its rules.

use candle_core::{CpuStorage, CustomOp1, DType, Device, Error, Layout, Result, Shape, Tensor, Var};

use super::cases::{Scale, cases};
use super::{bits, distance, random, values};
use crate::element::with_element;
use crate::storage::{output, slice};
use crate::tape::apply1;
use crate::{Gradients, Tape, add, linear, record, relu, reshape, scale};

/// A loss with a known gradient: the sum of all elements, each with its weight.
struct WeightedSum {
    weights: Tensor,
}

impl CustomOp1 for WeightedSum {
    fn name(&self) -> &'static str {
        "weighted_sum"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        use candle_core::backend::BackendStorage;
        with_element!(input.dtype(), self.name(), T => {
            let weights = self.weights.flatten_all()?.to_vec1::<T>()?;
            let terms = slice::<T>(input, layout)?.iter().zip(weights).map(|(value, weight)| value * weight);
            Ok(output(vec![terms.sum::<T>()], ()))
        })
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.weights.clone()))
    }
}

fn weighted_sum(input: &Tensor) -> Result<Tensor> {
    apply1(WeightedSum { weights: random("weights", input.dims(), input.dtype()) }, &input.contiguous()?)
}

fn var(values: &[f64]) -> Var {
    Var::new(values, &Device::Cpu).unwrap()
}

fn recorded(work: impl FnOnce() -> Result<Tensor>) -> (Tensor, Tape) {
    record(work).unwrap()
}

fn gradients(work: impl FnOnce() -> Result<Tensor>) -> Gradients {
    let (loss, tape) = recorded(work);
    tape.backward(&loss).unwrap()
}

fn gradient_of(gradients: &Gradients, var: &Var) -> Vec<f64> {
    values(gradients.get(var).expect("a gradient").values())
}

#[test]
fn every_operation_has_the_gradients_of_candles_pass() {
    for (scale, dtype) in [(Scale::Small, DType::F64), (Scale::Large, DType::F32)] {
        for case in cases(scale, dtype) {
            let vars: Vec<Var> = case.inputs.iter().map(|input| Var::from_tensor(input).unwrap()).collect();
            let inputs: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
            let loss = || weighted_sum(&(case.op)(&inputs)?);
            let expected = Gradients::of_candle(&loss().unwrap()).unwrap();
            let gradients = gradients(loss);
            for var in &vars {
                let [own, expected] =
                    [&gradients, &expected].map(|gradients| gradients.get(var).unwrap().to_dense().unwrap());
                // candle adds every gradient to a zero, which makes a negative zero positive
                assert_eq!(bits(&(own + 0.0).unwrap()), bits(&expected), "{}", case.name);
            }
        }
    }
}

#[test]
fn a_tensor_that_is_used_twice_gets_the_sum() {
    let x = var(&[1.0, 2.0]);
    let found = gradients(|| weighted_sum(&add(&x, &add(&scale(&x, 2.0)?, &x)?)?));
    let weights = values(&random("weights", &[2], DType::F64));
    assert_eq!(gradient_of(&found, &x), [4.0 * weights[0], 4.0 * weights[1]]);
}

#[test]
fn a_gradient_that_two_tensors_share_is_not_changed_in_place() {
    let (x, y) = (var(&[1.0]), var(&[2.0]));
    // `a` gets the gradient that it shares with `b` first, and another one before `b` is walked over
    let found = gradients(|| {
        let b = scale(&y, 1.0)?;
        let a = scale(&x, 1.0)?;
        let more_of_a = scale(&a, 2.0)?;
        weighted_sum(&add(&more_of_a, &add(&a, &b)?)?)
    });
    let weight = values(&random("weights", &[1], DType::F64))[0];
    assert_eq!((gradient_of(&found, &x), gradient_of(&found, &y)), (vec![3.0 * weight], vec![weight]));
}

#[test]
fn gradients_of_variables_can_be_changed_in_place() {
    let (x, y) = (var(&[1.0]), var(&[2.0]));
    let found = gradients(|| weighted_sum(&add(&x, &y)?));
    let before = gradient_of(&found, &y);
    crate::arithmetic::add_in_place(found.get(&x).unwrap().values(), &var(&[1.0])).unwrap();
    assert_ne!(gradient_of(&found, &x), before);
    assert_eq!(gradient_of(&found, &y), before);
}

#[test]
fn untracked_branches_are_not_recorded_and_get_no_gradient() {
    let (weight, bias) = (Var::from_tensor(&random("w", &[2, 3], DType::F32)).unwrap(), random("b", &[2], DType::F32));
    let input = random("x", &[4, 3], DType::F32);
    let frozen = random("frozen", &[3, 3], DType::F32);
    let found = gradients(|| {
        let below = relu(&linear(&input, &frozen, &random("frozen bias", &[3], DType::F32))?)?;
        assert!(!below.track_op());
        weighted_sum(&linear(&below, &weight, &bias)?)
    });
    assert!(found.get(&weight).is_some() && found.get(&bias).is_none() && found.get(&input).is_none());
    let nothing = gradients(|| weighted_sum(&input));
    assert!(nothing.get(&input).is_none());
}

#[test]
fn what_the_loss_does_not_depend_on_gets_no_gradient() {
    let (x, unused) = (var(&[1.0]), var(&[2.0]));
    let found = gradients(|| {
        scale(&unused, 2.0)?;
        weighted_sum(&scale(&x, 2.0)?)
    });
    assert!(found.get(&x).is_some() && found.get(&unused).is_none());
}

#[test]
fn shapes_may_change_on_the_way() {
    let x = Var::from_tensor(&random("x", &[2, 6], DType::F64)).unwrap();
    let loss = || {
        let cubes = reshape(&x, (2, 2, 3))?;
        weighted_sum(&add(&reshape(&cubes, (4, ()))?, &reshape(&scale(&cubes, 2.0)?, (4, 3))?)?)
    };
    let expected = (random("weights", &[4, 3], DType::F64) * 3.0).unwrap().reshape((2, 6)).unwrap();
    assert!(distance(gradients(loss).get(&x).unwrap().values(), &expected) < 1e-15);
    let candles = Gradients::of_candle(&loss().unwrap()).unwrap();
    assert!(distance(candles.get(&x).unwrap().values(), &expected) < 1e-15);
}

#[test]
fn a_deep_graph_needs_no_deep_stack() {
    let walk = || {
        let x = var(&[1.0]);
        let found = gradients(|| {
            let mut value = scale(&x, 1.0)?;
            for _ in 0..50_000 {
                value = scale(&value, -1.0)?;
            }
            weighted_sum(&value)
        });
        gradient_of(&found, &x)
    };
    let small_stack = std::thread::Builder::new().stack_size(256 * 1024);
    let found = small_stack.spawn(walk).unwrap().join().unwrap();
    assert_eq!(found, values(&random("weights", &[1], DType::F64)));
}

#[test]
fn an_operation_of_candle_inside_of_a_recording_is_an_error() {
    let x = var(&[1.0]);
    let message = |result: std::result::Result<(Tensor, Tape), Error>| result.err().unwrap().to_string();
    let met = record(|| relu(&scale(&x, 2.0)?.exp()?));
    assert!(message(met).starts_with("relu: expected variables and outputs of recorded operations"));
    let (loss, tape) = recorded(|| scale(&x, 2.0)?.exp());
    assert!(tape.backward(&loss).unwrap_err().to_string().starts_with("backward: "));
}

#[test]
fn recordings_do_not_nest_and_end_with_their_work() {
    let x = var(&[1.0]);
    let nested = record(|| record(|| scale(&x, 2.0)).map(|(value, _)| value));
    assert!(nested.err().unwrap().to_string().contains("one inside of another"));
    assert!(record(|| Err::<(), _>(Error::msg("failed"))).is_err());
    let panicked = std::panic::catch_unwind(|| record(|| -> Result<()> { panic!("in a recording") }));
    assert!(panicked.is_err());
    // after all of these no recording is open: candle tracks the result, which is no variable
    assert!(!scale(&x, 2.0).unwrap().is_variable());
}

#[test]
fn outside_of_a_recording_candle_walks_back() {
    let x = var(&[1.0]);
    let (loss, tape) = record(|| x.as_tensor() * 3.0).unwrap();
    assert_eq!(gradient_of(&tape.backward(&loss).unwrap(), &x), [3.0]);
}
