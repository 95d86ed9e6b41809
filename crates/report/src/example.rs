//! One example of the data in a page.

use crate::page::Tile;
use crate::picture::{Picture, picture};
use serde::Serialize;

/// A picture or a text.
#[derive(Debug, Serialize)]
pub(crate) struct Example {
    pub(crate) label: String,
    pub(crate) picture: Option<Picture>,
    pub(crate) text: Option<String>,
    /// how augmentation changes the text
    pub(crate) views: Vec<String>,
}

impl From<&Tile> for Example {
    fn from(tile: &Tile) -> Self {
        let picture = picture(tile.png.as_deref());
        Self { label: tile.label.clone(), picture, text: tile.text.clone(), views: Vec::new() }
    }
}
