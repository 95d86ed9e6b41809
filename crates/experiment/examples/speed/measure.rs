//! The time of steps inside of `fit`.

use crate::data;
use crate::options::{Input, Workload};
use std::sync::Mutex;
use std::time::Instant;
use stillhouse_core::{InputShape, Seed};
use stillhouse_data::Split;
use stillhouse_experiment::EpochRecord;
use stillhouse_experiment::parallel::Share;
use stillhouse_models::Model;
use stillhouse_train::{
    FitJob, LabelView, Monitor, Objective, Sampler, StepInfo, TrainError, TrainingConfig, ViewPolicy, fit,
};

/// Steps before the clock runs.
const N_WARMUP_STEPS: usize = 3;
/// The rate matters to no time; this one keeps random labels from diverging.
const SCHEDULE: &str = "kind = \"constant\"\nlearning_rate = 1e-4";

/// How fast a training went.
pub struct Rates {
    /// Of each round.
    pub examples_per_s: Vec<f64>,
    pub last_loss: f64,
    pub flops_per_example: u64,
    pub n_parameters: usize,
}

/// Trains a fresh model for some rounds.
pub fn train(
    workload: &Workload,
    split: &Split,
    seed: Seed,
    n_rounds: usize,
    share: &Share<'_>,
) -> Result<Rates, String> {
    let model = model(workload, split, seed)?;
    let clock = StepClock::new(N_WARMUP_STEPS + n_rounds * workload.steps, share);
    run(&model, workload, split, seed, &clock)?;
    let (ends, last_loss) = clock.into_parts();
    let round = |index: usize| {
        let first = N_WARMUP_STEPS + index * workload.steps;
        let elapsed_s = (ends[first + workload.steps - 1] - ends[first - 1]).as_secs_f64();
        (workload.steps * workload.batch_size) as f64 / elapsed_s
    };
    Ok(Rates {
        examples_per_s: (0..n_rounds).map(round).collect(),
        last_loss,
        flops_per_example: model.flops_per_example(),
        n_parameters: model.n_parameters(),
    })
}

/// Trains a fresh model for one round, warm-up included, from its construction to its last step.
pub fn train_whole(workload: &Workload, split: &Split, seed: Seed, share: &Share<'_>) -> Result<(), String> {
    run(&model(workload, split, seed)?, workload, split, seed, &StepClock::new(workload.steps, share))
}

fn model(workload: &Workload, split: &Split, seed: Seed) -> Result<Model, String> {
    let new = |input: &InputShape| {
        Model::new(&workload.model, input, workload.n_classes, seed, &workload.device)
            .map_err(|error| error.to_string())
    };
    let Input::Tokens { vocabulary_size, .. } = workload.input else { return new(&split.input().shape) };
    let tokenizer = data::tokenizer(vocabulary_size).map_err(|error| error.to_string())?;
    let model = new(&InputShape::Tokens { vocabulary_size })?;
    model.with_tokenizer(&tokenizer).map_err(|error| error.to_string())
}

/// Runs `fit` until the clock has seen enough steps.
fn run(model: &Model, workload: &Workload, split: &Split, seed: Seed, clock: &StepClock<'_>) -> Result<(), String> {
    let steps_per_epoch = (split.len() / workload.batch_size).max(1);
    let config = TrainingConfig {
        n_epochs: clock.n_steps.div_ceil(steps_per_epoch),
        batch_size: workload.batch_size,
        accumulate_batches: 1,
        optimizer: workload.optimizer.clone(),
        schedule: toml::from_str(SCHEDULE).expect("a schedule"),
        clip_norm: None,
        imbalance: None,
        label_smoothing: 0.0,
        ema_decay: None,
        early_stopping: None,
        keep: Default::default(),
    };
    let job = FitJob {
        name: "speed",
        key: "",
        config: &config,
        split,
        sampler: &Sampler::All,
        views: ViewPolicy::Plain,
        objective: &Objective::HardLabels(LabelView::Global),
        bits: None,
        validation: None,
        seed,
        checkpoint: None,
    };
    match fit(model, &job, clock) {
        Ok(_) | Err(TrainError::Interrupted) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Notes when each step ended and stops the training after the last one that is wanted.
struct StepClock<'a> {
    n_steps: usize,
    share: &'a Share<'a>,
    ends: Mutex<(Vec<Instant>, f64)>,
}

impl<'a> StepClock<'a> {
    fn new(n_steps: usize, share: &'a Share<'a>) -> Self {
        Self { n_steps, share, ends: Mutex::new((Vec::with_capacity(n_steps), f64::NAN)) }
    }

    fn into_parts(self) -> (Vec<Instant>, f64) {
        self.ends.into_inner().expect("no holder panics")
    }
}

impl Monitor for StepClock<'_> {
    fn step(&self, info: &StepInfo) {
        let mut ends = self.ends.lock().expect("no holder panics");
        ends.0.push(Instant::now());
        ends.1 = info.loss;
    }

    fn epoch(&self, _: &EpochRecord, _: usize) {}

    fn note(&self, _: &str) {}

    fn is_interrupted(&self) -> bool {
        self.ends.lock().expect("no holder panics").0.len() >= self.n_steps
    }

    fn run_epoch(&self, epoch: &mut (dyn FnMut() + Send)) {
        self.share.run(epoch);
    }
}
