//! Parallel coordinates: a vertical line for each axis and for the validation accuracy, a curve for each setting.

use super::cell::{plain_value, short_key};
use super::settings::{Setting, Settings};
use crate::chart::plot::{Axes, Plot, Point};
use crate::chart::scale::Scale;
use crate::chart::{Chart, Figure, Mark};
use crate::format::{percent, truncated};
use crate::role::Role;

/// Settings in the figure, the best of them.
const N_DRAWN: usize = 100;
/// Values of an axis that are written next to it.
const N_LABELS: usize = 8;
/// Axes from which on the figure is drawn: with one, the chart along the axis says all.
const MIN_AXES: usize = 2;

/// Heights of the titles in turn, so that neighbours do not run into each other.
const TITLES: [f64; 2] = [1.24, 1.12];

/// The height of each value of one axis, `0..=1`.
struct Coordinate {
    title: String,
    /// value and height, ascending
    heights: Vec<(String, f64)>,
}

impl Coordinate {
    /// Numbers ascend, evenly spaced by rank; other values in the order of first appearance.
    fn of(key: &str, settings: &Settings, shown: &[&Setting]) -> Self {
        let mut values: Vec<&str> = Vec::new();
        for value in shown.iter().filter_map(|setting| setting.value(key)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        if values.iter().all(|value| value.parse::<f64>().is_ok()) {
            let number = |value: &&str| value.parse::<f64>().unwrap_or(f64::NAN);
            values.sort_by(|a, b| number(a).total_cmp(&number(b)));
        }
        let last = values.len().saturating_sub(1).max(1) as f64;
        let height = |nth: usize| if values.len() == 1 { 0.5 } else { nth as f64 / last };
        let heights = values.iter().enumerate().map(|(nth, value)| (plain_value(value), height(nth))).collect();
        Self { title: short_key(key, &settings.keys), heights }
    }

    fn height(&self, value: &str) -> Option<f64> {
        let value = plain_value(value);
        self.heights.iter().find(|(known, _)| *known == value).map(|(_, height)| *height)
    }

    /// The values that are written: all of few, both ends and some between of many.
    fn labelled(&self) -> impl Iterator<Item = &(String, f64)> {
        let step = self.heights.len().div_ceil(N_LABELS).max(1);
        let last = self.heights.len().saturating_sub(1);
        self.heights.iter().enumerate().filter(move |(nth, _)| nth % step == 0 || *nth == last).map(|(_, pair)| pair)
    }
}

/// The figure, where several axes have several values.
pub(super) fn parallel(settings: &Settings) -> Option<Figure> {
    let mut known: Vec<(&Setting, f64)> =
        settings.settings.iter().filter_map(|setting| Some((setting, setting.valid.as_ref()?.mean()))).collect();
    known.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (drawn, n_more) = truncated(&known, N_DRAWN);
    let shown: Vec<&Setting> = drawn.iter().map(|(setting, _)| *setting).collect();
    let varies = |key: &&String| {
        let mut values = shown.iter().map(|setting| setting.value(key));
        let first = values.next().flatten();
        values.any(|value| value != first)
    };
    let keys: Vec<&String> = settings.keys.iter().filter(varies).collect();
    if keys.len() < MIN_AXES {
        return None;
    }
    let coordinates: Vec<Coordinate> = keys.iter().map(|key| Coordinate::of(key, settings, &shown)).collect();
    let accuracy = Scale::linear(drawn.iter().map(|(_, valid)| *valid), 5);
    let last = coordinates.len() as f64;
    let x = Scale::over(-0.04 * last, 1.1 * last, 1);
    let axes =
        Axes { height: 320.0, x, y: Scale::over(-0.06, 1.28, 1).without_ticks(), x_title: "", x_is_numbered: false };
    let mut plot = Plot::new(axes);
    for nth in 0..=coordinates.len() {
        plot.curve(&[(nth as f64, 0.0), (nth as f64, 1.0)], 0.0, "axis");
    }
    // the best is drawn last, over the others
    for (setting, valid) in drawn.iter().rev() {
        let along = keys
            .iter()
            .zip(&coordinates)
            .enumerate()
            .filter_map(|(nth, (key, coordinate))| Some((nth as f64, coordinate.height(setting.value(key)?)?)));
        let points: Vec<(f64, f64)> = along.chain([(last, accuracy.position(*valid))]).collect();
        let class = if setting.is_best { format!("{} strong", Role::Student.colour()) } else { "faint".to_owned() };
        plot.curve(&points, 0.0, &class);
    }
    let point = |class: &str, x: f64, y: f64, label: String| {
        let tooltip = label.clone();
        Point { x, y, mark: Mark::DOT, class: class.into(), label, has_own_mark: false, tooltip }
    };
    let mark = |x: f64, y: f64, label: String| point(Role::TwinOnLabels.colour(), x, y, label);
    let titles = coordinates.iter().map(|coordinate| coordinate.title.clone()).chain(["valid. %".to_owned()]);
    let mut points: Vec<Point> =
        titles.enumerate().map(|(nth, title)| point("unseen", nth as f64, TITLES[nth % 2], title)).collect();
    for (nth, coordinate) in coordinates.iter().enumerate() {
        points.extend(coordinate.labelled().map(|(value, height)| mark(nth as f64, *height, value.clone())));
    }
    let ends = [drawn.last(), drawn.first()].into_iter().flatten();
    points.extend(ends.map(|(_, valid)| mark(last, accuracy.position(*valid), percent(*valid))));
    plot.labelled_points(points);
    let more =
        if n_more > 0 { format!(" The {n_more} settings of lowest accuracy are left out.") } else { String::new() };
    Some(Figure {
        caption: "All settings at once".into(),
        label: "parallel coordinates of the settings and their validation accuracy".into(),
        legend: vec![(Mark::DOT, Role::Student.colour().into(), "best by validation".into())],
        note: format!("Each curve is a setting; numbers of an axis are evenly spaced.{more}"),
        ..Figure::new(Chart::Plot(Box::new(plot)))
    })
}
