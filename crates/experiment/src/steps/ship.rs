//! The student that ships: with as few bits in its weights as `[ship]` asks for, recovered on the student's own soft targets.
//!
//! Weights of the most bits that fit are taken. They are rounded first; unless that is enough, the network goes on learning with
//! rounded weights from the targets that are stored already: no teacher is asked. Everything is judged on the validation split.

use crate::config::ShipConfig;
use crate::error::Result;
use crate::networks::artifacts::Trained;
use crate::networks::network::model_error;
use crate::networks::recipe::{Goal, Recipe, Taught};
use crate::networks::student_targets::StudentTargets;
use crate::networks::training::train_side_by_side;
use crate::report::{ShipAttempt, ShipReport};
use crate::role::Role;
use crate::session::Session;
use crate::stage::Stage;
use crate::steps::student::{Students, taught};
use std::sync::Arc;
use stillhouse_models::{HeadInit, Model, WeightBits};
use stillhouse_train::{FitSummary, Metrics, TrainingConfig, metrics_of, predict_proba, records};

/// What was tried, and what of it ships.
pub(crate) struct Ship {
    pub report: ShipReport,
    /// None where nothing is within both limits.
    pub shipped: Option<Shipped>,
}

/// The network that ships.
pub(crate) struct Shipped {
    pub network: Trained,
    /// The same form from scratch, with as many epochs in all: what the way through the student is worth.
    pub twin: Trained,
    pub bits: WeightBits,
}

/// Raise this when weights are rounded in another way.
const CODE_VERSION: u32 = 1;
/// With so many bits, rounding alone is tried first.
const BITS_WITHOUT_TRAINING: u8 = 8;

/// Makes the student small; None without `[ship]`.
pub(crate) fn ship_student(
    session: &Session<'_>,
    students: &Students,
    targets: &StudentTargets<'_>,
) -> Result<Option<Ship>> {
    let Some(config) = &session.config.ship else { return Ok(None) };
    let step = Step {
        session,
        config,
        recovery: session.config.recovery_training(config),
        student: &students.student,
        targets,
        taught: taught(session, targets)?,
    };
    if session.context.plan().is_some() { step.plan() } else { step.run() }.map(Some)
}

struct Step<'a> {
    session: &'a Session<'a>,
    config: &'a ShipConfig,
    recovery: TrainingConfig,
    student: &'a Trained,
    targets: &'a StudentTargets<'a>,
    taught: Taught,
}

/// A network that might ship.
struct Candidate {
    network: Trained,
    attempt: ShipAttempt,
}

impl Step<'_> {
    fn run(&self) -> Result<Ship> {
        let reference = self.predict(&self.student.model)?;
        let student = self.metrics(&reference);
        let Some((bits, n_bytes)) = self.most_bits() else { return Ok(self.nothing_fits(&student)) };
        let measure = |mut network: Trained, what: String| -> Result<Candidate> {
            network.fit.train_flops += self.student.fit.train_flops;
            network.fit.train_seconds += self.student.fit.train_seconds;
            let probs = self.predict(&network.model)?;
            let Metrics { top1, nll, .. } = self.metrics(&probs);
            let kl = mean_kl(&reference, &probs, self.session.data.valid.len());
            let attempt = ShipAttempt {
                what,
                bytes: n_bytes,
                valid_top1: Some(top1),
                valid_nll: Some(nll),
                kl: Some(kl),
                is_shipped: false,
            };
            Ok(Candidate { network, attempt })
        };
        let rounded = measure(self.round(bits)?, format!("rounded to {bits} bits"))?;
        let is_enough = bits >= BITS_WITHOUT_TRAINING && self.is_within(&rounded, &student);
        let mut candidates = vec![rounded];
        if !is_enough {
            let n_epochs = self.recovery.n_epochs;
            let recovered = self.train(Role::Shipped, bits, &self.recovery, Some(self.student))?;
            candidates.push(measure(recovered, format!("{bits} bits, {n_epochs} more epochs"))?);
        }
        self.choose(candidates, bits, &student)
    }

    /// Ships the candidate with the least validation loss among those within the limits.
    fn choose(&self, mut candidates: Vec<Candidate>, bits: u8, student: &Metrics) -> Result<Ship> {
        let nll = |candidate: &Candidate| candidate.attempt.valid_nll.unwrap_or(f64::INFINITY);
        let within = (0..candidates.len()).filter(|index| self.is_within(&candidates[*index], student));
        let best = within.min_by(|a, b| nll(&candidates[*a]).total_cmp(&nll(&candidates[*b])));
        if let Some(best) = best {
            candidates[best].attempt.is_shipped = true;
        }
        let report = self.report(student, candidates.iter().map(|candidate| candidate.attempt.clone()).collect());
        let text = report.attempts.iter().map(|attempt| attempt.to_string()).collect::<Vec<_>>().join("; ");
        self.session.context.note("ship", text);
        let Some(best) = best else { return Ok(Ship { report, shipped: None }) };
        let network = candidates.swap_remove(best).network;
        let twin = self.twin(bits)?;
        let bits = WeightBits::uniform(&network.model, bits);
        Ok(Ship { report, shipped: Some(Shipped { network, twin, bits }) })
    }

    /// Records the trainings of a plan. Of eight bits, rounding is expected to be enough.
    fn plan(&self) -> Result<Ship> {
        let nothing = self.report(&metrics_of(&[]), Vec::new());
        let Some((bits, _)) = self.most_bits() else { return Ok(Ship { report: nothing, shipped: None }) };
        let network = match bits {
            BITS_WITHOUT_TRAINING.. => self.round(bits)?,
            _ => self.train(Role::Shipped, bits, &self.recovery, Some(self.student))?,
        };
        let twin = self.twin(bits)?;
        let bits = WeightBits::uniform(&network.model, bits);
        Ok(Ship { report: nothing, shipped: Some(Shipped { network, twin, bits }) })
    }

    /// The most bits that fit, with the bytes of the weights.
    fn most_bits(&self) -> Option<(u8, u64)> {
        self.sizes().filter(|(_, n_bytes)| *n_bytes <= self.config.max_bytes).max()
    }

    /// Bytes of the weights with each number of bits.
    fn sizes(&self) -> impl Iterator<Item = (u8, u64)> {
        let model = &*self.student.model;
        self.config.bits.iter().map(|bits| (*bits, WeightBits::uniform(model, *bits).n_bytes(model)))
    }

    fn nothing_fits(&self, student: &Metrics) -> Ship {
        let (bits, bytes) = self.sizes().min_by_key(|(_, n_bytes)| *n_bytes).expect("the config names some bits");
        let attempt = ShipAttempt { what: format!("{bits} bits, too large"), bytes, ..ShipAttempt::default() };
        Ship { report: self.report(student, vec![attempt]), shipped: None }
    }

    fn report(&self, student: &Metrics, attempts: Vec<ShipAttempt>) -> ShipReport {
        let ShipConfig { max_bytes, max_loss, .. } = *self.config;
        ShipReport { max_bytes, max_loss, student_valid_top1: student.top1, attempts }
    }

    /// The student with rounded weights. It is made whenever it is needed: its stage is only its name.
    fn round(&self, bits: u8) -> Result<Trained> {
        let student = self.student;
        let model = student.model.with_head(HeadInit::Same).map_err(model_error)?;
        WeightBits::uniform(&model, bits).round(&model).map_err(model_error)?;
        let stage = Stage::new(Role::Shipped.kind(), CODE_VERSION, None, &(&student.stage, bits));
        let body_key = stage.key().to_owned();
        Ok(Trained { role: Role::Shipped, stage, body_key, model: Arc::new(model), fit: FitSummary::default() })
    }

    /// The same form from scratch, with the epochs of the student and, of fewer than eight bits, of the recovery.
    fn twin(&self, bits: u8) -> Result<Trained> {
        let student = &self.session.config.student.training;
        let n_more_epochs = if bits < BITS_WITHOUT_TRAINING { self.recovery.n_epochs } else { 0 };
        let training = TrainingConfig { n_epochs: student.n_epochs + n_more_epochs, ..student.clone() };
        self.train(Role::TwinOfShipped, bits, &training, None)
    }

    fn train(&self, role: Role, bits: u8, training: &TrainingConfig, start: Option<&Trained>) -> Result<Trained> {
        let goal = Goal::SoftTargets(self.targets.clone(), &self.session.config.student.distillation);
        let recipe = Recipe::student(self.session, role, goal, &self.taught).rounded(bits, training, start);
        train_side_by_side(self.session, &[recipe])?.remove(0)
    }

    /// Probabilities of the validation examples, `[N, C]`.
    fn predict(&self, model: &Model) -> Result<Vec<f32>> {
        Ok(self.session.context.with_all_threads(|| predict_proba(model, &self.session.data.valid, None))??)
    }

    fn metrics(&self, probs: &[f32]) -> Metrics {
        metrics_of(&records(probs, self.session.data.valid.labels(), self.session.data.n_classes()))
    }

    /// Whether a candidate loses no more than it may.
    fn is_within(&self, candidate: &Candidate, student: &Metrics) -> bool {
        let top1 = candidate.attempt.valid_top1.unwrap_or(0.0);
        100.0 * (student.top1 - top1) <= self.config.max_loss + ROUNDING
    }
}

/// Of a difference of two shares, in points.
const ROUNDING: f64 = 1e-9;

/// Mean divergence of `other` from `reference`, `[N, C]` each, in nats.
fn mean_kl(reference: &[f32], other: &[f32], n: usize) -> f64 {
    const PROB_FLOOR: f64 = 1e-12;
    let term = |(p, q): (&f32, &f32)| {
        let (p, q) = (f64::from(*p), f64::from(*q).max(PROB_FLOOR));
        if p > 0.0 { p * (p / q).ln() } else { 0.0 }
    };
    reference.iter().zip(other).map(term).sum::<f64>() / n.max(1) as f64
}
