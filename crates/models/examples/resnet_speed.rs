//! Training steps of a residual network on random 32x32 images: `cargo run --release --example resnet_speed -- separable`.
//!
//! Prints the best and the median time of a step, wall clock and processor, with the examples of a second. The first
//! argument is the kind of blocks, the second the number of steps. Set `RAYON_NUM_THREADS` to the number of threads and
//! `CANDLE_NUM_THREADS=1` first.

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use stillhouse_core::{InputShape, Seed};
use stillhouse_models::{BlockKind, Mode, Model, ModelConfig, ResNetConfig};
use stillhouse_ops::init::{InitKey, normal};
use stillhouse_ops::loss::cross_entropy;
use stillhouse_ops::optimizer::{SgdHyper, sgd_step};
use stillhouse_ops::{DropoutKey, keep_freed_memory, record};

const BATCH: usize = 128;
const N_CLASSES: usize = 100;
const SIDE: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    keep_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let block = match arguments.first().map(String::as_str) {
        None | Some("basic") => BlockKind::Basic,
        Some("separable") => BlockKind::Separable,
        Some(other) => return Err(format!("expected basic or separable, found {other:?}").into()),
    };
    let n_steps: usize = arguments.get(1).map_or(Ok(10), |steps| steps.parse())?;
    let config = ResNetConfig { depth: 8, width: None, widths: Some(vec![64, 128, 256]), stem_width: Some(32), block };
    let input = InputShape::Image { channels: 3, height: SIDE, width: SIDE };
    let model = Model::new(&ModelConfig::ResNet(config), &input, N_CLASSES, Seed(0), &Device::Cpu)?;
    let key = InitKey { seed: 0, name: "images" };
    let images = normal(&[BATCH, SIDE, SIDE, 3], 0.0, 1.0, key, DType::F32, &Device::Cpu)?;
    let labels: Vec<u32> = (0..BATCH).map(|example| (example * 7 % N_CLASSES) as u32).collect();
    let params: Vec<_> = model.params().iter().map(|param| param.var.clone()).collect();
    let velocities = params.iter().map(|param| param.zeros_like()).collect::<Result<Vec<Tensor>, _>>()?;
    let hyper = SgdHyper { learning_rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 5e-4 };
    let mut times = Vec::with_capacity(n_steps);
    let mut losses = Vec::with_capacity(n_steps);
    for step in 0..n_steps {
        let start = Instant::now();
        let mode = Mode::Train { dropout: DropoutKey { seed: step as u64 } };
        let (loss, tape) = record(|| {
            let logits = model.forward(&images, mode)?;
            Ok::<_, Box<dyn std::error::Error>>(cross_entropy(&logits, &labels)?)
        })?;
        let gradients = tape.backward(&loss)?;
        for (param, velocity) in params.iter().zip(&velocities) {
            let gradient = gradients.get(param).ok_or("a parameter without a gradient")?;
            sgd_step(param, gradient, Some(velocity), hyper)?;
        }
        times.push(start.elapsed().as_secs_f64());
        losses.push(loss.to_scalar::<f32>()?);
    }
    times.sort_by(f64::total_cmp);
    let (best, median) = (times[0], times[times.len() / 2]);
    println!(
        "{block:?}: best {:.1} ms, {:.0} examples/s; median {:.1} ms, {:.0} examples/s; loss {:.4} to {:.4}",
        best * 1e3,
        BATCH as f64 / best,
        median * 1e3,
        BATCH as f64 / median,
        losses[0],
        losses[n_steps - 1]
    );
    Ok(())
}
