//! The models on the page: accuracies at a glance, the table of results, the table of costs.

use crate::report::contract::{ModelReport, Report};
use crate::report::format::{DASH, bytes, counted, duration, fixed, milliseconds, percent, points, si};
use crate::report::names::{colour, is_teacher, rank, title};
use crate::report::svg::Mark;
use crate::report::svg::rows::{Ink, Row, RowChart};
use crate::report::svg::scale::Scale;
use crate::report::svg::scatter::{Point, Scatter};
use crate::role::Role;
use crate::statistics::{Verdict, wilson_interval};
use serde::Serialize;

/// Numbers along the axis of a chart of rows.
const N_TICKS: usize = 8;

/// A number in a table.
#[derive(Debug, Serialize)]
pub(super) struct Cell {
    text: String,
    is_best: bool,
}

/// Models that may be compared with each other, in one block of a table.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    title: &'static str,
    against: &'static str,
    rows: Vec<ModelRow>,
}

/// One model in the tables.
#[derive(Debug, Serialize)]
pub(super) struct ModelRow {
    name: String,
    title: String,
    colour: &'static str,
    mark: &'static str,
    quality: Vec<Cell>,
    verdict: Option<VerdictView>,
    costs: Vec<Cell>,
}

/// A verdict as a coloured word.
#[derive(Debug, Serialize)]
pub(super) struct VerdictView {
    word: &'static str,
    class: &'static str,
    delta: String,
}

/// Headings of the table of results, in the order of [`ModelRow::quality`].
pub(super) const QUALITY_COLUMNS: [&str; 7] =
    ["Top-1 %", "Top-5 %", "NLL", "ECE %", "Agreement %", "Valid. top-1 %", "… last epoch"];

/// Headings of the table of costs, in the order of [`ModelRow::costs`].
pub(super) const COST_COLUMNS: [&str; 7] =
    ["Parameters", "Size", "Latency p50", "p95", "Training", "Training FLOPs", "× generalist"];

/// CSS class of a verdict's colour.
pub(crate) fn verdict_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Beats => "beats",
        Verdict::NoDifference => "same",
        Verdict::Worse => "worse",
    }
}

/// Teachers are squares, the student a dot, its twins rings.
fn mark(name: &str) -> Mark {
    match Role::of_name(name) {
        Some(Role::Student) => Mark::Dot,
        Some(role) if role.is_teacher() => Mark::Square,
        _ => Mark::Ring,
    }
}

fn mark_name(name: &str) -> &'static str {
    match mark(name) {
        Mark::Dot => "dot",
        Mark::Ring => "ring",
        Mark::Square => "square",
    }
}

/// All models but the specialists, the student first.
pub(super) fn sorted_models(report: &Report) -> Vec<&ModelReport> {
    let mut models: Vec<&ModelReport> = report.main_models().collect();
    models.sort_by_key(|model| rank(&model.name));
    models
}

/// Test accuracies with their own intervals.
pub(super) fn accuracy_chart(report: &Report) -> String {
    let models = sorted_models(report);
    let interval = |model: &ModelReport| wilson_interval(model.top1, report.dataset.n_test);
    let scale = Scale::linear_within(models.iter().flat_map(|model| interval(model)), [0.0, 1.0], N_TICKS);
    let rows = models
        .iter()
        .map(|model| {
            let [from, to] = interval(model);
            let class = colour(&model.name);
            Row {
                label: title(&model.name),
                detail: String::new(),
                value: percent(model.top1),
                value_class: if Role::of_name(&model.name) == Some(Role::Student) { "strong" } else { "" },
                ink: vec![
                    Ink::Interval { from, to, style: "interval", class },
                    Ink::Value { at: model.top1, mark: mark(&model.name), class },
                ],
            }
        })
        .collect();
    let axis_title = "test top-1 accuracy in %, with its own 95 % interval".to_owned();
    RowChart { scale, in_percent: true, zero: None, axis_title, rows }.render()
}

/// Paired differences with their intervals, a forest plot.
pub(super) fn comparison_chart(report: &Report) -> String {
    let ends = report.comparisons.iter().flat_map(|comparison| comparison.ci95).map(|end| end * 100.0);
    let scale = Scale::linear(ends.chain([0.0]), N_TICKS);
    let rows = report
        .comparisons
        .iter()
        .map(|comparison| {
            let class = verdict_class(comparison.verdict);
            let [from, to] = comparison.ci95.map(|end| end * 100.0);
            Row {
                label: title(&comparison.a),
                detail: format!("against: {}", title(&comparison.b)),
                value: format!("{}  {}", points(comparison.delta), comparison.verdict),
                value_class: class,
                ink: vec![
                    Ink::Interval { from, to, style: "interval", class },
                    Ink::Value { at: comparison.delta * 100.0, mark: Mark::Dot, class },
                ],
            }
        })
        .collect();
    let axis_title = "difference of test top-1 in points, with 95 % interval".to_owned();
    RowChart { scale, in_percent: false, zero: Some(0.0), axis_title, rows }.render()
}

/// Accuracy over size, and latency on hover; nothing where there is only one model.
pub(super) fn size_chart(report: &Report) -> Option<String> {
    let models: Vec<_> = sorted_models(report).into_iter().filter(|model| model.n_parameters > 0).collect();
    if models.len() < 2 {
        return None;
    }
    let points = models.iter().map(|model| Point {
        x: model.n_parameters as f64,
        y: model.top1,
        mark: mark(&model.name),
        class: colour(&model.name),
        label: match model.latency_ms_p50 {
            Some(_) => format!("{}, {}", title(&model.name), milliseconds(model.latency_ms_p50)),
            None => title(&model.name),
        },
        tooltip: format!(
            "{}: {} parameters, {} %",
            title(&model.name),
            si(model.n_parameters as f64),
            percent(model.top1)
        ),
    });
    let scatter = Scatter {
        height: 260.0,
        x: Scale::log(models.iter().map(|model| model.n_parameters as f64)),
        y: Scale::linear_within(models.iter().map(|model| model.top1), [0.0, 1.0], 5),
        x_title: "parameters (logarithmic)".into(),
        points: points.collect(),
    };
    Some(scatter.render("test top-1 accuracy of each model over its number of parameters"))
}

/// Accuracy over training compute of ever more teachers; nothing where there is only one kind of them.
pub(super) fn portfolio_chart(report: &Report) -> Option<String> {
    let points = &report.portfolio;
    if !points.iter().any(|point| point.n_specialists > 0) || points.iter().any(|point| point.train_flops <= 0.0) {
        return None;
    }
    let drawn = points.iter().map(|point| {
        let (label, class) = match point.n_specialists {
            0 => (counted(point.n_generalists as usize, "generalist"), Role::PlainEnsemble.colour()),
            n => (format!("with {}", counted(n as usize, "specialist")), Role::MergedEnsemble.colour()),
        };
        Point {
            x: point.train_flops,
            y: point.top1,
            mark: if point.n_specialists == 0 { Mark::Ring } else { Mark::Square },
            class,
            tooltip: format!(
                "{label}: {} FLOPs, test {} %, validation {} %",
                si(point.train_flops),
                percent(point.top1),
                percent(point.valid_top1)
            ),
            label,
        }
    });
    let scatter = Scatter {
        height: 280.0,
        x: Scale::log(points.iter().map(|point| point.train_flops)),
        y: Scale::linear_within(points.iter().map(|point| point.top1), [0.0, 1.0], 5),
        x_title: "floating-point operations of all trainings (logarithmic)".into(),
        points: drawn.collect(),
    };
    Some(scatter.render("test top-1 accuracy of ever more teachers over the compute of their training"))
}

/// Students in one block, teachers in the other: the best of each is marked.
pub(super) fn groups(report: &Report) -> Vec<Group> {
    let models = sorted_models(report);
    let (teachers, students): (Vec<&ModelReport>, Vec<&ModelReport>) =
        models.into_iter().partition(|model| is_teacher(&model.name));
    [
        ("Students: one network, one budget", "against hard labels", students),
        ("Teachers", "against the generalist", teachers),
    ]
    .into_iter()
    .filter(|(_, _, models)| !models.is_empty())
    .map(|(title, against, models)| Group { title, against, rows: group_rows(report, &models) })
    .collect()
}

/// Rows of the specialists, which see only their own classes.
pub(super) fn specialist_rows(report: &Report) -> Vec<ModelRow> {
    let mut models: Vec<_> = report.models.iter().filter(|model| is_specialist(model)).collect();
    models.sort_by_key(|model| rank(&model.name));
    group_rows(report, &models)
}

fn is_specialist(model: &ModelReport) -> bool {
    model.role == crate::role::ModelRole::Specialist
}

fn group_rows(report: &Report, models: &[&ModelReport]) -> Vec<ModelRow> {
    let best = |measure: &dyn Fn(&ModelReport) -> f64| {
        let values = models.iter().map(|model| measure(model)).filter(|value| value.is_finite());
        if models.len() < 2 { f64::NAN } else { values.fold(f64::NEG_INFINITY, f64::max) }
    };
    let best_top1 = best(&|model| model.top1);
    let best_top5 = best(&|model| model.top5);
    let best_nll = -best(&|model| -model.nll);
    let best_ece = -best(&|model| -model.ece);
    models
        .iter()
        .map(|model| ModelRow {
            name: model.name.clone(),
            title: title(&model.name),
            colour: colour(&model.name),
            mark: mark_name(&model.name),
            quality: vec![
                cell(percent(model.top1), model.top1 == best_top1),
                cell(percent(model.top5), model.top5 == best_top5),
                cell(fixed(model.nll, 3), model.nll == best_nll),
                cell(percent(model.ece), model.ece == best_ece),
                plain(model.agreement.map_or(DASH.into(), percent)),
                plain(percent(model.valid_top1)),
                plain(model.last_epoch_valid_top1.map_or(DASH.into(), percent)),
            ],
            verdict: verdict(report, &model.name),
            costs: costs(report, model),
        })
        .collect()
}

fn costs(report: &Report, model: &ModelReport) -> Vec<Cell> {
    let generalist_flops = report.model(Role::Generalist).map_or(f64::NAN, |generalist| generalist.train_flops);
    let known = |text: String| if model.is_external() { DASH.to_owned() } else { text };
    vec![
        plain(known(si(model.n_parameters as f64))),
        plain(known(bytes(model.bytes))),
        plain(milliseconds(model.latency_ms_p50)),
        plain(milliseconds(model.latency_ms_p95)),
        plain(known(duration(model.train_seconds))),
        plain(known(si(model.train_flops))),
        plain(fixed(model.train_flops / generalist_flops, 2)),
    ]
}

fn verdict(report: &Report, name: &str) -> Option<VerdictView> {
    let role = Role::of_name(name)?;
    let comparison = report.comparison(role, role.reference()?)?;
    Some(VerdictView {
        word: comparison.verdict.word(),
        class: verdict_class(comparison.verdict),
        delta: points(comparison.delta),
    })
}

fn cell(text: String, is_best: bool) -> Cell {
    Cell { text, is_best }
}

fn plain(text: String) -> Cell {
    cell(text, false)
}
