//! An external teacher in a run: its stored predictions.
//!
//! N examples, C classes, L classes of the teacher.

use crate::error::{ExperimentError, Result};
use crate::stage::Stage;
use std::collections::BTreeMap;
use stillhouse_core::{ExampleView, Temperature};
use stillhouse_data::{Source, Split};
use stillhouse_ensemble::TeacherScope;
use stillhouse_targets::SoftTargets;

/// A teacher that is known by its predictions only.
pub(crate) struct External {
    pub name: String,
    /// Stands for its predictions, how they are read and how much they count.
    pub stage: Stage,
    pub scope: TeacherScope,
    pub weight: f64,
    /// Its probabilities for every example of a source, in the order of its scope.
    pub predictions: BTreeMap<Source, SoftTargets>,
    /// Whether its predictions are hardly what the config says, or do not fit the labels; the user was told why.
    pub is_doubted: bool,
}

impl External {
    /// Whether it knows every class.
    pub fn is_complete(&self) -> bool {
        matches!(self.scope, TeacherScope::Full)
    }

    /// Its predictions for the rows of a split, `[N, C]`, `[N, L + 1]` or `[N, L]`.
    pub fn predict(&self, split: &Split) -> Result<Vec<f32>> {
        let (source, _) = split.source();
        let keys: Vec<ExampleView> =
            (0..split.len()).map(|row| ExampleView { example: split.example_id(row), view: None }).collect();
        let predictions = self.predictions.get(&source).expect("files for every source were asked for");
        let probs = predictions.dense_batch(&keys, Temperature::ONE);
        probs.map_err(|error| ExperimentError::BadData(anyhow::Error::from(error).context(self.name.clone())))
    }
}
