//! Tables: computed once, with a text for people and a number for programs in each cell, and laid out by every output.
//!
//! A table is made of [`Field`]s, one for each column, and a list of items, one for each row.

use crate::chart::Mark;
use crate::format::{DASH, points};
use crate::role::{colour, title};
use crate::statistics::{Comparison, Verdict};
use crate::text::without_middle;
use serde::Serialize;

/// Where a table is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Terminal,
    Markdown,
    Html,
}

pub(crate) use Output::{Html, Markdown, Terminal};

/// A table; the first column names the row.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Table {
    /// what it is a table of
    pub(crate) title: String,
    /// whether a page shows it only on request, since a figure shows the same
    pub(crate) is_folded: bool,
    pub(crate) columns: Vec<Column>,
    /// blocks of rows
    pub(crate) groups: Vec<Group>,
    /// rows that are left out
    pub(crate) n_more: usize,
    /// how to read it
    pub(crate) note: String,
}

/// One column of a table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) is_text: bool,
    #[serde(skip)]
    outputs: &'static [Output],
}

/// Rows that may be compared with each other; a table of one block has no titles.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Group {
    pub(crate) title: String,
    /// title over the last column
    pub(crate) last_title: String,
    pub(crate) rows: Vec<Row>,
}

/// One row of a table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// whether it is the one to look at
    pub(crate) is_chosen: bool,
    pub(crate) cells: Vec<Cell>,
}

/// One cell of a table: a text for people, and for programs the number behind it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) value: Option<f64>,
    /// smaller, before the text
    pub(crate) remark: String,
    /// CSS classes of the text
    pub(crate) class: String,
    /// the mark before the text and the class of its colour
    pub(crate) mark: Option<(Mark, &'static str)>,
    /// a bar instead of a text: from where to where, in percent of the width
    pub(crate) bar: Option<[f64; 2]>,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A number; a dash where it is not known.
    pub(crate) fn number(value: Option<f64>, format: impl Fn(f64) -> String) -> Self {
        Self { text: value.map_or(DASH.into(), format), value, ..Self::default() }
    }

    /// A model, with the mark and colour that it has in figures.
    pub(crate) fn model(name: &str) -> Self {
        Self { mark: Some((Mark::of_model(name), colour(name))), ..Self::text(title(name)) }
    }

    /// The label of a class, broken into lines where it is long. Labels can differ in their ends alone.
    pub(crate) fn label(label: &str) -> Self {
        Self { class: "label".into(), ..Self::text(without_middle(label, N_LABEL_CHARACTERS)) }
    }

    /// A verdict and the difference that it is about, in points.
    pub(crate) fn verdict(verdict: Option<Verdict>, delta: Option<f64>) -> Self {
        let class = verdict.map_or(String::new(), |verdict| format!("verdict {}", verdict_class(verdict)));
        let remark = delta.map_or(String::new(), points);
        Self { remark, class, ..Self::text(verdict.map_or("", Verdict::word)) }
    }

    pub(crate) fn comparison(comparison: Option<&Comparison>) -> Self {
        Self::verdict(comparison.map(|found| found.verdict), comparison.map(|found| found.delta))
    }

    /// Remark and text in one.
    pub(crate) fn plain(&self) -> String {
        format!("{} {}", self.remark, self.text).trim().to_owned()
    }
}

/// Most characters of a label in a table.
const N_LABEL_CHARACTERS: usize = 120;

/// CSS class of the colour of a verdict.
pub(crate) fn verdict_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Beats => "beats",
        Verdict::NoDifference => "same",
        Verdict::Worse => "worse",
    }
}

/// How a table makes one column of its items.
pub(crate) struct Field<'a, T> {
    column: Column,
    cell: Box<dyn Fn(&T) -> Cell + 'a>,
    /// the better of two numbers, where a block has a best one
    better: Option<fn(f64, f64) -> f64>,
}

/// A column of cells.
pub(crate) fn cells<'a, T>(title: impl Into<String>, cell: impl Fn(&T) -> Cell + 'a) -> Field<'a, T> {
    let column = Column { title: title.into(), is_text: true, outputs: &[Terminal, Markdown, Html] };
    Field { column, cell: Box::new(cell), better: None }
}

/// A column of texts.
pub(crate) fn texts<'a, T>(title: impl Into<String>, text: impl Fn(&T) -> String + 'a) -> Field<'a, T> {
    cells(title, move |item| Cell::text(text(item)))
}

/// A column of numbers, written by `format`.
pub(crate) fn numbers<'a, T>(
    title: impl Into<String>,
    format: impl Fn(f64) -> String + 'a,
    value: impl Fn(&T) -> Option<f64> + 'a,
) -> Field<'a, T> {
    cells(title, move |item| Cell::number(value(item), &format)).right_aligned()
}

impl<T> Field<'_, T> {
    pub(crate) fn highest_is_best(self) -> Self {
        Self { better: Some(f64::max), ..self }
    }

    pub(crate) fn lowest_is_best(self) -> Self {
        Self { better: Some(f64::min), ..self }
    }

    pub(crate) fn right_aligned(mut self) -> Self {
        self.column.is_text = false;
        self
    }

    /// Shown in these outputs alone.
    pub(crate) fn only_in(mut self, outputs: &'static [Output]) -> Self {
        self.column.outputs = outputs;
        self
    }

    /// The best number of a column, where there are several to choose from.
    fn best_of(&self, cells: &[Cell]) -> Option<f64> {
        let values = cells.iter().filter_map(|cell| cell.value).filter(|value| value.is_finite());
        self.better.filter(|_| cells.len() > 1).and_then(|better| values.reduce(better))
    }
}

impl Table {
    /// A table with a row for each item.
    pub(crate) fn new<T>(title: impl Into<String>, fields: Vec<Field<'_, T>>, items: &[T]) -> Self {
        Self::in_groups(title, fields, vec![(String::new(), String::new(), items)])
    }

    /// A table of blocks: title, title over the last column, items.
    pub(crate) fn in_groups<T>(
        title: impl Into<String>,
        fields: Vec<Field<'_, T>>,
        groups: Vec<(String, String, &[T])>,
    ) -> Self {
        let groups = groups.into_iter().filter(|(_, _, items)| !items.is_empty());
        let groups = groups.map(|(title, last_title, items)| Group { title, last_title, rows: rows(&fields, items) });
        let groups = groups.collect();
        Self {
            title: title.into(),
            columns: fields.into_iter().map(|field| field.column).collect(),
            groups,
            ..Self::default()
        }
    }

    pub(crate) fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Shown in these outputs alone.
    pub(crate) fn only_in(mut self, outputs: &'static [Output]) -> Self {
        self.columns.iter_mut().for_each(|column| column.outputs = outputs);
        self
    }

    /// Shown on request: a figure of the page shows the same.
    pub(crate) fn folded(self) -> Self {
        Self { is_folded: true, ..self }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.groups.iter().flat_map(|group| &group.rows)
    }

    /// The first rows, and how many are left out.
    pub(crate) fn cut(mut self, n_rows: usize) -> Self {
        for group in &mut self.groups {
            self.n_more += group.rows.len().saturating_sub(n_rows);
            group.rows.truncate(n_rows);
        }
        self
    }

    /// The table with the columns of one output.
    pub(crate) fn shown_in(&self, output: Output) -> Self {
        let is_shown: Vec<bool> = self.columns.iter().map(|column| column.outputs.contains(&output)).collect();
        let mut table = self.clone();
        let mut shown = is_shown.iter();
        table.columns.retain(|_| shown.next() == Some(&true));
        for row in table.groups.iter_mut().flat_map(|group| &mut group.rows) {
            let mut shown = is_shown.iter();
            row.cells.retain(|_| shown.next() == Some(&true));
        }
        table
    }
}

fn rows<T>(fields: &[Field<'_, T>], items: &[T]) -> Vec<Row> {
    let mut rows: Vec<Row> = items.iter().map(|_| Row { is_chosen: false, cells: Vec::new() }).collect();
    for field in fields {
        let cells: Vec<Cell> = items.iter().map(|item| (field.cell)(item)).collect();
        let best = field.best_of(&cells);
        for (row, mut cell) in rows.iter_mut().zip(cells) {
            if best.is_some() && cell.value == best {
                cell.class = "best".to_owned();
            }
            row.cells.push(cell);
        }
    }
    rows
}
