//! The part of a dataset that stages of training may see: everything but the test split.

use crate::{Dataset, SealedTest, Split, Transfer};
use stillhouse_core::InputSpec;

/// Splits, labels and input of a dataset, without its test split.
#[derive(Clone, Debug)]
pub struct TrainingData {
    /// names of the classes; position is the class
    pub labels: Vec<String>,
    /// shape and normalisation of one example
    pub input: InputSpec,
    /// examples to learn from
    pub train: Split,
    /// examples to choose and cluster by, disjoint from the training ones
    pub valid: Split,
    /// training examples and others without labels, for students on soft targets alone
    pub transfer: Option<Transfer>,
    /// hash of the data and of the decision how to split it
    pub fingerprint: String,
}

impl TrainingData {
    /// Number of classes.
    pub fn n_classes(&self) -> usize {
        self.labels.len()
    }

    /// The examples that a student on soft targets learns from.
    pub fn student_examples(&self) -> &Split {
        self.transfer.as_ref().map_or(&self.train, |transfer| &transfer.split)
    }

    /// Hash of everything that soft targets are stored for: the data, and the examples without labels if there are any.
    pub fn student_fingerprint(&self) -> String {
        match &self.transfer {
            None => self.fingerprint.clone(),
            Some(transfer) => format!("{}+{}", self.fingerprint, transfer.fingerprint),
        }
    }
}

impl Dataset {
    /// Separates the test split, which only the evaluation may open, from everything else.
    pub fn into_training(self) -> (TrainingData, SealedTest) {
        let Self { labels, input, train, valid, test, transfer, fingerprint, .. } = self;
        (TrainingData { labels, input, train, valid, transfer, fingerprint }, test)
    }
}
