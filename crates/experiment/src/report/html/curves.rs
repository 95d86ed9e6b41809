//! Training curves: one small panel per model, with one accuracy axis for all, so that panels can be compared.

use crate::report::format::{counted, percent, si};
use crate::report::names::{colour, rank, title};
use crate::report::page::{Curve, EpochPoint};
use crate::report::svg::lines::{LinePlot, Series};
use crate::report::svg::scale::Scale;
use crate::role::{OTHER_COLOUR, Role};
use serde::Serialize;

const LOSS_HEIGHT: f64 = 96.0;
const ACCURACY_HEIGHT: f64 = 96.0;
const RATE_HEIGHT: f64 = 22.0;

/// The panel of one model, or of all specialists together.
#[derive(Debug, Serialize)]
pub(super) struct CurvePanel {
    title: String,
    detail: String,
    colour: &'static str,
    loss_svg: String,
    accuracy_svg: Option<String>,
    rate_svg: String,
    peak_rate: String,
}

/// Panels in the order of the tables; specialists share the last one.
pub(super) fn panels(curves: &[Curve]) -> Vec<CurvePanel> {
    let (specialists, mut others): (Vec<&Curve>, Vec<&Curve>) = curves
        .iter()
        .filter(|curve| !curve.epochs.is_empty())
        .partition(|curve| matches!(Role::of_name(&curve.model), Some(Role::Specialist(_))));
    others.sort_by_key(|curve| rank(&curve.model));
    let accuracy_axis = accuracy_axis(&others);
    let mut panels: Vec<CurvePanel> = others
        .iter()
        .map(|curve| panel(title(&curve.model), detail(curve), colour(&curve.model), &[curve], &accuracy_axis))
        .collect();
    if !specialists.is_empty() {
        let own_axis = self::accuracy_axis(&specialists);
        let detail = "one curve each; accuracy on an axis of their own".to_owned();
        let title = counted(specialists.len(), "specialist");
        panels.push(panel(title, detail, OTHER_COLOUR, &specialists, &own_axis));
    }
    panels
}

fn accuracy_axis(curves: &[&Curve]) -> Scale {
    let accuracies = curves.iter().flat_map(|curve| &curve.epochs).filter_map(|point| point.valid_top1);
    Scale::linear_within(accuracies, [0.0, 1.0], 4)
}

fn panel(title: String, detail: String, colour: &'static str, curves: &[&Curve], accuracy: &Scale) -> CurvePanel {
    let peak = points(curves).map(|point| point.learning_rate).filter(|rate| rate.is_finite()).fold(0.0, f64::max);
    CurvePanel {
        loss_svg: loss_plot(curves, colour).render(&format!("training and validation loss of {title}")),
        accuracy_svg: points(curves)
            .any(|point| point.valid_top1.is_some())
            .then(|| accuracy_plot(curves, colour, accuracy).render(&format!("validation accuracy of {title}"))),
        rate_svg: rate_plot(curves, peak).render(&format!("learning rate of {title}")),
        peak_rate: if peak < 0.01 { format!("{peak:.0e}") } else { si(peak) },
        title,
        detail,
        colour,
    }
}

fn detail(curve: &Curve) -> String {
    let epochs = counted(curve.epochs.len(), "epoch");
    match best(curve) {
        Some((epoch, accuracy)) => format!("best {} % at epoch {epoch} of {}", percent(accuracy), curve.epochs.len()),
        None => epochs,
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

fn epoch_axis(curves: &[&Curve]) -> Scale {
    let last = points(curves).map(|point| point.epoch).max().unwrap_or(1);
    let first = points(curves).map(|point| point.epoch).min().unwrap_or(1);
    Scale::counts(first, last, 5)
}

fn series(curve: &Curve, class: &str, value: impl Fn(&EpochPoint) -> Option<f64>) -> Series {
    let points = curve.epochs.iter().filter_map(|point| Some((point.epoch as f64, value(point)?)));
    Series { class: class.to_owned(), points: points.collect(), ..Series::default() }
}

fn loss_plot(curves: &[&Curve], colour: &str) -> LinePlot {
    let losses = points(curves).flat_map(|point| [Some(point.train_loss), point.valid_loss]).flatten();
    let (train, valid) = (format!("train {}", thin(curves)), format!("{colour} {}", thin(curves)));
    LinePlot {
        height: LOSS_HEIGHT,
        x: epoch_axis(curves),
        y: Scale::linear(losses, 4),
        y_in_percent: false,
        x_is_numbered: false,
        series: curves
            .iter()
            .flat_map(|curve| {
                [series(curve, &train, |point| Some(point.train_loss)), series(curve, &valid, |point| point.valid_loss)]
            })
            .collect(),
    }
}

fn accuracy_plot(curves: &[&Curve], colour: &str, axis: &Scale) -> LinePlot {
    let class = format!("{colour} {}", thin(curves));
    let marked = |curve: &Curve| {
        let best = best(curve).filter(|_| curves.len() == 1);
        best.map(|(epoch, accuracy)| (epoch as f64, accuracy, format!("epoch {epoch}: {} %", percent(accuracy))))
    };
    LinePlot {
        height: ACCURACY_HEIGHT,
        x: epoch_axis(curves),
        y: axis.clone(),
        y_in_percent: true,
        x_is_numbered: false,
        series: curves
            .iter()
            .map(|curve| Series {
                marks: marked(curve).into_iter().collect(),
                ..series(curve, &class, |point| point.valid_top1)
            })
            .collect(),
    }
}

fn rate_plot(curves: &[&Curve], peak: f64) -> LinePlot {
    let mut y = Scale::over(0.0, if peak > 0.0 { peak } else { 1.0 }, 1);
    y.ticks.clear();
    LinePlot {
        height: RATE_HEIGHT,
        x: epoch_axis(curves),
        y,
        y_in_percent: false,
        x_is_numbered: true,
        series: curves.iter().map(|curve| series(curve, "train", |point| Some(point.learning_rate))).collect(),
    }
}

/// Many curves in one panel are drawn finer.
fn thin(curves: &[&Curve]) -> &'static str {
    if curves.len() > 1 { "thin" } else { "" }
}
