//! Documents as one page of HTML, for people.
//!
//! The templates hold the order and the markup, the style sheet the looks. Everything that a template inserts is escaped,
//! except pictures in base64 and the style sheet.

use crate::document::{Document, Part};
use crate::table::Output;
use crate::text::without_controls;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, HtmlEscape, UndefinedBehavior, Value, context};

const PAGE: &str = include_str!("page.html.j2");
const PARTS: &str = include_str!("parts.html.j2");
const STYLE_SHEET: &str = include_str!("page.css");

/// The whole page as text.
pub(crate) fn render(mut document: Document) -> String {
    for part in document.sections.iter_mut().flat_map(|section| &mut section.parts) {
        if let Part::Table(table) = part {
            *table = table.shown_in(Output::Html);
        }
    }
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the default delimiters"));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("breakable", breakable);
    environment.add_filter("isolated", isolated);
    let context = context! { style_sheet => STYLE_SHEET, document => Value::from(Serde(document)) };
    let page = environment
        .add_template("parts.html.j2", PARTS)
        .and_then(|()| environment.render_str(PAGE, context))
        .expect("the templates are part of the program and tests render them");
    without_controls(&page)
}

/// The filter `breakable`: a label, escaped, that may be broken into lines after the underscores, dashes, dots and slashes
/// between its words, and not in the middle of one.
fn breakable(label: &str) -> Value {
    let mut html = String::with_capacity(label.len());
    for part in label.split_inclusive(['_', '-', '.', '/']) {
        if !html.is_empty() {
            html.push_str("<wbr>");
        }
        html.push_str(&HtmlEscape(part).to_string());
    }
    Value::from_safe_string(isolated_html(label, html))
}

/// The filter `isolated`: a text, escaped, whose direction does not reach what stands around it.
fn isolated(text: &str) -> Value {
    Value::from_safe_string(isolated_html(text, HtmlEscape(text).to_string()))
}

/// The HTML of a text, in `<bdi>` where any of it is written from right to left.
fn isolated_html(text: &str, html: String) -> String {
    if text.chars().any(is_from_the_right) { format!("<bdi>{html}</bdi>") } else { html }
}

/// Whether a character belongs to a script that is written from right to left: Hebrew, Arabic and their neighbours in Unicode.
fn is_from_the_right(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}
