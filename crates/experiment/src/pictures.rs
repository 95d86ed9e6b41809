//! Example images as PNG files, for pages.

use crate::error::{ExperimentError, Result};
use stillhouse_data::{Preview, RawImage, Split};

/// The image of an example; none where examples are not images.
pub(crate) fn png_of(split: &Split, row: usize) -> Result<Option<Vec<u8>>> {
    if let Preview::Picture(image) = split.preview(row, None)? { encode_png(&image).map(Some) } else { Ok(None) }
}

fn encode_png(image: &RawImage) -> Result<Vec<u8>> {
    let color = if image.channels == 1 { image::ExtendedColorType::L8 } else { image::ExtendedColorType::Rgb8 };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    let (width, height) = (image.width as u32, image.height as u32);
    image::ImageEncoder::write_image(encoder, &image.pixels, width, height, color)
        .map_err(|error| ExperimentError::Failed(anyhow::anyhow!("an example cannot be drawn: {error}")))?;
    Ok(bytes.into_inner())
}
