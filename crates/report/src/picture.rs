//! Pictures inside a page.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

const PNG_SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";
/// Where a PNG keeps its width: after the signature, the header chunk's length and its name.
const WIDTH_OFFSET: usize = 16;
/// Pictures up to this width are enlarged without smoothing, so that their pixels can be told apart.
const SMALL_WIDTH: u32 = 72;

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
