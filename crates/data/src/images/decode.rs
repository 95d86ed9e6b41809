//! From the bytes of an image file to `[height, width, channels]` values.

use super::fault::Fault;
use super::formats::{self, HEAD_BYTES, Kind, MAX_BYTES, MAX_SIDE};
use super::ground::lay_on;
use super::jpeg::check_is_whole;
use super::pixels::ImageValues;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use std::borrow::Cow;
use std::io::{BufRead, Cursor, Seek};
use stillhouse_files::guarded;

/// What every image of a dataset is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl Target {
    /// Values of an image.
    pub(crate) fn n_values(&self) -> usize {
        self.height * self.width * self.channels
    }
}

/// How images are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decoding {
    /// Red, green and blue of what transparent images are laid on.
    pub(crate) ground: [u8; 3],
    /// Whether images of 16 bits keep them; otherwise all images become bytes.
    pub(crate) is_wide: bool,
}

/// A decoded image.
pub(crate) struct Decoded {
    /// `[H, W, C]`: words where the decoding is wide
    pub(crate) values: ImageValues<'static>,
    /// Whether something of the ground is seen.
    pub(crate) is_transparent: bool,
}

/// What the header of an image file says, after turning it upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) is_grey: bool,
}

/// Reads the header alone.
pub(crate) fn read_header(reader: impl BufRead + Seek) -> Result<Header, Fault> {
    guarded(|| {
        let mut decoder = open(reader)?;
        let (width, height) = decoder.dimensions();
        let (width, height) = match orientation(&mut decoder)? {
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => (height, width),
            _ => (width, height),
        };
        Ok(Header { height: height as usize, width: width as usize, is_grey: !decoder.color_type().has_color() })
    })
    .unwrap_or_else(|panic| Err(Fault::damaged(&panic)))
}

/// Decodes an image, turns it upright, lays it on its ground, and makes it the target's size and channels. The size is reached
/// by resampling with a triangle filter; a different aspect ratio is stretched, so that nothing is cut off.
pub(crate) fn decode(bytes: &[u8], target: &Target, decoding: Decoding) -> Result<Decoded, Fault> {
    guarded(|| decode_unguarded(bytes, target, decoding)).unwrap_or_else(|panic| Err(Fault::damaged(&panic)))
}

fn decode_unguarded(bytes: &[u8], target: &Target, decoding: Decoding) -> Result<Decoded, Fault> {
    check_is_whole(bytes).map_err(Fault::Damaged)?;
    let mut decoder = open(Cursor::new(bytes))?;
    let orientation = orientation(&mut decoder)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(describe)?;
    image.apply_orientation(orientation);
    let (mut image, is_transparent) = lay_on(image, decoding.ground);
    if (image.height() as usize, image.width() as usize) != (target.height, target.width) {
        let (width, height) = (target.width as u32, target.height as u32);
        image = image.resize_exact(width, height, image::imageops::FilterType::Triangle);
    }
    let values = match (target.channels, decoding.is_wide) {
        (1, false) => ImageValues::Bytes(Cow::Owned(image.into_luma8().into_raw())),
        (_, false) => ImageValues::Bytes(Cow::Owned(image.into_rgb8().into_raw())),
        (1, true) => ImageValues::Words(Cow::Owned(image.into_luma16().into_raw())),
        (_, true) => ImageValues::Words(Cow::Owned(image.into_rgb16().into_raw())),
    };
    Ok(Decoded { values, is_transparent })
}

fn open<'a>(mut reader: impl BufRead + Seek + 'a) -> Result<impl ImageDecoder + 'a, Fault> {
    let head = reader.fill_buf().map_err(Fault::Io)?;
    match formats::kind(&head[..head.len().min(HEAD_BYTES)]) {
        _ if head.is_empty() => return Err(Fault::Damaged("an empty file".to_owned())),
        Kind::Readable => {}
        Kind::Other(name) => return Err(Fault::OtherFormat(name.to_owned())),
        Kind::Unknown => return Err(Fault::NoImage),
    }
    let mut reader = ImageReader::new(reader).with_guessed_format().map_err(Fault::Io)?;
    reader.limits(Limits::default());
    let decoder = reader.into_decoder().map_err(describe)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > MAX_SIDE || decoder.total_bytes() > MAX_BYTES {
        let mib = decoder.total_bytes() >> 20;
        return Err(Fault::TooLarge(format!("an image of {width} x {height} pixels, {mib} MiB when decoded")));
    }
    Ok(decoder)
}

fn orientation(decoder: &mut impl ImageDecoder) -> Result<Orientation, Fault> {
    decoder.orientation().map_err(describe)
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
fn describe(error: ImageError) -> Fault {
    match error {
        ImageError::Limits(limit) => Fault::TooLarge(format!("an image that is too large ({limit})")),
        ImageError::Unsupported(part) => Fault::OtherFormat(format!("an image of a kind that is not read ({part})")),
        other => Fault::Damaged(format!("an image that cannot be decoded ({other})")),
    }
}
