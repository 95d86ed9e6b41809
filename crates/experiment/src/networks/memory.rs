//! What a run needs of the machine's memory, counted, and how many trainings fit into it side by side.
//!
//! Counted are the examples and what each training holds (weights, gradients, the optimizer's state, activations, batches
//! that wait). Files that are mapped can be dropped by the system at any time. A plan adds the program itself, which no
//! limit can make smaller.

use crate::config::SpecialistBody;
use crate::error::{ExperimentError, Result};
use crate::networks::network::{folder_error, model_error};
use crate::networks::tokenizer::planned_input;
use crate::role::Section;
use crate::session::Session;
use std::fmt;
use stillhouse_data::SealedTest;
use stillhouse_models::{ModelConfig, ModelOutline, TokenizerConfig};
use stillhouse_train::{BATCHES_IN_FLIGHT, OptimizerConfig, TrainingConfig};

const BYTES_PER_NUMBER: u64 = 4;
/// Beside each activation the backward pass holds its gradient, or the patches of a convolution, for a while; not for
/// all layers at once. The workload `resnet_sgd` of `experiments/speed`, 780 MB counted so, took 793 MB at most, program
/// and examples among them.
const BYTES_PER_ACTIVATION: u64 = BYTES_PER_NUMBER * 3 / 2;

/// The program itself, its threads, and freed memory that it keeps: the workload `mlp_adamw` of `experiments/speed`, 45 MB
/// of model and examples, took 94 MB at most.
pub(crate) const PROGRAM_BYTES: u64 = 48 << 20;

/// A training whose memory is counted.
pub(crate) struct MemoryNeed<'a> {
    /// Its table in the config, for messages.
    pub section: Section,
    pub model: &'a ModelConfig,
    pub tokenizer: Option<&'a TokenizerConfig>,
    pub training: &'a TrainingConfig,
    pub n_outputs: usize,
}

/// How many of these trainings fit side by side, with the examples, into the memory that the run may take; any number
/// without a limit.
///
/// # Errors
/// Not even one, or one that is larger than the machine.
pub(crate) fn n_workers(session: &Session<'_>, need: &MemoryNeed<'_>) -> Result<usize> {
    let outline = outline(session, need)?;
    if session.device.is_cpu() {
        check_machine(session, need, &outline)?;
    }
    let Some(limit) = session.context.memory_bytes() else { return Ok(usize::MAX) };
    let (taken, each) = (examples_bytes(session), bytes_of(&outline, need, session));
    match limit.saturating_sub(taken) / each.max(1) {
        0 => Err(ExperimentError::Usage(format!(
            "--memory {}: the examples take {}, and a training of [{}] about {}\n  \
             hint: allow more memory, or lower {}.training.batch_size (now {}); accumulate_batches keeps a step's examples",
            Bytes(limit),
            Bytes(taken),
            need.section,
            Bytes(each),
            need.section,
            need.training.batch_size
        ))),
        n_workers => Ok(usize::try_from(n_workers).unwrap_or(usize::MAX)),
    }
}

/// The trainings that the config asks for, with as many outputs as they can have.
pub(crate) fn needs_of_config<'a>(session: &Session<'a>) -> Vec<MemoryNeed<'a>> {
    let (config, n_outputs) = (session.config, session.data.n_classes());
    let generalist = config.generalist.as_ref();
    let generalist = generalist.map(|g| (Section::Generalist, &g.model, g.tokenizer.as_ref(), &g.training));
    let specialists = config.specialists.as_ref().zip(config.specialist_model());
    let specialists = specialists.map(|(specialists, model)| {
        (Section::Specialists, model, config.specialist_tokenizer(), &specialists.training)
    });
    let student = &config.student;
    let student = Some((Section::Student, &student.model, student.tokenizer.as_ref(), &student.training));
    let needs = |(section, model, tokenizer, training)| MemoryNeed { section, model, tokenizer, training, n_outputs };
    [generalist, specialists, student].into_iter().flatten().map(needs).collect()
}

/// Bytes of the examples that training and validation read; they are the test split's too where it comes from the same
/// source.
fn examples_bytes(session: &Session<'_>) -> u64 {
    let (train, valid) = (&session.data.train, &session.data.valid);
    let is_carved = train.source().0 == valid.source().0;
    train.source_bytes() + if is_carved { 0 } else { valid.source_bytes() }
}

/// Bytes of all examples, those of the test split among them.
pub(crate) fn all_examples_bytes(session: &Session<'_>, test: &SealedTest) -> u64 {
    let is_carved = session.data.train.source().0 == test.source().0;
    examples_bytes(session) + if is_carved { 0 } else { test.source_bytes() }
}

/// Bytes of one training at its largest moment.
///
/// # Errors
/// A model that does not fit the data.
pub(crate) fn training_bytes(session: &Session<'_>, need: &MemoryNeed<'_>) -> Result<u64> {
    Ok(bytes_of(&outline(session, need)?, need, session))
}

/// What the network consists of; none of it is in memory.
fn outline(session: &Session<'_>, need: &MemoryNeed<'_>) -> Result<ModelOutline> {
    let (input, _) = planned_input(session, need.tokenizer)?;
    let config = need.model.resolved().map_err(folder_error)?;
    config.outline(&input, need.n_outputs).map_err(model_error)
}

fn bytes_of(outline: &ModelOutline, need: &MemoryNeed<'_>, session: &Session<'_>) -> u64 {
    let n_inputs = session.data.input.shape.n_values() as u64;
    counted_bytes(outline, need.training, n_inputs, session.student.all.len())
}

/// Bytes of a training on so many examples of so many numbers.
fn counted_bytes(outline: &ModelOutline, training: &TrainingConfig, n_inputs: u64, n_examples: usize) -> u64 {
    let n_states = match training.optimizer {
        OptimizerConfig::Sgd(_) => 1,
        OptimizerConfig::AdamW(_) => 2,
    };
    // weights, gradients, the optimizer's state, the best weights so far, their average, gradients of the batches before
    let is_held = [training.keeps_best(), training.ema_decay.is_some(), training.accumulate_batches > 1];
    let n_copies = 2 + n_states + is_held.into_iter().map(u64::from).sum::<u64>();
    // a batch is never larger than an epoch
    let batch = training.batch_size.min(n_examples) as u64;
    let waiting = BATCHES_IN_FLIGHT as u64 * n_inputs * BYTES_PER_NUMBER;
    let of_example = outline.activations_per_example().saturating_mul(BYTES_PER_ACTIVATION).saturating_add(waiting);
    let of_weights = outline.n_parameters().saturating_mul(BYTES_PER_NUMBER * n_copies);
    of_weights.saturating_add(batch.saturating_mul(of_example))
}

/// Refuses a training for which the whole machine is too small; the system would end the program in the middle of it. A
/// frozen body has no gradients, so only its weights are counted.
fn check_machine(session: &Session<'_>, need: &MemoryNeed<'_>, outline: &ModelOutline) -> Result<()> {
    let Some(machine) = machine_bytes() else { return Ok(()) };
    let is_frozen = need.section == Section::Specialists
        && session.config.specialists.as_ref().is_some_and(|config| config.body == SpecialistBody::Frozen);
    let bytes = match is_frozen {
        true => outline.n_parameters().saturating_mul(BYTES_PER_NUMBER),
        false => bytes_of(outline, need, session),
    };
    if bytes <= machine {
        return Ok(());
    }
    Err(ExperimentError::Usage(format!(
        "[{section}]: a training takes about {}, the weights alone {}; this machine has {}\n  \
         hint: a smaller {section}.model, or a smaller {section}.training.batch_size (now {}), with \
         accumulate_batches for as many examples a step",
        Bytes(bytes),
        Bytes(outline.n_parameters().saturating_mul(BYTES_PER_NUMBER)),
        Bytes(machine),
        need.training.batch_size,
        section = need.section,
    )))
}

/// Memory of the machine, with what it may write out to its disk, where the system says so.
fn machine_bytes() -> Option<u64> {
    let (memory, swap) = (meminfo_bytes("MemTotal:")?, meminfo_bytes("SwapTotal:").unwrap_or(0));
    Some(memory.saturating_add(swap))
}

/// Memory that programs may still take, where the system says so.
pub(crate) fn available_bytes() -> Option<u64> {
    meminfo_bytes("MemAvailable:")
}

fn meminfo_bytes(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// A number of bytes as people read it.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match UNITS.iter().find(|(unit, _)| self.0 >= *unit) {
            Some((unit, name)) => write!(f, "{:.1} {name}", self.0 as f64 / *unit as f64),
            None => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_core::InputShape;

    #[test]
    fn a_training_is_counted_by_hand() {
        let config: ModelConfig = toml::from_str("kind = \"mlp\"\nwidths = [30]\ndropout = 0.5").unwrap();
        let input = InputShape::Features { n_features: 20 };
        let outline = config.outline(&input, 10).unwrap();
        let bytes_of = |training: &TrainingConfig| counted_bytes(&outline, training, 20, 100);
        let training = |text: &str| toml::from_str(&format!("n_epochs = 1\nbatch_size = 8\n{text}")).unwrap();
        let n_parameters = 20 * 30 + 30 + 30 * 10 + 10;
        let of_batch = 8 * (4 * BATCHES_IN_FLIGHT as u64 * 20 + 6 * (30 + 30 + 10));
        assert_eq!(bytes_of(&training("")), 4 * 4 * n_parameters + of_batch);
        assert_eq!(counted_bytes(&outline, &training(""), 20, 4), 4 * 4 * n_parameters + of_batch / 2);
        let sgd = training("optimizer = { kind = \"sgd\" }");
        assert_eq!(bytes_of(&sgd), 4 * 3 * n_parameters + of_batch);
        let keeping = training("optimizer = { kind = \"sgd\" }\nkeep = \"best\"");
        assert_eq!(bytes_of(&keeping), 4 * 4 * n_parameters + of_batch);
        let averaging = training("optimizer = { kind = \"sgd\" }\nema_decay = 0.99");
        assert_eq!(bytes_of(&averaging), 4 * 4 * n_parameters + of_batch);
        // four batches a step take the memory of one, and their sum of gradients
        let accumulating = training("optimizer = { kind = \"sgd\" }\naccumulate_batches = 4");
        assert_eq!(bytes_of(&accumulating), 4 * 4 * n_parameters + of_batch);
    }

    #[test]
    fn bytes_are_told_in_the_largest_unit() {
        let told = [5, 2048, 3 << 19, 5 << 30].map(|n_bytes| Bytes(n_bytes).to_string());
        assert_eq!(told, ["5 B", "2.0 KiB", "1.5 MiB", "5.0 GiB"]);
    }
}
