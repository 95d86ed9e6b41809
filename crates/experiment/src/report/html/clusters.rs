//! The clusters on the page: what each specialist is worth, its classes, pictures of them, and the coverage table.

use super::image::{Picture, picture};
use crate::report::contract::{ClusterReport, ConditionalReport, CoverageRow, DustbinReport, Report};
use crate::report::format::{integer, percent, points, relative_percent, truncated};
use crate::report::page::Gallery;
use crate::report::svg::rows::{Ink, Row, RowChart};
use crate::report::svg::scale::Scale;
use crate::report::svg::{Mark, Svg};
use crate::role::Role;
use serde::Serialize;

/// Clusters described with classes and pictures.
const N_CLUSTERS_SHOWN: usize = 30;
/// Clusters in the chart of gains.
const N_CLUSTERS_CHARTED: usize = 60;
/// Classes listed per cluster.
const N_CLASSES_LISTED: usize = 24;
/// Classes named under a row of the chart.
const N_CLASSES_HINTED: usize = 3;
/// Pictures per cluster.
const N_TILES: usize = 12;
/// Rows of the coverage table.
const N_COVERAGE_ROWS: usize = 40;

/// One cluster with its classes.
#[derive(Debug, Serialize)]
pub(super) struct ClusterView {
    title: String,
    facts: String,
    helps: bool,
    gain: String,
    classes: Vec<String>,
    n_more_classes: usize,
    tiles: Vec<TileView>,
}

/// One example of a cluster.
#[derive(Debug, Serialize)]
pub(super) struct TileView {
    label: String,
    picture: Option<Picture>,
    text: Option<String>,
}

/// One row of the coverage table.
#[derive(Debug, Serialize)]
pub(super) struct CoverageView {
    covering: u64,
    n_examples: String,
    share: String,
    delta_correct: String,
    relative_gain: String,
    bar_svg: String,
}

/// Clusters in the order of the specialists, and how many are not shown.
pub(super) fn views(report: &Report, galleries: &[Gallery]) -> (Vec<ClusterView>, usize) {
    let (shown, n_more) = truncated(&report.clusters, N_CLUSTERS_SHOWN);
    let gallery = |index| galleries.iter().find(|gallery| gallery.cluster_idx == index);
    let view = |(index, cluster)| cluster_view(index, cluster, gallery(index));
    (shown.iter().enumerate().map(view).collect(), n_more)
}

fn cluster_view(index: usize, cluster: &ClusterReport, gallery: Option<&Gallery>) -> ClusterView {
    let (classes, n_more_classes) = truncated(&cluster.classes, N_CLASSES_LISTED);
    let tiles = gallery.map_or(&[][..], |gallery| truncated(&gallery.tiles, N_TILES).0);
    ClusterView {
        title: format!("Cluster {index}"),
        facts: facts(cluster),
        helps: cluster.helps,
        gain: points(cluster.specialist_gain),
        classes: classes.to_vec(),
        n_more_classes,
        tiles: tiles
            .iter()
            .map(|tile| TileView {
                label: tile.label.clone(),
                picture: picture(tile.png.as_deref()),
                text: tile.text.clone(),
            })
            .collect(),
    }
}

fn facts(cluster: &ClusterReport) -> String {
    let mut facts = format!(
        "{} · {} validation examples · {} → {} % · oracle {}",
        n_classes(cluster),
        integer(cluster.n_valid),
        percent(cluster.generalist_conditional_top1),
        percent(cluster.specialist_conditional_top1),
        points(cluster.oracle_gain),
    );
    if let Some(effect) = cluster.left_out_effect {
        facts += &format!(" · adds {} to the merge", points(effect));
    }
    if !cluster.is_heard {
        facts += " · not heard by the merge";
    }
    facts
}

/// A dustbin beside what it should say, all in percent.
#[derive(Debug, Serialize)]
pub(super) struct DustbinView {
    title: String,
    observed: String,
    uncorrected: String,
    counted: String,
    uncorrected_ece: String,
    counted_ece: String,
    refit_ece: String,
    used: &'static str,
}

/// Dustbins in the order of the specialists, and how many are not shown.
pub(super) fn dustbins(report: &Report) -> (Vec<DustbinView>, usize) {
    let all: Vec<(usize, DustbinReport)> =
        report.dustbins.iter().enumerate().filter_map(|(index, dustbin)| Some((index, (*dustbin)?))).collect();
    let (shown, n_more) = truncated(&all, N_CLUSTERS_SHOWN);
    let view = |(index, dustbin): &(usize, DustbinReport)| DustbinView {
        title: format!("Cluster {index}"),
        observed: percent(dustbin.observed),
        uncorrected: percent(dustbin.uncorrected),
        counted: percent(dustbin.counted),
        uncorrected_ece: percent(dustbin.uncorrected_ece),
        counted_ece: percent(dustbin.counted_ece),
        refit_ece: percent(dustbin.refit_ece),
        used: if dustbin.uses_refit { "refit" } else { "counted" },
    };
    (shown.iter().map(view).collect(), n_more)
}

/// The paper's Table 3: a teacher, its conditional top-1, its top-1.
pub(super) fn conditional(report: &Report) -> Vec<[String; 3]> {
    let rows = |table: ConditionalReport| {
        let row = |name: &str, conditional, top1| [name.to_owned(), percent(conditional), percent(top1)];
        [
            row("Generalist", table.generalist_conditional_top1, table.generalist_top1),
            row("Merged ensemble", table.ensemble_conditional_top1, table.ensemble_top1),
        ]
    };
    report.conditional.map(rows).into_iter().flatten().collect()
}

fn n_classes(cluster: &ClusterReport) -> String {
    match cluster.classes.len() {
        1 => "1 class".into(),
        n => format!("{n} classes"),
    }
}

/// Conditional accuracy, generalist to specialist, the largest gain first; and how many clusters are not shown.
pub(super) fn gain_chart(report: &Report) -> (String, usize) {
    let mut clusters: Vec<(usize, &ClusterReport)> = report.clusters.iter().enumerate().collect();
    clusters.sort_by(|(_, a), (_, b)| b.specialist_gain.total_cmp(&a.specialist_gain));
    let (shown, n_more) = truncated(&clusters, N_CLUSTERS_CHARTED);
    let ends = |cluster: &ClusterReport| [cluster.generalist_conditional_top1, cluster.specialist_conditional_top1];
    let chart = RowChart {
        scale: Scale::linear_within(shown.iter().flat_map(|(_, cluster)| ends(cluster)), [0.0, 1.0], 8),
        in_percent: true,
        zero: None,
        axis_title: "top-1 in % on the cluster’s own classes".into(),
        rows: shown.iter().map(|(index, cluster)| gain_row(*index, cluster)).collect(),
    };
    (chart.render(), n_more)
}

fn gain_row(index: usize, cluster: &ClusterReport) -> Row {
    let (from, to) = (cluster.generalist_conditional_top1, cluster.specialist_conditional_top1);
    let (hinted, n_more) = truncated(&cluster.classes, N_CLASSES_HINTED);
    let rest = if n_more > 0 { ", …" } else { "" };
    let detail = format!("{}: {}{rest}", n_classes(cluster), hinted.join(", "));
    let class = if to >= from { "beats" } else { "worse" };
    Row {
        label: format!("Cluster {index}"),
        detail,
        value: points(cluster.specialist_gain),
        value_class: if cluster.helps { "" } else { "muted" },
        ink: vec![
            Ink::Interval { from, to, style: "dumbbell", class },
            Ink::Value { at: from, mark: Mark::Ring, class: Role::Generalist.colour() },
            Ink::Value { at: to, mark: Mark::Dot, class: Role::MergedEnsemble.colour() },
        ],
    }
}

/// The paper's Table 4.
pub(super) fn coverage(report: &Report) -> (Vec<CoverageView>, usize) {
    let (shown, n_more) = truncated(&report.coverage, N_COVERAGE_ROWS);
    let scale = Scale::linear(shown.iter().map(|row| row.relative_gain).chain([0.0]), 4);
    let n_examples: u64 = report.coverage.iter().map(|row| row.n_examples).sum();
    (shown.iter().map(|row| coverage_view(row, n_examples, &scale)).collect(), n_more)
}

fn coverage_view(row: &CoverageRow, n_examples: u64, scale: &Scale) -> CoverageView {
    let mut svg = Svg::new(16.0);
    let class = if row.relative_gain >= 0.0 { "bar beats" } else { "bar worse" };
    svg.line((scale.percent(0.0), 8.0), (scale.percent(row.relative_gain), 8.0), class);
    svg.line((scale.percent(0.0), 0.0), (scale.percent(0.0), 16.0), "zero");
    CoverageView {
        covering: row.covering,
        n_examples: integer(row.n_examples),
        share: percent(row.n_examples as f64 / n_examples.max(1) as f64),
        delta_correct: format!("{:+}", row.delta_correct).replace('-', "−"),
        relative_gain: relative_percent(row.relative_gain),
        bar_svg: svg.finish(""),
    }
}
