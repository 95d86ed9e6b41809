//! What can be wrong with an image, and what to do about it.

use super::formats::{MAX_BYTES, MAX_SIDE};
use crate::DataError;
use std::path::Path;

/// Why bytes do not become an image; each says what was found.
#[derive(Debug)]
pub(crate) enum Fault {
    /// An image that is not whole.
    Damaged(String),
    /// A format, or a part of a format, that is not read.
    OtherFormat(String),
    /// No image of any known format.
    NoImage,
    /// More pixels than are decoded.
    TooLarge(String),
    /// The system cannot read the file.
    Io(std::io::Error),
}

impl Fault {
    /// A panic of the decoder.
    pub(super) fn damaged(panic: &str) -> Self {
        Self::Damaged(format!("an image that cannot be decoded ({panic})"))
    }

    /// The message for a file, or for a `place` in it such as ` in row 3`.
    pub(crate) fn at(self, path: &Path, place: &str) -> DataError {
        let whole = "a whole PNG, JPEG, WebP or BMP image";
        let known = "a PNG, JPEG, WebP or BMP image";
        let invalid = |found: String, expected: &str, hint: &str| {
            DataError::invalid(path, format!("{found}{place}"), expected).hint(hint)
        };
        match self {
            Self::Damaged(found) => {
                invalid(found, whole, "the file may be cut off or damaged: fetch it again, or remove it")
            }
            Self::OtherFormat(found) => {
                invalid(found, known, "convert it, for example with ImageMagick: `magick OLD NEW.png`; or remove it")
            }
            Self::NoImage => invalid(
                "content that is no known image format".to_owned(),
                known,
                "remove the file, or put the image there",
            ),
            Self::TooLarge(found) => {
                let mib = MAX_BYTES >> 20;
                let expected = format!("at most {MAX_SIDE} pixels a side and {mib} MiB when decoded");
                invalid(found, &expected, "scale the image down, or remove it")
            }
            Self::Io(error) => DataError::io(path, "read")(error),
        }
    }
}
