//! How long one example takes to train on, measured on a few steps that are thrown away.

use crate::objective::scalar;
use crate::optimizer::{Optimizer, in_order};
use crate::predict::batch_tensor;
use crate::{TrainError, TrainingConfig};
use std::time::Instant;
use stillhouse_core::InputShape;
use stillhouse_models::{Mode, Model};
use stillhouse_ops::{DropoutKey, loss::cross_entropy, record};

const N_WARMUP_STEPS: usize = 2;
const N_MEASURED_STEPS: usize = 3;

/// Seconds for forward, backward and update of one example in the caller's pool, the fastest of a few steps on zeros.
/// The model's weights move: give one that is not needed any more.
///
/// # Errors
/// A failing tensor operation.
pub fn seconds_per_example(model: &Model, shape: &InputShape, config: &TrainingConfig) -> Result<f64, TrainError> {
    let mut optimizer = Optimizer::new(&config.optimizer, model.params())?;
    let n = config.batch_size;
    let labels: Vec<u32> = (0..n).map(|row| (row % model.n_outputs()) as u32).collect();
    let mut fastest = f64::INFINITY;
    for step in 0..N_WARMUP_STEPS + N_MEASURED_STEPS {
        let start = Instant::now();
        let inputs = batch_tensor(vec![0.1; n * shape.n_values()], n, shape, model)?;
        let mode = Mode::Train { dropout: DropoutKey { seed: step as u64 } };
        let (loss, tape) = record(|| Ok::<_, TrainError>(cross_entropy(&model.forward(&inputs, mode)?, &labels)?))?;
        scalar(&loss)?;
        let gradients = in_order(&mut tape.backward(&loss)?, model.params())?;
        optimizer.step(model.params(), &gradients, 0.0)?;
        if step >= N_WARMUP_STEPS {
            fastest = fastest.min(start.elapsed().as_secs_f64());
        }
    }
    Ok(fastest / n as f64)
}
