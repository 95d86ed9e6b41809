//! Transparent pixels: what a viewer shows of them on a ground of one colour.
//!
//! An image is laid on its ground before anything else is done to it, so that the colours under transparent pixels are never
//! seen. An image whose pixels are all opaque stays as it is.

use image::{DynamicImage, ImageBuffer, Pixel, Rgb};

/// The ground where none is chosen: white, as pages are.
pub(crate) const WHITE: [u8; 3] = [255; 3];

/// The image on its ground (red, green, blue), and whether anything of the ground is seen.
pub(super) fn lay_on(image: DynamicImage, ground: [u8; 3]) -> (DynamicImage, bool) {
    if is_opaque(&image) {
        return (image, false);
    }
    let is_wide = image.color().bytes_per_pixel() / image.color().channel_count() > 1;
    let laid = if is_wide {
        let image = image.into_rgba16();
        let pixels = image.pixels().map(|pixel| {
            let mix = |channel: usize| {
                let (value, below) = (u64::from(pixel[channel]), u64::from(ground[channel]) * 257);
                mixed(value, below, u64::from(pixel[3]), u64::from(u16::MAX)) as u16
            };
            Rgb([mix(0), mix(1), mix(2)])
        });
        DynamicImage::ImageRgb16(of_pixels(image.dimensions(), pixels))
    } else {
        let image = image.into_rgba8();
        let pixels = image.pixels().map(|pixel| {
            let mix = |channel: usize| {
                let (value, below) = (u64::from(pixel[channel]), u64::from(ground[channel]));
                mixed(value, below, u64::from(pixel[3]), u64::from(u8::MAX)) as u8
            };
            Rgb([mix(0), mix(1), mix(2)])
        });
        DynamicImage::ImageRgb8(of_pixels(image.dimensions(), pixels))
    };
    (laid, true)
}

/// A value over the ground's, rounded; `alpha` of `opaque` is the value's share.
fn mixed(value: u64, below: u64, alpha: u64, opaque: u64) -> u64 {
    (value * alpha + below * (opaque - alpha) + opaque / 2) / opaque
}

fn of_pixels<P: Pixel>(
    (width, height): (u32, u32),
    pixels: impl Iterator<Item = P>,
) -> ImageBuffer<P, Vec<P::Subpixel>> {
    let values = pixels.flat_map(|pixel| pixel.channels().to_vec()).collect();
    ImageBuffer::from_raw(width, height, values).expect("as many pixels as the image has")
}

fn is_opaque(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageLumaA8(image) => image.pixels().all(|pixel| pixel[1] == u8::MAX),
        DynamicImage::ImageRgba8(image) => image.pixels().all(|pixel| pixel[3] == u8::MAX),
        DynamicImage::ImageLumaA16(image) => image.pixels().all(|pixel| pixel[1] == u16::MAX),
        DynamicImage::ImageRgba16(image) => image.pixels().all(|pixel| pixel[3] == u16::MAX),
        other => !other.color().has_alpha(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{LumaA, Rgba};

    #[test]
    fn pixels_are_mixed_with_the_ground_by_their_alpha() {
        let image = image::RgbaImage::from_fn(3, 1, |x, _| Rgba([10, 20, 30, [0, 128, 255][x as usize]]));
        let (laid, is_seen) = lay_on(DynamicImage::ImageRgba8(image), [255, 0, 100]);
        assert_eq!(laid.into_rgb8().into_raw(), [255, 0, 100, 132, 10, 65, 10, 20, 30]);
        assert!(is_seen);
    }

    #[test]
    fn opaque_images_stay_as_they_are() {
        let image = DynamicImage::ImageRgba8(image::RgbaImage::from_pixel(2, 2, Rgba([1, 2, 3, 255])));
        assert_eq!(lay_on(image.clone(), WHITE), (image, false));
    }

    #[test]
    fn sixteen_bits_stay_sixteen_and_grey_stays_grey() {
        let image = ImageBuffer::from_fn(2, 1, |x, _| LumaA([1000_u16, [0, u16::MAX][x as usize]]));
        let (laid, _) = lay_on(DynamicImage::ImageLumaA16(image), WHITE);
        assert_eq!(laid.into_luma16().into_raw(), [u16::MAX, 1000]);
        let image = image::GrayAlphaImage::from_fn(256, 1, |x, _| LumaA([x as u8, 254]));
        let (laid, _) = lay_on(DynamicImage::ImageLumaA8(image), [0; 3]);
        let rgb = laid.to_rgb8();
        assert_eq!(laid.into_luma8().into_raw(), rgb.pixels().map(|pixel| pixel[0]).collect::<Vec<_>>());
    }
}
