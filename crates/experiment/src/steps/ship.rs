//! The student that ships: small enough for `[ship]`, and recovered on the student's own soft targets.
//!
//! Its weights get the most bits that fit. Where that is less than eight, fewer numbers are tried too, which leave room for more
//! bits: linear layers of low rank; fewer units, channels and heads; fewer layers. Everything is rounded first; unless that is enough,
//! the network goes on learning with rounded weights from the targets that are stored already: no teacher is asked. Where nothing loses
//! little enough, the form with the least loss learns for as long as the student did. All of it is judged on the validation split.

use crate::config::ShipConfig;
use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::networks::artifacts::Trained;
use crate::networks::latency::latency_ms;
use crate::networks::network::model_error;
use crate::networks::recipe::{Goal, Recipe, Taught};
use crate::networks::smaller::{Way, smaller};
use crate::networks::student_targets::StudentTargets;
use crate::networks::training::train_side_by_side;
use crate::parallel;
use crate::planning::Work;
use crate::report::{ShipAttempt, ShipReport, ShipWay};
use crate::role::Role;
use crate::seal::sealed_file;
use crate::session::Session;
use crate::stage::Stage;
use crate::steps::student::{Students, taught};
use crate::store::run_stage;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use stillhouse_models::{HeadInit, Model, Reductions, WeightBits};
use stillhouse_train::{FitSummary, Metrics, TrainingConfig, metrics_of, predict_proba, records};

/// What was tried, and what of it ships.
pub(crate) struct Ship {
    /// the stage of the decision
    pub decision: Stage,
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

/// Raise this when weights are rounded in another way, or more is measured of what was tried.
const CODE_VERSION: u32 = 6;
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
    ways: Vec<ShipWay>,
    taken: Option<Taken>,
}

/// A form of the student.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Form {
    /// to fewer numbers; whole without it
    way: Option<Way>,
    bits: u8,
}

/// A form that ships.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Taken {
    form: Form,
    further: Further,
}

/// How a form has learned on after it was made small.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Further {
    Nothing,
    /// as `ship.training` says
    Recovery,
    /// for as long as the student has learned: where nothing is within the limit otherwise
    AsStudent,
}

/// What came of an attempt, on the validation split.
struct Outcome {
    attempt: ShipAttempt,
    nll: f64,
    is_within: bool,
}

impl Step<'_> {
    fn run(&self) -> Result<Ship> {
        let Decision { student_valid_top1, attempts, ways, taken } = self.decide()?;
        let ShipConfig { max_bytes, max_loss, .. } = *self.config;
        let told = attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        self.session.context.note(SHIP, told);
        let report = ShipReport { max_bytes, max_loss, student_valid_top1, attempts, ways };
        let decision = self.decision();
        let Some(taken) = taken else { return Ok(Ship { decision, report, shipped: None }) };
        let network = self.network(taken)?;
        let twin = self.twin(taken, network.model.reductions())?;
        let bits = WeightBits::uniform(&network.model, taken.form.bits);
        Ok(Ship { decision, report, shipped: Some(Shipped { network, twin, bits }) })
    }

    fn decision(&self) -> Stage {
        let inputs = (&self.student.stage, self.targets.stage(), &self.taught.choice, self.config, &self.recovery);
        Stage::new(SHIP, CODE_VERSION, None, &inputs)
    }

    /// Tries what fits, or reads what came of it. A plan of what was not tried expects the usual.
    fn decide(&self) -> Result<Decision> {
        let stage = self.decision();
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
        let bits = self.most_bits(&self.student.model);
        let taken = bits.map(|(bits, _)| {
            let further = if bits < BITS_WITHOUT_TRAINING { Further::Recovery } else { Further::Nothing };
            Taken { form: Form { way: None, bits }, further }
        });
        if let Some(taken) = taken {
            self.network(taken)?;
        }
        Ok(Decision { student_valid_top1: 0.0, attempts: Vec::new(), ways: Vec::new(), taken })
    }

    fn try_out(&self) -> Result<Decision> {
        let reference = self.predict(&self.student.model)?;
        let student = self.metrics(&reference);
        let mut decision =
            Decision { student_valid_top1: student.top1, attempts: Vec::new(), ways: Vec::new(), taken: None };
        let forms = self.forms()?;
        if forms.is_empty() {
            let sizes = self.sizes(&self.student.model);
            let (bits, bytes) = sizes.min_by_key(|(_, n_bytes)| *n_bytes).expect("the config names some bits");
            decision.attempts.push(ShipAttempt {
                what: format!("{bits} bits, too large"),
                bytes,
                ..Default::default()
            });
        }
        let mut tried: Vec<(Taken, Outcome)> = Vec::new();
        for (form, n_bytes) in forms {
            for further in [Further::Nothing, Further::Recovery] {
                let taken = Taken { form, further };
                let outcome = self.attempt(taken, n_bytes, (&reference, student.top1))?;
                let is_enough = outcome.is_within && form.bits >= BITS_WITHOUT_TRAINING;
                tried.push((taken, outcome));
                if is_enough {
                    break;
                }
            }
        }
        let nearest = |tried: &[(Taken, Outcome)], is_asked: fn(&Outcome) -> bool| {
            let asked = (0..tried.len()).filter(|index| is_asked(&tried[*index].1));
            asked.min_by(|a, b| tried[*a].1.nll.total_cmp(&tried[*b].1.nll))
        };
        let mut best = nearest(&tried, |outcome| outcome.is_within);
        if let (None, None, Some(index)) = (best, &self.config.training, nearest(&tried, |_| true)) {
            let taken = Taken { form: tried[index].0.form, further: Further::AsStudent };
            let outcome = self.attempt(taken, tried[index].1.attempt.bytes, (&reference, student.top1))?;
            best = outcome.is_within.then_some(tried.len());
            tried.push((taken, outcome));
        }
        decision.taken = best.map(|index| tried[index].0);
        decision.attempts.extend(tried.into_iter().map(|(_, outcome)| outcome.attempt));
        if let Some(index) = best {
            decision.attempts[index].is_shipped = true;
        }
        if self.config.compare_ways {
            decision.ways = self.compare_ways()?;
        }
        Ok(decision)
    }

    /// Makes a form and measures it, against the student's probabilities and accuracy.
    fn attempt(&self, taken: Taken, n_bytes: u64, (reference, top1): (&[f32], f64)) -> Result<Outcome> {
        let model = self.network(taken)?.model;
        let probs = self.predict(&model)?;
        let found = self.metrics(&probs);
        let attempt = ShipAttempt {
            what: self.words(taken),
            bytes: n_bytes,
            valid_top1: Some(found.top1),
            valid_nll: Some(found.nll),
            kl: Some(mean_kl(reference, &probs, self.session.data.valid.len())),
            latency_ms_p50: Some(self.latency_ms(&model)?),
            is_shipped: false,
        };
        let is_within = 100.0 * (top1 - found.top1) <= self.config.max_loss + ROUNDING;
        Ok(Outcome { attempt, nll: found.nll, is_within })
    }

    /// Each way to a small network by itself, without further training.
    fn compare_ways(&self) -> Result<Vec<ShipWay>> {
        let point = |way: &str, what: String, n_bytes, model: &Model| -> Result<ShipWay> {
            let Metrics { top1, nll, .. } = self.metrics(&self.predict(model)?);
            Ok(ShipWay { way: way.into(), what, bytes: n_bytes, valid_top1: top1, valid_nll: nll })
        };
        let mut ways = Vec::new();
        for (bits, n_bytes) in self.sizes(&self.student.model) {
            let rounded = self.round(self.student, bits)?;
            ways.push(point("fewer bits", format!("{bits} bits"), n_bytes, &rounded.model)?);
        }
        let shares = |shares: &[f64], way: fn(f64) -> Way| shares.iter().map(|share| way(*share)).collect::<Vec<_>>();
        for (name, ways_of_name) in [
            ("low rank", shares(&self.config.low_rank, Way::LowRank)),
            ("low rank by plain SVD", shares(&self.config.low_rank, Way::PlainLowRank)),
            ("pruned units", shares(&self.config.pruning, Way::Pruned)),
            ("fewer layers", shares(&self.config.layers, Way::FewerBlocks)),
            ("smallest weights at 0", shares(&self.config.pruning, Way::Zeros)),
        ] {
            for way in ways_of_name {
                let network = self.in_way(way)?;
                if network.model.reductions().is_empty() && !matches!(way, Way::Zeros(_)) {
                    continue;
                }
                let n_bytes = match way {
                    Way::Zeros(_) => bytes_without_zeros(&network.model)?,
                    _ => WeightBits::default().n_bytes(&network.model),
                };
                ways.push(point(name, way.words(), n_bytes, &network.model)?);
            }
        }
        Ok(ways)
    }

    /// What is tried: the whole with the most bits that fit, and each way to fewer numbers where that leaves room for more bits.
    fn forms(&self) -> Result<Vec<(Form, u64)>> {
        let whole = self.most_bits(&self.student.model);
        let mut forms: Vec<(Form, u64)> = Vec::new();
        forms.extend(whole.map(|(bits, n_bytes)| (Form { way: None, bits }, n_bytes)));
        let bits_of_whole = whole.map_or(0, |(bits, _)| bits);
        let ShipConfig { low_rank, pruning, layers, .. } = self.config;
        let ways = [(low_rank, Way::LowRank as fn(f64) -> Way), (pruning, Way::Pruned), (layers, Way::FewerBlocks)];
        for (shares, way) in ways {
            let mut shares = shares.clone();
            shares.sort_by(|a, b| b.total_cmp(a));
            let mut most_so_far = bits_of_whole;
            for way in shares.into_iter().map(way) {
                if most_so_far >= BITS_WITHOUT_TRAINING {
                    break;
                }
                let network = self.in_way(way)?;
                let fits = self.most_bits(&network.model).filter(|(bits, _)| *bits > most_so_far);
                if let Some((bits, n_bytes)) = fits.filter(|_| !network.model.reductions().is_empty()) {
                    forms.push((Form { way: Some(way), bits }, n_bytes));
                    most_so_far = bits;
                }
            }
        }
        Ok(forms)
    }

    fn words(&self, Taken { form, further }: Taken) -> String {
        let way = form.way.map(|way| format!("{}, ", way.words())).unwrap_or_default();
        match self.training(further) {
            None => format!("{way}rounded to {} bits", form.bits),
            Some(training) => format!("{way}{} bits, {} more epochs", form.bits, training.n_epochs),
        }
    }

    fn training(&self, further: Further) -> Option<&TrainingConfig> {
        match further {
            Further::Nothing => None,
            Further::Recovery => Some(&self.recovery),
            Further::AsStudent => Some(&self.session.config.student.training),
        }
    }

    /// The student in this form, with the cost of the student's training on its own.
    fn network(&self, Taken { form, further }: Taken) -> Result<Trained> {
        let smaller = form.way.map(|way| self.in_way(way)).transpose()?;
        let start = smaller.as_ref().unwrap_or(self.student);
        let mut network = match self.training(further) {
            None => self.round(start, form.bits)?,
            Some(training) => {
                self.train(Role::Shipped, (start.model.reductions(), form.bits), training, Some(start))?
            }
        };
        network.fit.train_flops += self.student.fit.train_flops;
        network.fit.train_seconds += self.student.fit.train_seconds;
        Ok(network)
    }

    /// The student with fewer numbers.
    fn in_way(&self, way: Way) -> Result<Trained> {
        smaller(self.session, self.student, &self.taught.examples, way)
    }

    /// The most bits that fit, with the bytes of the weights.
    fn most_bits(&self, model: &Model) -> Option<(u8, u64)> {
        self.sizes(model).filter(|(_, n_bytes)| *n_bytes <= self.config.max_bytes).max()
    }

    /// Bytes of the weights with each number of bits.
    fn sizes<'m>(&'m self, model: &'m Model) -> impl Iterator<Item = (u8, u64)> + 'm {
        self.config.bits.iter().map(|bits| (*bits, WeightBits::uniform(model, *bits).n_bytes(model)))
    }

    /// A network with rounded weights. It is made whenever it is needed: its stage is only its name.
    fn round(&self, network: &Trained, bits: u8) -> Result<Trained> {
        let model = network.model.with_head(HeadInit::Same).map_err(model_error)?;
        WeightBits::uniform(&model, bits).round(&model).map_err(model_error)?;
        let stage = Stage::new(Role::Shipped.kind(), CODE_VERSION, None, &(&network.stage, bits));
        let body_key = stage.key().to_owned();
        Ok(Trained { role: Role::Shipped, stage, body_key, model: Arc::new(model), fit: FitSummary::default() })
    }

    /// The same form from scratch, with all the epochs of the student and of what came after it.
    fn twin(&self, Taken { form, further }: Taken, reductions: &Reductions) -> Result<Trained> {
        let student = &self.session.config.student.training;
        let n_more_epochs = self.training(further).map_or(0, |training| training.n_epochs);
        let training = TrainingConfig { n_epochs: student.n_epochs + n_more_epochs, ..student.clone() };
        self.train(Role::TwinOfShipped, (reductions, form.bits), &training, None)
    }

    fn train(
        &self,
        role: Role,
        (reductions, bits): (&Reductions, u8),
        training: &TrainingConfig,
        start: Option<&Trained>,
    ) -> Result<Trained> {
        let goal = Goal::SoftTargets(self.targets.clone(), &self.session.config.student.distillation);
        let recipe = Recipe::student(self.session, role, goal, &self.taught);
        train_side_by_side(self.session, &[recipe.compressed((reductions.clone(), bits), training, start)])?.remove(0)
    }

    /// Probabilities of the validation examples, `[N, C]`.
    fn predict(&self, model: &Model) -> Result<Vec<f32>> {
        Ok(self.session.context.with_all_threads(|| predict_proba(model, &self.session.data.valid, None))??)
    }

    /// Median of the milliseconds of one example, on one thread.
    fn latency_ms(&self, model: &Model) -> Result<f64> {
        let one = self.session.data.valid.select(&[0]);
        let predict_one = || Ok(predict_proba(model, &one, None).map(drop)?);
        let [median, _] = parallel::alone(1, |_| latency_ms(predict_one))??;
        Ok(median)
    }

    fn metrics(&self, probs: &[f32]) -> Metrics {
        metrics_of(&records(probs, self.session.data.valid.labels(), self.session.data.n_classes()))
    }
}

/// What a file would take that has a bit for each number, which says whether it is 0, and the others as `f32`.
fn bytes_without_zeros(model: &Model) -> Result<u64> {
    let weights = model.weights().map_err(model_error)?;
    let n_bytes = |values: &Vec<f32>| {
        let n_left = values.iter().filter(|value| **value != 0.0).count();
        (n_left * size_of::<f32>() + values.len().div_ceil(8)) as u64
    };
    Ok(weights.values().map(n_bytes).sum())
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
