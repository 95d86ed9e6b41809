//! Cells that differ only in the seed, put together.

use super::cell::{SEED_AXIS, SweepCell, axis_keys, plain_value, short_key};
use super::over_seeds::OverSeeds;
use crate::contract::{ModelReport, Report};
use crate::role::Role;
use crate::statistics::{Verdict, compare_over_seeds};

/// The model that a sweep is about: the first of these that any cell has.
const SUBJECTS: [Role; 3] = [Role::Student, Role::MergedEnsemble, Role::Generalist];

/// What it is compared with.
pub(super) const TWIN: Role = Role::TwinOnLabels;

/// One combination of all axes but the seed.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// key and value of every axis but the seed
    pub(super) axes: Vec<(String, String)>,
    /// cells that failed
    pub(super) n_failed: usize,
    /// cells that a search did not go on with
    pub(super) n_dropped: usize,
    /// the subject's validation top-1
    pub(super) valid: Option<OverSeeds>,
    /// the subject's test top-1
    pub(super) test: Option<OverSeeds>,
    /// its hard-label twin's test top-1
    pub(super) twin: Option<OverSeeds>,
    /// the student's teacher's test top-1
    pub(super) teacher: Option<OverSeeds>,
    /// share of the teacher's gain that the student keeps
    pub(super) gain_kept: Option<OverSeeds>,
    /// student minus twin, and the verdict: over seeds, or the one run's own
    pub(super) gain: Option<(f64, Option<Verdict>)>,
    /// validation examples of all seeds together
    pub(super) n_valid: u64,
    /// whether it is the best on the validation split
    pub(super) is_best: bool,
}

/// Standard errors by which two accuracies have to differ, for a level of 5 %.
const TOLD_APART: f64 = 1.96;

impl Setting {
    /// The value of an axis; none where the axis does not exist in this setting.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.axes.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    fn is_apart_from(&self, other: &Self) -> bool {
        let of = |setting: &Self| {
            let mean = setting.valid.as_ref().map_or(f64::NAN, OverSeeds::mean);
            (mean, mean * (1.0 - mean) / setting.n_valid.max(1) as f64)
        };
        let ((a, variance_a), (b, variance_b)) = (of(self), of(other));
        (a - b).abs() > TOLD_APART * (variance_a + variance_b).sqrt()
    }
}

/// The settings of a sweep.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// the model that the numbers are of
    pub(super) subject: Role,
    /// keys of all axes but the seed
    pub(super) keys: Vec<String>,
    /// in the order of first appearance
    pub(super) settings: Vec<Setting>,
}

impl Settings {
    /// Groups the cells by all axes but the seed.
    pub(super) fn of(cells: &[SweepCell]) -> Self {
        let keys: Vec<String> = axis_keys(cells).into_iter().filter(|key| key != SEED_AXIS).collect();
        let subject = subject(cells);
        let mut combinations: Vec<Vec<(String, String)>> = Vec::new();
        for axes in cells.iter().map(axes_but_seed) {
            if !combinations.contains(&axes) {
                combinations.push(axes);
            }
        }
        let members = |axes: &[(String, String)]| -> Vec<&SweepCell> {
            cells.iter().filter(|cell| axes_but_seed(cell) == axes).collect()
        };
        let mut settings: Vec<Setting> =
            combinations.into_iter().map(|axes| setting(&members(&axes), axes, subject)).collect();
        mark_best(&mut settings);
        Self { subject, keys, settings }
    }

    /// `temperature = 4, rule = exact`
    pub(super) fn described(&self, setting: &Setting) -> String {
        if setting.axes.is_empty() {
            return "the only setting".into();
        }
        self.written(&setting.axes, "\u{a0}=\u{a0}")
    }

    /// Keys and values of axes, the keys as short as can be.
    pub(super) fn written(&self, axes: &[(String, String)], equals: &str) -> String {
        let part =
            |(key, value): &(String, String)| format!("{}{equals}{}", short_key(key, &self.keys), plain_value(value));
        axes.iter().map(part).collect::<Vec<_>>().join(", ")
    }

    /// How many other settings cannot be told apart from the best by their validation accuracy.
    ///
    /// The test of two proportions, as if the settings had other validation examples: reports do not hold single answers. On
    /// shared examples it is cautious.
    pub(super) fn n_like_the_best(&self) -> Option<usize> {
        let best = self.best()?;
        let is_like = |other: &&Setting| !other.is_best && other.valid.is_some() && !best.is_apart_from(other);
        Some(self.settings.iter().filter(is_like).count())
    }

    /// The best on the validation split.
    pub(super) fn best(&self) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.is_best)
    }
}

/// The model that a search is about, and its validation top-1: the student, or the last teacher of a report without one.
pub fn validation_of(report: &Report) -> Option<(String, f64)> {
    SUBJECTS.into_iter().find_map(|role| report.model(role)).map(|model| (model.name.clone(), model.valid_top1))
}

fn axes_but_seed(cell: &SweepCell) -> Vec<(String, String)> {
    cell.axes.iter().filter(|(key, _)| key != SEED_AXIS).cloned().collect()
}

fn subject(cells: &[SweepCell]) -> Role {
    let has = |role: Role| cells.iter().flat_map(|cell| &cell.outcome).any(|report| report.model(role).is_some());
    SUBJECTS.into_iter().find(|role| has(*role)).unwrap_or(SUBJECTS[0])
}

fn setting(cells: &[&SweepCell], axes: Vec<(String, String)>, subject: Role) -> Setting {
    let reports: Vec<&Report> = cells.iter().filter_map(|cell| cell.outcome.as_ref().ok()).collect();
    let over_seeds = |role: Role, metric: fn(&ModelReport) -> f64| {
        OverSeeds::of(reports.iter().filter_map(|report| report.model(role)).map(metric))
    };
    let of_teachers = reports.iter().filter_map(|report| report.model(report.students_teacher()));
    Setting {
        n_failed: cells.iter().filter(|cell| cell.outcome.is_err() && !cell.is_dropped).count(),
        n_dropped: cells.iter().filter(|cell| cell.is_dropped).count(),
        valid: over_seeds(subject, |model| model.valid_top1),
        test: over_seeds(subject, |model| model.top1),
        twin: over_seeds(TWIN, |model| model.top1),
        teacher: OverSeeds::of(of_teachers.map(|model| model.top1)),
        gain_kept: OverSeeds::of(reports.iter().filter_map(|report| report.gain_kept)),
        gain: gain(&reports, subject),
        n_valid: reports.iter().map(|report| report.dataset.n_valid).sum(),
        is_best: false,
        axes,
    }
}

/// One seed has the paired test of its own examples, three and more the paired test over seeds. A test of two has hardly any
/// power, and calls equal differences certain.
fn gain(reports: &[&Report], subject: Role) -> Option<(f64, Option<Verdict>)> {
    let pairs = reports.iter().filter_map(|report| Some((report.model(subject)?.top1, report.model(TWIN)?.top1)));
    let (subjects, twins): (Vec<f64>, Vec<f64>) = pairs.unzip();
    let compared = compare_over_seeds(&subjects, &twins)?;
    let own = || reports.first().and_then(|report| report.comparison(subject, TWIN)).map(|own| own.verdict);
    let verdict = match reports.len() {
        1 => own(),
        2 => None,
        _ => compared.verdict,
    };
    Some((compared.difference.mean, verdict))
}

/// The first of equal ones, so that the mark does not depend on the order of equal floats.
fn mark_best(settings: &mut [Setting]) {
    let valid = |setting: &Setting| setting.valid.as_ref().map(OverSeeds::mean);
    let best = settings.iter().filter_map(valid).fold(f64::NEG_INFINITY, f64::max);
    if let Some(setting) = settings.iter_mut().find(|setting| valid(setting) == Some(best)) {
        setting.is_best = true;
    }
}
