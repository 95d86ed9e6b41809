//! `data preview` for texts: a page with a few examples of each class, and how their views differ.

use super::preview::first_rows;
use crate::report::{render, style_sheet};
use serde::Serialize;
use stillhouse_core::ViewId;
use stillhouse_data::Dataset;

/// Texts of each class.
const N_TEXTS: usize = 4;
/// Views of each text, where texts are augmented.
const N_VIEWS: u32 = 3;
/// Classes on one page.
const MAX_CLASSES: usize = 500;
/// Characters of a text that are shown.
const SHOWN_CHARACTERS: usize = 300;

const TEMPLATE: &str = include_str!("preview_texts.html.j2");

/// What the template places.
#[derive(Serialize)]
struct Page {
    style_sheet: &'static str,
    title: String,
    about: String,
    classes: Vec<ClassTexts>,
    n_more: usize,
}

#[derive(Serialize)]
struct ClassTexts {
    label: String,
    examples: Vec<ExampleTexts>,
}

#[derive(Serialize)]
struct ExampleTexts {
    text: String,
    /// only those that differ from the text
    views: Vec<String>,
}

/// Examples of each class as a page.
pub(super) fn text_page(dataset: &Dataset) -> String {
    let rows = first_rows(dataset, N_TEXTS);
    let of_class = |(label, rows): (&String, &Vec<usize>)| ClassTexts {
        label: label.clone(),
        examples: rows.iter().map(|row| example(dataset, *row)).collect(),
    };
    let page = Page {
        style_sheet: style_sheet(),
        title: format!("Preview of {}", dataset.name),
        about: dataset.describe(),
        classes: dataset.labels.iter().zip(&rows).take(MAX_CLASSES).map(of_class).collect(),
        n_more: dataset.n_classes().saturating_sub(MAX_CLASSES),
    };
    render(TEMPLATE, &page)
}

fn example(dataset: &Dataset, row: usize) -> ExampleTexts {
    let text = dataset.train.read_text(row, None);
    let views = (0..N_VIEWS).map(|view| dataset.train.read_text(row, Some(ViewId(view))));
    let views = views.filter(|view| *view != text).map(|view| shortened(&view)).collect();
    ExampleTexts { text: shortened(&text), views }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
