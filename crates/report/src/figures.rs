//! The figures of a run: accuracies at a glance, comparisons, what accuracy costs, what each specialist gains.

use crate::chart::plot::{Axes, Plot, Point};
use crate::chart::rows::{ChartRow, RowChart};
use crate::chart::scale::Scale;
use crate::chart::{Chart, Figure, Mark, N_COLOURS};
use crate::contract::{CalibrationReport, ClusterReport, ModelReport, PortfolioPoint, ReliabilityBin, Report, ShipWay};
use crate::format::{bytes, counted, fixed, milliseconds, percent, points, si, truncated};
use crate::role::{Role, colour, title};
use crate::statistics::{Comparison, wilson_interval};
use crate::table::verdict_class;

/// Numbers along the axis of a chart of rows.
const N_TICKS: usize = 8;
/// Clusters in the chart of gains.
const N_CLUSTERS_CHARTED: usize = 60;
/// Where a way loses more of top-1, it is in the table and not in the chart.
const USEFUL_LOSS: f64 = 0.3;
/// Classes named under a row of the chart.
const N_CLASSES_HINTED: usize = 3;

/// Test accuracies with their own intervals.
pub(crate) fn accuracies(report: &Report) -> Figure {
    let models = report.main_models();
    let interval = |model: &ModelReport| wilson_interval(model.top1, report.dataset.n_test);
    let scale = Scale::shares(models.iter().flat_map(|model| interval(model)), N_TICKS);
    let row = |model: &&ModelReport| {
        let [from, to] = interval(model);
        let class = colour(&model.name);
        ChartRow {
            label: title(&model.name),
            value: percent(model.top1),
            value_class: if Role::of_name(&model.name) == Some(Role::Student) { "strong" } else { "" },
            lines: vec![(from, to, format!("interval {class}"))],
            marks: vec![(model.top1, Mark::of_model(&model.name), class)],
            ..ChartRow::default()
        }
    };
    let axis_title = "test top-1 accuracy in %, with its own 95 % interval";
    Figure::new(Chart::Rows(RowChart::new(&scale, None, axis_title, models.iter().map(row).collect())))
}

/// Paired differences with their intervals, a forest plot.
pub(crate) fn comparisons(report: &Report) -> Figure {
    let ends = report.comparisons.iter().flat_map(|comparison| comparison.ci95).map(|end| end * 100.0);
    let scale = Scale::linear(ends.chain([0.0]), N_TICKS);
    let row = |comparison: &Comparison| {
        let class = verdict_class(comparison.verdict);
        let [from, to] = comparison.ci95.map(|end| end * 100.0);
        ChartRow {
            label: title(&comparison.a),
            detail: format!("against: {}", title(&comparison.b)),
            value: format!("{}  {}", points(comparison.delta), comparison.verdict),
            value_class: class,
            lines: vec![(from, to, format!("interval {class}"))],
            marks: vec![(comparison.delta * 100.0, Mark::DOT, class)],
        }
    };
    let axis_title = "difference of test top-1 in points, with 95 % interval";
    let rows = report.comparisons.iter().map(row).collect();
    Figure { class: "compact", ..Figure::new(Chart::Rows(RowChart::new(&scale, Some(0.0), axis_title, rows))) }
}

/// Accuracy over size; nothing where there is only one model.
pub(crate) fn sizes(report: &Report) -> Option<Figure> {
    let models = report.main_models().into_iter().filter(|model| !model.is_external());
    let points = models.map(|model| {
        let (name, size) = (title(&model.name), model.bytes as f64);
        Point {
            x: size,
            y: model.top1,
            mark: Mark::of_model(&model.name),
            class: colour(&model.name).to_owned(),
            tooltip: format!("{name}: {}, {} %", bytes(model.bytes), percent(model.top1)),
            label: match model.latency_ms_p50 {
                Some(latency) => format!("{name}, {}", milliseconds(latency)),
                None => name,
            },
            has_own_mark: true,
        }
    });
    let points: Vec<Point> = points.collect();
    (points.len() > 1).then(|| Figure {
        caption: "Test top-1 in % over size".into(),
        label: "test top-1 accuracy of each model over the bytes of its weights".into(),
        ..scatter(260.0, "bytes of the weights (logarithmic)", points)
    })
}

/// Validation accuracy over size along each way to a small network, with the students trained to their ends; nothing where the ways
/// were not compared.
pub(crate) fn ways(report: &Report) -> Option<Figure> {
    let ship = report.ship.as_ref().filter(|ship| !ship.ways.is_empty())?;
    let is_useful = |way: &&ShipWay| way.valid_top1 >= ship.student_valid_top1 - USEFUL_LOSS;
    let useful: Vec<&ShipWay> = ship.ways.iter().filter(is_useful).collect();
    let mut curves: Vec<(&str, Vec<&ShipWay>)> = Vec::new();
    for &way in &useful {
        match curves.iter_mut().find(|(name, _)| *name == way.way) {
            Some((_, points)) => points.push(way),
            None => curves.push((&way.way, vec![way])),
        }
    }
    let point = |x: u64, y: f64, (mark, class): (Mark, String), label: String, what: &str| Point {
        x: x as f64,
        y,
        mark,
        class,
        label,
        has_own_mark: true,
        tooltip: format!("{what}: {}, {} %", bytes(x), percent(y)),
    };
    let trained = report.main_models().into_iter().filter(|model| {
        matches!(
            Role::of_name(&model.name),
            Some(Role::Student | Role::TwinOnLabels | Role::Shipped | Role::TwinOfShipped)
        )
    });
    let students: Vec<Point> = trained
        .map(|model| {
            let mark = (Mark::of_model(&model.name), colour(&model.name).to_owned());
            point(model.bytes, model.valid_top1, mark, title(&model.name), &title(&model.name))
        })
        .collect();
    let ends =
        || useful.iter().map(|way| (way.bytes as f64, way.valid_top1)).chain(students.iter().map(|p| (p.x, p.y)));
    let (x, y) = (Scale::log(ends().map(|end| end.0)), Scale::shares(ends().map(|end| end.1), 5));
    let x_title = "bytes of the weights (logarithmic)";
    let mut plot = Plot::new(Axes { height: 320.0, x, y, x_title, x_is_numbered: true });
    let mut legend = Vec::new();
    for (index, (name, points)) in curves.into_iter().enumerate() {
        let class = format!("c{}", index % N_COLOURS);
        legend.push((Mark::of_series(index), class.clone(), name.to_owned()));
        let mut drawn: Vec<(f64, f64)> = points.iter().map(|way| (way.bytes as f64, way.valid_top1)).collect();
        drawn.sort_by(|a, b| a.0.total_cmp(&b.0));
        plot.curve(&drawn, 0.0, &class);
        for way in points {
            let mark = (Mark::of_series(index), class.clone());
            plot.labelled_points(vec![point(way.bytes, way.valid_top1, mark, String::new(), &way.what)]);
        }
    }
    plot.labelled_points(students);
    Some(Figure {
        caption: "Ways to a small student: validation top-1 in % over size".into(),
        label: "validation top-1 accuracy over the bytes of the weights for each way to make the student small".into(),
        legend,
        note:
            "Lines: each way by itself, without further training, where it loses at most 30 points. Labelled: networks trained to their end; the shipped \
               form’s twin is the efficient architecture, trained from scratch."
                .into(),
        ..Figure::new(Chart::Plot(Box::new(plot)))
    })
}

/// Accuracy over training compute of ever more teachers; nothing where there is only one kind of them.
pub(crate) fn portfolio(report: &Report) -> Option<Figure> {
    let points = &report.portfolio;
    if !points.iter().any(|point| point.n_specialists > 0) || points.iter().any(|point| point.train_flops <= 0.0) {
        return None;
    }
    let drawn = points.iter().map(|point| {
        let (what, n) = match point.n_specialists {
            0 => (counted(point.n_generalists as usize, "generalist"), point.n_generalists),
            n => (format!("with {}", counted(n as usize, "specialist")), n),
        };
        let what = format!("{what}, validation {} %", percent(point.valid_top1));
        teachers_point(point, point.train_flops, point.top1, &what, n.to_string())
    });
    let legend = vec![
        key(Role::PlainEnsemble, "plain ensemble of so many generalists"),
        key(Role::MergedEnsemble, "the run’s generalists merged with so many specialists"),
    ];
    let note = "Specialists that gain most on validation examples come first.";
    Some(Figure {
        caption: "What the teachers’ training buys: test top-1 in % over compute".into(),
        label: "test top-1 accuracy of ever more teachers over the compute of their training".into(),
        legend,
        note: note.into(),
        ..scatter(280.0, COMPUTE, drawn.collect())
    })
}

/// Title of the axis of compute.
pub(crate) const COMPUTE: &str = "floating-point operations of all trainings (logarithmic)";

/// An entry of a legend for a role's mark.
pub(crate) fn key(role: Role, text: &str) -> (Mark, String, String) {
    (Mark::of_role(role), role.colour().to_owned(), text.to_owned())
}

/// A set of teachers in a chart of compute.
pub(crate) fn teachers_point(
    teachers: &PortfolioPoint,
    train_flops: f64,
    top1: f64,
    what: &str,
    label: String,
) -> Point {
    let role = if teachers.n_specialists == 0 { Role::PlainEnsemble } else { Role::MergedEnsemble };
    let tooltip = format!("{what}: {} FLOPs, test {} %", si(train_flops), percent(top1));
    let class = role.colour().to_owned();
    Point { x: train_flops, y: top1, mark: Mark::of_role(role), class, label, has_own_mark: false, tooltip }
}

/// Labelled points of accuracies over a logarithmic axis.
pub(crate) fn scatter(height: f64, x_title: &'static str, points: Vec<Point>) -> Figure {
    let x = Scale::log(points.iter().map(|point| point.x));
    let y = Scale::shares(points.iter().map(|point| point.y), 5);
    let mut plot = Plot::new(Axes { height, x, y, x_title, x_is_numbered: true });
    plot.labelled_points(points);
    Figure::new(Chart::Plot(Box::new(plot)))
}

/// Whether a network is right as often as it says, by confidence.
pub(crate) fn reliability(model: &CalibrationReport) -> Figure {
    let scale = Scale::shares(model.bins.iter().flat_map(|bin| [bin.confidence, bin.top1]), N_TICKS);
    let colour = colour(&model.model);
    let row = |bin: &ReliabilityBin| ChartRow {
        label: format!("{}–{}\u{a0}%", fixed(100.0 * bin.lower, 0), fixed(100.0 * bin.upper, 0)),
        detail: counted(bin.n_examples as usize, "example"),
        value: points(bin.top1 - bin.confidence),
        value_class: "",
        lines: vec![(bin.confidence, bin.top1, "dumbbell".to_owned())],
        marks: vec![(bin.confidence, Mark::RING, colour), (bin.top1, Mark::DOT, colour)],
    };
    let legend = [(Mark::RING, "mean confidence"), (Mark::DOT, "share that is right")];
    Figure {
        caption: format!("{}, by its confidence on test", title(&model.model)),
        class: "compact",
        legend: legend.map(|(mark, text)| (mark, colour.to_owned(), text.to_owned())).to_vec(),
        ..Figure::new(Chart::Rows(RowChart::new(
            &scale,
            None,
            "% of the examples",
            model.bins.iter().map(row).collect(),
        )))
    }
}

/// Conditional accuracy from generalist to specialist, the largest gain first.
pub(crate) fn gains(report: &Report) -> Figure {
    let mut clusters: Vec<(usize, &ClusterReport)> = report.clusters.iter().enumerate().collect();
    clusters.sort_by(|(_, a), (_, b)| b.specialist_gain.total_cmp(&a.specialist_gain));
    let (shown, n_more) = truncated(&clusters, N_CLUSTERS_CHARTED);
    let ends = |cluster: &ClusterReport| [cluster.generalist_conditional_top1, cluster.specialist_conditional_top1];
    let scale = Scale::shares(shown.iter().flat_map(|(_, cluster)| ends(cluster)), N_TICKS);
    let rows = shown.iter().map(|(index, cluster)| gain_row(*index, cluster)).collect();
    Figure {
        caption: "From generalist to specialist on examples of the cluster, predictions restricted to its classes"
            .into(),
        class: "compact",
        legend: vec![key(Role::Generalist, "generalist"), key(Role::MergedEnsemble, "specialist")],
        note: if n_more > 0 { format!("and {n_more} more clusters with smaller gains") } else { String::new() },
        ..Figure::new(Chart::Rows(RowChart::new(&scale, None, "top-1 in % on the cluster’s own classes", rows)))
    }
}

fn gain_row(index: usize, cluster: &ClusterReport) -> ChartRow {
    let (from, to) = (cluster.generalist_conditional_top1, cluster.specialist_conditional_top1);
    let (hinted, n_more) = truncated(&cluster.classes, N_CLASSES_HINTED);
    let rest = if n_more > 0 { ", …" } else { "" };
    let class = if to >= from { "beats" } else { "worse" };
    ChartRow {
        label: format!("Cluster {index}"),
        detail: format!("{}: {}{rest}", counted_classes(cluster), hinted.join(", ")),
        value: points(cluster.specialist_gain),
        value_class: if cluster.helps { "" } else { "muted" },
        lines: vec![(from, to, format!("dumbbell {class}"))],
        marks: [(from, Role::Generalist), (to, Role::MergedEnsemble)]
            .map(|(top1, role)| (top1, Mark::of_role(role), role.colour()))
            .to_vec(),
    }
}

/// `1 class`, `4 classes`.
pub(crate) fn counted_classes(cluster: &ClusterReport) -> String {
    match cluster.classes.len() {
        1 => "1 class".into(),
        n => format!("{n} classes"),
    }
}
