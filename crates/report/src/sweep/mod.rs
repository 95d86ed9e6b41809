//! Many runs side by side: a table for programs (`summary.csv`), a page and a Markdown file for people.
//!
//! Cells that differ only in the seed are one **setting**; its numbers are means over seeds with Student's t intervals.
//! The best setting is the best on the **validation** split: the test split shows what that choice is worth, and choosing
//! by it would flatter the result. Failed cells are listed, never dropped.

mod axes;
mod cell;
mod figures;
mod importance;
mod over_seeds;
mod parallel;
mod settings;
mod tables;

use crate::document::{Document, Part, Section};
use crate::format::{counted, percent};
use crate::{csv, html, markdown, terminal};
use axes::along_axis;
pub use cell::SweepCell;
use cell::plain_value;
use settings::Settings;
pub use settings::validation_of;

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
    let failures: Vec<(String, String)> = cells.iter().filter_map(|cell| missing(cell, false)).collect();
    let dropped: Vec<(String, String)> = cells.iter().filter_map(|cell| missing(cell, true)).collect();
    let warning = (!failures.is_empty()).then(|| {
        let n_cells = counted(cells.len(), "cell");
        format!("{} of {n_cells} failed; what they would have shown is missing here.", failures.len())
    });
    let axes: Vec<_> = settings.keys.iter().filter_map(|key| along_axis(key, &settings)).collect();
    let compute = figures::compute(cells, &settings);
    let figures =
        std::iter::once(figures::settings(&settings)).chain(compute).map(|figure| Part::Figures(vec![figure]));
    let overview = figures.chain([Part::Table(tables::settings(&settings))]);
    let found = importance::importances(&settings);
    let table = (!found.is_empty()).then(|| Part::Table(tables::importances(&found, &settings)));
    let parallel = parallel::parallel(&settings).map(|figure| Part::Figures(vec![figure]));
    let matters = parallel.into_iter().chain(table).collect();
    let lead = format!(
        "{}. Cells that differ only in the seed are one setting: means, with Student’s t interval from three seeds \
         on. The best is chosen by validation; the test column shows what that choice is worth. \
         Not told apart: the validation accuracies differ by less than 1.96 standard errors of two independent shares.",
        settings.subject.title()
    );
    let axes = if axes.is_empty() { Vec::new() } else { vec![Part::Figures(axes)] };
    let ended = if dropped.is_empty() { Vec::new() } else { vec![Part::Pairs("provenance", dropped)] };
    let failed = if failures.is_empty() { Vec::new() } else { vec![Part::Pairs("provenance failures", failures)] };
    let sections = [
        Section::of("settings", "Settings", "Settings", &lead, overview.filter(|_| !cells.is_empty()).collect()),
        Section::of("matters", "What matters", "What matters", "", matters),
        Section::of("axes", "Along the axes", "Along the axes", "", axes),
        Section::of(
            "dropped",
            "Dropped cells",
            "Dropped cells",
            "Not trained to their end, since others were better on the validation split after as many epochs.",
            ended,
        ),
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

/// The best setting by validation, what it was not told apart from, and what it reaches on test.
fn headline(settings: &Settings) -> String {
    let Some((best, test)) = settings.best().and_then(|best| Some((best, best.test.as_ref()?))) else {
        return "No cell finished.".into();
    };
    let n_others = settings.settings.iter().filter(|setting| setting.valid.is_some()).count() - 1;
    let apart = match settings.n_like_the_best().unwrap_or(0) {
        _ if n_others == 0 => String::new(),
        0 => ", told apart from all others".into(),
        n => format!(", not told apart from {n} of {}", counted(n_others, "other")),
    };
    format!(
        "Best by validation: {}{apart}. On test, {} reaches {}\u{a0}%{}.",
        settings.described(best),
        settings.subject.phrase(),
        percent(test.mean()),
        test.in_brackets()
    )
}

/// The axes of a cell without a report, and the message of its failure or of its end.
fn missing(cell: &SweepCell, is_dropped: bool) -> Option<(String, String)> {
    let message = cell.outcome.as_ref().err().filter(|_| cell.is_dropped == is_dropped)?;
    let axes = cell.axes.iter().map(|(key, value)| format!("{key} = {}", plain_value(value))).collect::<Vec<_>>();
    Some((axes.join(", "), message.clone()))
}

#[cfg(test)]
mod tests;
