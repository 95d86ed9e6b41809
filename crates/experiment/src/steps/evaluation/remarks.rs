//! Sentences of the report about how the run went, and the lengths of its trainings.

use super::scores::Evaluation;
use crate::report::{TrainingLength, counted};
use crate::role::Section;
use stillhouse_core::{ClassSubset, Temperature};
use stillhouse_ensemble::{Calibration, TeacherWeights};
use stillhouse_train::{Sampler, TrainingConfig};

impl Evaluation<'_> {
    /// A student that cannot be made small enough.
    pub(super) fn nothing_ships(&self) -> Option<String> {
        let ship = self.models.ship.filter(|ship| ship.shipped.is_none())?;
        let tried: Vec<String> = ship.report.attempts.iter().map(ToString::to_string).collect();
        Some(format!("Nothing ships within [ship] max_bytes and max_loss; tried: {}.", tried.join("; ")))
    }

    /// Epochs and optimizer steps of each role in the config; of the specialists, those of the smallest. The student learns from
    /// `n_student` examples.
    pub(super) fn training_lengths(&self, n_student: usize) -> Vec<TrainingLength> {
        let config = self.session.config;
        let length = |section, training: &TrainingConfig, n_rows| TrainingLength {
            section,
            n_epochs: training.n_epochs as u64,
            n_steps: (training.n_epochs * training.steps_per_epoch(n_rows)) as u64,
        };
        let n_train = self.session.data.train.len();
        let generalist = config.generalist.as_ref().map(|c| length(Section::Generalist, &c.training, n_train));
        let epoch_len =
            |subset: &ClassSubset| Sampler::half_and_half(&self.session.data.train, subset).epoch_len(n_train);
        let smallest = self.models.teachers.specialists.specialists.iter().map(|s| epoch_len(&s.subset)).min();
        let specialists = config
            .specialists
            .as_ref()
            .zip(smallest)
            .map(|(c, n_rows)| length(Section::Specialists, &c.training, n_rows));
        let student = length(Section::Student, &config.student.training, n_student);
        [generalist, specialists, Some(student)].into_iter().flatten().collect()
    }

    /// A sentence for each specialist that is missing, since its clusters' numbers are missing too.
    pub(super) fn failed_specialists(&self) -> Vec<String> {
        let is_there = |cluster_idx: &usize| {
            self.models.teachers.specialists.specialists.iter().any(|s| s.cluster_idx == *cluster_idx)
        };
        let n_clusters = self.clustered.map_or(0, |clustered| clustered.clustering.clusters().len());
        let failed = (0..n_clusters).filter(|cluster_idx| !is_there(cluster_idx));
        failed.map(|idx| format!("Specialist {idx} failed and is left out of everything below.")).collect()
    }

    /// A fit of the merge that found no best value.
    pub(super) fn extreme_fit(&self) -> Option<String> {
        let is_fitted = self.session.config.merge.calibration == Calibration::Temperature
            || self.session.config.merge.weights == TeacherWeights::Fitted {};
        (is_fitted && self.models.teachers.specialists.fitted.is_extreme()).then(|| {
            "A temperature or weight of the merge was fitted to the end of its range: the validation split is too small \
             or too easy to tell."
                .to_owned()
        })
    }

    /// Names of external teachers that were warned of before anything was trained.
    pub(super) fn doubted_teachers(&self) -> Vec<String> {
        let doubted = self.session.external.iter().filter(|external| external.is_doubted);
        doubted.map(|external| external.name.clone()).collect()
    }

    /// What the numbers of teachers from elsewhere leave out, and what else is to be known of the numbers; students on soft
    /// targets learned from `n_student` examples.
    pub(super) fn notes(&self, n_student: usize) -> Vec<String> {
        let names: Vec<&str> = self.session.external.iter().map(|external| external.name.as_str()).collect();
        let text = format!(
            "Size, training cost and latency of external teachers are not known and are counted as nothing: {}.",
            names.join(", ")
        );
        let of_external = (!names.is_empty()).then_some(text);
        let student = &self.session.student;
        let (n_read, n_unlabelled) = (student.n_unlabelled(), n_student - student.labelled.len());
        let confident = self.session.config.student.min_confidence.map(|min_confidence| {
            format!(
                "Of {n_read} examples without labels students learned from {n_unlabelled}: the student's teacher gives their \
                 most probable class at least {min_confidence}."
            )
        });
        let of_transfer = (n_unlabelled > 0).then(|| {
            format!(
                "Students on soft targets also saw {n_unlabelled} examples without labels, in as many more steps; the twin on \
                 hard labels cannot, so that its distance is not that of the targets alone."
            )
        });
        let temperature = self.models.teachers.specialists.fitted.temperature;
        let of_calibration = (temperature != Temperature::ONE).then(|| {
            format!("The merged logits are divided by {:.3}, fitted on the validation split.", temperature.get())
        });
        of_external.into_iter().chain(of_transfer).chain(confident).chain(of_calibration).collect()
    }
}

/// A sentence on merges that are not exact.
pub(super) fn unmet_merges(n_unmet: usize) -> Option<String> {
    let text = "The solver of the merge did not meet its tolerance on";
    (n_unmet > 0).then(|| format!("{text} {}.", counted(n_unmet, "test example")))
}
