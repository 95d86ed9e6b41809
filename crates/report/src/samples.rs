//! What a teacher knows beyond the label: one example, a few classes, and a column of probabilities for every model and
//! temperature. The classes keep their places from column to column, so that the eye can follow one of them.

use crate::example::Example;
use crate::format::probability;
use crate::page::{SoftTargetRow, SoftTargetSample};
use crate::picture::picture;
use serde::Serialize;

/// Examples shown.
const N_SAMPLES: usize = 12;
/// Classes per example.
const N_CLASSES: usize = 8;

/// One example with what the models believe of it.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    example: Example,
    test_row: u64,
    /// each model, and over how many columns its temperatures go
    sources: Vec<(String, usize)>,
    /// temperature of each column, and whether the column begins a model
    columns: Vec<(String, bool)>,
    classes: Vec<ClassRow>,
}

/// One class in every column.
#[derive(Debug, Serialize)]
struct ClassRow {
    label: String,
    is_true: bool,
    /// each probability in words, and in percent of the largest of its column; no bar for a class that was not recorded
    bars: Vec<(String, Option<String>)>,
}

/// The first few examples.
pub(crate) fn samples(samples: &[SoftTargetSample]) -> Vec<Sample> {
    samples.iter().filter(|sample| !sample.rows.is_empty()).take(N_SAMPLES).map(sample).collect()
}

fn sample(sample: &SoftTargetSample) -> Sample {
    let by_source = || sample.rows.chunk_by(|a, b| a.source == b.source);
    let class = |label: String| ClassRow {
        is_true: label == sample.true_label,
        bars: sample.rows.iter().map(|row| bar(row, &label)).collect(),
        label,
    };
    let (label, picture) = (sample.true_label.clone(), picture(sample.png.as_deref()));
    Sample {
        example: Example { label, picture, text: sample.text.clone(), views: Vec::new() },
        test_row: sample.test_row,
        sources: by_source().map(|rows| (rows[0].source.clone(), rows.len())).collect(),
        columns: by_source()
            .flat_map(|rows| rows.iter().enumerate().map(|(nth, row)| (row.temperature.to_string(), nth == 0)))
            .collect(),
        classes: shown_classes(sample).into_iter().map(class).collect(),
    }
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

fn bar(row: &SoftTargetRow, label: &str) -> (String, Option<String>) {
    let known = row.top.iter().find(|(known, _)| known == label).map(|(_, probability)| *probability);
    let largest = largest(row);
    let width = known.filter(|p| p.is_finite() && largest > 0.0).map(|p| format!("{:.1}", 100.0 * p / largest));
    (known.map_or("·".into(), probability), width)
}
