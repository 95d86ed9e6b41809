//! What to try after a run without a gain: config keys and values, from what the run knows.

use crate::contract::Report;
use crate::findings::is_still_improving;
use crate::page::Curve;
use crate::role::{Role, Section};
use crate::statistics::Verdict;

/// A training with fewer optimizer steps can hardly have learned.
const FEW_STEPS: u64 = 300;
/// Steps that are enough for most data.
const ENOUGH_STEPS: u64 = 1000;

/// How long one role's training was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingLength {
    /// the table of the config
    pub section: Section,
    /// epochs in the config
    pub n_epochs: u64,
    /// optimizer steps of all epochs; of the specialist with the fewest
    pub n_steps: u64,
}

impl TrainingLength {
    fn is_short(&self) -> bool {
        self.n_steps < FEW_STEPS
    }

    fn enough_epochs(&self) -> u64 {
        (self.n_epochs * ENOUGH_STEPS).div_ceil(self.n_steps.max(1))
    }
}

/// A warning for each training with too few optimizer steps.
pub fn few_steps(lengths: &[TrainingLength]) -> Vec<String> {
    let short = lengths.iter().filter(|length| length.is_short());
    short
        .map(|length| {
            format!(
                "{}.training makes {} optimizer steps, which is seldom enough: expected {FEW_STEPS} or more; set n_epochs = {}, or a smaller batch_size.",
                length.section,
                length.n_steps,
                length.enough_epochs()
            )
        })
        .collect()
}

/// What to change in the config; empty after a run whose student beats its twin.
pub fn next_steps(report: &Report, curves: &[Curve], lengths: &[TrainingLength]) -> Vec<String> {
    let student = report.comparison(Role::Student, Role::TwinOnLabels);
    let merged = report.comparison(Role::MergedEnsemble, Role::Generalist);
    let has_gain = |found: &Option<crate::statistics::Comparison>| {
        found.as_ref().is_none_or(|comparison| comparison.verdict == Verdict::Beats)
    };
    if has_gain(&student) && has_gain(&merged) {
        return Vec::new();
    }
    let mut found: Vec<String> = lengths.iter().filter(|length| length.is_short()).map(longer).collect();
    for role in [Role::Generalist, Role::Student] {
        found.extend(still_falling(report, curves, lengths, role));
    }
    found.extend(lost_specialists(report));
    found.extend(weak_teacher(report));
    found.extend(plain_ensemble_ahead(report));
    found
}

fn longer(length: &TrainingLength) -> String {
    format!(
        "{}.training.n_epochs = {}: it made {} optimizer steps only.",
        length.section,
        length.enough_epochs(),
        length.n_steps
    )
}

fn still_falling(report: &Report, curves: &[Curve], lengths: &[TrainingLength], role: Role) -> Option<String> {
    let section = role.section();
    let length = lengths.iter().find(|length| length.section == section && !length.is_short())?;
    is_still_improving(report, curves, role)
        .then(|| format!("{section}.training.n_epochs = {}: it was still improving at the end.", 2 * length.n_epochs))
}

fn lost_specialists(report: &Report) -> Option<String> {
    let n_lost = report.clusters.iter().filter(|cluster| cluster.helps_on_valid == Some(false)).count();
    let n_clusters = report.clusters.len();
    (n_lost > 0 && n_clusters > 2).then(|| {
        format!(
            "clustering.method.n_clusters = {}: {n_lost} of {n_clusters} specialists do not beat the generalist on validation examples of their own classes; larger clusters give each more examples.",
            (n_clusters / 2).max(2)
        )
    })
}

/// A teacher without a gain: more generalists, unless several are merged already, or a larger one.
fn weak_teacher(report: &Report) -> Option<String> {
    let comparison = report.comparison(report.students_teacher(), Role::TwinOnLabels)?;
    let generalist = report.model(Role::Generalist).filter(|model| !model.is_external())?;
    let teacher = report.model(report.students_teacher())?;
    if !report.doubted_teachers.is_empty() {
        return None;
    }
    let has_several = report.clusters.is_empty() && teacher.n_parameters > generalist.n_parameters;
    let remedy = if has_several { "A" } else { "generalist.n_models = 3, or a" };
    (comparison.verdict != Verdict::Beats).then(|| {
        format!("{remedy} larger generalist.model: the teacher is no better than the student's hard-label twin.")
    })
}

/// By the validation split: what follows from the test split would be chosen by it.
fn plain_ensemble_ahead(report: &Report) -> Option<String> {
    let [merged, plain] =
        [Role::MergedEnsemble, Role::PlainEnsemble].map(|role| report.model(role).map(|model| model.valid_top1));
    (plain? > merged?).then(|| {
        "generalist.n_models = 4, without [clustering] and [specialists]: the plain ensemble of the same cost is ahead on \
         validation, and its targets make the better student."
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{comparison, report};
    use crate::{EpochPoint, Report};

    fn length(n_steps: u64) -> TrainingLength {
        TrainingLength { section: Section::Student, n_epochs: 20, n_steps }
    }

    fn without_gain() -> Report {
        let comparisons = vec![comparison(Role::Student, Role::TwinOnLabels, 0.0, 0.01)];
        Report { comparisons, clusters: vec![], ..report() }
    }

    #[test]
    fn a_run_with_a_gain_and_one_without_a_cause_have_no_list() {
        let gain = Report { comparisons: vec![comparison(Role::Student, Role::TwinOnLabels, 0.05, 0.01)], ..report() };
        assert!(next_steps(&gain, &[], &[length(100)]).is_empty());
        assert!(next_steps(&without_gain(), &[], &[length(2000)]).is_empty());
    }

    #[test]
    fn short_trainings_are_told_with_enough_epochs() {
        assert_eq!(few_steps(&[length(300)]), Vec::<String>::new());
        assert!(few_steps(&[length(100)])[0].contains("n_epochs = 200"));
        assert!(next_steps(&without_gain(), &[], &[length(100)])[0].starts_with("student.training.n_epochs = 200"));
    }

    #[test]
    fn a_model_that_still_improves_gets_twice_the_epochs() {
        let point = |epoch: u64| EpochPoint {
            epoch,
            train_loss: 1.0,
            valid_loss: None,
            valid_top1: Some(epoch as f64 / 40.0),
            learning_rate: 0.1,
        };
        for role in [Role::Student, Role::Generalist] {
            let curve = Curve { model: role.name(), epochs: (1..=20).map(point).collect() };
            let length = TrainingLength { section: role.section(), ..length(2000) };
            let expected = format!("{}.training.n_epochs = 40", role.section());
            assert!(next_steps(&without_gain(), &[curve], &[length])[0].starts_with(&expected));
        }
    }

    #[test]
    fn lost_specialists_get_fewer_clusters() {
        let lost = Report { clusters: report().clusters, ..without_gain() };
        assert!(next_steps(&lost, &[], &[])[0].starts_with("clustering.method.n_clusters = 4: 2 of 8"));
    }

    #[test]
    fn a_weak_teacher_and_a_better_plain_ensemble_are_told() {
        let mut weak = without_gain();
        weak.comparisons.push(comparison(Role::MergedEnsemble, Role::TwinOnLabels, 0.0, 0.01));
        let n_parameters = weak.model(Role::Generalist).unwrap().n_parameters;
        for (n_generalists, expected) in [(1, "generalist.n_models = 3"), (3, "A larger generalist.model")] {
            let merged = weak.models.iter_mut().find(|model| model.name == Role::MergedEnsemble.name()).unwrap();
            merged.n_parameters = n_generalists * n_parameters;
            assert!(next_steps(&weak, &[], &[])[0].starts_with(expected));
        }
        let mut plain = without_gain();
        let merged = plain.model(Role::MergedEnsemble).unwrap().valid_top1;
        for (valid_top1, is_told) in [(merged + 0.01, true), (merged, false)] {
            let of_plain = plain.models.iter_mut().find(|model| model.name == Role::PlainEnsemble.name()).unwrap();
            of_plain.valid_top1 = valid_top1;
            let first = next_steps(&plain, &[], &[]).first().cloned().unwrap_or_default();
            assert_eq!(first.starts_with("generalist.n_models = 4"), is_told, "{first}");
        }
    }
}
