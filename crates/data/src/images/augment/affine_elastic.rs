//! Affine and elastic distortion: each pixel of the view reads the image at a moved place, between pixels linearly.
//!
//! The elastic part is a cubic B-spline through random displacements on a coarse grid: as smooth as a field of white
//! noise blurred by a Gaussian (Simard, Steinkraus and Platt 2003), and much cheaper.
//!
//! Shape letters: `H`, `W`, `C` as in the module above; `N` nodes of the grid along one side.

use super::source::Source;
use crate::images::pixels::PixelValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{Draws, Seed};

/// Most nodes of the displacement grid along one side: 8 KiB of stack, spacing 8 pixels in an image of 224.
const MAX_NODES: usize = 32;
/// A cubic B-spline averages white noise on its nodes; this factor brings the mean deviation back to about 1.
const SPLINE_GAIN: f32 = 2.0;

/// A random affine map with a smooth random displacement on top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AffineElasticConfig {
    /// Largest rotation in degrees, either way.
    #[serde(default = "default_rotation_degrees")]
    #[schemars(range(min = 0, max = 180))]
    pub rotation_degrees: f64,
    /// Largest relative change of size, for width and height independently: 0.1 is 90 % to 110 %.
    #[serde(default = "default_scale")]
    #[schemars(range(min = 0, max = 0.9))]
    pub scale: f64,
    /// Largest horizontal shear (slant), as the move in widths per height, either way.
    #[serde(default = "default_shear")]
    #[schemars(range(min = 0, max = 2))]
    pub shear: f64,
    /// Largest move in pixels, in each direction.
    #[serde(default = "default_shift_pixels")]
    #[schemars(range(min = 0, max = 256))]
    pub shift_pixels: f64,
    /// Typical elastic displacement of a pixel, in pixels.
    #[serde(default = "default_elastic_strength")]
    #[schemars(range(min = 0, max = 64))]
    pub elastic_strength: f64,
    /// Distance in pixels over which the elastic displacement changes; at least a twenty-ninth of the image's side
    /// is used.
    #[serde(default = "default_elastic_smoothness")]
    #[schemars(range(min = 1, max = 256))]
    pub elastic_smoothness: f64,
}

fn default_rotation_degrees() -> f64 {
    10.0
}

fn default_scale() -> f64 {
    0.1
}

fn default_shear() -> f64 {
    0.1
}

fn default_shift_pixels() -> f64 {
    2.0
}

fn default_elastic_strength() -> f64 {
    0.7
}

fn default_elastic_smoothness() -> f64 {
    7.0
}

impl Default for AffineElasticConfig {
    fn default() -> Self {
        Self {
            rotation_degrees: default_rotation_degrees(),
            scale: default_scale(),
            shear: default_shear(),
            shift_pixels: default_shift_pixels(),
            elastic_strength: default_elastic_strength(),
            elastic_smoothness: default_elastic_smoothness(),
        }
    }
}

impl AffineElasticConfig {
    pub(super) fn apply<P: PixelValue>(&self, source: &Source<'_, P>, stream: Seed, out: &mut [f32]) {
        let mut draws = Draws::new(stream);
        let map = AffineMap::draw(self, source, &mut draws);
        let field = ElasticField::draw(self, source, &mut draws);
        match source.channels {
            1 => warp::<P, 1>(source, &map, &field, out),
            3 => warp::<P, 3>(source, &map, &field, out),
            _ => warp_any(source, &map, &field, out),
        }
    }
}

/// Where a pixel of the view reads the image: `matrix * (x, y) + offset`.
struct AffineMap {
    matrix: [[f32; 2]; 2],
    offset: [f32; 2],
}

impl AffineMap {
    fn draw<P>(config: &AffineElasticConfig, source: &Source<'_, P>, draws: &mut Draws) -> Self {
        let (sin, cos) = (draws.signed() * (config.rotation_degrees as f32).to_radians()).sin_cos();
        // the map is the inverse of the distortion, hence the divisions
        let scale_x = 1.0 / (1.0 + draws.signed() * config.scale as f32);
        let scale_y = 1.0 / (1.0 + draws.signed() * config.scale as f32);
        let shear = draws.signed() * config.shear as f32;
        let shift = [draws.signed() * config.shift_pixels as f32, draws.signed() * config.shift_pixels as f32];
        let matrix = [[scale_x * (cos + shear * sin), scale_x * (shear * cos - sin)], [scale_y * sin, scale_y * cos]];
        let centre = [(source.width as f32 - 1.0) / 2.0, (source.height as f32 - 1.0) / 2.0];
        let moved = [centre[0] + shift[0], centre[1] + shift[1]];
        let offset = [0, 1].map(|axis| centre[axis] - matrix[axis][0] * moved[0] - matrix[axis][1] * moved[1]);
        Self { matrix, offset }
    }
}

/// Random displacements on a grid, `[N, N]` with room for [`MAX_NODES`] a row, and the spline between them.
struct ElasticField {
    nodes: [[[f32; 2]; MAX_NODES]; MAX_NODES],
    /// nodes per pixel
    density: f32,
    /// nodes along a row
    n_columns: usize,
}

impl ElasticField {
    /// `None` when the displacement is 0 everywhere.
    fn draw<P>(config: &AffineElasticConfig, source: &Source<'_, P>, draws: &mut Draws) -> Option<Self> {
        if config.elastic_strength == 0.0 {
            return None;
        }
        // a cubic spline needs one node before and two after the interval it is evaluated in
        let longest_side = source.width.max(source.height) as f32;
        let spacing = (config.elastic_smoothness as f32).max(longest_side / (MAX_NODES - 3) as f32);
        let n_nodes = |side: usize| ((side as f32 / spacing) as usize + 4).min(MAX_NODES);
        let (n_rows, n_columns) = (n_nodes(source.height), n_nodes(source.width));
        let mut nodes = [[[0.0; 2]; MAX_NODES]; MAX_NODES];
        let gain = SPLINE_GAIN * config.elastic_strength as f32;
        for node in nodes[..n_rows].iter_mut().flat_map(|row| &mut row[..n_columns]) {
            *node = [gain * draws.bell(), gain * draws.bell()];
        }
        Some(Self { nodes, density: 1.0 / spacing, n_columns })
    }

    /// The four rows of nodes around row `y` of the image, joined into one.
    fn row(&self, y: usize) -> [[f32; 2]; MAX_NODES] {
        let position = y as f32 * self.density;
        let first = position as usize;
        let weights = spline_weights(position - first as f32);
        let mut joined = [[0.0; 2]; MAX_NODES];
        for (weight, row) in weights.iter().zip(&self.nodes[first..]) {
            for (sum, node) in joined[..self.n_columns].iter_mut().zip(row) {
                sum[0] += weight * node[0];
                sum[1] += weight * node[1];
            }
        }
        joined
    }
}

/// The displacement at column `x` of a joined row of nodes.
fn displacement(row: &[[f32; 2]; MAX_NODES], x: usize, density: f32) -> [f32; 2] {
    let position = x as f32 * density;
    let first = position as usize;
    let weights = spline_weights(position - first as f32);
    let mut sum = [0.0; 2];
    for (weight, node) in weights.iter().zip(&row[first..]) {
        sum[0] += weight * node[0];
        sum[1] += weight * node[1];
    }
    sum
}

/// The uniform cubic B-spline's four weights at `t` in `0..1` between the second and the third node.
fn spline_weights(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    let rest = 1.0 - t;
    [rest * rest * rest, 3.0 * t3 - 6.0 * t2 + 4.0, -3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0, t3].map(|weight| weight / 6.0)
}

/// Calls `write(index of the pixel, x, y)` with the place in the image that each pixel of the view reads.
fn for_each_place<P>(
    source: &Source<'_, P>,
    map: &AffineMap,
    field: &Option<ElasticField>,
    mut write: impl FnMut(usize, f32, f32),
) {
    for y in 0..source.height {
        let nodes = field.as_ref().map(|field| (field.row(y), field.density));
        let row_x = map.matrix[0][1] * y as f32 + map.offset[0];
        let row_y = map.matrix[1][1] * y as f32 + map.offset[1];
        for x in 0..source.width {
            let [dx, dy] = nodes.as_ref().map_or([0.0; 2], |(nodes, density)| displacement(nodes, x, *density));
            let place_x = map.matrix[0][0] * x as f32 + row_x + dx;
            let place_y = map.matrix[1][0] * x as f32 + row_y + dy;
            write(y * source.width + x, place_x, place_y);
        }
    }
}

/// Warps an image whose number of channels is known to the compiler.
fn warp<P: PixelValue, const CHANNELS: usize>(
    source: &Source<'_, P>,
    map: &AffineMap,
    field: &Option<ElasticField>,
    out: &mut [f32],
) {
    for_each_place(source, map, field, |pixel, x, y| {
        let mut sum = [0.0; CHANNELS];
        for (weight, start) in corners(source, x, y).into_iter().flatten() {
            for (value, &byte) in sum.iter_mut().zip(&source.pixels[start..start + CHANNELS]) {
                *value += weight * byte.value();
            }
        }
        for (value, sum) in out[pixel * CHANNELS..(pixel + 1) * CHANNELS].iter_mut().zip(sum) {
            *value = sum.clamp(0.0, 255.0);
        }
    });
}

/// Warps an image of any number of channels.
fn warp_any<P: PixelValue>(source: &Source<'_, P>, map: &AffineMap, field: &Option<ElasticField>, out: &mut [f32]) {
    let channels = source.channels;
    for_each_place(source, map, field, |pixel, x, y| {
        let values = &mut out[pixel * channels..(pixel + 1) * channels];
        values.fill(0.0);
        for (weight, start) in corners(source, x, y).into_iter().flatten() {
            for (value, &byte) in values.iter_mut().zip(&source.pixels[start..start + channels]) {
                *value += weight * byte.value();
            }
        }
        values.iter_mut().for_each(|value| *value = value.clamp(0.0, 255.0));
    });
}

/// The four pixels around a place, each with its weight and the start of its values; none where the image ends.
fn corners<P>(source: &Source<'_, P>, x: f32, y: f32) -> [Option<(f32, usize)>; 4] {
    let (floor_x, floor_y) = (x.floor(), y.floor());
    let (part_x, part_y) = (x - floor_x, y - floor_y);
    let corner = |right: i32, below: i32, weight: f32| {
        let (column, row) = (floor_x as i32 + right, floor_y as i32 + below);
        let inside = column >= 0 && row >= 0 && (column as usize) < source.width && (row as usize) < source.height;
        inside.then(|| (weight, (row as usize * source.width + column as usize) * source.channels))
    };
    [
        corner(0, 0, (1.0 - part_x) * (1.0 - part_y)),
        corner(1, 0, part_x * (1.0 - part_y)),
        corner(0, 1, (1.0 - part_x) * part_y),
        corner(1, 1, part_x * part_y),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_turn_reverses_the_image() {
        let pixels: Vec<u8> = (0..5 * 7).collect();
        let source = Source { pixels: &pixels, height: 5, width: 7, channels: 1 };
        let map = AffineMap { matrix: [[-1.0, 0.0], [0.0, -1.0]], offset: [6.0, 4.0] };
        let mut out = vec![f32::NAN; pixels.len()];
        warp::<u8, 1>(&source, &map, &None, &mut out);
        assert_eq!(out, (0..5 * 7).rev().map(|value| value as f32).collect::<Vec<_>>());
    }

    #[test]
    fn elastic_displacement_has_the_strength_asked_for() {
        let config = AffineElasticConfig { elastic_strength: 1.5, ..AffineElasticConfig::default() };
        let source = Source::<u8> { pixels: &[], height: 28, width: 28, channels: 1 };
        let mut squares = Vec::new();
        for stream in 0..50 {
            let field = ElasticField::draw(&config, &source, &mut Draws::new(Seed(stream))).unwrap();
            for (y, x) in (0..28).flat_map(|y| (0..28).map(move |x| (y, x))) {
                squares.extend(displacement(&field.row(y), x, field.density).map(|move_| move_ * move_));
            }
        }
        let deviation = (squares.iter().sum::<f32>() / squares.len() as f32).sqrt();
        assert!((1.3..1.7).contains(&deviation), "{deviation}");
    }

    #[test]
    fn every_channel_count_reads_the_same_places() {
        let grey: Vec<u8> = (0..100).map(|index| (index * 53 % 256) as u8).collect();
        let config = AffineElasticConfig::default();
        let view = |channels: usize| {
            let pixels: Vec<u8> = grey.iter().flat_map(|&byte| vec![byte; channels]).collect();
            let mut out = vec![f32::NAN; pixels.len()];
            let source = Source { pixels: &pixels, height: 10, width: 10, channels };
            config.apply(&source, Seed(3), &mut out);
            out.into_iter().step_by(channels).collect::<Vec<_>>()
        };
        assert_eq!(view(1), view(3));
        assert_eq!(view(1), view(2));
    }
}
