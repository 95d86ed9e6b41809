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
    let mut carved = Carved { kept: Vec::new(), taken: Vec::new() };
    for members in shuffled_classes(rows, classes, n_classes, seed) {
        let wanted = (members.len() as f64 * fraction).round() as usize;
        let n_taken = if members.len() < 2 { 0 } else { wanted.clamp(1, members.len() - 1) };
        carved.taken.extend(&members[..n_taken]);
        carved.kept.extend(&members[n_taken..]);
    }
    carved.taken.sort_unstable();
    carved.kept.sort_unstable();
    carved
}

/// About `fraction` of each class's rows, ascending: at least one, and all of them for a fraction of 1.
pub(crate) fn part_of_each_class(classes: &[ClassId], n_classes: usize, fraction: f64, seed: Seed) -> Vec<u32> {
    let rows: Vec<u32> = (0..classes.len() as u32).collect();
    let part = |members: Vec<u32>| {
        let n_kept = (members.len() as f64 * fraction).round() as usize;
        members[..n_kept.clamp(members.len().min(1), members.len())].to_vec()
    };
    let mut kept: Vec<u32> = shuffled_classes(&rows, classes, n_classes, seed).flat_map(part).collect();
    kept.sort_unstable();
    kept
}

/// The rows of each class, in an order that depends on the seed, the class and these rows alone.
fn shuffled_classes(rows: &[u32], classes: &[ClassId], n_classes: usize, seed: Seed) -> impl Iterator<Item = Vec<u32>> {
    let mut by_class = vec![Vec::new(); n_classes];
    for &row in rows {
        by_class[classes[row as usize].index()].push(row);
    }
    by_class.into_iter().enumerate().map(move |(class, mut members)| {
        shuffle(&mut members, seed.derive("class", class as u64));
        members
    })
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
    fn a_part_of_each_class_may_be_all_and_is_never_none() {
        let classes: Vec<ClassId> = (0..30).map(|row| ClassId(u32::from(row >= 25))).collect();
        let part = |fraction| part_of_each_class(&classes, 3, fraction, Seed(1));
        let count = |rows: &[u32], class: u32| rows.iter().filter(|row| classes[**row as usize].0 == class).count();
        assert_eq!(part(1.0), (0..30).collect::<Vec<u32>>());
        let tenth = part(0.1);
        assert_eq!((count(&tenth, 0), count(&tenth, 1)), (3, 1));
        assert!(tenth.is_sorted());
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
