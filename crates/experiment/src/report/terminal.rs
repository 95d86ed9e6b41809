//! The last thing that a run prints: the finding, a small table, the warnings. Plain ASCII but for the user's own labels,
//! at most 80 columns.

use super::contract::{ModelReport, Report};
use super::findings::{headline, supporting_sentences};
use super::format::{DASH, ascii, fixed, percent, points, si};
use super::names::{rank, title};
use super::text::{TERMINAL_WIDTH, wrapped};
use crate::role::Role;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Row, Table};

/// A short summary for the terminal.
pub fn terminal_summary(report: &Report) -> String {
    let report = &report.sanitised();
    let mut text = wrapped("", &ascii(&headline(report)), TERMINAL_WIDTH);
    for sentence in supporting_sentences(report) {
        text += &wrapped("  ", &ascii(&sentence), TERMINAL_WIDTH);
    }
    if report.main_models().next().is_some() {
        text += &format!("\n{}\n", model_table(report));
    }
    if !report.warnings.is_empty() {
        text.push('\n');
    }
    for warning in &report.warnings {
        text += &wrapped("! ", &ascii(warning), TERMINAL_WIDTH);
    }
    if !report.next_steps.is_empty() {
        text += "\nWhat to try next:\n";
    }
    for sentence in &report.next_steps {
        text += &wrapped("- ", &ascii(sentence), TERMINAL_WIDTH);
    }
    text
}

fn model_table(report: &Report) -> String {
    let mut models: Vec<&ModelReport> = report.main_models().collect();
    models.sort_by_key(|model| rank(&model.name));
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["", "top-1", "top-5", "NLL", "ECE", "params", "verdict"].iter().enumerate().map(aligned));
    for model in models {
        table.add_row(Row::from(cells(report, model).iter().enumerate().map(aligned).collect::<Vec<_>>()));
    }
    // one blank between columns: seven of them and the longest name just fit
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

fn cells(report: &Report, model: &ModelReport) -> [String; 7] {
    let comparison = Role::of_name(&model.name).and_then(|role| report.comparison(role, role.reference()?));
    let verdict = comparison.map_or(String::new(), |c| format!("{} {}", points(c.delta), c.verdict));
    [
        title(&model.name),
        percent(model.top1),
        percent(model.top5),
        fixed(model.nll, 3),
        percent(model.ece),
        if model.is_external() { DASH.to_owned() } else { si(model.n_parameters as f64) },
        verdict,
    ]
    .map(|text| ascii(&text))
}

/// Names and verdicts to the left, numbers to the right.
fn aligned((column, text): (usize, &impl ToString)) -> Cell {
    let is_text = column == 0 || column == 6;
    Cell::new(text.to_string()).set_alignment(if is_text { CellAlignment::Left } else { CellAlignment::Right })
}
