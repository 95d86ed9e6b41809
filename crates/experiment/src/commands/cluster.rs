//! `cluster`: which classes a model of any program confuses, and what specialists on these clusters can win.
//!
//! N examples, C classes.

use crate::config::Space;
use crate::error::{ExperimentError, Result};
use crate::external::{ExternalTeacher, Predictions};
use crate::files::{check_output, write_json};
use crate::networks::held_out::HeldOutRows;
use crate::observer::{Interrupt, Observer};
use crate::steps::clustering::{cluster_by, clustering_seed};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use stillhouse_core::{ClassId, Seed, in_words};
use stillhouse_ensemble::{ClusteringConfig, Diagnosis};

/// Predictions and how they are clustered.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// `[N, C]` predictions, `.npy` or `.safetensors`, of examples that the predicting model was not trained on.
    pub predictions: PathBuf,
    /// What the numbers are.
    pub space: Space,
    /// The examples' class numbers, `[N]`.
    pub labels: PathBuf,
    /// How classes are grouped.
    pub config: ClusteringConfig,
    /// Of the methods that draw.
    pub seed: u64,
    /// JSON file to write.
    pub out: Option<PathBuf>,
}

/// Clusters of classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClusterOutcome {
    /// Numbers of the classes of each cluster, ascending.
    pub clusters: Vec<Vec<u32>>,
    /// What specialists on these clusters can win.
    pub diagnosis: Diagnosis,
    /// What the user should know of the predictions.
    pub notes: Vec<String>,
}

/// Clusters the classes by a model's predictions, as a run does.
///
/// # Errors
/// Files that cannot be read or do not fit each other; settings that these classes cannot meet; an output in the place of
/// an input.
pub fn cluster(options: &ClusterOptions, observer: &dyn Observer, interrupt: &Interrupt) -> Result<ClusterOutcome> {
    let ClusterOptions { predictions, space, labels, config, seed, out } = options;
    let problems = config.validate();
    if !problems.is_empty() {
        return Err(ExperimentError::Usage(in_words(&problems)));
    }
    if let Some(out) = out {
        check_output(out, [predictions.as_path(), labels])?;
    }
    let mut file = Predictions::open(&ExternalTeacher::of_every_class(predictions, *space), Path::new(""))?;
    let n_classes = file.n_columns();
    let labels = stillhouse_data::read_class_numbers(labels, n_classes)?;
    if labels.len() != file.n_rows() {
        return Err(file.error(&format!(
            "found {} rows, expected {}, one for each label",
            file.n_rows(),
            labels.len()
        )));
    }
    let held_out = Given { probs: read(&mut file, observer, interrupt)?, labels };
    let (clustering, diagnosis) = cluster_by(&held_out, n_classes, config, None, clustering_seed(Seed(*seed)))?;
    let numbers = |members: &[ClassId]| members.iter().map(|class| class.0).collect();
    let told = file.told();
    let outcome = ClusterOutcome {
        clusters: clustering.clusters().iter().map(|cluster| numbers(cluster.members())).collect(),
        diagnosis,
        notes: told.doubts.into_iter().chain(told.notes).collect(),
    };
    if let Some(out) = out {
        write_json(out, &outcome)?;
    }
    Ok(outcome)
}

/// All rows, `[N, C]`.
fn read(file: &mut Predictions, observer: &dyn Observer, interrupt: &Interrupt) -> Result<Vec<f32>> {
    let n_rows = file.n_rows();
    let rows_at_once = (VALUES_AT_ONCE / file.n_columns()).max(1);
    let mut probs = Vec::with_capacity(n_rows * file.n_columns());
    while file.n_read() < n_rows {
        if interrupt.is_requested() {
            return Err(ExperimentError::Interrupted);
        }
        probs.extend(file.read(rows_at_once)?.into_iter().map(|prob| prob as f32));
        observer.progress("read", file.n_read() as u64, n_rows as u64);
    }
    Ok(probs)
}

/// Numbers that are read in one piece.
const VALUES_AT_ONCE: usize = 1 << 22;

/// Predictions that are in memory.
struct Given {
    probs: Vec<f32>,
    labels: Vec<ClassId>,
}

impl HeldOutRows for Given {
    fn labels(&self) -> &[ClassId] {
        &self.labels
    }

    fn all(&self) -> Result<Cow<'_, [f32]>> {
        Ok(Cow::Borrowed(&self.probs))
    }

    fn visit(&self, mut see: impl FnMut(&[f32], &[ClassId]) -> Result<()> + Send) -> Result<()> {
        see(&self.probs, &self.labels)
    }
}

impl fmt::Display for ClusterOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clusters, diagnosis, notes } = self;
        writeln!(f, "cluster  classes  examples  errors inside  class numbers")?;
        for (index, (classes, about)) in clusters.iter().zip(&diagnosis.clusters).enumerate() {
            let gain = 100.0 * about.oracle_gain;
            write!(f, "{index:>7}  {:>7}  {:>8}  {gain:>6.2} points  ", about.n_classes, about.n_examples)?;
            let shown: Vec<String> = classes.iter().take(N_SHOWN).map(u32::to_string).collect();
            writeln!(f, "{}{}", shown.join(" "), if classes.len() > N_SHOWN { " ..." } else { "" })?;
        }
        for note in notes {
            writeln!(f, "warning: {note}")?;
        }
        write!(f, "\n{}", diagnosis.recommendation)
    }
}

/// Class numbers of a cluster in the table; all of them are in the JSON.
const N_SHOWN: usize = 8;
