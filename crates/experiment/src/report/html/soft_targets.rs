//! What a teacher knows beyond the label: one example, a few classes, and a column of probabilities for every model and
//! temperature. The classes keep their places from column to column, so that the eye can follow one of them.

use super::image::{Picture, picture};
use crate::report::format::probability;
use crate::report::page::{SoftTargetRow, SoftTargetSample};
use serde::Serialize;

/// Examples shown.
const N_SAMPLES: usize = 12;
/// Classes per example.
const N_CLASSES: usize = 8;

/// One example.
#[derive(Debug, Serialize)]
pub(super) struct SampleView {
    picture: Option<Picture>,
    text: Option<String>,
    true_label: String,
    test_row: u64,
    sources: Vec<SourceView>,
    temperatures: Vec<ColumnView>,
    classes: Vec<ClassView>,
}

/// A model over its temperatures.
#[derive(Debug, Serialize)]
pub(super) struct SourceView {
    name: String,
    n_columns: usize,
}

/// Heading of one column.
#[derive(Debug, Serialize)]
pub(super) struct ColumnView {
    temperature: String,
    starts_source: bool,
}

/// One class in every column.
#[derive(Debug, Serialize)]
pub(super) struct ClassView {
    label: String,
    is_true: bool,
    bars: Vec<BarView>,
}

/// One probability.
#[derive(Debug, Serialize)]
pub(super) struct BarView {
    /// length relative to the largest of the column; the template draws nothing for a class that was not given
    width_percent: Option<String>,
    text: String,
    starts_source: bool,
}

/// The first few examples.
pub(super) fn views(samples: &[SoftTargetSample]) -> Vec<SampleView> {
    samples.iter().filter(|sample| !sample.rows.is_empty()).take(N_SAMPLES).map(view).collect()
}

fn view(sample: &SoftTargetSample) -> SampleView {
    let starts_source = |column: usize| column == 0 || sample.rows[column].source != sample.rows[column - 1].source;
    let class_view = |label: String| ClassView {
        is_true: label == sample.true_label,
        bars: (0..sample.rows.len()).map(|column| bar(&sample.rows[column], &label, starts_source(column))).collect(),
        label,
    };
    SampleView {
        picture: picture(sample.png.as_deref()),
        text: sample.text.clone(),
        true_label: sample.true_label.clone(),
        test_row: sample.test_row,
        sources: sources(&sample.rows),
        temperatures: (0..sample.rows.len())
            .map(|column| ColumnView {
                temperature: sample.rows[column].temperature.to_string(),
                starts_source: starts_source(column),
            })
            .collect(),
        classes: shown_classes(sample).into_iter().map(class_view).collect(),
    }
}

fn sources(rows: &[SoftTargetRow]) -> Vec<SourceView> {
    rows.chunk_by(|a, b| a.source == b.source)
        .map(|columns| SourceView { name: columns[0].source.clone(), n_columns: columns.len() })
        .collect()
}

/// The classes that some column finds most probable, relative to that column's first, and always the true one; in the
/// order of their best relative probability.
fn shown_classes(sample: &SoftTargetSample) -> Vec<String> {
    let mut best: Vec<(String, f64)> = vec![(sample.true_label.clone(), 0.0)];
    for row in &sample.rows {
        let largest = largest(row);
        for (label, probability) in &row.top {
            let relative = if largest > 0.0 { probability / largest } else { 0.0 };
            match best.iter_mut().find(|(known, _)| known == label) {
                Some((_, known)) => *known = known.max(relative),
                None => best.push((label.clone(), relative)),
            }
        }
    }
    best.sort_by(|a, b| b.1.total_cmp(&a.1));
    let keep = |(position, (label, _)): &(usize, (String, f64))| *position < N_CLASSES || *label == sample.true_label;
    best.into_iter().enumerate().filter(keep).map(|(_, (label, _))| label).collect()
}

fn largest(row: &SoftTargetRow) -> f64 {
    row.top.iter().map(|(_, probability)| *probability).filter(|p| p.is_finite()).fold(0.0, f64::max)
}

fn bar(row: &SoftTargetRow, label: &str, starts_source: bool) -> BarView {
    let known = row.top.iter().find(|(known, _)| known == label).map(|(_, probability)| *probability);
    let largest = largest(row);
    let width = known.filter(|p| p.is_finite() && largest > 0.0).map(|p| format!("{:.1}", 100.0 * p / largest));
    BarView { width_percent: width, text: known.map_or("·".into(), probability), starts_source }
}
