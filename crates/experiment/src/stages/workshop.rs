//! What every stage works with. The test split is not in here: only the evaluation is given it.

use super::Trained;
use super::external::External;
use super::teacher::Member;
use super::tokenizer::Tokenizers;
use crate::config::ExperimentConfig;
use crate::context::RunContext;
use std::sync::Arc;
use stillhouse_core::{InputSpec, Seed};
use stillhouse_data::{Split, Transfer};
use stillhouse_train::{Device, ViewPolicy};

/// Config, data for training and validation, and the run's context.
pub(crate) struct Workshop<'a> {
    pub config: &'a ExperimentConfig,
    pub context: &'a RunContext<'a>,
    pub device: Device,
    pub seed: Seed,
    pub labels: Vec<String>,
    pub input: InputSpec,
    pub train: Split,
    pub valid: Split,
    /// Training examples and others without labels, for the student alone.
    pub transfer: Option<Transfer>,
    /// What teachers that were trained elsewhere said about the data.
    pub external: Vec<External>,
    /// Hash of the data and the split decision.
    pub fingerprint: String,
    /// Whether examples are augmented in training.
    pub augmented: bool,
    pub tokenizers: Arc<Tokenizers>,
}

impl Workshop<'_> {
    pub fn n_classes(&self) -> usize {
        self.labels.len()
    }

    /// The same data and threads for another config of the same seed; without external teachers.
    pub fn with_config<'b>(&'b self, config: &'b ExperimentConfig) -> Workshop<'b> {
        Workshop {
            config,
            context: self.context,
            device: self.device.clone(),
            seed: self.seed,
            labels: self.labels.clone(),
            input: self.input.clone(),
            train: self.train.clone(),
            valid: self.valid.clone(),
            transfer: self.transfer.clone(),
            external: Vec::new(),
            fingerprint: self.fingerprint.clone(),
            augmented: self.augmented,
            tokenizers: self.tokenizers.clone(),
        }
    }

    /// The same with another training split; without external teachers and texts without labels. Stages must tell it apart in their keys.
    pub fn with_train(&self, train: Split) -> Workshop<'_> {
        Workshop { train, transfer: None, ..self.with_config(self.config) }
    }

    /// Hash of the data and of the texts without labels, if there are any: of all that soft targets are stored for.
    pub fn student_fingerprint(&self) -> String {
        match &self.transfer {
            None => self.fingerprint.clone(),
            Some(transfer) => format!("{}+{}", self.fingerprint, transfer.fingerprint),
        }
    }

    /// What a student on soft targets learns from.
    pub fn student_examples(&self) -> &Split {
        self.transfer.as_ref().map_or(&self.train, |transfer| &transfer.split)
    }

    /// Everyone who knows every class: these generalists, then complete external teachers.
    pub fn complete_members<'m>(&'m self, generalists: &'m [Trained]) -> Vec<Member<'m>> {
        let external = self.external.iter().filter(|external| external.is_complete());
        generalists.iter().map(Member::Network).chain(external.map(Member::External)).collect()
    }

    /// The one that stands beside the specialist of a cluster: generalists in turn; without any, the first external
    /// teacher that knows every class.
    pub fn generalist_beside<'m>(&'m self, generalists: &'m [Trained], cluster_idx: usize) -> Member<'m> {
        match generalists {
            [] => self.complete_members(&[])[0],
            _ => Member::Network(&generalists[cluster_idx % generalists.len()]),
        }
    }

    /// Views of a training on hard labels: a new one in each epoch.
    pub fn fresh_views(&self) -> ViewPolicy {
        if self.augmented { ViewPolicy::Fresh } else { ViewPolicy::Plain }
    }

    /// Views of a training on soft targets: those that were stored.
    pub fn stored_views(&self) -> ViewPolicy {
        if self.augmented { ViewPolicy::Stored { n_views: self.config.student.views } } else { ViewPolicy::Plain }
    }
}
