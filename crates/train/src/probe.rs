//! Measures the time of training on one example, in a few steps whose result is discarded.

use crate::inputs::{model_input, read_inputs, text_encoder};
use crate::objective::scalar;
use crate::optimizer::{Optimizer, in_order};
use crate::{TrainError, TrainingConfig};
use std::time::Instant;
use stillhouse_core::InputShape;
use stillhouse_data::{Inputs, Split};
use stillhouse_models::{Mode, Model, ModelInput, TextInput, TokenRows};
use stillhouse_ops::{DropoutKey, loss::cross_entropy, record};

const N_WARMUP_STEPS: usize = 2;
const N_MEASURED_STEPS: usize = 3;

/// Seconds for forward, backward and update of one example in the caller's pool: the median of a few steps on examples
/// of the split, spread over it, or on made-up ones where the model does not read the split (a head alone) or cannot
/// yet (its tokenizer is not trained). The steps change the model's weights: give a model that is not needed any more.
///
/// # Errors
/// A failing tensor operation, or examples that cannot be read.
pub fn seconds_per_example(model: &Model, config: &TrainingConfig, split: &Split) -> Result<f64, TrainError> {
    let mut optimizer = Optimizer::new(&config.optimizer, model.params())?;
    // a batch is never larger than an epoch
    let n = config.batch_size.min(split.len().max(1));
    let labels: Vec<u32> = (0..n).map(|row| (row % model.n_outputs()) as u32).collect();
    let is_read = !split.is_empty()
        && match split.is_text() {
            true => text_encoder(model).is_some(),
            false => *model.input() == split.input().shape,
        };
    let mut seconds = Vec::with_capacity(N_MEASURED_STEPS);
    for step in 0..N_WARMUP_STEPS + N_MEASURED_STEPS {
        let rows: Vec<usize> =
            (step * n..(step + 1) * n).map(|nth| spread(nth) as usize % split.len().max(1)).collect();
        let inputs = if is_read { read_inputs(model, split, &rows, None)? } else { made_up_inputs(model, n)? };
        let start = Instant::now();
        let mode = Mode::Train { dropout: DropoutKey { seed: step as u64 } };
        let (loss, tape) = record(|| Ok::<_, TrainError>(cross_entropy(&model.forward(&inputs, mode)?, &labels)?))?;
        scalar(&loss)?;
        let gradients = in_order(&mut tape.backward(&loss)?, model.params())?;
        optimizer.step(model.params(), &gradients, 0.0, 1.0)?;
        if step >= N_WARMUP_STEPS {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[N_MEASURED_STEPS / 2] / n as f64)
}

/// Ids of a made-up text: n-grams of some words, or its tokens.
const N_NGRAMS: usize = 128;
const N_TOKENS: usize = 32;

/// Made-up examples of usual size: equal numbers, or texts whose ids are spread over the whole table.
fn made_up_inputs(model: &Model, n_examples: usize) -> Result<ModelInput, TrainError> {
    let rows = |n_ids: usize, n_known: usize| {
        let id = |row: usize, place: usize| (spread(row * n_ids + place) % n_known.max(1) as u64) as u32;
        TokenRows::of((0..n_examples).map(|row| (0..n_ids).map(|place| id(row, place)).collect::<Vec<u32>>()))
    };
    Ok(match (model.config().text_input(), *model.input()) {
        (Some(TextInput::Ngrams { n_buckets, .. }), _) => ModelInput::Bags(rows(N_NGRAMS, n_buckets)?),
        (Some(TextInput::Tokens { max_len }), InputShape::Tokens { vocabulary_size }) => {
            ModelInput::Tokens(rows(N_TOKENS.min(max_len), vocabulary_size)?)
        }
        (_, shape) => model_input(model, Inputs::Values(vec![0.1; n_examples * shape.n_values()]), n_examples)?,
    })
}

/// The golden ratio's fraction: multiples of it modulo 1 are spread evenly.
fn spread(index: usize) -> u64 {
    (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}
