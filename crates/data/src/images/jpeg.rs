//! Whether a JPEG holds all of its pixels.
//!
//! The decoder fills what is missing with grey, so a file that is cut off would be trained on as if it were whole. The
//! decoder's strict mode is no remedy: it refuses stray bytes between headers too, which common files have.

const START_OF_IMAGE: [u8; 2] = [0xFF, 0xD8];
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// Refuses a JPEG that ends before its end-of-image marker, or that has less data than its pixels can be packed into.
/// Other formats pass.
pub(crate) fn check_is_whole(bytes: &[u8]) -> Result<(), String> {
    if !bytes.starts_with(&START_OF_IMAGE) {
        return Ok(());
    }
    let mut position = START_OF_IMAGE.len();
    let (mut n_blocks, mut n_scan_bytes) = (0, 0);
    loop {
        let Some((marker, after)) = next_marker(bytes, position) else { return Err(cut_off(bytes)) };
        if marker == END_OF_IMAGE {
            break;
        }
        let Some(segment) = segment(bytes, after) else { return Err(cut_off(bytes)) };
        position = after + 2 + segment.len();
        if is_start_of_frame(marker) {
            n_blocks = blocks(segment);
        }
        if marker == START_OF_SCAN {
            let end = next_marker(bytes, position).map_or(bytes.len(), |(_, after)| after);
            n_scan_bytes += end - position;
        }
    }
    // every block of 8 x 8 pixels takes one bit at least, in the first scan of a progressive image too
    match n_blocks > 8 * n_scan_bytes as u64 {
        true => {
            Err(format!("a JPEG of {n_blocks} blocks of pixels in {n_scan_bytes} bytes, so most of them are missing"))
        }
        false => Ok(()),
    }
}

fn cut_off(bytes: &[u8]) -> String {
    format!("a JPEG that is cut off: {} bytes without an end-of-image marker", bytes.len())
}

/// The next marker that is none of a scan's own, and the position behind it.
fn next_marker(bytes: &[u8], start: usize) -> Option<(u8, usize)> {
    // 0xFF is followed by 0 where it is data, and by 0xFF in a gap
    let is_marker = |byte: u8| !matches!(byte, 0 | 0x01 | 0xFF | 0xD0..=0xD7);
    let found = bytes.get(start..)?.windows(2).position(|pair| pair[0] == 0xFF && is_marker(pair[1]))?;
    Some((bytes[start + found + 1], start + found + 2))
}

/// The bytes from a marker's length to the next marker or scan.
fn segment(bytes: &[u8], after_marker: usize) -> Option<&[u8]> {
    let length = bytes.get(after_marker..after_marker + 2)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    bytes.get(after_marker + 2..after_marker + length)
}

fn is_start_of_frame(marker: u8) -> bool {
    matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC)
}

/// Blocks of the brightness channel: precision, height and width open the segment of a frame.
fn blocks(frame: &[u8]) -> u64 {
    match frame {
        [_, h1, h0, w1, w0, ..] => {
            let n_blocks = |high: u8, low: u8| u64::from(u16::from_be_bytes([high, low])).div_ceil(8);
            n_blocks(*h1, *h0) * n_blocks(*w1, *w0)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;

    fn jpeg(side: u32, quality: u8) -> Vec<u8> {
        let pixels: Vec<u8> = (0..side * side * 3).map(|value| (value * 7919 % 251) as u8).collect();
        let mut bytes = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
        image::ImageEncoder::write_image(encoder, &pixels, side, side, image::ExtendedColorType::Rgb8).unwrap();
        bytes
    }

    #[test]
    fn whole_files_pass() {
        for (side, quality) in [(1, 90), (8, 1), (33, 100), (200, 10)] {
            let mut bytes = jpeg(side, quality);
            assert_eq!(check_is_whole(&bytes), Ok(()), "{side}");
            bytes.extend_from_slice(b"something behind the image");
            assert_eq!(check_is_whole(&bytes), Ok(()), "{side}");
        }
        let flat = image::RgbImage::from_pixel(400, 400, image::Rgb([9, 9, 9]));
        let mut bytes = Vec::new();
        flat.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 1)).unwrap();
        assert_eq!(check_is_whole(&bytes), Ok(()), "an image of one colour is as small as images get");
        assert_eq!(check_is_whole(b"\x89PNG"), Ok(()));
    }

    #[test]
    fn a_file_that_ends_anywhere_before_its_end_is_refused() {
        let bytes = jpeg(40, 80);
        for n_bytes in START_OF_IMAGE.len()..bytes.len() {
            assert!(check_is_whole(&bytes[..n_bytes]).unwrap_err().contains("cut off"), "{n_bytes}");
        }
    }

    #[test]
    fn a_header_that_claims_more_pixels_than_there_can_be_is_refused() {
        let mut bytes = jpeg(40, 80);
        let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        bytes[frame + 5..frame + 9].copy_from_slice(&[0x3E, 0x80, 0x3E, 0x80]);
        assert!(check_is_whole(&bytes).unwrap_err().contains("4000000 blocks"));
    }
}
