//! A row of a sparse store: its k largest probabilities and the mass of the others.
//!
//! C classes, k of them kept, D declared temperatures.
//!
//! A kept probability is stored as its logarithm below the row's largest one, in fixed point: 65534 equal steps over
//! the row's own range, so that a row over 16 nats has them to within 0.012 % each, down to the smallest number in
//! single precision; half precision would have 0.05 % and nothing below 6e-8. The mass of the classes that are not kept
//! is stored as it is for every declared temperature `T`: `tail_T = sum_tail p_i^(1/T) / sum_all p_i^(1/T)`, summed
//! over the whole row in double precision before anything is dropped. So the k + 1 buckets of the softened row have the
//! mass that they have in the dense one, which no softening of a truncated row could give back: at high temperatures
//! most of the mass is in the tail.

use crate::layout::{SparseLayout, class_width};
use stillhouse_core::Temperature;

/// Steps of a row's range; the code after the last one means a probability of exactly 0.
const N_STEPS: u16 = u16::MAX - 1;
const ZERO: u16 = u16::MAX;

/// Buffers kept between rows.
#[derive(Default)]
pub(crate) struct Encoder {
    bits: Vec<u32>,
    kept: Vec<u32>,
    /// Powers of the kept probabilities, and of all others with zeros in the positions of the kept.
    powers_of_kept: Vec<f64>,
    powers_of_tail: Vec<f64>,
}

/// Where the encoded rows of a chunk go: the bytes of each tensor.
#[derive(Default)]
pub(crate) struct EncodedRows {
    pub tail_masses: Vec<u8>,
    pub log_ranges: Vec<u8>,
    pub classes: Vec<u8>,
    pub codes: Vec<u8>,
}

impl Encoder {
    /// Appends a distribution `[C]`.
    pub fn push(&mut self, probs: &[f32], layout: &SparseLayout, out: &mut EncodedRows) {
        self.choose(probs, layout.k);
        self.push_tails(probs, layout, out);
        let kept = &self.kept;
        let largest = kept.iter().map(|class| probs[*class as usize]).fold(0.0, f32::max);
        let positive = kept.iter().map(|class| probs[*class as usize]).filter(|prob| *prob > 0.0);
        let smallest = positive.fold(largest, f32::min);
        let range = (f64::from(largest) / f64::from(smallest)).ln() as f32;
        out.log_ranges.extend(range.to_le_bytes());
        let step = f64::from(range) / f64::from(N_STEPS);
        for class in kept {
            let bytes = class.to_le_bytes();
            out.classes.extend_from_slice(&bytes[..class_width(probs.len())]);
            let prob = probs[*class as usize];
            let code = match prob {
                0.0 => ZERO,
                _ if step == 0.0 => 0,
                _ => ((f64::from(largest) / f64::from(prob)).ln() / step).round().min(f64::from(N_STEPS)) as u16,
            };
            out.codes.extend(code.to_le_bytes());
        }
    }

    /// Finds the k most probable classes, of equal ones those with lower numbers, ascending by number.
    fn choose(&mut self, probs: &[f32], k: usize) {
        self.kept.clear();
        if k >= probs.len() {
            self.kept.extend(0..probs.len() as u32);
            return;
        }
        // the bits of floats from 0 ascend as the floats do; the sum takes the sign from a negative zero
        let bits = |prob: &f32| (prob + 0.0).to_bits();
        self.bits.clear();
        self.bits.extend(probs.iter().map(bits));
        let n_left_out = probs.len() - k;
        let (_, smallest_kept, larger) = self.bits.select_nth_unstable(n_left_out);
        let smallest_kept = *smallest_kept;
        let n_larger = larger.iter().filter(|bits| **bits > smallest_kept).count();
        let mut n_equal_left = k - n_larger;
        for (class, prob) in probs.iter().enumerate() {
            let bits = bits(prob);
            let is_equal = bits == smallest_kept && n_equal_left > 0;
            n_equal_left -= usize::from(is_equal);
            if is_equal || bits > smallest_kept {
                self.kept.push(class as u32);
            }
        }
    }

    fn push_tails(&mut self, probs: &[f32], layout: &SparseLayout, out: &mut EncodedRows) {
        let (kept, tail) = (&mut self.powers_of_kept, &mut self.powers_of_tail);
        let fill = |kept_powers: &mut Vec<f64>, tail: &mut Vec<f64>| {
            kept_powers.clear();
            kept_powers.extend(self.kept.iter().map(|class| f64::from(probs[*class as usize])));
            tail.clear();
            tail.extend(probs.iter().map(|prob| f64::from(*prob)));
            self.kept.iter().for_each(|class| tail[*class as usize] = 0.0);
        };
        fill(kept, tail);
        // temperatures ascend, so the roots for T = 4 are square roots of those for T = 2
        let mut reached = Some(0);
        for temperature in &layout.temperatures {
            let wanted = halvings(*temperature);
            let n_done = reached.filter(|_| wanted.is_some()).unwrap_or_else(|| {
                fill(kept, tail);
                0
            });
            let inverse = 1.0 / temperature.get();
            match wanted {
                Some(n_wanted) => (n_done..n_wanted).for_each(|_| {
                    kept.iter_mut().chain(&mut *tail).for_each(|power| *power = power.sqrt());
                }),
                None => kept.iter_mut().chain(&mut *tail).for_each(|power| *power = power.powf(inverse)),
            }
            reached = wanted;
            let of_tail = sum(tail);
            out.tail_masses.extend(((of_tail / (sum(kept) + of_tail)) as f32).to_le_bytes());
        }
    }
}

/// How many square roots in a row are the power `1 / T`; none where that is another root.
fn halvings(temperature: Temperature) -> Option<u32> {
    let halvings = temperature.get().log2();
    (halvings >= 0.0 && halvings.fract() == 0.0).then_some(halvings as u32)
}

/// The sum in several lanes, which the processor adds in parallel.
fn sum(values: &[f64]) -> f64 {
    let (lanes, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for lane in lanes {
        sums.iter_mut().zip(lane).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().sum::<f64>() + rest.iter().sum::<f64>()
}

/// One encoded row, as it lies in the file.
pub(crate) struct EncodedRow<'a> {
    pub tail_masses: &'a [u8],
    pub log_range: &'a [u8],
    pub classes: &'a [u8],
    pub codes: &'a [u8],
}

impl EncodedRow<'_> {
    /// Class numbers, ascending.
    pub fn classes(&self) -> impl Iterator<Item = u32> {
        let width = self.classes.len() / (self.codes.len() / 2);
        self.classes.chunks_exact(width).map(|bytes| {
            let mut number = [0; 4];
            number[..bytes.len()].copy_from_slice(bytes);
            u32::from_le_bytes(number)
        })
    }

    fn codes(&self) -> impl Iterator<Item = u16> {
        self.codes.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes))
    }

    /// The class with the largest probability; of equal ones the first.
    pub fn top_class(&self) -> u32 {
        let smallest_code = self.codes().zip(self.classes()).min_by_key(|(code, _)| *code);
        smallest_code.expect("a row keeps at least one class").1
    }

    /// Writes the kept probabilities at a declared temperature, its position in the layout given, and returns the mass
    /// of the others.
    pub fn soften(&self, nth_temperature: usize, temperature: Temperature, out: &mut [f32]) -> f32 {
        let tail = f32::from_le_bytes(self.tail_masses.as_chunks().0[nth_temperature]);
        let range = f32::from_le_bytes(self.log_range.as_chunks().0[0]);
        let per_step = -f64::from(range) / (f64::from(N_STEPS) * temperature.get());
        let mut total = 0.0;
        for (out, code) in out.iter_mut().zip(self.codes()) {
            let ratio = if code == ZERO { 0.0 } else { (f64::from(code) * per_step).exp() };
            total += ratio;
            *out = ratio as f32;
        }
        let scale = ((1.0 - f64::from(tail)) / total) as f32;
        out.iter_mut().for_each(|prob| *prob *= scale);
        tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Layout;
    use crate::soften;
    use proptest::prelude::*;

    fn layout(k: usize, n_classes: usize, temperatures: &[f64]) -> SparseLayout {
        let temperatures = temperatures.iter().map(|value| Temperature::new(*value).unwrap());
        match Layout::sparse(k, n_classes, temperatures) {
            Layout::Sparse(layout) => layout,
            Layout::Dense {} => unreachable!(),
        }
    }

    /// Classes, probabilities and tail of a row at a temperature, after encoding.
    fn coded(probs: &[f32], layout: &SparseLayout, nth: usize) -> (Vec<u32>, Vec<f32>, f32) {
        let mut rows = EncodedRows::default();
        Encoder::default().push(probs, layout, &mut rows);
        let row = EncodedRow {
            tail_masses: &rows.tail_masses,
            log_range: &rows.log_ranges,
            classes: &rows.classes,
            codes: &rows.codes,
        };
        let mut kept = vec![0.0; layout.k];
        let tail = row.soften(nth, layout.temperatures[nth], &mut kept);
        (row.classes().collect(), kept, tail)
    }

    fn distribution() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(prop_oneof![1 => Just(f32::NEG_INFINITY), 9 => -80.0_f32..0.0], 1..60).prop_map(
            |logits| {
                let total: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
                if total == 0.0 {
                    return vec![1.0];
                }
                logits.iter().map(|logit| (f64::from(*logit).exp() / total) as f32).collect()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]
        #[test]
        fn buckets_are_those_of_the_softened_dense_row(
            probs in distribution(), k in 1_usize..20, temperature in prop_oneof![Just(4.0), 0.5_f64..30.0],
        ) {
            let layout = layout(k, probs.len(), &[temperature]);
            for (nth, temperature) in layout.temperatures.iter().enumerate() {
                let mut dense = vec![0.0; probs.len()];
                soften(&probs, *temperature, &mut dense);
                let (classes, kept, tail) = coded(&probs, &layout, nth);
                prop_assert!(classes.is_sorted_by(|a, b| a < b));
                for (class, prob) in classes.iter().zip(&kept) {
                    let expected = dense[*class as usize];
                    // half a step of at most 104 nats, and what single precision can hold
                    let error = 104.0 / 65534.0 / temperature.get() as f32 * expected + 1e-6;
                    prop_assert!((prob - expected).abs() <= error, "class {class}: {prob} {expected}");
                }
                let outside = (0..probs.len()).filter(|class| !classes.contains(&(*class as u32)));
                let least = classes.iter().map(|class| probs[*class as usize]).fold(1.0, f32::min);
                let mut mass = 0.0;
                for class in outside {
                    prop_assert!(probs[class] <= least);
                    mass += f64::from(dense[class]);
                }
                prop_assert!((f64::from(tail) - mass).abs() < 1e-6, "{tail} {mass}");
                let total: f64 = kept.iter().map(|prob| f64::from(*prob)).sum::<f64>() + f64::from(tail);
                prop_assert!((total - 1.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn zeros_stay_zeros_and_ties_go_to_the_lower_number() {
        let sparse = layout(3, 5, &[]);
        assert_eq!(coded(&[0.0, 1.0, 0.0, 0.0, 0.0], &sparse, 0), (vec![0, 1, 2], vec![0.0, 1.0, 0.0], 0.0));
        let (classes, kept, tail) = coded(&[0.2; 5], &sparse, 0);
        assert_eq!(classes, [0, 1, 2]);
        assert!(kept.iter().all(|prob| (prob - 0.2).abs() < 1e-7) && (tail - 0.4).abs() < 1e-7);
    }

    #[test]
    fn the_smallest_numbers_keep_their_place() {
        let smallest = f32::from_bits(1);
        let (_, kept, tail) = coded(&[1.0, smallest, 1e-20], &layout(3, 3, &[20.0]), 1);
        let mut dense = [0.0; 3];
        soften(&[1.0, smallest, 1e-20], Temperature::new(20.0).unwrap(), &mut dense);
        assert!(kept.iter().zip(&dense).all(|(a, b)| (a / b - 1.0).abs() < 1e-4), "{kept:?} {dense:?}");
        assert_eq!(tail, 0.0);
    }
}
