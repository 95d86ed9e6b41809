//! Taking a seeded, stratified part out of the training examples.

use stillhouse_core::{ClassId, Draws, Seed};

/// Two disjoint lists of rows in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carved {
    pub(crate) kept: Vec<u32>,
    pub(crate) taken: Vec<u32>,
}

/// Takes about `fraction` of each class's rows: at least one where the class has two, and never the last one.
///
/// What is taken of a class depends on the seed, the class and its own rows alone.
pub(crate) fn carve(rows: &[u32], classes: &[ClassId], n_classes: usize, fraction: f64, seed: Seed) -> Carved {
    let mut by_class = vec![Vec::new(); n_classes];
    for &row in rows {
        by_class[classes[row as usize].index()].push(row);
    }
    let mut carved = Carved { kept: Vec::new(), taken: Vec::new() };
    for (class, mut members) in by_class.into_iter().enumerate() {
        shuffle(&mut members, seed.derive("class", class as u64));
        let wanted = (members.len() as f64 * fraction).round() as usize;
        let n_taken = if members.len() < 2 { 0 } else { wanted.clamp(1, members.len() - 1) };
        carved.taken.extend(&members[..n_taken]);
        carved.kept.extend(&members[n_taken..]);
    }
    carved.taken.sort_unstable();
    carved.kept.sort_unstable();
    carved
}

/// So many of the rows, ascending: a seeded sample without replacement.
pub(crate) fn sample(mut rows: Vec<u32>, n_rows: usize, seed: Seed) -> Vec<u32> {
    shuffle(&mut rows, seed);
    rows.truncate(n_rows);
    rows.sort_unstable();
    rows
}

/// Fisher and Yates's shuffle.
fn shuffle(rows: &mut [u32], seed: Seed) {
    let mut draws = Draws::new(seed);
    for last in (1..rows.len()).rev() {
        rows.swap(last, draws.below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_lands_on_one_side(classes in prop::collection::vec(0u32..7, 1..200), fraction in 0.01f64..0.9) {
            let classes: Vec<ClassId> = classes.into_iter().map(ClassId).collect();
            let rows: Vec<u32> = (0..classes.len() as u32).collect();
            let carved = carve(&rows, &classes, 7, fraction, Seed(3));
            let mut all = [carved.kept.clone(), carved.taken.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, rows);
            for class in (0..7).map(ClassId) {
                let count = |rows: &[u32]| rows.iter().filter(|row| classes[**row as usize] == class).count();
                let (kept, taken) = (count(&carved.kept), count(&carved.taken));
                let n = kept + taken;
                prop_assert!(n == 0 || kept >= 1);
                prop_assert!(n < 2 || taken >= 1);
                prop_assert!((taken as f64 - n as f64 * fraction).abs() <= 1.0);
            }
        }
    }

    #[test]
    fn the_seed_decides() {
        let classes = vec![ClassId(0); 50];
        let rows: Vec<u32> = (0..50).collect();
        let taken = |seed| carve(&rows, &classes, 1, 0.2, Seed(seed)).taken;
        assert_eq!(taken(1), taken(1));
        assert_ne!(taken(1), taken(2));
    }
}
