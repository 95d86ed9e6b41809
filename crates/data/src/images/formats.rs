//! Which kind of image some bytes are, by their first ones, and how large one may be.
//!
//! | read | refused by its name | |
//! |---|---|---|
//! | PNG, JPEG, WebP, BMP | GIF, TIFF, AVIF, HEIC, JPEG XL, JPEG 2000, SVG, Photoshop, icons, OpenEXR and further ones | web pages, and what is no known format |
//!
//! Of animations the first picture is read.

use image::ImageFormat;

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// an image that is read
    Readable,
    /// an image of another format, or something else that is known by this name
    Other(&'static str),
    Unknown,
}

/// Longest side that is accepted.
pub(super) const MAX_SIDE: u32 = 1 << 14;
/// Most bytes of a decoded image, for each thread: a few kB of a file can claim as many as it likes.
pub(super) const MAX_BYTES: u64 = 512 << 20;

/// First bytes that suffice to tell.
pub(crate) const HEAD_BYTES: usize = 256;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Where a PNG says how many bits a channel has.
const PNG_DEPTH_AT: usize = 24;

/// The kind of a file by its first bytes.
pub(crate) fn kind(head: &[u8]) -> Kind {
    if let Some(name) = other_by_name(head) {
        return Kind::Other(name);
    }
    match image::guess_format(head) {
        Ok(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) => Kind::Readable,
        Ok(ImageFormat::Bmp) if is_bmp(head) => Kind::Readable,
        Ok(ImageFormat::Gif) => Kind::Other("a GIF image"),
        Ok(ImageFormat::Tiff) => Kind::Other("a TIFF image"),
        Ok(ImageFormat::Ico) => Kind::Other("an icon (ICO)"),
        Ok(ImageFormat::OpenExr) => Kind::Other("an OpenEXR image"),
        Ok(ImageFormat::Hdr) => Kind::Other("a Radiance HDR image"),
        Ok(ImageFormat::Dds) => Kind::Other("a DDS image"),
        Ok(ImageFormat::Qoi) => Kind::Other("a QOI image"),
        // two letters that a text can begin with are followed by white space
        Ok(ImageFormat::Pnm) if head.get(2).is_some_and(u8::is_ascii_whitespace) => Kind::Other("a PNM image"),
        _ => Kind::Unknown,
    }
}

/// Whether an image has 16 bits a channel. Of the formats that are read only PNG can.
pub(crate) fn is_wide(head: &[u8]) -> bool {
    head.starts_with(PNG) && head.get(PNG_DEPTH_AT) == Some(&16)
}

/// The endings of names that are meant as images, whether they are read or not.
pub(crate) fn has_image_ending(path: &std::path::Path) -> bool {
    const ENDINGS: [&str; 26] = [
        "png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib", "gif", "tif", "tiff", "heic", "heif", "avif", "svg",
        "ico", "jp2", "jxl", "ppm", "pgm", "pbm", "pnm", "tga", "psd", "exr", "dng",
    ];
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// A text can begin with the two letters of a BMP, so the size of the second header counts too.
fn is_bmp(head: &[u8]) -> bool {
    const HEADER_SIZES: [u8; 7] = [12, 40, 52, 56, 64, 108, 124];
    head.get(14..18).is_some_and(|size| size[1..] == [0; 3] && HEADER_SIZES.contains(&size[0]))
}

fn other_by_name(head: &[u8]) -> Option<&'static str> {
    let brand = if head.get(4..8) == Some(b"ftyp") { head.get(8..12) } else { None };
    match brand {
        Some(b"avif" | b"avis") => return Some("an AVIF image"),
        Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1") => return Some("a HEIC image"),
        _ => {}
    }
    let starts: [(&[u8], &str); 5] = [
        (b"\xff\x0a", "a JPEG XL image"),
        (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
        (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
        (b"8BPS", "a Photoshop image"),
        (b"%PDF", "a PDF file"),
    ];
    let found = starts.iter().find(|(start, _)| head.starts_with(start)).map(|(_, name)| *name);
    found.or_else(|| {
        let text = String::from_utf8_lossy(head).trim_start_matches('\u{feff}').trim_start().to_lowercase();
        match () {
            () if text.starts_with("<!doctype html") || text.starts_with("<html") => Some("a web page"),
            () if text.starts_with("<svg") || (text.starts_with("<?xml") && text.contains("<svg")) => {
                Some("an SVG image")
            }
            () => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        let bmp = [&b"BM\0\0\0\0\0\0\0\0\0\0\0\0"[..], &[40, 0, 0, 0]].concat();
        let readable: [&[u8]; 4] = [PNG, b"\xff\xd8\xff\xe0", b"RIFF\x01\x02\x03\x04WEBPVP8 ", &bmp];
        assert!(readable.iter().all(|head| kind(head) == Kind::Readable));
        let others: [(&[u8], &str); 8] = [
            (b"GIF89a", "GIF"),
            (b"II*\x00", "TIFF"),
            (b"\0\0\0\x1cftypavif", "AVIF"),
            (b"\0\0\0\x18ftypheic", "HEIC"),
            (b"\0\0\0\x0cJXL \r\n", "JPEG XL"),
            (b"<?xml version=\"1.0\"?>\n<svg xmlns", "SVG"),
            (b"  <!DOCTYPE html><html>", "web page"),
            (b"P5\n4 4\n255\n", "PNM"),
        ];
        for (head, part) in others {
            assert!(matches!(kind(head), Kind::Other(name) if name.contains(part)), "{part}");
        }
        let unknown: [&[u8]; 4] = [b"", b"BMW and other cars", b"P1, the first", b"<?xml version=\"1.0\"?><a>"];
        assert!(unknown.iter().all(|head| kind(head) == Kind::Unknown));
    }

    #[test]
    fn endings_are_those_of_images_in_any_case() {
        assert!(["a.PNG", "a.b.jpg", "a.HEIC"].iter().all(|name| has_image_ending(Path::new(name))));
        assert!(["a.txt", "png", "Thumbs.db", ".png"].iter().all(|name| !has_image_ending(Path::new(name))));
    }
}
