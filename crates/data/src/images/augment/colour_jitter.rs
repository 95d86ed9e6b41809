//! Colour jitter: brightness, contrast and saturation are changed by random factors (Howard 2013, arXiv:1312.5402).
//!
//! Shapes: `H` height, `W` width, `C` channels; an image is `[H, W, C]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{Draws, Seed};

/// The largest value of a pixel.
const WHITE: f32 = 255.0;
/// Shares of red, green and blue in the brightness of a pixel (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Brightness, contrast and saturation, each multiplied by a factor that is uniform in `1 - x` to `1 + x`, in this order. Values
/// beyond black and white are cut off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColourJitterConfig {
    /// Largest change of the factor of all values; 0.4 by default.
    #[serde(default = "default_strength")]
    #[schemars(range(min = 0, max = 1))]
    pub brightness: f64,
    /// Largest change of the factor of each value's distance to the image's mean grey; 0.4 by default.
    #[serde(default = "default_strength")]
    #[schemars(range(min = 0, max = 1))]
    pub contrast: f64,
    /// Largest change of the factor of each value's distance to its pixel's grey; 0.4 by default. Grey images have none.
    #[serde(default = "default_strength")]
    #[schemars(range(min = 0, max = 1))]
    pub saturation: f64,
}

fn default_strength() -> f64 {
    0.4
}

impl ColourJitterConfig {
    /// Changes an image in place.
    pub(super) fn apply(&self, channels: usize, stream: Seed, image: &mut [f32]) {
        let mut draws = Draws::new(stream);
        let [brightness, contrast, saturation] =
            [self.brightness, self.contrast, self.saturation].map(|most| 1.0 + most as f32 * draws.signed());
        image.iter_mut().for_each(|value| *value = (*value * brightness).clamp(0.0, WHITE));
        let n_pixels = (image.len() / channels.max(1)).max(1) as f32;
        let mean = image.chunks_exact(channels.max(1)).map(grey).sum::<f32>() / n_pixels;
        image.iter_mut().for_each(|value| *value = between(mean, *value, contrast));
        if channels == LUMA.len() {
            for pixel in image.chunks_exact_mut(channels) {
                let grey = grey(pixel);
                pixel.iter_mut().for_each(|value| *value = between(grey, *value, saturation));
            }
        }
    }
}

/// The brightness of a pixel `[C]`: of its colours as people see them, otherwise the mean of its channels.
fn grey(pixel: &[f32]) -> f32 {
    if pixel.len() == LUMA.len() {
        return pixel.iter().zip(LUMA).map(|(value, share)| value * share).sum();
    }
    pixel.iter().sum::<f32>() / pixel.len().max(1) as f32
}

/// A value whose distance to another one is multiplied by `factor`.
fn between(from: f32, value: f32, factor: f32) -> f32 {
    // exact for a factor of 1
    (value + (factor - 1.0) * (value - from)).clamp(0.0, WHITE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jittered(config: &ColourJitterConfig, channels: usize, stream: u64, image: &[f32]) -> Vec<f32> {
        let mut out = image.to_vec();
        config.apply(channels, Seed(stream), &mut out);
        out
    }

    const STILL: ColourJitterConfig = ColourJitterConfig { brightness: 0.0, contrast: 0.0, saturation: 0.0 };

    #[test]
    fn brightness_is_one_factor_for_all_values() {
        let config = ColourJitterConfig { brightness: 0.5, ..STILL };
        let factors: Vec<f32> = (0..200)
            .map(|stream| {
                let out = jittered(&config, 1, stream, &[40.0, 80.0, 120.0]);
                assert!((out[1] / out[0] - 2.0).abs() < 1e-5 && (out[2] / out[0] - 3.0).abs() < 1e-5, "{out:?}");
                out[0] / 40.0
            })
            .collect();
        let (least, most) = factors.iter().fold((2.0_f32, 0.0_f32), |(least, most), f| (least.min(*f), most.max(*f)));
        assert!((0.5..0.55).contains(&least) && (1.45..1.5).contains(&most), "{least} {most}");
    }

    #[test]
    fn contrast_keeps_the_mean_and_saturation_each_pixels_grey() {
        let contrast = ColourJitterConfig { contrast: 0.5, ..STILL };
        let out = jittered(&contrast, 1, 3, &[100.0, 120.0, 140.0]);
        assert!((out[1] - 120.0).abs() < 1e-4 && (out[0] + out[2] - 240.0).abs() < 1e-4 && out[0] != 100.0, "{out:?}");
        let saturation = ColourJitterConfig { saturation: 0.5, ..STILL };
        let (pixel, grey_pixel) = ([150.0, 100.0, 50.0], [90.0, 90.0, 90.0]);
        let out = jittered(&saturation, 3, 3, &[pixel, grey_pixel].concat());
        assert!((grey(&out[..3]) - grey(&pixel)).abs() < 1e-3 && out[0] != pixel[0], "{out:?}");
        assert!(out[3..].iter().all(|value| (value - 90.0).abs() < 1e-3), "{out:?}");
        assert_eq!(jittered(&saturation, 1, 3, &[150.0, 100.0]), [150.0, 100.0], "a grey image has no saturation");
    }
}
