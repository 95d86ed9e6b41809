//! Example images as PNG files, for pages, and contact sheets of many.

use crate::error::{ExperimentError, Result};
use stillhouse_data::{Preview, RawImage, Split};

/// The image of an example; none where examples are not images.
pub(crate) fn png_of(split: &Split, row: usize) -> Result<Option<Vec<u8>>> {
    if let Preview::Picture(image) = split.preview(row, None)? { encode_png(&image).map(Some) } else { Ok(None) }
}

/// Pixels between the images of a sheet.
const GAP: usize = 2;

/// One image with a line of images for each list of rows, on white; none where examples are not images.
pub(crate) fn contact_sheet(split: &Split, lines: &[Vec<usize>]) -> Result<Option<Vec<u8>>> {
    let mut sheet: Option<RawImage> = None;
    let n_columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    for (line, rows) in lines.iter().enumerate() {
        for (column, &row) in rows.iter().enumerate() {
            let Preview::Picture(picture) = split.preview(row, None)? else { return Ok(None) };
            let sheet = sheet.get_or_insert_with(|| empty_sheet(&picture, lines.len(), n_columns));
            let corner = [line * (picture.height + GAP) + GAP, column * (picture.width + GAP) + GAP];
            paste(&picture, sheet, corner);
        }
    }
    sheet.map(|sheet| encode_png(&sheet)).transpose()
}

fn empty_sheet(picture: &RawImage, n_lines: usize, n_columns: usize) -> RawImage {
    let height = n_lines * (picture.height + GAP) + GAP;
    let width = n_columns * (picture.width + GAP) + GAP;
    RawImage { height, width, channels: picture.channels, pixels: vec![u8::MAX; height * width * picture.channels] }
}

fn paste(picture: &RawImage, sheet: &mut RawImage, [top, left]: [usize; 2]) {
    let n_bytes = picture.width * picture.channels;
    for (y, line) in picture.pixels.chunks_exact(n_bytes).enumerate() {
        let start = ((top + y) * sheet.width + left) * sheet.channels;
        sheet.pixels[start..start + n_bytes].copy_from_slice(line);
    }
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
