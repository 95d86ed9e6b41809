//! Examples per second of a training step of an MLP on random data, and where its time goes:
//! `cargo run --release -p stillhouse-ops --example training_step -- 784 1200 1200 10`.
//!
//! Set `RAYON_NUM_THREADS` and `CANDLE_NUM_THREADS=1` first; without them candle asks the system on every product.

use std::time::Instant;

use candle_core::{DType, Device, Error, Result, Tensor, Var};
use stillhouse_ops::init::{InitKey, kaiming_normal, normal};
use stillhouse_ops::loss::cross_entropy;
use stillhouse_ops::optimizer::{AdamWHyper, SgdHyper, adamw_step, sgd_step};
use stillhouse_ops::{DropoutKey, linear, linear_relu_dropout, record};

const BATCH: usize = 128;
const N_STEPS: usize = 60;
const DROPOUT: f64 = 0.5;
const PAPER_WIDTHS: [usize; 4] = [784, 1200, 1200, 10];

fn main() -> Result<()> {
    stillhouse_ops::keep_freed_memory();
    let widths: Vec<usize> =
        std::env::args().skip(1).map(|width| width.parse().map_err(Error::wrap)).collect::<Result<_>>()?;
    let widths = if widths.len() < 2 { PAPER_WIDTHS.to_vec() } else { widths };
    println!("{:<8} {:>10} {:>9} {:>9} {:>9} {:>9}", "rule", "examples/s", "step ms", "forward", "backward", "update");
    // on a thread of the pool, as trainings run
    rayon::scope(|_| [Rule::AdamW, Rule::Sgd].into_iter().try_for_each(|rule| measure(&widths, rule)))
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    AdamW,
    Sgd,
}

struct Layer {
    weight: Var,
    bias: Var,
    weight_state: Tensor,
    bias_state: Tensor,
}

impl Layer {
    fn new(name: &str, n_in: usize, n_out: usize, rule: Rule) -> Result<Self> {
        let weight = kaiming_normal((n_out, n_in), n_in, InitKey { seed: 0, name }, DType::F32, &Device::Cpu)?;
        let state = |var: &Tensor| match rule {
            Rule::Sgd => var.zeros_like(),
            Rule::AdamW => Tensor::stack(&[var.zeros_like()?, var.zeros_like()?], 0),
        };
        let bias = Var::zeros(n_out, DType::F32, &Device::Cpu)?;
        let (weight_state, bias_state) = (state(&weight)?, state(&bias)?);
        Ok(Self { weight: Var::from_tensor(&weight)?, bias, weight_state, bias_state })
    }
}

/// Prints the best of all steps in milliseconds: other programs can only make a step slower.
fn measure(widths: &[usize], rule: Rule) -> Result<()> {
    let layers = widths.windows(2).enumerate().map(|(nth, pair)| Layer::new(&nth.to_string(), pair[0], pair[1], rule));
    let layers: Vec<Layer> = layers.collect::<Result<_>>()?;
    let input = normal((BATCH, widths[0]), 0.0, 1.0, InitKey { seed: 0, name: "input" }, DType::F32, &Device::Cpu)?;
    let n_classes = widths[widths.len() - 1];
    let labels: Vec<u32> = (0..BATCH).map(|row| (row % n_classes) as u32).collect();
    let mut best_ms = [f64::INFINITY; 4];
    for step in 1..=N_STEPS as u64 {
        let start = Instant::now();
        let (loss, tape) = record(|| cross_entropy(&forward(&layers, &input, step)?, &labels))?;
        let forward_done = Instant::now();
        let gradients = tape.backward(&loss)?;
        let backward_done = Instant::now();
        for layer in &layers {
            for (var, state) in [(&layer.weight, &layer.weight_state), (&layer.bias, &layer.bias_state)] {
                update(var, gradients.get(var).expect("every layer is used").values(), state, rule, step)?;
            }
        }
        let update_done = Instant::now();
        let spans =
            [(start, update_done), (start, forward_done), (forward_done, backward_done), (backward_done, update_done)];
        for (best_ms, (from, to)) in best_ms.iter_mut().zip(spans) {
            *best_ms = best_ms.min((to - from).as_secs_f64() * 1e3);
        }
    }
    let [total, forward, backward, update] = best_ms;
    let rate = BATCH as f64 / total * 1e3;
    println!("{rule:<8?} {rate:>10.0} {total:>9.3} {forward:>9.3} {backward:>9.3} {update:>9.3}");
    Ok(())
}

fn forward(layers: &[Layer], input: &Tensor, step: u64) -> Result<Tensor> {
    let (head, hidden) = layers.split_last().expect("at least one layer");
    let mut values = input.clone();
    for (nth, layer) in hidden.iter().enumerate() {
        let key = DropoutKey { seed: 0 }.derive(nth as u64, step);
        values = linear_relu_dropout(&values, &layer.weight, &layer.bias, DROPOUT, key)?;
    }
    linear(&values, &head.weight, &head.bias)
}

fn update(var: &Var, gradient: &Tensor, state: &Tensor, rule: Rule, step: u64) -> Result<()> {
    let learning_rate = 1e-3;
    match rule {
        Rule::Sgd => {
            let hyper =
                SgdHyper { learning_rate, momentum: 0.9, nesterov: false, weight_decay: 0.0, gradient_scale: 1.0 };
            sgd_step(var, gradient, Some(state), hyper)
        }
        Rule::AdamW => {
            let hyper = AdamWHyper {
                learning_rate,
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-8,
                weight_decay: 0.01,
                gradient_scale: 1.0,
                step,
            };
            adamw_step(var, gradient, state, hyper)
        }
    }
}
