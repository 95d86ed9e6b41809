//! Rotary position embedding (Su et al. 2021, arXiv:2104.09864): a query and a key turn by angles that grow with their
//! positions, so that their product depends on the distance alone.
//!
//! Shapes: `L` tokens of a text, `D` width of a head.

use crate::element::Element;

/// Slowest period, in tokens, over `2 pi`.
const BASE: f64 = 10_000.0;

/// The angle of each pair of numbers at each position, `[n_places, D / 2]` for heads of width `D`, in radians.
pub fn rotary_angles(n_places: usize, head_width: usize) -> Vec<f64> {
    let half_width = head_width / 2;
    let of_place = move |place| (0..half_width).map(move |i| place as f64 * BASE.powf(-(i as f64) / half_width as f64));
    (0..n_places).flat_map(of_place).collect()
}

/// Cosines and sines of all positions, `[positions, D / 2]` each.
pub(crate) struct Rotary {
    pub(crate) cosines: Vec<f64>,
    pub(crate) sines: Vec<f64>,
    half_width: usize,
}

impl Rotary {
    pub(crate) fn new(n_places: usize, head_width: usize) -> Self {
        let angles = rotary_angles(n_places, head_width);
        Self {
            cosines: angles.iter().map(|angle| angle.cos()).collect(),
            sines: angles.iter().map(|angle| angle.sin()).collect(),
            half_width: head_width / 2,
        }
    }

    /// Turns each row of `vectors [L, D]` by the angle of its position; element `i` pairs with `i + D / 2`.
    pub(crate) fn turn<T: Element>(&self, vectors: &mut [T]) {
        self.turn_by(vectors, 1.0);
    }

    /// Turns back, which is also the gradient of [`Rotary::turn`].
    pub(crate) fn turn_back<T: Element>(&self, vectors: &mut [T]) {
        self.turn_by(vectors, -1.0);
    }

    fn turn_by<T: Element>(&self, vectors: &mut [T], direction: f64) {
        let angles = self.cosines.chunks_exact(self.half_width).zip(self.sines.chunks_exact(self.half_width));
        for (vector, (cosines, sines)) in vectors.chunks_exact_mut(2 * self.half_width).zip(angles) {
            let (firsts, seconds) = vector.split_at_mut(self.half_width);
            for ((first, second), (cosine, sine)) in firsts.iter_mut().zip(seconds).zip(cosines.iter().zip(sines)) {
                let (cosine, sine) = (T::rounded(*cosine), T::rounded(direction * sine));
                (*first, *second) = (*first * cosine - *second * sine, *first * sine + *second * cosine);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_depend_on_the_distance_alone() {
        let rotary = Rotary::new(10, 6);
        let turned = |vector: [f64; 6], place: usize| {
            let mut rows = vec![0.0; 60];
            rows[6 * place..6 * place + 6].copy_from_slice(&vector);
            rotary.turn(&mut rows);
            rows[6 * place..6 * place + 6].to_vec()
        };
        let (query, key) = ([1.0, -2.0, 0.5, 3.0, 1.5, -1.0], [0.3, 1.0, -2.0, 1.0, 0.7, 2.0]);
        let product = |query_place, key_place| -> f64 {
            turned(query, query_place).iter().zip(turned(key, key_place)).map(|(q, k)| q * k).sum()
        };
        assert!((product(5, 2) - product(9, 6)).abs() < 1e-12);
        assert!((product(5, 2) - product(5, 3)).abs() > 1e-3);
        assert_eq!(turned(query, 0), query);
    }

    #[test]
    fn turning_back_undoes_a_turn() {
        let rotary = Rotary::new(4, 2);
        let original = [1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let mut rows = original;
        rotary.turn(&mut rows);
        rotary.turn_back(&mut rows);
        rows.iter().zip(original).for_each(|(row, original)| assert!((row - original).abs() < 1e-14));
    }
}
