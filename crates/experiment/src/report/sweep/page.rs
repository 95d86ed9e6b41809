//! `sweep.html`: what the axes do, the settings side by side, the best by validation, failures.

use super::axes::{AxisView, along_axis};
use super::markdown::{described, failure_sentence, headline, summary_text};
use super::settings::{Setting, Settings};
use super::{SweepCell, plain_value, short_key};
use crate::report::contract::{PortfolioPoint, Report};
use crate::report::format::{DASH, counted, percent, points, si, truncated, whole_percent};
use crate::report::html::{render, style_sheet, verdict_class};
use crate::report::svg::Mark;
use crate::report::svg::rows::{Ink, Row, RowChart};
use crate::report::svg::scale::Scale;
use crate::report::svg::scatter::{Point, Scatter};
use crate::role::Role;
use crate::statistics::SeedSummary;
use serde::Serialize;

const SWEEP_TEMPLATE: &str = include_str!("sweep.html.j2");

/// Settings in the chart of compute.
const N_SETTINGS_COMPARED: usize = 12;

/// Settings in the chart.
const N_SETTINGS_CHARTED: usize = 60;

#[derive(Serialize)]
struct View<'a> {
    style_sheet: &'static str,
    name: &'a str,
    headline: String,
    subject: String,
    n_cells: String,
    failure_sentence: Option<String>,
    settings_svg: String,
    compute_svg: Option<String>,
    n_more_settings: usize,
    axes: Vec<AxisView>,
    keys: Vec<String>,
    rows: Vec<RowView>,
    failures: Vec<(String, String)>,
}

#[derive(Serialize)]
struct RowView {
    values: Vec<String>,
    n_seeds: usize,
    n_failed: usize,
    valid: String,
    test: String,
    twin: String,
    ensemble: String,
    gain: String,
    kept: String,
    verdict: Option<(&'static str, &'static str)>,
    is_best: bool,
}

/// The whole page as text.
pub fn sweep_html(name: &str, cells: &[SweepCell]) -> String {
    let settings = Settings::of(cells);
    let (settings_svg, n_more_settings) = settings_chart(&settings);
    let failures: Vec<(String, String)> = cells.iter().filter_map(failure).collect();
    let view = View {
        style_sheet: style_sheet(),
        name,
        headline: headline(&settings),
        subject: settings.subject.title().into_owned(),
        n_cells: format!("{}, {}", counted(settings.settings.len(), "setting"), counted(cells.len(), "run")),
        failure_sentence: failure_sentence(cells),
        settings_svg,
        compute_svg: compute_chart(cells, &settings),
        n_more_settings,
        axes: settings.keys.iter().filter_map(|key| along_axis(key, &settings)).collect(),
        keys: settings.keys.iter().map(|key| short_key(key, &settings.keys)).collect(),
        rows: settings.settings.iter().map(|setting| row(setting, &settings.keys)).collect(),
        failures,
    };
    render(SWEEP_TEMPLATE, &view)
}

fn failure(cell: &SweepCell) -> Option<(String, String)> {
    let message = cell.outcome.as_ref().err()?;
    let axes = cell.axes.iter().map(|(key, value)| format!("{key} = {}", plain_value(value))).collect::<Vec<_>>();
    Some((axes.join(", "), message.clone()))
}

fn row(setting: &Setting, keys: &[String]) -> RowView {
    let value = |key: &String| setting.axes.iter().find(|(known, _)| known == key).map(|(_, value)| plain_value(value));
    RowView {
        values: keys.iter().map(|key| value(key).unwrap_or(DASH.into())).collect(),
        n_seeds: setting.test.map_or(0, |summary| summary.n_seeds),
        n_failed: setting.n_failed,
        valid: summary_text(setting.valid),
        test: summary_text(setting.test),
        twin: summary_text(setting.twin),
        ensemble: summary_text(setting.ensemble),
        gain: setting.gain.map_or(DASH.into(), |(gain, _)| points(gain)),
        kept: setting.gain_kept.map_or(DASH.into(), |kept| whole_percent(kept.mean)),
        verdict: setting.gain.and_then(|(_, verdict)| verdict).map(|verdict| (verdict.word(), verdict_class(verdict))),
        is_best: setting.is_best,
    }
}

/// The interval of a mean, or the mean alone.
pub(super) fn ends(summary: SeedSummary) -> [f64; 2] {
    summary.ci95.unwrap_or([summary.mean; 2])
}

/// Accuracy of the merged ensembles and of plain ones over the compute of their training, means over seeds; nothing where
/// all settings share one merged ensemble.
fn compute_chart(cells: &[SweepCell], settings: &Settings) -> Option<String> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let point = |of: &[&PortfolioPoint], mark, class, label: String| {
        let flops = mean(&of.iter().map(|point| point.train_flops).collect::<Vec<_>>());
        let top1 = mean(&of.iter().map(|point| point.top1).collect::<Vec<_>>());
        let tooltip = format!("{label}: {} FLOPs, test {} %", si(flops), percent(top1));
        Point { x: flops, y: top1, mark, class, label, tooltip }
    };
    let reports: Vec<(&SweepCell, &Report)> =
        cells.iter().filter_map(|cell| Some((cell, cell.outcome.as_ref().ok()?))).collect();
    let mut points: Vec<Point> = Vec::new();
    for setting in settings.settings.iter().take(N_SETTINGS_COMPARED) {
        let is_here = |cell: &SweepCell| setting.axes.iter().all(|(key, value)| cell.value(key) == Some(value));
        let here = reports.iter().filter(|(cell, _)| is_here(cell));
        let last: Vec<&PortfolioPoint> = here.filter_map(|(_, report)| report.portfolio.last()).collect();
        if last.iter().any(|point| point.n_specialists > 0) {
            points.push(point(&last, Mark::Square, Role::MergedEnsemble.colour(), described(setting, &settings.keys)));
        }
    }
    let first = points.first()?;
    if points.iter().all(|point| point.x == first.x && point.y == first.y) {
        return None;
    }
    let plain: Vec<&PortfolioPoint> =
        reports.iter().flat_map(|(_, report)| &report.portfolio).filter(|point| point.n_specialists == 0).collect();
    for n in 1..=plain.iter().map(|point| point.n_generalists).max().unwrap_or(0) {
        let of: Vec<&PortfolioPoint> = plain.iter().copied().filter(|point| point.n_generalists == n).collect();
        let label = counted(n as usize, "generalist");
        // settings with different generalists have no common curve
        if of.iter().any(|point| point.train_flops != of[0].train_flops) {
            break;
        }
        points.push(point(&of, Mark::Ring, Role::PlainEnsemble.colour(), label));
    }
    let scatter = Scatter {
        height: 320.0,
        x: Scale::log(points.iter().map(|point| point.x)),
        y: Scale::linear_within(points.iter().map(|point| point.y), [0.0, 1.0], 5),
        x_title: "floating-point operations of all trainings (logarithmic)".into(),
        points,
    };
    Some(scatter.render("test top-1 accuracy of merged and plain ensembles over the compute of their training"))
}

/// All settings on one axis.
fn settings_chart(settings: &Settings) -> (String, usize) {
    let known: Vec<(&Setting, SeedSummary)> =
        settings.settings.iter().filter_map(|setting| Some((setting, setting.test?))).collect();
    let (shown, n_more) = truncated(&known, N_SETTINGS_CHARTED);
    let chart_row = |(setting, test): &(&Setting, SeedSummary)| {
        let [from, to] = ends(*test);
        let class = if setting.is_best { Role::Student.colour() } else { Role::TwinOnLabels.colour() };
        Row {
            label: described(setting, &settings.keys),
            detail: if setting.is_best { "best by validation".into() } else { String::new() },
            value: summary_text(Some(*test)),
            value_class: if setting.is_best { "strong" } else { "" },
            ink: vec![
                Ink::Interval { from, to, style: "interval", class },
                Ink::Value { at: test.mean, mark: if setting.is_best { Mark::Dot } else { Mark::Ring }, class },
            ],
        }
    };
    let chart = RowChart {
        scale: Scale::linear_within(shown.iter().flat_map(|(_, test)| ends(*test)), [0.0, 1.0], 8),
        in_percent: true,
        zero: None,
        axis_title: "test top-1 in %, mean and 95 % interval".into(),
        rows: shown.iter().map(chart_row).collect(),
    };
    (chart.render(), n_more)
}
