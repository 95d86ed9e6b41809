//! Documents as one page of HTML, for people.
//!
//! The templates hold the order and the markup, the style sheet the looks. Everything that a template inserts is escaped,
//! except pictures in base64 and the style sheet.

use crate::document::{Document, Part};
use crate::table::Output;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, HtmlEscape, UndefinedBehavior, Value, context};
use serde::Serialize;

const PAGE: &str = include_str!("page.html.j2");
const PARTS: &str = include_str!("parts.html.j2");
const STYLE_SHEET: &str = include_str!("page.css");

const PNG_SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";
/// Where a PNG keeps its width: after the signature, the header chunk's length and its name.
const WIDTH_OFFSET: usize = 16;
/// Pictures up to this width are enlarged without smoothing, so that their pixels can be told apart.
const SMALL_WIDTH: u32 = 72;

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
    let context = context! { style_sheet => STYLE_SHEET, document => Value::from(Serde(document)) };
    environment
        .add_template("parts.html.j2", PARTS)
        .and_then(|()| environment.render_str(PAGE, context))
        .expect("the templates are part of the program and tests render them")
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
    Value::from_safe_string(html)
}

/// A picture as the template shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Picture {
    /// the file; letters, digits, `+`, `/` and `=`, so nothing in it needs escaping
    base64: String,
    /// whether it is so small that pixels should stay sharp
    is_small: bool,
}

/// The picture of a PNG file; anything else shows as no picture.
pub(crate) fn picture(png: Option<&[u8]>) -> Option<Picture> {
    let png = png.filter(|png| png.starts_with(PNG_SIGNATURE))?;
    let width = png.get(WIDTH_OFFSET..WIDTH_OFFSET + 4)?;
    let width = u32::from_be_bytes([width[0], width[1], width[2], width[3]]);
    Some(Picture { base64: BASE64_STANDARD.encode(png), is_small: width <= SMALL_WIDTH })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_png_is_no_picture() {
        assert!(picture(None).is_none());
        assert!(picture(Some(b"GIF89a")).is_none());
        assert!(picture(Some(PNG_SIGNATURE)).is_none());
    }
}
