//! The subject's accuracy along one numeric axis, a curve for each combination of the other axes.

use super::markdown::summary_text;
use super::page::ends;
use super::settings::{Setting, Settings, TWIN};
use super::{plain_value, short_key};
use crate::report::format::truncated;
use crate::report::svg::N_COLOURS;
use crate::report::svg::lines::{LinePlot, Series};
use crate::report::svg::scale::Scale;
use crate::statistics::SeedSummary;
use serde::Serialize;

/// An axis whose values differ by this factor or more is drawn logarithmically.
const LOG_AXIS_FROM: f64 = 8.0;

/// Axes of at most this many values have a tick at each.
const N_OWN_TICKS: usize = 9;

/// Distance between two curves at the same x, as a share of the width.
const DODGE: f64 = 0.008;

/// The chart along one numeric axis.
#[derive(Serialize)]
pub(super) struct AxisView {
    key: String,
    chart_svg: String,
    /// number of the colour, and the values of the other axes
    legend: Vec<(usize, String)>,
    has_twin: bool,
    n_more: usize,
}

/// Settings that differ only in the value of one axis.
struct AxisCurve<'a> {
    rest: Vec<(String, String)>,
    points: Vec<(f64, &'a Setting)>,
}

impl AxisCurve<'_> {
    fn best_valid(&self) -> f64 {
        let valid = self.points.iter().filter_map(|(_, setting)| setting.valid);
        valid.map(|summary| summary.mean).fold(f64::NEG_INFINITY, f64::max)
    }

    fn series(&self, class: &str, name: &str, summary: impl Fn(&Setting) -> Option<SeedSummary>) -> Series {
        let known: Vec<(f64, SeedSummary)> =
            self.points.iter().filter_map(|(x, setting)| Some((*x, summary(setting)?))).collect();
        let tooltip = |x: f64, summary: SeedSummary| format!("{name}, {x}: {} %", summary_text(Some(summary)));
        Series {
            class: class.to_owned(),
            shift: 0.0,
            points: known.iter().map(|(x, summary)| (*x, summary.mean)).collect(),
            intervals: known.iter().map(|(x, summary)| (*x, ends(*summary)[0], ends(*summary)[1])).collect(),
            marks: known.iter().map(|(x, summary)| (*x, summary.mean, tooltip(*x, *summary))).collect(),
        }
    }
}

/// The chart of an axis, if all its values are numbers and there are at least two.
pub(super) fn along_axis(key: &str, settings: &Settings) -> Option<AxisView> {
    let mut curves = curves(key, settings)?;
    let xs = || curves.iter().flat_map(|curve| curve.points.iter().map(|(x, _)| *x));
    let (low, high) = (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max));
    let x_axis = match () {
        () if low >= high || curves.is_empty() => return None,
        () if low > 0.0 && high / low >= LOG_AXIS_FROM => Scale::log(xs()),
        () => Scale::linear(xs(), 6),
    };
    let mut values: Vec<f64> = xs().collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let x_axis = if values.len() <= N_OWN_TICKS { x_axis.with_ticks(values) } else { x_axis };
    curves.sort_by(|a, b| b.best_valid().total_cmp(&a.best_valid()));
    let (shown, n_more) = truncated(&curves, N_COLOURS);
    let has_twin = shown.len() == 1 && shown[0].points.iter().all(|(_, setting)| setting.twin.is_some());
    let label = |curve: &AxisCurve<'_>| {
        let part =
            |(key, value): &(String, String)| format!("{} = {}", short_key(key, &settings.keys), plain_value(value));
        curve.rest.iter().map(part).collect::<Vec<_>>().join(", ")
    };
    let chart = chart(shown, has_twin, x_axis, &settings.subject.title());
    Some(AxisView {
        key: key.to_owned(),
        chart_svg: chart.render(&format!("test top-1 of {} along {key}", settings.subject.name())),
        legend: shown.iter().map(label).enumerate().collect(),
        has_twin,
        n_more,
    })
}

/// One curve for each combination of the other axes, ascending in x; nothing where a value is no number.
fn curves<'a>(key: &str, settings: &'a Settings) -> Option<Vec<AxisCurve<'a>>> {
    let mut curves: Vec<AxisCurve<'a>> = Vec::new();
    for setting in settings.settings.iter().filter(|setting| setting.test.is_some()) {
        let (own, rest): (Vec<_>, Vec<_>) = setting.axes.iter().cloned().partition(|(other, _)| other == key);
        let x = own.first()?.1.parse().ok().filter(|number: &f64| number.is_finite())?;
        match curves.iter_mut().find(|curve| curve.rest == rest) {
            Some(curve) => curve.points.push((x, setting)),
            None => curves.push(AxisCurve { rest, points: vec![(x, setting)] }),
        }
    }
    for curve in &mut curves {
        curve.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    Some(curves)
}

fn chart(curves: &[AxisCurve<'_>], has_twin: bool, x: Scale, subject: &str) -> LinePlot {
    let twin = curves.iter().take(usize::from(has_twin));
    let twin = twin.map(|curve| curve.series(TWIN.colour(), &TWIN.title(), |setting| setting.twin));
    let own = curves.iter().enumerate();
    let own = own.map(|(index, curve)| curve.series(&format!("c{index}"), subject, |setting| setting.test));
    let mut series: Vec<Series> = twin.chain(own).collect();
    let middle = (series.len() as f64 - 1.0) / 2.0;
    for (index, series) in series.iter_mut().enumerate() {
        series.shift = (index as f64 - middle) * DODGE;
    }
    let ys = series.iter().flat_map(|series| {
        series.points.iter().map(|(_, y)| *y).chain(series.intervals.iter().flat_map(|(_, low, high)| [*low, *high]))
    });
    let y = Scale::linear_within(ys, [0.0, 1.0], 5);
    LinePlot { height: 240.0, x, y, y_in_percent: true, x_is_numbered: true, series }
}
