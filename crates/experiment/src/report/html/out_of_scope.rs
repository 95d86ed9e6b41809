//! How well confidence tells examples of no class, on the page.

use crate::report::contract::{OutOfScopeRow, Report};
use crate::report::format::{fixed, integer};
use crate::report::names::{out_of_scope_rows, title};
use serde::Serialize;

/// The table.
#[derive(Debug, Serialize)]
pub(super) struct OutOfScopeView {
    counts: String,
    columns: Vec<String>,
    rows: Vec<OutOfScopeRowView>,
}

/// One model in it.
#[derive(Debug, Serialize)]
struct OutOfScopeRowView {
    title: String,
    aurocs: Vec<String>,
}

pub(super) fn view(report: &Report) -> Option<OutOfScopeView> {
    let table = report.out_of_scope.as_ref()?;
    let row = |row: &OutOfScopeRow| OutOfScopeRowView {
        title: title(&row.model),
        aurocs: row.aurocs.iter().map(|auroc| fixed(*auroc, 4)).collect(),
    };
    Some(OutOfScopeView {
        counts: format!(
            "{} test examples against {} of no class",
            integer(report.dataset.n_test),
            integer(table.n_examples)
        ),
        columns: table.temperatures.iter().map(|temperature| format!("T = {temperature}")).collect(),
        rows: out_of_scope_rows(table).into_iter().map(row).collect(),
    })
}
