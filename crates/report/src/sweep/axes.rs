//! The subject's accuracy along one numeric axis, a curve for each combination of the other axes, or a cloud of points.

use super::over_seeds::OverSeeds;
use super::settings::{Setting, Settings, TWIN};
use crate::chart::plot::{Axes, Plot, Point};
use crate::chart::scale::Scale;
use crate::chart::{Chart, Figure, Mark, N_COLOURS};
use crate::format::truncated;

/// An axis whose values differ by this factor or more is drawn logarithmically.
const LOG_AXIS_FROM: f64 = 8.0;

/// Axes of at most this many values have a tick at each.
const N_OWN_TICKS: usize = 9;

/// Distance between two curves at the same x, as a share of the width.
const DODGE: f64 = 0.008;

/// Settings that differ only in the value of one axis.
struct AxisCurve<'a> {
    rest: Vec<(String, String)>,
    points: Vec<(f64, &'a Setting)>,
}

impl AxisCurve<'_> {
    fn best_valid(&self) -> f64 {
        let valid = self.points.iter().filter_map(|(_, setting)| setting.valid.as_ref());
        valid.map(OverSeeds::mean).fold(f64::NEG_INFINITY, f64::max)
    }

    /// What a summary of the settings is along the axis.
    fn summaries(&self, summary: impl Fn(&Setting) -> Option<OverSeeds>) -> Vec<(f64, OverSeeds)> {
        self.points.iter().filter_map(|(x, setting)| Some((*x, summary(setting)?))).collect()
    }
}

/// A curve with its name and the class of its colour.
type Series = (Vec<(f64, OverSeeds)>, String, String);

/// The figure of an axis, if all its values are numbers and there are at least two.
pub(super) fn along_axis(key: &str, settings: &Settings) -> Option<Figure> {
    let mut curves = curves(key, settings)?;
    // a random search has hardly two settings that differ in one axis alone: its settings are a cloud
    let n_points: usize = curves.iter().map(|curve| curve.points.len()).sum();
    let is_cloud = curves.len() > 1 && n_points < 2 * curves.len();
    if is_cloud {
        let points = curves.into_iter().flat_map(|curve| curve.points).collect();
        curves = vec![AxisCurve { rest: Vec::new(), points }];
    }
    let x = x_axis(curves.iter().flat_map(|curve| curve.points.iter().map(|(x, _)| *x)).collect())?;
    curves.sort_by(|a, b| b.best_valid().total_cmp(&a.best_valid()));
    let (shown, n_more) = truncated(&curves, N_COLOURS);
    let subject = settings.subject.title();
    let name = |curve: &AxisCurve<'_>| Some(settings.written(&curve.rest, " = ")).filter(|name| !name.is_empty());
    let mut series: Vec<Series> = Vec::new();
    series.extend(shown.iter().enumerate().map(|(index, curve)| {
        let name = name(curve).unwrap_or_else(|| subject.clone().into_owned());
        (curve.summaries(|setting| setting.test.clone()), name, format!("c{index}"))
    }));
    // with one curve there is room for what it is compared with
    if let [curve] = shown
        && !is_cloud
        && curve.points.iter().all(|(_, setting)| setting.twin.is_some())
    {
        series.push((
            curve.summaries(|setting| setting.twin.clone()),
            TWIN.title().into_owned(),
            TWIN.colour().to_owned(),
        ));
    }
    let legend =
        series.iter().enumerate().map(|(nth, (_, name, class))| (Mark::of_series(nth), class.clone(), name.clone()));
    let more = format!("and {n_more} more combinations of the other axes with lower validation accuracy, in the table");
    Some(Figure {
        caption: format!("Test top-1 in % along {key}"),
        label: format!("test top-1 of {} along {key}", settings.subject.name()),
        legend: if series.len() > 1 { legend.collect() } else { Vec::new() },
        note: if n_more > 0 { more } else { String::new() },
        ..Figure::new(Chart::Plot(Box::new(plot(&series, x, is_cloud))))
    })
}

/// The horizontal axis; none without two different values.
fn x_axis(mut xs: Vec<f64>) -> Option<Scale> {
    xs.sort_by(f64::total_cmp);
    xs.dedup();
    let (low, high) = (*xs.first()?, *xs.last()?);
    let is_log = low > 0.0 && high / low >= LOG_AXIS_FROM;
    let scale = if is_log { Scale::log(xs.iter().copied()) } else { Scale::linear(xs.iter().copied(), 6) };
    (low < high).then(|| if xs.len() <= N_OWN_TICKS { scale.with_ticks(xs) } else { scale })
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

fn plot(series: &[Series], x: Scale, is_cloud: bool) -> Plot {
    let ends = series.iter().flat_map(|(points, _, _)| points.iter().flat_map(|(_, summary)| summary.ends()));
    let y = Scale::shares(ends, 5);
    let mut plot = Plot::new(Axes { height: 240.0, x, y, x_title: "", x_is_numbered: true });
    let middle = (series.len() as f64 - 1.0) / 2.0;
    for (index, (points, name, class)) in series.iter().enumerate() {
        let shift = (index as f64 - middle) * DODGE;
        let line = if is_cloud { &[] } else { &points[..] };
        plot.curve(&line.iter().map(|(x, summary)| (*x, summary.mean())).collect::<Vec<_>>(), shift, class);
        for (x, summary) in points {
            let tooltip = format!("{name}, {x}: {} %", summary.text());
            let (mark, label) = (Mark::of_series(index), String::new());
            let point =
                Point { x: *x, y: summary.mean(), mark, class: class.clone(), label, has_own_mark: false, tooltip };
            plot.point_with_interval(point, shift, summary.ends());
        }
    }
    plot
}
