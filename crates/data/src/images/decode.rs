//! From the bytes of an image file to `[height, width, channels]` pixels.

use super::jpeg::check_is_whole;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::io::{BufRead, Cursor, Seek};

/// Largest value of a stored pixel; a pixel is scaled to `0..=1` before it is normalised.
pub(crate) const PIXEL_MAX: f32 = 255.0;
/// Longest side that is accepted; a damaged header must not make the program ask for all memory.
const MAX_SIDE: u32 = 1 << 14;

/// What every image of a dataset is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl Target {
    pub(crate) fn n_bytes(&self) -> usize {
        self.height * self.width * self.channels
    }
}

/// What the header of an image file says, after turning it upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) is_grey: bool,
}

/// Reads the header alone.
pub(crate) fn read_header(reader: impl BufRead + Seek) -> Result<Header, String> {
    let mut decoder = open(reader)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = match orientation(&mut decoder)? {
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
            (height, width)
        }
        _ => (width, height),
    };
    Ok(Header { height: height as usize, width: width as usize, is_grey: !decoder.color_type().has_color() })
}

/// Decodes an image, turns it upright, and makes it the target's size and channels. The size is reached by
/// resampling with a triangle filter; a different aspect ratio is stretched, so that nothing is cut off.
pub(crate) fn decode(bytes: &[u8], target: &Target) -> Result<Vec<u8>, String> {
    check_is_whole(bytes)?;
    let mut decoder = open(Cursor::new(bytes))?;
    let orientation = orientation(&mut decoder)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(describe)?;
    image.apply_orientation(orientation);
    if (image.height() as usize, image.width() as usize) != (target.height, target.width) {
        let (width, height) = (target.width as u32, target.height as u32);
        image = image.resize_exact(width, height, image::imageops::FilterType::Triangle);
    }
    Ok(if target.channels == 1 { image.into_luma8().into_raw() } else { image.into_rgb8().into_raw() })
}

fn open<'a>(reader: impl BufRead + Seek + 'a) -> Result<impl ImageDecoder + 'a, String> {
    let mut reader = ImageReader::new(reader).with_guessed_format().map_err(|error| error.to_string())?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) => {}
        Some(other) => return Err(format!("an image of format {other:?}")),
        None => return Err("content that is no known image format".into()),
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    reader.limits(limits);
    reader.into_decoder().map_err(describe)
}

fn orientation(decoder: &mut impl ImageDecoder) -> Result<Orientation, String> {
    decoder.orientation().map_err(describe)
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
fn describe(error: ImageError) -> String {
    format!("an image that cannot be decoded ({error})")
}
