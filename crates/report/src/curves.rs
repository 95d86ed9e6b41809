//! Training curves: one small panel per model, with one accuracy axis for all, so that panels can be compared.

use crate::chart::Mark;
use crate::chart::plot::{Axes, Plot, Point};
use crate::chart::scale::Scale;
use crate::format::{counted, percent, si};
use crate::page::{Curve, EpochPoint};
use crate::role::{Role, colour, rank, title};
use serde::Serialize;

const CURVE_HEIGHT: f64 = 96.0;
const RATE_HEIGHT: f64 = 22.0;

/// The panel of one model, or of all specialists together.
#[derive(Debug, Serialize)]
pub(crate) struct Panel {
    title: String,
    detail: String,
    mark: Mark,
    colour: &'static str,
    loss: Plot,
    accuracy: Option<Plot>,
    rate: Plot,
    peak_rate: String,
}

/// Panels in the order of the tables; specialists share the last one.
pub(crate) fn panels(curves: &[Curve]) -> Vec<Panel> {
    let (specialists, mut others): (Vec<&Curve>, Vec<&Curve>) = curves
        .iter()
        .filter(|curve| !curve.epochs.is_empty())
        .partition(|curve| matches!(Role::of_name(&curve.model), Some(Role::Specialist(_))));
    others.sort_by_key(|curve| rank(&curve.model));
    let accuracy_axis = accuracies(&others);
    let mut panels: Vec<Panel> =
        others.iter().map(|curve| panel(title(&curve.model), detail(curve), &[curve], &accuracy_axis)).collect();
    if !specialists.is_empty() {
        let detail = "one curve each; accuracy on an axis of their own".to_owned();
        let title = counted(specialists.len(), "specialist");
        panels.push(panel(title, detail, &specialists, &accuracies(&specialists)));
    }
    panels
}

/// The curves are of one model or of several with the same mark.
fn panel(title: String, detail: String, curves: &[&Curve], accuracy: &Scale) -> Panel {
    let model = curves.first().map_or("", |curve| &curve.model);
    let (mark, colour) = (Mark::of_model(model), colour(model));
    // many curves in one panel are drawn finer
    let thin = if curves.len() > 1 { " thin" } else { "" };
    let (train, valid) = (format!("train{thin}"), format!("{colour}{thin}"));
    let losses = points(curves).flat_map(|point| [Some(point.train_loss), point.valid_loss]).flatten();
    let mut loss = Plot::new(axes(curves, CURVE_HEIGHT, Scale::linear(losses, 4)));
    let mut accuracies = Plot::new(axes(curves, CURVE_HEIGHT, accuracy.clone()));
    let peak = points(curves).map(|point| point.learning_rate).filter(|rate| rate.is_finite()).fold(0.0, f64::max);
    let rates = Scale::over(0.0, if peak > 0.0 { peak } else { 1.0 }, 1).without_ticks();
    let mut rate = Plot::new(Axes { x_is_numbered: true, ..axes(curves, RATE_HEIGHT, rates) });
    for curve in curves {
        loss.curve(&series(curve, |point| Some(point.train_loss)), 0.0, &train);
        loss.curve(&series(curve, |point| point.valid_loss), 0.0, &valid);
        accuracies.curve(&series(curve, |point| point.valid_top1), 0.0, &valid);
        rate.curve(&series(curve, |point| Some(point.learning_rate)), 0.0, "train");
    }
    if let [curve] = curves
        && let Some((epoch, y)) = best(curve)
    {
        let (tooltip, label) = (format!("epoch {epoch}: {} %", percent(y)), String::new());
        let point = Point { x: epoch as f64, y, mark, class: valid, label, has_own_mark: false, tooltip };
        accuracies.point_with_interval(point, 0.0, [y; 2]);
    }
    let has_accuracy = points(curves).any(|point| point.valid_top1.is_some());
    let peak_rate = if peak < 0.01 { format!("{peak:.0e}") } else { si(peak) };
    Panel { title, detail, mark, colour, loss, accuracy: has_accuracy.then_some(accuracies), rate, peak_rate }
}

fn accuracies(curves: &[&Curve]) -> Scale {
    Scale::shares(points(curves).filter_map(|point| point.valid_top1), 4)
}

fn axes(curves: &[&Curve], height: f64, y: Scale) -> Axes {
    let last = points(curves).map(|point| point.epoch).max().unwrap_or(1);
    let first = points(curves).map(|point| point.epoch).min().unwrap_or(1);
    Axes { height, x: Scale::counts(first, last, 5), y, x_title: "", x_is_numbered: false }
}

fn detail(curve: &Curve) -> String {
    match best(curve) {
        Some((epoch, accuracy)) => format!("best {} % at epoch {epoch} of {}", percent(accuracy), curve.epochs.len()),
        None => counted(curve.epochs.len(), "epoch"),
    }
}

fn best(curve: &Curve) -> Option<(u64, f64)> {
    let known = curve.epochs.iter().filter_map(|point| Some((point.epoch, point.valid_top1?)));
    // the first of equal ones, as early stopping counts
    known.filter(|(_, accuracy)| accuracy.is_finite()).reduce(|best, next| if next.1 > best.1 { next } else { best })
}

fn points<'a>(curves: &'a [&'a Curve]) -> impl Iterator<Item = &'a EpochPoint> {
    curves.iter().flat_map(|curve| &curve.epochs)
}

fn series(curve: &Curve, value: impl Fn(&EpochPoint) -> Option<f64>) -> Vec<(f64, f64)> {
    curve.epochs.iter().filter_map(|point| Some((point.epoch as f64, value(point)?))).collect()
}
