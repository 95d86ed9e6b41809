//! Milliseconds of the parts of a training step of text models: `cargo run --release --example text_speed`.
//!
//! Set `RAYON_NUM_THREADS` and `CANDLE_NUM_THREADS` first; without them candle asks the system on every product.

use candle_core::{Device, Tensor};
use rand_chacha::rand_core::RngCore;
use std::error::Error;
use std::time::Instant;
use stillhouse_core::{InputShape, Ngrams, Seed};
use stillhouse_models::{Mode, ModelError};
use stillhouse_models::{Model, ModelConfig, ModelInput, NgramBagConfig, TokenRows, TransformerConfig};
use stillhouse_ops::loss::cross_entropy;
use stillhouse_ops::optimizer::{AdamWHyper, adamw_step, adamw_step_rows};
use stillhouse_ops::{DropoutKey, Gradient, Gradients, record};

const BATCH: usize = 128;
const N_STEPS: usize = 12;

fn main() -> Result<(), Box<dyn Error>> {
    stillhouse_ops::keep_freed_memory();
    println!("{:<44} {:>9} {:>9} {:>9} {:>9}", "model", "forward", "backward", "update", "step, ms");
    let transformer = TransformerConfig { dropout: 0.1, max_len: 32, ..TransformerConfig::new(4, 4, 256) };
    let tokens = ModelInput::Tokens(rows(32, 8192)?);
    let input = InputShape::Tokens { vocabulary_size: 8192 };
    report("transformer, 4 x 256, 32 tokens", &ModelConfig::Transformer(transformer), &input, 150, &tokens)?;
    let bag = NgramBagConfig { hidden: vec![128], ngrams: Ngrams::default(), ..NgramBagConfig::new(65_536, 64) };
    let bags = ModelInput::Bags(rows(74, 65_536)?);
    report("ngram_bag, 65536 x 64, 74 n-grams", &ModelConfig::NgramBag(bag), &InputShape::Text {}, 443, &bags)
}

fn rows(len: usize, n_ids: u32) -> candle_core::Result<TokenRows> {
    let mut rng = Seed(1).rng();
    TokenRows::of((0..BATCH).map(|_| (0..len).map(|_| rng.next_u32() % n_ids).collect::<Vec<u32>>()))
}

/// The best time of each part over all steps, because other programs can only make a step slower.
fn report(
    name: &str,
    config: &ModelConfig,
    shape: &InputShape,
    n_classes: usize,
    input: &ModelInput,
) -> Result<(), Box<dyn Error>> {
    let model = Model::new(config, shape, n_classes, Seed(0), &Device::Cpu)?;
    let labels: Vec<u32> = (0..BATCH as u32).map(|row| row % n_classes as u32).collect();
    let moments = model.params().iter().map(|param| {
        let shape: Vec<usize> = std::iter::once(2).chain(param.var.dims().iter().copied()).collect();
        Tensor::zeros(shape, param.var.dtype(), &Device::Cpu)
    });
    let moments = moments.collect::<Result<Vec<_>, _>>()?;
    let mut best = [f64::INFINITY; 4];
    for step in 0..N_STEPS as u64 {
        let start = Instant::now();
        let mode = Mode::Train { dropout: DropoutKey { seed: step } };
        let (loss, tape) = record(|| Ok::<_, ModelError>(cross_entropy(&model.forward(input, mode)?, &labels)?))?;
        let forward = start.elapsed().as_secs_f64();
        let gradients = tape.backward(&loss)?;
        let backward = start.elapsed().as_secs_f64();
        update(&model, &gradients, &moments, step + 1)?;
        let total = start.elapsed().as_secs_f64();
        let parts = [forward, backward - forward, total - backward, total];
        best.iter_mut().zip(parts).for_each(|(best, part)| *best = best.min(part * 1e3));
    }
    println!("{name:<44} {:>9.2} {:>9.2} {:>9.2} {:>9.2}", best[0], best[1], best[2], best[3]);
    Ok(())
}

fn update(model: &Model, gradients: &Gradients, moments: &[Tensor], step: u64) -> candle_core::Result<()> {
    let hyper = AdamWHyper {
        learning_rate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.01,
        gradient_scale: 1.0,
        step,
    };
    for (param, moments) in model.params().iter().zip(moments) {
        match gradients.get(&param.var) {
            Some(Gradient::Dense(gradient)) => adamw_step(&param.var, gradient, moments, hyper)?,
            Some(Gradient::Rows(rows)) => adamw_step_rows(&param.var, rows, moments, hyper)?,
            None => {}
        }
    }
    Ok(())
}
