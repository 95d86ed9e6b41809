//! The tables of a sweep: its settings for people, its runs for programs.

use super::cell::{SweepCell, axis_keys, plain_value, short_key};
use super::importance::Importance;
use super::over_seeds::{OverSeeds, text_of};
use super::settings::{Setting, Settings};
use crate::contract::{ModelReport, Report};
use crate::format::{DASH, points, whole_percent};
use crate::role::rank;
use crate::table::{Cell, Field, Html, Markdown, Table, Terminal, cells, numbers, texts};

/// The settings side by side.
pub(super) fn settings(settings: &Settings) -> Table {
    let value = |key: &str, setting: &Setting| {
        let found = setting.axes.iter().find(|(known, _)| known == key);
        found.map_or(DASH.into(), |(_, value)| plain_value(value))
    };
    let key = |key: &String| {
        texts(short_key(key, &settings.keys), {
            let key = key.clone();
            move |setting: &Setting| value(&key, setting)
        })
    };
    let seeds = |setting: &Setting| match (setting.test.as_ref().map_or(0, OverSeeds::n_seeds), setting.n_failed) {
        (_, 0) if setting.n_dropped > 0 => Cell::text("dropped"),
        (n_seeds, 0) => Cell::text(n_seeds.to_string()),
        (n_seeds, n_failed) => {
            Cell { class: "worse".to_owned(), ..Cell::text(format!("{n_seeds} ({n_failed} failed)")) }
        }
    };
    let gain = |setting: &Setting| setting.gain.map(|(gain, _)| gain);
    let kept = |setting: &Setting| setting.gain_kept.as_ref().map(OverSeeds::mean);
    let mut fields: Vec<Field<'_, Setting>> = settings.keys.iter().map(key).collect();
    fields.extend([
        cells("Seeds", seeds).right_aligned().only_in(&[Markdown, Html]),
        summaries("Valid. %", |setting| setting.valid.as_ref()).only_in(&[Markdown, Html]),
        summaries("Test %", |setting| setting.test.as_ref()),
        summaries("Hard labels %", |setting| setting.twin.as_ref()).only_in(&[Html]),
        summaries("Teacher %", |setting| setting.teacher.as_ref()).only_in(&[Html]),
        numbers("Gain", points, gain),
        numbers("Kept", whole_percent, kept).only_in(&[Markdown, Html]),
        cells("Verdict", |setting: &Setting| Cell::verdict(setting.gain.and_then(|(_, verdict)| verdict), None)),
        texts("", |setting: &Setting| if setting.is_best { "best".into() } else { String::new() })
            .only_in(&[Terminal, Markdown]),
    ]);
    let note = "Marked: best by validation. ± half of the 95\u{a0}% interval of the mean, from three seeds on; of two seeds both values. Gain: points over hard labels at the same \
                seed; the verdict is a paired t test over seeds, from three on, or, for one seed, McNemar’s on the test examples. Kept: share \
                of the teacher’s gain over hard labels that the student keeps.";
    let mut table = Table::new("Settings", fields, &settings.settings).with_note(note);
    for (row, setting) in table.groups.iter_mut().flat_map(|group| &mut group.rows).zip(&settings.settings) {
        row.is_chosen = setting.is_best;
    }
    table
}

fn summaries<'a>(title: &str, summary: fn(&Setting) -> Option<&OverSeeds>) -> Field<'a, Setting> {
    let cell = move |setting: &Setting| Cell {
        value: summary(setting).map(OverSeeds::mean),
        ..Cell::text(text_of(summary(setting)))
    };
    cells(title, cell).right_aligned()
}

/// How much each axis matters.
pub(super) fn importances(found: &[Importance], settings: &Settings) -> Table {
    let measure = |axis: &Importance| if axis.is_by_rank { "rank correlation" } else { "means of its values" };
    let fields = vec![
        texts("Axis", |axis: &Importance| short_key(&axis.key, &settings.keys)),
        numbers("Values", |n| format!("{n}"), |axis: &Importance| Some(axis.n_values as f64)),
        numbers("Share", whole_percent, |axis: &Importance| Some(axis.share)),
        texts("By", |axis: &Importance| measure(axis).to_owned()),
    ];
    let note = "Share: how much of the differences in validation accuracy between the settings goes with this axis alone. By the means \
                of its values: epsilon squared, the part of the variance between them beyond what chance puts there. By rank correlation, for numbers of which \
                most are different: Spearman’s, squared. What axes do together is in none of them, so the shares need not add up \
                to 100\u{a0}%.";
    Table::new("What matters", fields, found).with_note(note)
}

/// A column of a model: its name and where its number comes from.
type Metric = (&'static str, fn(&ModelReport) -> f64);

/// What is written of every model, in this order.
const METRICS: [Metric; 5] = [
    ("test_top1", |model| model.top1),
    ("test_top5", |model| model.top5),
    ("test_nll", |model| model.nll),
    ("test_ece", |model| model.ece),
    ("valid_top1", |model| model.valid_top1),
];

/// The runs, for programs: the axes, `ok`, `failed` or `dropped`, the metrics of each model, the gain kept, seconds, and the message of
/// a failure. A number that a run does not have is an empty field.
pub(super) fn runs(cells: &[SweepCell]) -> Table {
    let status = |cell: &SweepCell| match (&cell.outcome, cell.is_dropped) {
        (Ok(_), _) => "ok".to_owned(),
        (Err(_), true) => "dropped".to_owned(),
        (Err(_), false) => "failed".to_owned(),
    };
    let keys = axis_keys(cells)
        .into_iter()
        .map(|key| texts(key.clone(), move |cell: &SweepCell| plain_value(cell.value(&key).unwrap_or_default())));
    let metrics = model_names(cells).into_iter().flat_map(|name| {
        METRICS.map(|(metric, value)| {
            let title = format!("{name}.{metric}");
            let name = name.clone();
            measured(title, move |report| report.models.iter().find(|model| model.name == name).map(value))
        })
    });
    let fields = keys.chain([texts("status", status)]).chain(metrics).chain([
        measured("gain_kept", |report| report.gain_kept),
        measured("total_train_seconds", |report| Some(report.total_train_seconds)),
        measured("wall_seconds", |report| Some(report.wall_seconds)),
        texts("message", |cell: &SweepCell| cell.outcome.as_ref().err().cloned().unwrap_or_default()),
    ]);
    Table::new("Runs", fields.collect(), cells)
}

/// A number of the report of a run.
fn measured<'a>(title: impl Into<String>, value: impl Fn(&Report) -> Option<f64> + 'a) -> Field<'a, SweepCell> {
    let value = move |cell: &SweepCell| cell.outcome.as_ref().ok().and_then(&value);
    cells(title, move |cell| Cell { value: value(cell), ..Cell::default() })
}

/// Every model but the specialists, of which there may be hundreds.
fn model_names(cells: &[SweepCell]) -> Vec<String> {
    let reports = cells.iter().filter_map(|cell| cell.outcome.as_ref().ok());
    let mut names: Vec<String> = reports.flat_map(Report::main_models).map(|model| model.name.clone()).collect();
    names.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    names.dedup();
    names
}
