//! Random erasing: a rectangle of the image is filled with noise (Zhong et al. 2020, arXiv:1708.04896).
//!
//! Shapes: `H` height, `W` width, `C` channels; an image is `[H, W, C]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{Draws, Seed};

/// Rectangles that are drawn until one fits, as in the paper's program; without one, the image stays as it is.
const MAX_TRIES: usize = 100;
/// Smallest ratio of height and width; the largest is its inverse.
const MIN_ASPECT: f32 = 0.3;
const WHITE: f32 = 255.0;

/// In some of the views, a rectangle of the image is filled with random values, each by itself. Its area is uniform between the two
/// shares, its ratio of height and width between 0.3 and its inverse, evenly in the logarithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomErasingConfig {
    /// Part of the views that lose a rectangle; 0.5 by default.
    #[serde(default = "default_share")]
    #[schemars(range(min = 0, max = 1))]
    pub share: f64,
    /// Smallest part of the image that is erased; 0.02 by default.
    #[serde(default = "default_min_area")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub min_area: f64,
    /// Largest part of the image that is erased; 0.4 by default. Where it is below `min_area`, `min_area` is always taken.
    #[serde(default = "default_max_area")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub max_area: f64,
}

fn default_share() -> f64 {
    0.5
}

fn default_min_area() -> f64 {
    0.02
}

fn default_max_area() -> f64 {
    0.4
}

impl RandomErasingConfig {
    /// Erases in place.
    pub(super) fn apply(&self, [height, width, channels]: [usize; 3], stream: Seed, image: &mut [f32]) {
        let mut draws = Draws::new(stream);
        if f64::from(draws.unit()) >= self.share {
            return;
        }
        let Some([top, left, n_rows, n_columns]) = self.rectangle(height, width, &mut draws) else { return };
        for row in top..top + n_rows {
            let first = (row * width + left) * channels;
            image[first..first + n_columns * channels].iter_mut().for_each(|value| *value = WHITE * draws.unit());
        }
    }

    /// Top, left, height and width of a rectangle inside the image.
    fn rectangle(&self, height: usize, width: usize, draws: &mut Draws) -> Option<[usize; 4]> {
        let (least, most) = (self.min_area as f32, self.max_area.max(self.min_area) as f32);
        (0..MAX_TRIES).find_map(|_| {
            let area = (least + (most - least) * draws.unit()) * (height * width) as f32;
            let aspect = (MIN_ASPECT.ln() * draws.signed()).exp();
            let sizes = [(area * aspect).sqrt(), (area / aspect).sqrt()];
            let [n_rows, n_columns] = sizes.map(|size| size.round() as usize);
            let is_inside = (1..=height).contains(&n_rows) && (1..=width).contains(&n_columns);
            let place = |free: usize, draws: &mut Draws| draws.below(free + 1);
            is_inside.then(|| [place(height - n_rows, draws), place(width - n_columns, draws), n_rows, n_columns])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEIGHT: usize = 20;
    const WIDTH: usize = 30;
    const CHANNELS: usize = 3;
    /// Not the value of any noise.
    const KEPT: f32 = -1.0;

    fn erased(config: &RandomErasingConfig, stream: u64) -> Vec<f32> {
        let mut image = vec![KEPT; HEIGHT * WIDTH * CHANNELS];
        config.apply([HEIGHT, WIDTH, CHANNELS], Seed(stream), &mut image);
        image
    }

    #[test]
    fn what_is_erased_is_a_rectangle_of_the_right_area() {
        let config = RandomErasingConfig { share: 1.0, min_area: 0.1, max_area: 0.3 };
        let mut areas = Vec::new();
        for stream in 0..300 {
            let image = erased(&config, stream);
            let is_erased = |row: usize, column: usize| image[(row * WIDTH + column) * CHANNELS] != KEPT;
            let rows: Vec<usize> = (0..HEIGHT).filter(|row| (0..WIDTH).any(|column| is_erased(*row, column))).collect();
            let columns: Vec<usize> =
                (0..WIDTH).filter(|column| (0..HEIGHT).any(|row| is_erased(row, *column))).collect();
            let n_erased = image.iter().filter(|value| **value != KEPT).count();
            assert_eq!(n_erased, rows.len() * columns.len() * CHANNELS, "a whole rectangle, in all channels");
            assert_eq!(rows.last().unwrap() - rows[0] + 1, rows.len());
            assert_eq!(columns.last().unwrap() - columns[0] + 1, columns.len());
            let aspect = rows.len() as f32 / columns.len() as f32;
            assert!((0.25..4.0).contains(&aspect), "{aspect}");
            areas.push(n_erased as f64 / image.len() as f64);
        }
        let mean = areas.iter().sum::<f64>() / areas.len() as f64;
        assert!(areas.iter().all(|area| (0.08..0.33).contains(area)) && (mean - 0.2).abs() < 0.02, "{mean}");
    }

    #[test]
    fn the_share_of_views_is_kept() {
        let config = RandomErasingConfig { share: 0.25, min_area: 0.02, max_area: 0.4 };
        let n_erased = (0..1000).filter(|stream| erased(&config, *stream).iter().any(|value| *value != KEPT)).count();
        assert!((200..300).contains(&n_erased), "{n_erased}");
    }

    #[test]
    fn a_whole_image_and_a_single_pixel_do_no_harm() {
        let all = RandomErasingConfig { share: 1.0, min_area: 1.0, max_area: 1.0 };
        for shape in [[1, 1, 1], [1, 7, 1], [0, 0, 3]] {
            let mut image = vec![KEPT; shape.iter().product()];
            all.apply(shape, Seed(1), &mut image);
            assert!(image.iter().all(|value| *value == KEPT || (0.0..=WHITE).contains(value)));
        }
    }
}
