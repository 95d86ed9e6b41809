//! The figures of a sweep: all settings on one axis, and what their teachers cost.

use super::cell::SweepCell;
use super::over_seeds::OverSeeds;
use super::settings::{Setting, Settings};
use crate::chart::plot::Point;
use crate::chart::rows::{ChartRow, RowChart};
use crate::chart::scale::Scale;
use crate::chart::{Chart, Figure, Mark, N_COLOURS};
use crate::contract::{PortfolioPoint, Report};
use crate::figures::{COMPUTE, key, scatter, teachers_point};
use crate::format::{counted, truncated};
use crate::role::Role;

/// Settings in the chart of compute.
const N_SETTINGS_COMPARED: usize = 12;

/// Settings in the chart.
const N_SETTINGS_CHARTED: usize = 60;

/// Accuracy of the merged ensembles and of plain ones over the compute of their training, means over seeds; nothing where
/// all settings share one merged ensemble.
pub(super) fn compute(cells: &[SweepCell], settings: &Settings) -> Option<Figure> {
    let reports: Vec<(&SweepCell, &Report)> =
        cells.iter().filter_map(|cell| Some((cell, cell.outcome.as_ref().ok()?))).collect();
    let mut points: Vec<Point> = Vec::new();
    for setting in settings.settings.iter().take(N_SETTINGS_COMPARED) {
        let is_here = |cell: &SweepCell| setting.axes.iter().all(|(key, value)| cell.value(key) == Some(value));
        let here = reports.iter().filter(|(cell, _)| is_here(cell));
        let last: Vec<&PortfolioPoint> = here.filter_map(|(_, report)| report.portfolio.last()).collect();
        if last.iter().any(|point| point.n_specialists > 0) {
            let nth = points.len();
            let (mark, class) = (Mark::of_series(nth), format!("c{}", nth % N_COLOURS));
            let label = settings.described(setting);
            points.push(Point { mark, class, has_own_mark: true, label: label.clone(), ..mean_point(&last, &label) });
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
        // settings with different generalists have no common curve
        if of.is_empty() || of.iter().any(|point| point.train_flops != of[0].train_flops) {
            break;
        }
        points.push(Point { label: n.to_string(), ..mean_point(&of, &counted(n as usize, "generalist")) });
    }
    let note = "The merged ensemble of each setting (the first twelve). Means over seeds.";
    Some(Figure {
        caption: "Teachers: test top-1 in % over compute".into(),
        label: "test top-1 accuracy of merged and plain ensembles over the compute of their training".into(),
        legend: vec![key(Role::PlainEnsemble, "plain ensemble of so many generalists")],
        note: note.into(),
        ..scatter(320.0, COMPUTE, points)
    })
}

/// The mean of the same teachers over seeds.
fn mean_point(of: &[&PortfolioPoint], what: &str) -> Point {
    let mean = |value: fn(&PortfolioPoint) -> f64| of.iter().map(|point| value(point)).sum::<f64>() / of.len() as f64;
    let with_most = of.iter().max_by_key(|point| point.n_specialists).expect("a mean over something");
    teachers_point(with_most, mean(|point| point.train_flops), mean(|point| point.top1), what, String::new())
}

/// All settings on one axis.
pub(super) fn settings(settings: &Settings) -> Figure {
    let known: Vec<(&Setting, &OverSeeds)> =
        settings.settings.iter().filter_map(|setting| Some((setting, setting.test.as_ref()?))).collect();
    let (shown, n_more) = truncated(&known, N_SETTINGS_CHARTED);
    let row = |(setting, test): &(&Setting, &OverSeeds)| {
        let [from, to] = test.ends();
        let role = if setting.is_best { Role::Student } else { Role::TwinOnLabels };
        ChartRow {
            label: settings.described(setting),
            detail: if setting.is_best { "best by validation".into() } else { String::new() },
            value: test.text(),
            value_class: if setting.is_best { "strong" } else { "" },
            lines: vec![(from, to, format!("interval {}", role.colour()))],
            marks: vec![(test.mean(), Mark::of_role(role), role.colour())],
        }
    };
    let scale = Scale::shares(shown.iter().flat_map(|(_, test)| test.ends()), 8);
    let rows = shown.iter().map(row).collect();
    Figure {
        class: "long-labels",
        note: if n_more > 0 { format!("and {n_more} more settings, in the table") } else { String::new() },
        ..Figure::new(Chart::Rows(RowChart::new(&scale, None, "test top-1 in %", rows)))
    }
}
