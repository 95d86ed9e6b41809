//! The command line, and the workload that it names.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use stillhouse_models::ModelConfig;
use stillhouse_train::{Device, OptimizerConfig};

/// One table of `workloads.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    pub model: ModelConfig,
    pub optimizer: OptimizerConfig,
    pub input: Input,
    pub n_classes: usize,
    pub batch_size: usize,
    /// Steps of one round.
    pub steps: usize,
    pub n_specialists: Option<usize>,
    /// Where models are trained.
    #[serde(skip, default = "cpu")]
    pub device: Device,
}

fn cpu() -> Device {
    Device::Cpu
}

/// Shape of the random examples.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    Features { n_features: usize },
    Image { channels: usize, height: usize, width: usize },
    Text { n_characters: usize },
    Tokens { n_tokens: usize, vocabulary_size: usize },
}

pub struct Options {
    pub name: String,
    pub workload: Workload,
    pub n_threads: usize,
    pub n_rounds: usize,
}

const USAGE: &str = "usage: speed WORKLOAD [--workloads FILE] [--rounds N] [--steps N] [--batch-size N] [--width N] \
                     [--classes N] [--device cuda]";
/// Below the folder that the program is started in.
const WORKLOADS: &str = "experiments/speed/workloads.toml";
const N_ROUNDS: usize = 5;

impl Options {
    pub fn from_command_line() -> Result<Self, Box<dyn Error>> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [name, pairs @ ..] = &words[..] else { return Err(USAGE.into()) };
        let mut path = PathBuf::from(WORKLOADS);
        let mut sizes = BTreeMap::new();
        let mut device = Device::Cpu;
        for pair in pairs.chunks(2) {
            match pair {
                [option, value] if option == "--workloads" => path = value.into(),
                [option, value] if option == "--device" && value == "cuda" => device = Device::new_cuda(0)?,
                [option, value] => {
                    let value: usize = value.parse().map_err(|_| format!("{option} {value}: expected a number"))?;
                    sizes.insert(option.as_str(), value);
                }
                _ => return Err(USAGE.into()),
            }
        }
        let mut workload = Workload { device, ..read_workload(&path, name)? };
        let mut n_rounds = N_ROUNDS;
        for (option, value) in sizes {
            match option {
                "--rounds" => n_rounds = value,
                "--steps" => workload.steps = value,
                "--batch-size" => workload.batch_size = value,
                "--classes" => workload.n_classes = value,
                "--width" => widen(&mut workload.model, value)?,
                _ => return Err(format!("{option}: unknown\n{USAGE}").into()),
            }
        }
        Ok(Self { name: name.clone(), workload, n_threads: threads()?, n_rounds })
    }
}

fn read_workload(path: &std::path::Path, name: &str) -> Result<Workload, Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    // one table at a time: this program may be older or newer than the others
    let mut tables: BTreeMap<String, toml::Value> =
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let names = tables.keys().cloned().collect::<Vec<_>>().join(", ");
    let table = tables.remove(name).ok_or_else(|| format!("no workload {name}; expected one of {names}"))?;
    Ok(table.try_into().map_err(|error| format!("{}: {name}: {error}", path.display()))?)
}

fn widen(model: &mut ModelConfig, width: usize) -> Result<(), Box<dyn Error>> {
    let ModelConfig::Mlp(mlp) = model else { return Err("--width is for an mlp".into()) };
    mlp.widths.iter_mut().for_each(|old| *old = width);
    Ok(())
}

/// The variables are read once, when the first thread starts, so they have to be there before the program.
fn threads() -> Result<usize, Box<dyn Error>> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    match (number("RAYON_NUM_THREADS"), number("CANDLE_NUM_THREADS")) {
        (Some(n_threads), Some(1)) => Ok(n_threads.max(1)),
        _ => Err("set RAYON_NUM_THREADS to the threads to use, and CANDLE_NUM_THREADS=1".into()),
    }
}
