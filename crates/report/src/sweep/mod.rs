//! Many runs side by side: a table for programs (`summary.csv`), a page and a Markdown file for people.
//!
//! Cells that differ only in the seed are one **setting**; its numbers are means over seeds with Student's t intervals.
//! The best setting is the best on the **validation** split: the test split shows what that choice is worth, and choosing
//! by it would flatter the result. Failed cells are listed, never dropped.

mod axes;
mod cell;
mod figures;
mod settings;
mod tables;

use crate::document::{Document, Part, Section};
use crate::format::{counted, percent};
use crate::statistics::SeedSummary;
use crate::{csv, html, markdown, terminal};
use axes::along_axis;
pub use cell::SweepCell;
use cell::plain_value;
use settings::Settings;

/// `sweep.html`.
pub fn sweep_html(name: &str, cells: &[SweepCell]) -> String {
    html::render(document(name, cells))
}

/// `sweep.md`.
pub fn sweep_markdown(name: &str, cells: &[SweepCell]) -> String {
    markdown::render(&document(name, cells))
}

/// A short summary for the terminal.
pub fn sweep_terminal(cells: &[SweepCell]) -> String {
    terminal::render(&document("", cells))
}

/// `summary.csv`: one row per cell.
pub fn summary_csv(cells: &[SweepCell]) -> String {
    csv::render(&tables::runs(cells))
}

/// The document of a sweep.
fn document(name: &str, cells: &[SweepCell]) -> Document {
    let settings = Settings::of(cells);
    let failures: Vec<(String, String)> = cells.iter().filter_map(failure).collect();
    let warning = (!failures.is_empty()).then(|| {
        let n_cells = counted(cells.len(), "cell");
        format!("{} of {n_cells} failed; what they would have shown is missing here.", failures.len())
    });
    let axes: Vec<_> = settings.keys.iter().filter_map(|key| along_axis(key, &settings)).collect();
    let compute = figures::compute(cells, &settings);
    let figures =
        std::iter::once(figures::settings(&settings)).chain(compute).map(|figure| Part::Figures(vec![figure]));
    let overview = figures.chain([Part::Table(tables::settings(&settings))]);
    let lead = format!(
        "{}. Cells that differ only in the seed are one setting: means, with Student’s t interval where there are several \
         seeds. The best is chosen by validation; the test column shows what that choice is worth.",
        settings.subject.title()
    );
    let axes = if axes.is_empty() { Vec::new() } else { vec![Part::Figures(axes)] };
    let failed = if failures.is_empty() { Vec::new() } else { vec![Part::Pairs("provenance failures", failures)] };
    let sections = [
        Section::of("settings", "Settings", "Settings", &lead, overview.filter(|_| !cells.is_empty()).collect()),
        Section::of("axes", "Along the axes", "Along the axes", "", axes),
        Section::of("failed", "Failed cells", "Failed cells", "", failed),
    ];
    Document {
        kicker: "stillhouse sweep",
        title: name.to_owned(),
        facts: vec![counted(settings.settings.len(), "setting"), counted(cells.len(), "run")],
        headline: headline(&settings),
        warnings: warning.into_iter().collect(),
        sections: sections.into_iter().flatten().collect(),
        ..Document::default()
    }
}

/// The best setting by validation and what it reaches on test.
fn headline(settings: &Settings) -> String {
    match settings.best().and_then(|best| Some((best, best.test?))) {
        Some((best, test)) => format!(
            "Best by validation: {}. On test, {} reaches {}\u{a0}%{}.",
            settings.described(best),
            settings.subject.phrase(),
            percent(test.mean),
            over_seeds(test)
        ),
        None => "No cell finished.".into(),
    }
}

fn over_seeds(test: SeedSummary) -> String {
    match test.ci95 {
        None => " (one seed)".into(),
        Some([low, high]) => format!(" ({} to {} over {} seeds)", percent(low), percent(high), test.n_seeds),
    }
}

/// The axes of a failed cell and its message.
fn failure(cell: &SweepCell) -> Option<(String, String)> {
    let message = cell.outcome.as_ref().err()?;
    let axes = cell.axes.iter().map(|(key, value)| format!("{key} = {}", plain_value(value))).collect::<Vec<_>>();
    Some((axes.join(", "), message.clone()))
}

#[cfg(test)]
mod tests;
