//! A loaded dataset: its classes, its splits, and the name of its content.

use crate::source::Source;
use crate::split::Split;
use stillhouse_core::{InputShape, InputSpec};

/// Everything that a run needs to know about its data.
#[derive(Debug)]
pub struct Dataset {
    /// what to call it in a report
    pub name: String,
    /// names of the classes; position is the class
    pub labels: Vec<String>,
    /// shape and normalisation of one example
    pub input: InputSpec,
    /// examples to learn from
    pub train: Split,
    /// examples to choose and cluster by, disjoint from the training ones
    pub valid: Split,
    /// examples for the evaluation alone
    pub test: SealedTest,
    /// what a student may see besides the training examples
    pub transfer: Option<Transfer>,
    /// hash over content, labels, the split and everything else that changes an example; not over paths
    pub fingerprint: String,
    /// where the data came from and what was decided about it, in order
    pub provenance: Vec<(String, String)>,
}

/// Training examples and further ones without a label, for soft targets.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// the training examples, then the others, of [`ClassId::UNKNOWN`](stillhouse_core::ClassId::UNKNOWN)
    pub split: Split,
    /// how many have no label
    pub n_unlabelled: usize,
    /// examples without labels that were read behind those of the training source, whether or not they are used
    pub n_read: usize,
    /// hash over the unlabelled examples
    pub fingerprint: String,
}

/// The test split and the out-of-scope examples, sealed: readable once, by value. Only sizes and names can be seen before.
#[derive(Debug)]
pub struct SealedTest {
    split: Split,
    out_of_scope: Option<OutOfScope>,
}

/// Examples of no class, which show whether a model's confidence is lower on them.
#[derive(Debug)]
pub struct OutOfScope {
    /// the examples, of [`ClassId::UNKNOWN`](stillhouse_core::ClassId::UNKNOWN)
    pub split: Split,
    /// examples of no class that were read behind those of the test source, whether or not they are used
    pub n_read: usize,
    /// hash over them
    pub fingerprint: String,
}

impl SealedTest {
    pub(crate) fn new(split: Split, out_of_scope: Option<OutOfScope>) -> Self {
        Self { split, out_of_scope }
    }

    /// Hash over the examples of no class, if there are any.
    pub fn out_of_scope_fingerprint(&self) -> Option<&str> {
        self.out_of_scope.as_ref().map(|out_of_scope| out_of_scope.fingerprint.as_str())
    }

    /// Examples of no class that were read behind those of the test source.
    pub fn n_out_of_scope_read(&self) -> usize {
        self.out_of_scope.as_ref().map_or(0, |out_of_scope| out_of_scope.n_read)
    }

    /// Opens both for the evaluation: the test split, and the examples of no class.
    pub fn unseal_all(self) -> (Split, Option<Split>) {
        (self.split, self.out_of_scope.map(|out_of_scope| out_of_scope.split))
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.split.len()
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.split.is_empty()
    }

    /// The source that the examples come from, and how many it has in all.
    pub fn source(&self) -> (Source, usize) {
        self.split.source()
    }

    /// Bytes that all examples of the source take in memory.
    pub fn source_bytes(&self) -> u64 {
        self.split.source_bytes()
    }

    /// Opens the split alone.
    pub fn unseal(self) -> Split {
        self.split
    }
}

impl Dataset {
    /// Number of classes.
    pub fn n_classes(&self) -> usize {
        self.labels.len()
    }

    /// The dataset in one line.
    pub fn describe(&self) -> String {
        let shape = match self.input.shape {
            InputShape::Image { channels: 1, height, width } => format!("{height} x {width} grey"),
            InputShape::Image { height, width, .. } => format!("{height} x {width} RGB"),
            InputShape::Features { n_features } => format!("{n_features} features"),
            InputShape::Text {} | InputShape::Tokens { .. } => "texts".to_owned(),
        };
        let unlabelled = match &self.transfer {
            Some(transfer) => format!(", {} without labels", transfer.n_unlabelled),
            None => String::new(),
        };
        let of_no_class = match &self.test.out_of_scope {
            Some(out_of_scope) => format!(", {} of no class", out_of_scope.split.len()),
            None => String::new(),
        };
        format!(
            "{}: {} classes, {} train, {} valid, {} test{of_no_class}{unlabelled}, {shape}",
            self.name,
            self.n_classes(),
            self.train.len(),
            self.valid.len(),
            self.test.len()
        )
    }
}
