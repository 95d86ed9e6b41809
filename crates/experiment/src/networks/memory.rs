//! What a run needs of the machine's memory, counted, and how many trainings fit into it side by side.
//!
//! Counted are the examples and what each training holds (weights, gradients, the optimizer's state, activations, batches
//! that wait). Files that are mapped can be dropped by the system at any time. A plan adds the program itself, which no
//! limit can make smaller.

use crate::error::{ExperimentError, Result};
use crate::networks::network::new_model;
use crate::networks::tokenizer::planned_input;
use crate::role::Section;
use crate::session::Session;
use std::fmt;
use stillhouse_data::SealedTest;
use stillhouse_models::{Model, ModelConfig, TokenizerConfig};
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
/// Not even one.
pub(crate) fn n_workers(session: &Session<'_>, need: &MemoryNeed<'_>) -> Result<usize> {
    let Some(limit) = session.context.memory_bytes() else { return Ok(usize::MAX) };
    let (taken, each) = (examples_bytes(session), training_bytes(session, need)?);
    match limit.saturating_sub(taken) / each.max(1) {
        0 => Err(ExperimentError::Usage(format!(
            "--memory {}: the examples take {}, and a training of [{}] about {}\n  \
             hint: allow more memory, or lower {}.training.batch_size (now {})",
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
    let (input, _) = planned_input(session, need.tokenizer)?;
    Ok(bytes_of(&new_model(session, need.model, &input, need.n_outputs, None)?, need.training))
}

fn bytes_of(model: &Model, training: &TrainingConfig) -> u64 {
    let n_states = match training.optimizer {
        OptimizerConfig::Sgd(_) => 1,
        OptimizerConfig::AdamW(_) => 2,
    };
    // weights, gradients, the optimizer's state, the best weights so far
    let n_copies = 2 + n_states + u64::from(training.keeps_best());
    let batch = training.batch_size as u64;
    let waiting = (BATCHES_IN_FLIGHT * model.input().n_values()) as u64 * BYTES_PER_NUMBER;
    let of_example = model.activations_per_example() * BYTES_PER_ACTIVATION + waiting;
    model.n_parameters() as u64 * BYTES_PER_NUMBER * n_copies + batch * of_example
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
    use stillhouse_core::{InputShape, Seed};
    use stillhouse_train::Device;

    #[test]
    fn a_training_is_counted_by_hand() {
        let config = toml::from_str("kind = \"mlp\"\nwidths = [30]\ndropout = 0.5").unwrap();
        let input = InputShape::Features { n_features: 20 };
        let model = Model::new(&config, &input, 10, Seed(0), &Device::Cpu).unwrap();
        let training = |text: &str| toml::from_str(&format!("n_epochs = 1\nbatch_size = 8\n{text}")).unwrap();
        let n_parameters = 20 * 30 + 30 + 30 * 10 + 10;
        let of_batch = 8 * (4 * BATCHES_IN_FLIGHT as u64 * 20 + 6 * (30 + 30 + 10));
        assert_eq!(bytes_of(&model, &training("")), 4 * 4 * n_parameters + of_batch);
        let sgd = training("optimizer = { kind = \"sgd\" }");
        assert_eq!(bytes_of(&model, &sgd), 4 * 3 * n_parameters + of_batch);
        let keeping = training("optimizer = { kind = \"sgd\" }\nkeep = \"best\"");
        assert_eq!(bytes_of(&model, &keeping), 4 * 4 * n_parameters + of_batch);
    }

    #[test]
    fn bytes_are_told_in_the_largest_unit() {
        let told = [5, 2048, 3 << 19, 5 << 30].map(|n_bytes| Bytes(n_bytes).to_string());
        assert_eq!(told, ["5 B", "2.0 KiB", "1.5 MiB", "5.0 GiB"]);
    }
}
