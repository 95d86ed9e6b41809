//! The examples that students learn from: the training examples or some of them, and those without labels.

use crate::config::StudentConfig;
use crate::error::{Result, unusable_store};
use rayon::prelude::*;
use stillhouse_core::{ClassId, ExampleView, Seed, ViewId};
use stillhouse_data::{Split, TrainingData};
use stillhouse_targets::{SoftTargets, TargetsError};

/// What students learn from.
pub(crate) struct StudentExamples {
    /// Examples with labels, for the student on hard labels.
    pub labelled: Split,
    /// The same, then those without labels, for students on soft targets.
    pub all: Split,
    /// Hash over all that soft targets are stored for.
    pub fingerprint: String,
    /// What tells the labelled ones from all training examples; nothing where they are all of them.
    pub choice: Option<String>,
}

impl StudentExamples {
    /// The examples that the config asks for; its names of classes are those of the data.
    pub fn new(config: &StudentConfig, data: &TrainingData, seed: Seed) -> Self {
        let (labelled, all, choice) = chosen(config, data, seed);
        let mix = config.mix.as_ref().map(|mix| mix.share);
        let all = mix.into_iter().fold(all, Split::mixed);
        let mix = mix.map(|share| format!("mix {share} {}", seed.0));
        let parts = [Some(data.student_fingerprint()), choice.clone(), mix];
        let fingerprint = parts.into_iter().flatten().collect::<Vec<_>>().join("+");
        Self { labelled, all, fingerprint, choice }
    }

    /// The examples of which a teacher is sure enough: all with labels, and those without to whose most probable class it gives
    /// at least `min_confidence`, in the mean of the views.
    ///
    /// # Errors
    /// Soft targets of other examples.
    pub fn confident(&self, targets: &SoftTargets, views: &[Option<ViewId>], min_confidence: f64) -> Result<Split> {
        let is_sure = |row: usize| {
            let example = self.all.example_id(row);
            let top = |view: &Option<ViewId>| targets.top_prob(ExampleView { example, view: *view }).map(f64::from);
            let sum: f64 = views.iter().map(top).sum::<std::result::Result<f64, TargetsError>>()?;
            Ok((sum >= min_confidence * views.len() as f64).then_some(row))
        };
        let unlabelled =
            (self.labelled.len()..self.all.len()).into_par_iter().filter_map(|row| is_sure(row).transpose());
        let unlabelled = unlabelled.collect::<std::result::Result<Vec<usize>, TargetsError>>();
        let unlabelled = unlabelled.map_err(|error| unusable_store(&error))?;
        let rows: Vec<usize> = (0..self.labelled.len()).chain(unlabelled).collect();
        Ok(self.all.select(&rows))
    }

    /// How many have no label.
    pub fn n_unlabelled(&self) -> usize {
        self.all.len() - self.labelled.len()
    }
}

/// The training examples that the config chooses, the same with those without labels, and a name of the choice.
fn chosen(config: &StudentConfig, data: &TrainingData, seed: Seed) -> (Split, Split, Option<String>) {
    let (train, all) = (&data.train, data.student_examples());
    let Some(examples) = &config.examples else { return (train.clone(), all.clone(), None) };
    let mut rows: Vec<usize> = match examples.fraction {
        Some(fraction) => train.part_of_each_class(fraction, seed.derive("examples of the student", 0)),
        None => (0..train.len()).collect(),
    };
    let is_left_out = |class: ClassId| examples.without_classes.contains(&data.labels[class.index()]);
    rows.retain(|row| !is_left_out(train.label(*row)));
    let unlabelled = train.len()..all.len();
    let of_all: Vec<usize> = rows.iter().copied().chain(unlabelled).collect();
    let choice = format!("{} {:?} {:?}", seed.0, examples.fraction, examples.without_classes);
    (train.select(&rows), all.select(&of_all), Some(choice))
}
