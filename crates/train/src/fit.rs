//! The training loop of generalist, specialists and student.
//!
//! An epoch draws its rows from the [`Sampler`], a step computes the [`Objective`]'s loss, walks back over the tape (for each of
//! its batches, if there are several), clips, and updates the parameters. Checkpoints are written between steps; the random state is a function of seed,
//! epoch and step, so a resumed training has the same bits as an undisturbed one.

use crate::accumulate::StepSum;
use crate::average::WeightAverage;
use crate::checkpoint::{self, Found, Progress, checkpoint_error};
use crate::inputs::{model_input, text_encoder};
use crate::objective::scalar;
use crate::optimizer::{Optimizer, in_order};
use crate::predict::predict_records;
use crate::reach::Reach;
use crate::{
    EpochObjective, EpochRecord, FitSummary, HardLoss, LabelView, Monitor, Objective, Sampler, StepInfo, TrainError,
    TrainingConfig, ViewPolicy,
};
use candle_core::Tensor;
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};
use stillhouse_core::{ClassId, Seed};
use stillhouse_data::{Batch, Loader, Split};
use stillhouse_models::{ExactWeights, Mode, Model, ModelInput, Rounder, WeightBits};
use stillhouse_ops::optimizer::{clip_factor, global_norm};
use stillhouse_ops::{DropoutKey, Gradient, Tape, record, scale};

/// One training: its rows, objective, config and seed.
#[derive(Clone)]
pub struct FitJob<'a> {
    /// Name for messages, for example `specialist_3`.
    pub name: &'a str,
    /// Identity of the training: a checkpoint of another one is ignored.
    pub key: &'a str,
    /// Epochs, batches, optimizer, schedule.
    pub config: &'a TrainingConfig,
    /// Training rows.
    pub split: &'a Split,
    /// The rows that an epoch trains on.
    pub sampler: &'a Sampler,
    /// The augmented view of each epoch.
    pub views: ViewPolicy,
    /// The loss of each epoch.
    pub objective: &'a dyn EpochObjective,
    /// Trains for weights of so many bits: each step computes loss and gradient with rounded weights and moves the exact ones
    /// (the straight-through estimator, Bengio et al. 2013, arXiv:1308.3432). The final weights are rounded.
    pub bits: Option<&'a WeightBits>,
    /// Held-out rows for early stopping and for the record.
    pub validation: Option<&'a Validation>,
    /// Root of shuffles and dropout.
    pub seed: Seed,
    /// File of the checkpoint, if the training is to be resumable.
    pub checkpoint: Option<&'a Path>,
}

/// Held-out rows and how the model numbers their labels.
#[derive(Clone, Debug)]
pub struct Validation {
    /// rows of the validation split
    pub split: Split,
    /// numbering of the model's outputs
    pub labels: LabelView,
}

/// Checkpoints are written when this long has passed since the last one.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(20);
/// A loss above this multiple of (first loss + 1) counts as exploded.
const EXPLODED: f64 = 1e3;
/// Batches that wait ready for the loop.
const N_PREFETCH: usize = 4;
/// Batches in memory at a time: the waiting ones, one that is being read, and the one that is trained on.
pub const BATCHES_IN_FLIGHT: usize = N_PREFETCH + 2;

/// Trains a model in place; resumes from the job's checkpoint if there is one.
///
/// Runs in the caller's rayon pool, or where the monitor moves its epochs ([`Monitor::run_epoch`]). The final weights
/// depend on the job and the model's initial weights alone, not on threads, and not on interruptions.
///
/// # Errors
/// [`TrainError::Interrupted`] when the monitor is interrupted, after writing the checkpoint; a diverging loss;
/// examples, targets or checkpoints that cannot be read or written.
pub fn fit(model: &Model, job: &FitJob<'_>, monitor: &dyn Monitor) -> Result<FitSummary, TrainError> {
    let mut training = Training::start(model, job, monitor)?;
    while !training.is_finished() {
        let mut outcome = Ok(());
        monitor.run_epoch(&mut || outcome = training.run_epoch(monitor));
        outcome?;
    }
    training.end_reach(monitor);
    training.finish()
}

struct Training<'a> {
    model: &'a Model,
    job: &'a FitJob<'a>,
    optimizer: Optimizer,
    progress: Progress,
    best: Option<Vec<(String, Tensor)>>,
    hard_loss: HardLoss,
    /// which takes the place of the weights at the end
    average: Option<WeightAverage>,
    /// of weights of few bits
    rounder: Option<Rounder>,
    steps_per_epoch: usize,
    clock: Instant,
    last_checkpoint: Instant,
    /// variables that no gradient has reached; none any longer after the first steps, or in a training that resumes
    reach: Option<Reach>,
}

impl<'a> Training<'a> {
    fn start(model: &'a Model, job: &'a FitJob<'a>, monitor: &dyn Monitor) -> Result<Self, TrainError> {
        let n_rows = job.sampler.epoch_len(job.split.len());
        if n_rows < 2 {
            return Err(TrainError::NoData { model: job.name.to_owned(), n_rows });
        }
        let optimizer = Optimizer::new(&job.config.optimizer, model.params())?;
        let now = Instant::now();
        let mut training = Self {
            model,
            job,
            optimizer,
            progress: Progress::default(),
            best: None,
            hard_loss: HardLoss::new(job.config, job.split),
            average: job.config.ema_decay.map(|decay| WeightAverage::new(decay, model)).transpose()?,
            // before a checkpoint is read: a training that goes on has the same clips
            rounder: job.bits.map(|bits| Rounder::new(bits, model)).transpose()?,
            steps_per_epoch: job.config.steps_per_epoch(n_rows),
            clock: now,
            last_checkpoint: now,
            reach: None,
        };
        training.resume(monitor)?;
        training.reach = (training.optimizer.n_steps() == 0).then(|| Reach::new(model));
        Ok(training)
    }

    fn is_finished(&self) -> bool {
        self.progress.n_epochs_done >= self.job.config.n_epochs || self.out_of_patience()
    }

    fn out_of_patience(&self) -> bool {
        let stopping = self.job.config.early_stopping.as_ref();
        stopping.is_some_and(|stopping| self.progress.history.epochs_since_best() >= stopping.patience)
    }

    fn run_epoch(&mut self, monitor: &dyn Monitor) -> Result<(), TrainError> {
        let job = self.job;
        let epoch = self.progress.n_epochs_done;
        let epoch_start = Instant::now();
        let objective = job.objective.of_epoch(epoch);
        if matches!(objective, Err(TrainError::Interrupted)) {
            self.save_checkpoint()?;
        }
        let objective = objective?;
        let rows = job.sampler.epoch_rows(job.split.len(), job.seed, epoch);
        let mut plan = job.views.plan(&rows, epoch, job.config.n_epochs);
        plan.truncate(job.config.examples_per_epoch(rows.len()));
        let n_done = self.progress.n_steps_in_epoch * job.config.examples_per_step();
        plan.drain(..n_done.min(plan.len()));
        let mut n_left = plan.len();
        let encoder = text_encoder(self.model);
        let mut loader = Loader::new(job.split.clone(), plan, encoder, job.config.batch_size, false, N_PREFETCH);
        while n_left > 0 {
            let n_examples = n_left.min(job.config.examples_per_step());
            self.train_step(&mut loader, n_examples, &objective, monitor)?;
            n_left -= n_examples;
            if monitor.is_interrupted() {
                self.save_checkpoint()?;
                return Err(TrainError::Interrupted);
            }
            if self.last_checkpoint.elapsed() >= CHECKPOINT_INTERVAL {
                self.save_checkpoint()?;
            }
        }
        self.end_epoch(&objective, epoch_start.elapsed().as_secs_f64(), monitor)
    }

    /// Optimizer steps of the whole training.
    fn n_steps(&self) -> usize {
        self.steps_per_epoch * self.job.config.n_epochs
    }

    /// The rate of a step (`0..`).
    fn learning_rate(&self, step: usize) -> f64 {
        self.job.config.schedule.learning_rate(step, self.n_steps(), self.job.config.n_epochs)
    }

    /// One optimizer step on the next `n_examples` of the loader, in as many batches as they take.
    fn train_step(
        &mut self,
        loader: &mut Loader,
        n_examples: usize,
        objective: &Objective,
        monitor: &dyn Monitor,
    ) -> Result<(), TrainError> {
        let job = self.job;
        let step = self.optimizer.n_steps() as usize;
        let learning_rate = self.learning_rate(step);
        let mut sum = StepSum::default();
        for part in 0.. {
            if sum.n_examples >= n_examples {
                break;
            }
            let batch = loader.next().expect("the loader has all examples of the step")?;
            let share = batch.len() as f64 / n_examples as f64;
            self.add_batch(&mut sum, &batch, (part, share), objective, monitor)?;
        }
        let mut gradient_scale = 1.0;
        if let Some(limit) = job.config.clip_norm {
            let values: Vec<&Tensor> = sum.gradients.iter().flatten().map(Gradient::values).collect();
            let norm = global_norm(&values)?;
            if !norm.is_finite() {
                return Err(self.diverged("the gradient's norm", norm, learning_rate));
            }
            gradient_scale = clip_factor(norm, limit);
        }
        self.optimizer.step(self.model.params(), &sum.gradients, learning_rate, gradient_scale)?;
        self.model.apply_max_norm()?;
        if let Some(average) = &self.average {
            average.update(self.model, self.optimizer.n_steps())?;
        }
        self.record_step(&sum);
        monitor.step(&StepInfo { step: step + 1, n_steps: self.n_steps(), loss: sum.losses[0] });
        Ok(())
    }

    /// Adds loss and gradients of a step's batch, the part-th one, with `share` of the step's examples.
    fn add_batch(
        &mut self,
        sum: &mut StepSum,
        batch: &Batch,
        (part, share): (u64, f64),
        objective: &Objective,
        monitor: &dyn Monitor,
    ) -> Result<(), TrainError> {
        let job = self.job;
        let step = self.optimizer.n_steps();
        let learning_rate = self.learning_rate(step as usize);
        let inputs = model_input(self.model, batch.inputs.clone(), batch.len())?;
        let seed = job.seed.derive("dropout", step);
        let seed = if part == 0 { seed } else { seed.derive("batch", part) };
        let exact = self.round_weights(Some(&inputs))?;
        let ((parts, weighted), tape) = record(|| {
            let logits = self.model.forward(&inputs, Mode::Train { dropout: DropoutKey { seed: seed.0 } })?;
            let parts = objective.loss(job.name, &logits, batch, &self.hard_loss)?;
            let weighted = if share == 1.0 { parts.total.clone() } else { scale(&parts.total, share)? };
            Ok::<_, TrainError>((parts, weighted))
        })?;
        let loss = scalar(&parts.total)?;
        let first_loss = *self.progress.first_loss.get_or_insert(loss);
        let exploded = loss > EXPLODED * (first_loss + 1.0);
        if !loss.is_finite() || exploded {
            return Err(self.diverged("the loss", loss, learning_rate));
        }
        let gradients = self.gradients(tape, &weighted, learning_rate, monitor)?;
        self.restore_weights(exact.as_ref())?;
        if (step, part) == (0, 0) {
            report_first_batch(batch, objective, monitor);
        }
        sum.add(gradients, [loss, share], &parts, batch.len())
    }

    /// Rounds the weights that inputs read, where they are to have few bits, and hands out the exact ones.
    fn round_weights(&self, inputs: Option<&ModelInput>) -> Result<Option<ExactWeights>, TrainError> {
        Ok(self.rounder.as_ref().map(|rounder| rounder.round(self.model, inputs)).transpose()?)
    }

    fn restore_weights(&self, exact: Option<&ExactWeights>) -> Result<(), TrainError> {
        Ok(exact.map_or(Ok(()), |exact| exact.restore(self.model))?)
    }

    /// Gradients in the order of the parameters; in the first steps, a check that every one of them is reached.
    fn gradients(
        &mut self,
        tape: Tape,
        loss: &Tensor,
        learning_rate: f64,
        monitor: &dyn Monitor,
    ) -> Result<Vec<Option<Gradient>>, TrainError> {
        let mut gradients = tape.backward(loss)?;
        if let Some(mut reach) = self.reach.take() {
            let diverged = |value| self.diverged("the gradient", value, learning_rate);
            let is_over = reach.step(self.job.name, self.model, self.job.split, &gradients, diverged)?;
            self.reach = Some(reach);
            if is_over {
                self.end_reach(monitor);
            }
        }
        Ok(in_order(&mut gradients, self.model.params())?)
    }

    /// Ends the check of gradients, and tells of variables that none has reached.
    fn end_reach(&mut self, monitor: &dyn Monitor) {
        if let Some(warning) = self.reach.take().and_then(|reach| reach.warning(self.job.name)) {
            monitor.warn(&warning);
        }
    }

    fn record_step(&mut self, step: &StepSum) {
        self.progress.loss_sums.iter_mut().zip(step.losses).for_each(|(sum, value)| *sum += value);
        self.progress.n_steps_in_epoch += 1;
        self.progress.n_examples_seen += step.n_examples as u64;
    }

    fn end_epoch(&mut self, objective: &Objective, elapsed_s: f64, monitor: &dyn Monitor) -> Result<(), TrainError> {
        let job = self.job;
        let n_steps = self.progress.n_steps_in_epoch.max(1) as f64;
        let [total, task, distill] = self.progress.loss_sums.map(|sum| sum / n_steps);
        let (with_task, with_distill) = match objective {
            Objective::HardLabels(_) | Objective::FullSoftmax { .. } => (false, false),
            Objective::Distillation { config, .. } => (config.task_loss_weight > 0.0, true),
        };
        let weights = self.average.as_ref().map(|average| average.put_in(self.model)).transpose()?;
        let exact = self.round_weights(None)?;
        let valid = job.validation.map(|validation| validate(self.model, validation)).transpose()?;
        self.restore_weights(exact.as_ref())?;
        let step = self.optimizer.n_steps() as usize;
        let n_examples = self.progress.n_examples_seen;
        let n_before = self.progress.history.epochs.last().map_or(0, |record| record.n_examples);
        let record = EpochRecord {
            epoch: self.progress.n_epochs_done + 1,
            train_loss: total,
            task_loss: with_task.then_some(task),
            distill_loss: with_distill.then_some(distill),
            valid_loss: valid.map(|(loss, _)| loss),
            valid_top1: valid.map(|(_, top1)| top1),
            learning_rate: self.learning_rate(step.saturating_sub(1)),
            elapsed_s,
            step: step as u64,
            n_examples,
            examples_per_s: (n_examples - n_before) as f64 / elapsed_s.max(f64::MIN_POSITIVE),
        };
        monitor.epoch(&record, job.config.n_epochs);
        if self.progress.history.push(record) && job.config.keeps_best() {
            self.best = Some(self.model.state_dict()?);
        }
        if let Some(weights) = weights {
            self.model.load_state(weights)?;
        }
        self.progress.n_epochs_done += 1;
        self.progress.n_steps_in_epoch = 0;
        self.progress.loss_sums = [0.0; 3];
        Ok(())
    }

    fn finish(mut self) -> Result<FitSummary, TrainError> {
        self.stop_clock();
        let stopped_early = self.progress.n_epochs_done < self.job.config.n_epochs;
        let history = self.progress.history;
        let mut kept_epoch = history.epochs.len();
        if let Some(average) = &self.average {
            average.put_in(self.model)?;
        }
        if let (true, Some(best), Some(epoch)) = (self.job.config.keeps_best(), self.best, history.best_epoch) {
            self.model.load_state(best)?;
            kept_epoch = epoch;
        }
        if let Some(rounder) = &self.rounder {
            rounder.round(self.model, None)?;
        }
        let n_examples_seen = self.progress.n_examples_seen;
        Ok(FitSummary {
            history,
            n_examples_seen,
            train_flops: FORWARD_PASSES_PER_STEP * self.model.flops_per_example() as f64 * n_examples_seen as f64,
            train_seconds: self.progress.train_seconds,
            kept_epoch,
            stopped_early,
        })
    }

    fn diverged(&self, what: &'static str, value: f64, learning_rate: f64) -> TrainError {
        TrainError::Diverged {
            model: self.job.name.to_owned(),
            what,
            value,
            epoch: self.progress.n_epochs_done + 1,
            step: self.progress.n_steps_in_epoch + 1,
            learning_rate,
        }
    }

    fn stop_clock(&mut self) {
        self.progress.train_seconds += self.clock.elapsed().as_secs_f64();
        self.clock = Instant::now();
    }

    fn save_checkpoint(&mut self) -> Result<(), TrainError> {
        self.last_checkpoint = Instant::now();
        let Some(path) = self.job.checkpoint else { return Ok(()) };
        self.stop_clock();
        self.progress.n_optimizer_steps = self.optimizer.n_steps();
        let mut tensors = named(MODEL, self.model.state_dict()?);
        let state = self.model.params().iter().zip(self.optimizer.state());
        tensors.extend(state.map(|(param, state)| (format!("{OPTIMIZER}{}", param.name), state.clone())));
        if let Some(best) = &self.best {
            tensors.extend(named(BEST, best.clone()));
        }
        if let Some(average) = &self.average {
            tensors.extend(named(AVERAGE, average.state().clone()));
        }
        checkpoint::save(path, self.job.key, &self.progress, tensors)
    }

    fn resume(&mut self, monitor: &dyn Monitor) -> Result<(), TrainError> {
        let Some(path) = self.job.checkpoint else { return Ok(()) };
        let checkpoint = match checkpoint::load(path, self.job.key, self.model.device())? {
            Found::Nothing => return Ok(()),
            Found::Damaged(what) => {
                let aside = checkpoint::put_aside(path)?;
                monitor
                    .warn(&format!("{}: {what}; this training begins anew, the file is now {aside}", path.display()));
                return Ok(());
            }
            Found::Checkpoint(checkpoint) => checkpoint,
        };
        let part = |prefix: &str| -> HashMap<String, Tensor> {
            let strip =
                |(name, tensor): (&String, &Tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()));
            checkpoint.tensors.iter().filter_map(strip).collect()
        };
        self.model.load_state(part(MODEL))?;
        let mut state = part(OPTIMIZER);
        let in_order = self.model.params().iter().map(|param| {
            state
                .remove(&param.name)
                .ok_or_else(|| checkpoint_error(path, &format!("no optimizer state of {}", param.name)))
        });
        let in_order = in_order.collect::<Result<Vec<_>, _>>()?;
        self.optimizer.restore(in_order, checkpoint.progress.n_optimizer_steps);
        if let Some(average) = &mut self.average {
            average.restore(part(AVERAGE)).map_err(|what| checkpoint_error(path, &what))?;
        }
        let best = part(BEST);
        self.best = (!best.is_empty()).then(|| best.into_iter().collect());
        self.progress = checkpoint.progress;
        Ok(())
    }
}

/// Measures how often the soft targets' most probable class is the label: a store that is misaligned with the data would match by
/// chance only.
fn report_first_batch(batch: &Batch, objective: &Objective, monitor: &dyn Monitor) {
    if let Some((share, n)) = objective.target_label_agreement(batch) {
        monitor.note(&format!("soft targets name the label of {:.0} % of the first {n} examples", 100.0 * share));
    }
}

/// A backward pass costs about two forward passes.
pub const FORWARD_PASSES_PER_STEP: f64 = 3.0;
const MODEL: &str = "model.";
const OPTIMIZER: &str = "optimizer.";
const BEST: &str = "best.";
const AVERAGE: &str = "average.";

fn named(prefix: &str, tensors: Vec<(String, Tensor)>) -> Vec<(String, Tensor)> {
    tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect()
}

/// Mean negative log likelihood and accuracy in the model's own numbering.
fn validate(model: &Model, validation: &Validation) -> Result<(f64, f64), TrainError> {
    let output = |class| ClassId(validation.labels.output(class));
    let metrics = crate::metrics_of(&predict_records(model, &validation.split, output)?);
    Ok((metrics.nll, metrics.top1))
}
