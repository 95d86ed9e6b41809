//! The sampler of a training: the rows of an epoch, their order, and their augmented view.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use stillhouse_core::{ClassSubset, Seed, ViewId};
use stillhouse_data::Split;

/// Rows of one epoch, before shuffling.
#[derive(Clone, Debug)]
pub enum Sampler {
    /// Every row once.
    All,
    /// A specialist's: all rows of its own classes and as many of the others, drawn anew in each epoch
    /// (paper, sec. 5.2: "half its examples coming from its special subset, and half sampled at random").
    HalfAndHalf {
        /// rows of the specialist's classes
        own: Vec<usize>,
        /// all other rows
        rest: Vec<usize>,
    },
}

/// The augmented view of an example in each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewPolicy {
    /// The example as it is.
    Plain,
    /// A new view in every epoch.
    Fresh,
    /// One of the first `n_views`, in turn: the views for which soft targets are stored.
    Stored {
        /// views stored for each example
        n_views: u32,
    },
}

impl ViewPolicy {
    /// The view of an epoch (`0..`).
    pub fn view(self, epoch: usize) -> Option<ViewId> {
        match self {
            Self::Plain => None,
            Self::Fresh => Some(ViewId(epoch as u32)),
            Self::Stored { n_views } => Some(ViewId(epoch as u32 % n_views)),
        }
    }
}

impl Sampler {
    /// A specialist's sampler over a split.
    pub fn half_and_half(split: &Split, subset: &ClassSubset) -> Self {
        let (own, rest) = (0..split.len()).partition(|&row| subset.contains(split.label(row)));
        Self::HalfAndHalf { own, rest }
    }

    /// Examples in each epoch over a split of `n_rows`.
    pub fn epoch_len(&self, n_rows: usize) -> usize {
        match self {
            Self::All => n_rows,
            Self::HalfAndHalf { own, rest } => own.len() + own.len().min(rest.len()),
        }
    }

    /// Shuffled rows of one epoch.
    pub fn epoch_rows(&self, n_rows: usize, seed: Seed, epoch: usize) -> Vec<usize> {
        let mut rng = seed.derive("shuffle", epoch as u64).rng();
        let mut rows = match self {
            Self::All => (0..n_rows).collect(),
            Self::HalfAndHalf { own, rest } => {
                let mut drawn = rest.clone();
                partial_shuffle(&mut drawn, own.len(), &mut rng);
                drawn.truncate(own.len());
                [own.as_slice(), &drawn].concat()
            }
        };
        let n = rows.len();
        partial_shuffle(&mut rows, n, &mut rng);
        rows
    }

    /// Share of the rows of an epoch that are the specialist's own, the training share of the prior correction; 1 for
    /// all rows.
    pub fn own_share(&self) -> f64 {
        match self {
            Self::All => 1.0,
            Self::HalfAndHalf { own, rest } => own.len() as f64 / (own.len() + own.len().min(rest.len())) as f64,
        }
    }
}

/// Moves a uniform random draw without replacement to the first `n` positions (Fisher and Yates).
fn partial_shuffle(rows: &mut [usize], n: usize, rng: &mut ChaCha8Rng) {
    for place in 0..n.min(rows.len().saturating_sub(1)) {
        let n_left = (rows.len() - place) as u64;
        // 64 random bits onto at most 2^40 positions: the bias of the multiplication is below 2^-24
        let drawn = ((u128::from(rng.next_u64()) * u128::from(n_left)) >> 64) as usize;
        rows.swap(place, place + drawn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_epoch_of_all_rows_is_a_permutation() {
        let rows = Sampler::All.epoch_rows(1000, Seed(1), 0);
        assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), 1000);
        assert_ne!(rows, Sampler::All.epoch_rows(1000, Seed(1), 1));
        assert_eq!(rows, Sampler::All.epoch_rows(1000, Seed(1), 0));
    }

    #[test]
    fn half_of_a_specialists_epoch_is_its_own() {
        let sampler = Sampler::HalfAndHalf { own: (0..30).collect(), rest: (30..500).collect() };
        let rows = sampler.epoch_rows(500, Seed(1), 4);
        assert_eq!(rows.len(), 60);
        assert_eq!(rows.iter().filter(|row| **row < 30).collect::<BTreeSet<_>>().len(), 30);
        assert_eq!(rows.iter().filter(|row| **row >= 30).collect::<BTreeSet<_>>().len(), 30);
        assert_eq!(sampler.own_share(), 0.5);
    }

    #[test]
    fn too_few_other_rows_are_all_taken_and_counted() {
        let sampler = Sampler::HalfAndHalf { own: (0..30).collect(), rest: (30..40).collect() };
        assert_eq!(sampler.epoch_rows(40, Seed(1), 0).len(), 40);
        assert_eq!(sampler.own_share(), 0.75);
    }

    #[test]
    fn shuffles_are_uniform_enough() {
        let mut counts = [0u32; 10];
        for epoch in 0..5000 {
            counts[Sampler::All.epoch_rows(10, Seed(3), epoch)[0]] += 1;
        }
        assert!(counts.iter().all(|count| (400..600).contains(count)), "{counts:?}");
    }
}
