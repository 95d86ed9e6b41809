//! Pictures and texts for the page: what a cluster looks like, and what a teacher knows about an example beyond its label.

use crate::error::Result;
use crate::networks::predictions::{Predictions, distinct};
use crate::networks::teacher::{Complete, Teacher};
use crate::pictures::png_of;
use crate::report::{ConfusedPair, Gallery, SoftTargetRow, SoftTargetSample, Tile, shortened};
use crate::role::Role;
use crate::session::Session;
use std::collections::HashSet;
use stillhouse_core::{ClassSubset, Temperature};
use stillhouse_data::Split;
use stillhouse_targets::soften;
use stillhouse_train::PredictionRecord;

/// Tiles of one cluster.
const N_TILES: usize = 12;
/// Clusters with pictures.
const N_GALLERIES: usize = 30;
/// Classes kept of each softened distribution.
const N_TOP: usize = 6;
/// Characters of a text that are shown.
const SHOWN_CHARACTERS: usize = 200;
/// Temperatures at which the student's teacher is shown.
const TEMPERATURES: [f64; 4] = [1.0, 2.0, 4.0, 8.0];
/// The share of the test examples from which samples are drawn: those whose second class is most probable.
const SHARE_IN_DOUBT: f64 = 0.2;

/// One validation example for each of a cluster's first classes, for clusters in the report's order.
pub(super) fn cluster_galleries<'a>(
    session: &Session<'_>,
    clusters: impl Iterator<Item = &'a ClassSubset>,
) -> Result<Vec<Gallery>> {
    let mut first_of_class = vec![None; session.data.n_classes()];
    for row in (0..session.data.valid.len()).rev() {
        first_of_class[session.data.valid.label(row).index()] = Some(row);
    }
    let tile = |class: &stillhouse_core::ClassId| -> Result<Tile> {
        let row = first_of_class[class.index()];
        let png = row.map(|row| png_of(&session.data.valid, row)).transpose()?.flatten();
        let text = row.and_then(|row| text_of(&session.data.valid, row));
        Ok(Tile { label: session.data.labels[class.index()].clone(), png, text })
    };
    let gallery = |(cluster_idx, subset): (usize, &ClassSubset)| -> Result<Gallery> {
        let tiles = subset.members().iter().take(N_TILES).map(tile).collect::<Result<_>>()?;
        Ok(Gallery { cluster_idx, tiles })
    };
    clusters.take(N_GALLERIES).enumerate().map(gallery).collect()
}

/// Test examples about which the student's teacher is in doubt, with its softened distributions, the generalist's and
/// the student's. `records` are the teacher's of all test examples.
pub(super) fn soft_target_samples(
    session: &Session<'_>,
    test: &Split,
    records: &[PredictionRecord],
    (students_teacher, complete): (Role, &Complete<'_>),
) -> Result<Vec<SoftTargetSample>> {
    let n_classes = session.data.n_classes();
    let chosen = rows_in_doubt(session, test, records);
    let split = test.select(&chosen);
    let is_shown = |role: Role| role == students_teacher || matches!(role, Role::Generalist | Role::Student);
    let models: Vec<&(Role, Teacher<'_>)> = complete.iter().filter(|(role, _)| is_shown(*role)).collect();
    let members = distinct(models.iter().flat_map(|(_, teacher)| teacher.members()));
    let predictions = Predictions::new(session, &members, &split, None)?;
    let probs: Vec<(Role, Vec<f32>)> =
        models.iter().map(|(role, model)| Ok((*role, model.apply(&predictions)?))).collect::<Result<_>>()?;
    let sample = |nth: usize| -> Result<SoftTargetSample> {
        let of = |probs: &'_ [f32]| probs[nth * n_classes..][..n_classes].to_vec();
        let (of_teacher, others): (Vec<_>, Vec<_>) = probs.iter().partition(|(role, _)| *role == students_teacher);
        let name = if students_teacher == Role::MergedEnsemble { "merged" } else { students_teacher.kind() };
        let softened = of_teacher.iter().flat_map(|(_, probs)| {
            TEMPERATURES.iter().map(|temperature| shown(session, name, &of(probs), *temperature))
        });
        let others = others.iter().map(|(role, probs)| shown(session, role.kind(), &of(probs), 1.0));
        Ok(SoftTargetSample {
            png: png_of(&split, nth)?,
            text: text_of(&split, nth),
            true_label: session.data.labels[split.label(nth).index()].clone(),
            test_row: chosen[nth] as u64,
            rows: softened.chain(others).collect(),
        })
    };
    (0..split.len()).map(sample).collect()
}

/// The test example of each of these pairs; none where examples are neither pictures nor texts.
pub(super) fn confused_examples(test: &Split, pairs: &[ConfusedPair]) -> Result<Vec<Tile>> {
    let mut tiles = Vec::new();
    for pair in pairs {
        let row = pair.test_row as usize;
        let tile = Tile { label: pair.label.clone(), png: png_of(test, row)?, text: text_of(test, row) };
        if tile.png.is_none() && tile.text.is_none() {
            return Ok(Vec::new());
        }
        tiles.push(tile);
    }
    Ok(tiles)
}

/// A seeded draw from the rows where the prediction is torn between two classes, which shows more than a flat one; of each
/// label once, if there are labels enough.
fn rows_in_doubt(session: &Session<'_>, test: &Split, records: &[PredictionRecord]) -> Vec<usize> {
    let n_samples = session.config.evaluation.n_samples;
    let mut rows: Vec<usize> = (0..records.len()).collect();
    rows.sort_by(|a, b| records[*b].second_prob.total_cmp(&records[*a].second_prob));
    rows.truncate(((records.len() as f64 * SHARE_IN_DOUBT) as usize).max(n_samples));
    rows.sort_by_key(|row| session.seed.derive("sample", *row as u64).0);
    let mut seen = HashSet::new();
    let (mut chosen, others): (Vec<usize>, Vec<usize>) =
        rows.into_iter().partition(|row| seen.insert(test.label(*row)));
    chosen.extend(others);
    chosen.truncate(n_samples);
    chosen
}

fn shown(session: &Session<'_>, source: &str, probs: &[f32], temperature: f64) -> SoftTargetRow {
    let mut softened = vec![0.0; probs.len()];
    soften(probs, Temperature::new(temperature).expect("a constant above 0"), &mut softened);
    let mut classes: Vec<usize> = (0..softened.len()).collect();
    classes.sort_by(|a, b| softened[*b].total_cmp(&softened[*a]).then(a.cmp(b)));
    let top =
        classes.into_iter().take(N_TOP).map(|class| (session.data.labels[class].clone(), f64::from(softened[class])));
    SoftTargetRow { source: source.to_owned(), temperature, top: top.collect() }
}

/// The start of a text; none for other examples.
fn text_of(split: &Split, row: usize) -> Option<String> {
    split.is_text().then(|| shortened(&split.read_text(row, None), SHOWN_CHARACTERS))
}
