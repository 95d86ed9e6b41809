//! The page of `data preview`: examples of each class.

use crate::document::{Card, Document, Part, Section};
use crate::example::Example;
use crate::html;
use crate::picture::picture;

/// Examples of one class.
#[derive(Clone, Debug)]
pub struct PreviewClass {
    /// its label
    pub label: String,
    /// may be empty
    pub examples: Vec<PreviewExample>,
}

/// One example: a picture or a text.
#[derive(Clone, Debug, Default)]
pub struct PreviewExample {
    /// the image as a PNG file
    pub png: Option<Vec<u8>>,
    /// the text
    pub text: Option<String>,
    /// what augmentation makes of the text
    pub views: Vec<String>,
}

/// The whole page as text; `n_more` classes are not in it.
pub fn preview_page(title: String, about: String, classes: &[PreviewClass], n_more: usize) -> String {
    let more = (n_more > 0).then(|| Part::Caption(format!("and {n_more} more classes")));
    let parts = std::iter::once(Part::Cards(classes.iter().map(card).collect())).chain(more).collect();
    let sections = vec![Section { parts, ..Section::default() }];
    html::render(Document { kicker: "stillhouse preview", title, facts: vec![about], sections, ..Document::default() })
}

fn card(class: &PreviewClass) -> Card {
    let example = |example: &PreviewExample| Example {
        label: String::new(),
        picture: picture(example.png.as_deref()),
        text: example.text.clone(),
        views: example.views.clone(),
    };
    Card {
        title: class.label.clone(),
        facts: if class.examples.is_empty() { "no training example".into() } else { String::new() },
        examples: class.examples.iter().map(example).collect(),
        ..Card::default()
    }
}
