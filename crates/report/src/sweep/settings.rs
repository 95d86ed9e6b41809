//! Cells that differ only in the seed, put together.

use super::cell::{SEED_AXIS, SweepCell, axis_keys, plain_value, short_key};
use crate::contract::{ModelReport, Report};
use crate::role::Role;
use crate::statistics::{SeedSummary, Verdict, compare_over_seeds, summarise_seeds};

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
    /// the subject's validation top-1
    pub(super) valid: Option<SeedSummary>,
    /// the subject's test top-1
    pub(super) test: Option<SeedSummary>,
    /// its hard-label twin's test top-1
    pub(super) twin: Option<SeedSummary>,
    /// the student's teacher's test top-1
    pub(super) teacher: Option<SeedSummary>,
    /// share of the teacher's gain that the student keeps
    pub(super) gain_kept: Option<SeedSummary>,
    /// student minus twin, and the verdict: over seeds, or the one run's own
    pub(super) gain: Option<(f64, Option<Verdict>)>,
    /// whether it is the best on the validation split
    pub(super) is_best: bool,
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

    /// The best on the validation split.
    pub(super) fn best(&self) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.is_best)
    }
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
        let values: Vec<f64> = reports.iter().filter_map(|report| report.model(role)).map(metric).collect();
        summarise_seeds(&values)
    };
    let of_teachers = reports.iter().filter_map(|report| report.model(report.students_teacher()));
    let teachers: Vec<f64> = of_teachers.map(|model| model.top1).collect();
    let kept: Vec<f64> = reports.iter().filter_map(|report| report.gain_kept).collect();
    Setting {
        n_failed: cells.len() - reports.len(),
        valid: over_seeds(subject, |model| model.valid_top1),
        test: over_seeds(subject, |model| model.top1),
        twin: over_seeds(TWIN, |model| model.top1),
        teacher: summarise_seeds(&teachers),
        gain_kept: summarise_seeds(&kept),
        gain: gain(&reports, subject),
        is_best: false,
        axes,
    }
}

/// One seed has the paired test of its own examples, several seeds the paired test over seeds.
fn gain(reports: &[&Report], subject: Role) -> Option<(f64, Option<Verdict>)> {
    let pairs = reports.iter().filter_map(|report| Some((report.model(subject)?.top1, report.model(TWIN)?.top1)));
    let (subjects, twins): (Vec<f64>, Vec<f64>) = pairs.unzip();
    let compared = compare_over_seeds(&subjects, &twins)?;
    let own = || reports.first().and_then(|report| report.comparison(subject, TWIN)).map(|own| own.verdict);
    let verdict = if reports.len() == 1 { own() } else { compared.verdict };
    Some((compared.difference.mean, verdict))
}

/// The first of equal ones, so that the mark does not depend on the order of equal floats.
fn mark_best(settings: &mut [Setting]) {
    let valid = |setting: &Setting| setting.valid.map(|summary| summary.mean);
    let best = settings.iter().filter_map(valid).fold(f64::NEG_INFINITY, f64::max);
    if let Some(setting) = settings.iter_mut().find(|setting| valid(setting) == Some(best)) {
        setting.is_best = true;
    }
}
