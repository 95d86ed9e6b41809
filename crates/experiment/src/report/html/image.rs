//! Pictures inside the page: PNG files as data URIs.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PNG_SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

/// Where a PNG keeps its width: after the signature, the header chunk's length and its name.
const WIDTH_OFFSET: usize = 16;

/// Pictures up to this width are enlarged without smoothing, so that their pixels can be told apart.
const SMALL_WIDTH: u32 = 72;

/// A picture as the template shows it.
#[derive(Clone, Debug, serde::Serialize)]
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
    Some(Picture { base64: base64(png), is_small: width <= SMALL_WIDTH })
}

/// RFC 4648 base64 with padding.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let padded = [chunk[0], *chunk.get(1).unwrap_or(&0), *chunk.get(2).unwrap_or(&0)];
        let bits = u32::from_be_bytes([0, padded[0], padded[1], padded[2]]);
        for position in 0..4 {
            let index = (bits >> (18 - 6 * position)) & 63;
            text.push(if position <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_test_vectors_of_rfc_4648() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn what_is_no_png_is_no_picture() {
        assert!(picture(None).is_none());
        assert!(picture(Some(b"GIF89a")).is_none());
        assert!(picture(Some(PNG_SIGNATURE)).is_none());
    }
}
