//! What all outputs show: a [`Document`] of sections with tables and figures, computed once for a run or a sweep.
//!
//! The renderers ([`html`](crate::html), [`markdown`](mod@crate::markdown), [`terminal`](crate::terminal),
//! [`csv`](crate::csv)) know nothing of models: they lay out what is here.

use crate::chart::Figure;
use crate::curves::Panel;
use crate::example::Example;
use crate::samples::Sample;
use crate::table::Table;
use serde::Serialize;

/// A run or a sweep, ready to be laid out. All texts are plain; renderers escape them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Document {
    /// above the title: what kind of document this is
    pub(crate) kicker: &'static str,
    pub(crate) title: String,
    /// under the title
    pub(crate) facts: Vec<String>,
    /// the result in one sentence
    pub(crate) headline: String,
    /// sentences that qualify the headline
    pub(crate) supporting: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) sections: Vec<Section>,
}

/// A heading and what stands under it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Section {
    /// anchor in the page
    pub(crate) id: &'static str,
    /// text of the link to it; empty for none
    pub(crate) link: &'static str,
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) parts: Vec<Part>,
}

impl Section {
    /// A section; none without parts.
    pub(crate) fn of(id: &'static str, link: &'static str, title: &str, lead: &str, parts: Vec<Part>) -> Option<Self> {
        let section = Self { id, link, title: title.into(), lead: lead.into(), parts };
        (!section.parts.is_empty()).then_some(section)
    }
}

/// Something in a section. Only the page shows figures and cards.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub(crate) enum Part {
    Table(Table),
    Figures(Vec<Figure>),
    Text(String),
    /// over the next parts
    Heading(&'static str),
    Examples(Vec<Example>),
    /// a paragraph in small type
    Caption(String),
    List(Vec<String>),
    Links(Vec<Link>),
    /// names and values; the first field is the CSS class of the list
    Pairs(&'static str, Vec<(String, String)>),
    Cards(Vec<Card>),
    Samples(Vec<Sample>),
    Panels(Vec<Panel>),
    /// a long text behind a title that opens it
    Source(&'static str, String),
}

/// A file next to the page.
#[derive(Debug, Serialize)]
pub(crate) struct Link {
    /// what it is
    pub(crate) text: String,
    /// relative to the page
    pub(crate) path: String,
    /// text behind the link
    pub(crate) facts: String,
}

/// A cluster or a class: how much it gains, examples, labels.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Card {
    pub(crate) title: String,
    /// text next to the title, and its CSS class
    pub(crate) value: (String, &'static str),
    pub(crate) facts: String,
    pub(crate) examples: Vec<Example>,
    pub(crate) labels: Vec<String>,
    pub(crate) n_more: usize,
}
