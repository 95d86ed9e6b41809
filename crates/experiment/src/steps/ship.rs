//! The student that ships: with as few bits in its weights as `[ship]` asks for, recovered on the student's own soft targets.
//!
//! Weights of the most bits that fit are taken. They are rounded first; unless that is enough, the network goes on learning with
//! rounded weights from the targets that are stored already: no teacher is asked. Everything is judged on the validation split.

use crate::config::ShipConfig;
use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::networks::artifacts::Trained;
use crate::networks::network::model_error;
use crate::networks::recipe::{Goal, Recipe, Taught};
use crate::networks::student_targets::StudentTargets;
use crate::networks::training::train_side_by_side;
use crate::planning::Work;
use crate::report::{ShipAttempt, ShipReport};
use crate::role::Role;
use crate::seal::sealed_file;
use crate::session::Session;
use crate::stage::Stage;
use crate::steps::student::{Students, taught};
use crate::store::run_stage;
use serde::{Deserialize, Serialize};
use std::path::Path;
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
const SHIP: &str = "ship";
const DECISION: &str = "decision.json";
/// With so many bits, the network learns on only if rounding loses too much.
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
    step.run().map(Some)
}

struct Step<'a> {
    session: &'a Session<'a>,
    config: &'a ShipConfig,
    recovery: TrainingConfig,
    student: &'a Trained,
    targets: &'a StudentTargets<'a>,
    taught: Taught,
}

/// What was tried on the validation split, and what of it is taken.
#[derive(Serialize, Deserialize)]
struct Decision {
    student_valid_top1: f64,
    attempts: Vec<ShipAttempt>,
    taken: Option<Taken>,
}

/// A form of the student.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Taken {
    bits: u8,
    /// whether it has learned on after the rounding
    is_recovered: bool,
}

impl Step<'_> {
    fn run(&self) -> Result<Ship> {
        let Decision { student_valid_top1, attempts, taken } = self.decide()?;
        let ShipConfig { max_bytes, max_loss, .. } = *self.config;
        let told = attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        self.session.context.note(SHIP, told);
        let report = ShipReport { max_bytes, max_loss, student_valid_top1, attempts };
        let Some(taken) = taken else { return Ok(Ship { report, shipped: None }) };
        let network = self.network(taken)?;
        let twin = self.twin(taken)?;
        let bits = WeightBits::uniform(&network.model, taken.bits);
        Ok(Ship { report, shipped: Some(Shipped { network, twin, bits }) })
    }

    /// Tries what fits, or reads what came of it. A plan of what was not tried expects the usual.
    fn decide(&self) -> Result<Decision> {
        let inputs = (&self.student.stage, self.targets.stage(), &self.taught.choice, self.config, &self.recovery);
        let stage = Stage::new(SHIP, CODE_VERSION, None, &inputs);
        let load = |folder: &Path| read_json(&folder.join(DECISION));
        let plan = || {
            let known = self.session.context.artifact(&stage).map(|folder| sealed_file(&folder, DECISION));
            let decision = match known {
                Some(path) => read_json(&path?)?,
                None => self.expected()?,
            };
            Ok((Work::Other, decision))
        };
        let produce = |folder: &Path| write_json(&folder.join(DECISION), &self.try_out()?);
        run_stage(self.session.context, &stage, plan, produce, load)
    }

    /// Of eight bits, rounding is expected to be enough.
    fn expected(&self) -> Result<Decision> {
        let taken = self.most_bits().map(|(bits, _)| Taken { bits, is_recovered: bits < BITS_WITHOUT_TRAINING });
        if let Some(taken) = taken {
            self.network(taken)?;
        }
        Ok(Decision { student_valid_top1: 0.0, attempts: Vec::new(), taken })
    }

    fn try_out(&self) -> Result<Decision> {
        let reference = self.predict(&self.student.model)?;
        let student = self.metrics(&reference);
        let mut decision = Decision { student_valid_top1: student.top1, attempts: Vec::new(), taken: None };
        let Some((bits, n_bytes)) = self.most_bits() else {
            let (bits, n_bytes) = self.sizes().min_by_key(|(_, n_bytes)| *n_bytes).expect("the config names some bits");
            let attempt = ShipAttempt { what: format!("{bits} bits, too large"), bytes: n_bytes, ..Default::default() };
            decision.attempts.push(attempt);
            return Ok(decision);
        };
        let mut least_nll = f64::INFINITY;
        for is_recovered in [false, true] {
            let taken = Taken { bits, is_recovered };
            let probs = self.predict(&self.network(taken)?.model)?;
            let Metrics { top1, nll, .. } = self.metrics(&probs);
            let kl = mean_kl(&reference, &probs, self.session.data.valid.len());
            let is_within = 100.0 * (student.top1 - top1) <= self.config.max_loss + ROUNDING;
            decision.attempts.push(ShipAttempt {
                what: self.words(taken),
                bytes: n_bytes,
                valid_top1: Some(top1),
                valid_nll: Some(nll),
                kl: Some(kl),
                is_shipped: false,
            });
            if is_within && nll < least_nll {
                (least_nll, decision.taken) = (nll, Some(taken));
            }
            if is_within && bits >= BITS_WITHOUT_TRAINING {
                break;
            }
        }
        if let Some(taken) = decision.taken {
            decision.attempts[usize::from(taken.is_recovered)].is_shipped = true;
        }
        Ok(decision)
    }

    fn words(&self, taken: Taken) -> String {
        let Taken { bits, is_recovered } = taken;
        match is_recovered {
            false => format!("rounded to {bits} bits"),
            true => format!("{bits} bits, {} more epochs", self.recovery.n_epochs),
        }
    }

    /// The student in this form, with the cost of the student's training on its own.
    fn network(&self, taken: Taken) -> Result<Trained> {
        let mut network = match taken.is_recovered {
            false => self.round(taken.bits)?,
            true => self.train(Role::Shipped, taken.bits, &self.recovery, Some(self.student))?,
        };
        network.fit.train_flops += self.student.fit.train_flops;
        network.fit.train_seconds += self.student.fit.train_seconds;
        Ok(network)
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

    /// The student with rounded weights. It is made whenever it is needed: its stage is only its name.
    fn round(&self, bits: u8) -> Result<Trained> {
        let student = self.student;
        let model = student.model.with_head(HeadInit::Same).map_err(model_error)?;
        WeightBits::uniform(&model, bits).round(&model).map_err(model_error)?;
        let stage = Stage::new(Role::Shipped.kind(), CODE_VERSION, None, &(&student.stage, bits));
        let body_key = stage.key().to_owned();
        Ok(Trained { role: Role::Shipped, stage, body_key, model: Arc::new(model), fit: FitSummary::default() })
    }

    /// The same form from scratch, with all the epochs of the student and of what came after it.
    fn twin(&self, taken: Taken) -> Result<Trained> {
        let student = &self.session.config.student.training;
        let n_more_epochs = if taken.is_recovered { self.recovery.n_epochs } else { 0 };
        let training = TrainingConfig { n_epochs: student.n_epochs + n_more_epochs, ..student.clone() };
        self.train(Role::TwinOfShipped, taken.bits, &training, None)
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
