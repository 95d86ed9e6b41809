//! The sampler of a training: the rows of an epoch, their order, and their augmented view.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use stillhouse_core::{ClassId, ClassSubset, Seed, ViewId};
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
    /// As many rows as there are, of each class the same number (one more of some classes, drawn, where they do not divide
    /// evenly): rows of a rare class several times, rows of a frequent one in part, drawn anew in each epoch.
    Balanced {
        /// rows of each class that has any
        classes: Vec<Vec<usize>>,
        /// rows without a label, each once in an epoch
        unlabelled: Vec<usize>,
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

    /// Rows of an epoch with their views. A row that comes again in the epoch has a new view each time, beyond those of all
    /// epochs, unless views are stored.
    pub(crate) fn plan(self, rows: &[usize], epoch: usize, n_epochs: usize) -> Vec<(usize, Option<ViewId>)> {
        let view = self.view(epoch);
        if self != Self::Fresh {
            return rows.iter().map(|row| (*row, view)).collect();
        }
        let mut n_times = vec![0_u32; rows.iter().max().map_or(0, |last| last + 1)];
        let mut next = |row: usize| {
            let nth = n_times[row];
            n_times[row] += 1;
            Some(ViewId((epoch as u32).wrapping_add(nth.wrapping_mul(n_epochs as u32))))
        };
        rows.iter().map(|row| (*row, next(*row))).collect()
    }
}

impl Sampler {
    /// A specialist's sampler over a split.
    pub fn half_and_half(split: &Split, subset: &ClassSubset) -> Self {
        let (own, rest) = (0..split.len()).partition(|&row| subset.contains(split.label(row)));
        Self::HalfAndHalf { own, rest }
    }

    /// A sampler that shows each class alike often.
    pub fn balanced(split: &Split) -> Self {
        let mut classes = vec![Vec::new(); split.n_classes()];
        let mut unlabelled = Vec::new();
        for (row, class) in split.labels().iter().enumerate() {
            match *class {
                ClassId::UNKNOWN => unlabelled.push(row),
                class => classes[class.index()].push(row),
            }
        }
        classes.retain(|rows| !rows.is_empty());
        Self::Balanced { classes, unlabelled }
    }

    /// Examples in each epoch over a split of `n_rows`.
    pub fn epoch_len(&self, n_rows: usize) -> usize {
        match self {
            Self::All | Self::Balanced { .. } => n_rows,
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
            Self::Balanced { classes, unlabelled } => [balanced_rows(classes, &mut rng), unlabelled.clone()].concat(),
        };
        let n = rows.len();
        partial_shuffle(&mut rows, n, &mut rng);
        rows
    }

    /// Share of the rows of an epoch that are the specialist's own, the training share of the prior correction; 1 for
    /// all rows.
    pub fn own_share(&self) -> f64 {
        match self {
            Self::All | Self::Balanced { .. } => 1.0,
            Self::HalfAndHalf { own, rest } => own.len() as f64 / (own.len() + own.len().min(rest.len())) as f64,
        }
    }
}

/// As many rows as the classes have together, the same number of each.
fn balanced_rows(classes: &[Vec<usize>], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let n_rows: usize = classes.iter().map(Vec::len).sum();
    let n_classes = classes.len().max(1);
    let mut order: Vec<usize> = (0..classes.len()).collect();
    partial_shuffle(&mut order, n_rows % n_classes, rng);
    let mut rows = Vec::with_capacity(n_rows);
    for (place, class) in order.into_iter().enumerate() {
        let members = &classes[class];
        let n_drawn = n_rows / n_classes + usize::from(place < n_rows % n_classes);
        (0..n_drawn / members.len()).for_each(|_| rows.extend(members));
        let mut rest = members.clone();
        partial_shuffle(&mut rest, n_drawn % members.len(), rng);
        rows.extend(&rest[..n_drawn % members.len()]);
    }
    rows
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
    fn a_balanced_epoch_shows_each_class_alike_often() {
        // 100, 10 and 1 rows: 37 of each; three rows without a label
        let classes = vec![(0..100).collect(), (100..110).collect(), vec![110]];
        let sampler = Sampler::Balanced { classes, unlabelled: vec![111, 112, 113] };
        assert_eq!(sampler.epoch_len(114), 114);
        let times = |epoch: usize| {
            let mut times = vec![0; 114];
            let rows = sampler.epoch_rows(114, Seed(1), epoch);
            assert_eq!(rows.len(), 114);
            rows.into_iter().for_each(|row| times[row] += 1);
            times
        };
        let first = times(0);
        assert_eq!(first[..100].iter().sum::<usize>(), 37);
        assert!(first[..100].iter().all(|n| *n <= 1), "a frequent class's rows come once at most");
        assert_eq!(first[100..110].iter().sum::<usize>(), 37);
        assert!(first[100..110].iter().all(|n| [3, 4].contains(n)), "a rare class's rows come alike often");
        assert_eq!(first[110..], [37, 1, 1, 1]);
        assert_eq!(times(0), first);
        assert_ne!(times(1), first);
        // over many epochs, each row of the frequent class comes in 37 of 100
        let mut sums = vec![0; 114];
        (0..400).for_each(|epoch| sums.iter_mut().zip(times(epoch)).for_each(|(sum, n)| *sum += n));
        assert!(sums[..100].iter().all(|n| (100..200).contains(n)), "{sums:?}");
    }

    #[test]
    fn what_does_not_divide_evenly_goes_to_other_classes_in_each_epoch() {
        let classes: Vec<Vec<usize>> = vec![vec![0, 1], vec![2, 3], vec![4]];
        let sampler = Sampler::Balanced { classes, unlabelled: Vec::new() };
        let n_last = |epoch| sampler.epoch_rows(5, Seed(1), epoch).into_iter().filter(|row| *row == 4).count();
        let counts: Vec<usize> = (0..300).map(n_last).collect();
        assert!(counts.iter().all(|n| [1, 2].contains(n)));
        assert!((160..240).contains(&counts.iter().filter(|n| **n == 2).count()));
    }

    #[test]
    fn a_row_that_comes_again_has_another_view() {
        let of = |views: ViewPolicy| views.plan(&[7, 3, 7, 7], 2, 10);
        let ids = |views| of(views).into_iter().map(|(_, view)| view.map(|view| view.0)).collect::<Vec<_>>();
        assert_eq!(ids(ViewPolicy::Fresh), [2, 2, 12, 22].map(Some));
        assert_eq!(ids(ViewPolicy::Stored { n_views: 2 }), [Some(0); 4]);
        assert_eq!(ids(ViewPolicy::Plain), [None; 4]);
        assert_eq!(of(ViewPolicy::Fresh).iter().map(|(row, _)| *row).collect::<Vec<_>>(), [7, 3, 7, 7]);
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
