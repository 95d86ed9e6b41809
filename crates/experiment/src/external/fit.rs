//! Whether a teacher's predictions fit the labels: rows in another order and columns in another order are found before
//! anything is trained.
//!
//! N rows of a source, C classes that the teacher names.
//!
//! | test | says |
//! |---|---|
//! | chance | agreement is that of the same predictions on shuffled rows (permutation test) |
//! | order | agreement is clearly better from the last row to the first, or a few rows further |
//! | columns | classes and columns that fit each other best, found on half of the rows, agree clearly better on the other half (sign test) |
//!
//! A teacher that is merely weak passes: it is better than chance as soon as there are rows enough to say so, and a
//! sample too small to tell is not judged.

use statrs::distribution::{Binomial, DiscreteCDF};

/// Standard deviations above the agreement of shuffled rows within which agreement is no better than chance: one in a
/// hundred shuffles is farther.
const CHANCE: f64 = 2.33;
/// A sample is judged if half of what is possible beyond chance is so many standard deviations away.
const POWER: f64 = 5.0;
/// Probability, under chance or without a difference, below which another order is better.
const CLEAR: f64 = 1e-5;
/// Rows by which a file is moved on trial, to both sides.
const MAX_SHIFT: isize = 8;

/// What a teacher says of the rows of a source, beside what is known of them.
pub(crate) struct Answers {
    /// `[N]`: the class, none where it is unknown, sealed, or no class of the teacher
    pub(crate) labels: Vec<Option<u32>>,
    /// `[N]`: the most probable class
    pub(crate) said: Vec<u32>,
    pub(crate) n_classes: usize,
}

/// Predictions that do not fit the labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Misfit {
    /// rows whose label is known
    pub(crate) n_rows: usize,
    /// of these, rows in which prediction and label agree
    pub(crate) n_right: usize,
    pub(crate) kind: MisfitKind,
}

/// How predictions do not fit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MisfitKind {
    /// No better than chance.
    Chance {
        /// agreement to be expected by chance
        n_expected: f64,
    },
    /// Better in another order of the rows.
    Rows { order: Order, n_right: usize },
    /// Better with other columns.
    Columns {
        /// a class, and the class whose column fits it
        moved: Vec<(u32, u32)>,
        n_right: usize,
    },
}

/// An order of the rows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// from the last row to the first
    Backwards,
    /// so many rows further down in the file than in the data
    Moved(isize),
}

impl Answers {
    /// The first test that finds something; none where the predictions fit, or too few rows are known.
    pub(crate) fn misfit(&self) -> Option<Misfit> {
        let pairs = self.pairs(Some);
        let (n_rows, n_right) = (pairs.len(), n_right(&pairs));
        let misfit = |kind| Some(Misfit { n_rows, n_right, kind });
        if let Some(kind) = self.other_columns(&pairs) {
            return misfit(kind);
        }
        let (n_expected, deviation) = shuffled(&pairs, self.n_classes);
        let half_way = (n_rows as f64 - n_expected) / 2.0;
        // without a deviation, labels or predictions are all the same, and any order is as good
        let can_tell = deviation > 0.0 && half_way > POWER * deviation;
        if !can_tell || n_right as f64 > n_expected + CHANCE * deviation {
            return None;
        }
        misfit(self.other_order().unwrap_or(MisfitKind::Chance { n_expected }))
    }

    /// Labels with what is said in the row of the file that `place` gives for each row of the data.
    fn pairs(&self, place: impl Fn(usize) -> Option<usize>) -> Vec<(u32, u32)> {
        let said = |row: usize| place(row).and_then(|row| self.said.get(row)).copied();
        self.labels.iter().enumerate().filter_map(|(row, label)| Some(((*label)?, said(row)?))).collect()
    }

    fn other_order(&self) -> Option<MisfitKind> {
        let n = self.said.len();
        let shifts = (-MAX_SHIFT..=MAX_SHIFT).filter(|shift| *shift != 0).map(Order::Moved);
        let judged = std::iter::once(Order::Backwards).chain(shifts).filter_map(|order| {
            let pairs = self.pairs(|row| match order {
                Order::Backwards => Some(n - 1 - row),
                Order::Moved(shift) => row.checked_add_signed(shift),
            });
            let (n_rows, n_right) = (pairs.len(), n_right(&pairs));
            let is_clear = n_rows > 0 && tail(n_right, n_rows, n_expected(&pairs, self.n_classes)) < CLEAR;
            is_clear.then_some((order, n_right))
        });
        let (order, n_right) = judged.max_by_key(|(_, n_right)| *n_right)?;
        Some(MisfitKind::Rows { order, n_right })
    }

    /// The columns are matched on one half of the rows and judged on the other, so that the choice cannot flatter them.
    fn other_columns(&self, pairs: &[(u32, u32)]) -> Option<MisfitKind> {
        let (chosen_on, judged_on): (Vec<_>, Vec<_>) =
            pairs.iter().enumerate().partition(|(row, _)| is_first_half(*row));
        let of = |half: Vec<(usize, &(u32, u32))>| half.into_iter().map(|(_, pair)| *pair).collect::<Vec<_>>();
        let (chosen_on, judged_on) = (of(chosen_on), of(judged_on));
        let matched = with_columns(&judged_on, &best_columns(&chosen_on, self.n_classes));
        let (n_matched, n_own) = (n_right(&matched), n_right(&judged_on));
        // a row whose two answers are both right or both wrong says nothing
        let both =
            judged_on.iter().zip(&matched).filter(|(own, matched)| own.0 == own.1 && matched.0 == matched.1).count();
        let n_telling = n_matched + n_own - 2 * both;
        let is_better = tail(n_matched - both, n_telling, n_telling as f64 / 2.0) < CLEAR;
        let n_by_chance = n_expected(&matched, self.n_classes);
        if !is_better || tail(n_matched, matched.len(), n_by_chance) >= CLEAR {
            return None;
        }
        let columns = best_columns(pairs, self.n_classes);
        let moved =
            (0..).zip(&columns).filter(|(class, column)| class != *column).map(|(class, column)| (class, *column));
        Some(MisfitKind::Columns { moved: moved.collect(), n_right: n_right(&with_columns(pairs, &columns)) })
    }
}

/// A fixed half of the rows that follows no order of the labels.
fn is_first_half(row: usize) -> bool {
    // Knuth's multiplicative hash
    (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0
}

/// The column that fits each class, `[C]`, each of them once: its own, unless class and another column are each other's most
/// frequent partner.
fn best_columns(pairs: &[(u32, u32)], n_classes: usize) -> Vec<u32> {
    let mut counts = std::collections::BTreeMap::<(u32, u32), usize>::new();
    pairs.iter().for_each(|pair| *counts.entry(*pair).or_default() += 1);
    let mut of_class: Vec<(usize, u32)> = (0..n_classes as u32).map(|class| (0, class)).collect();
    let mut of_column = of_class.clone();
    let own = |class: u32| counts.get(&(class, class)).copied().unwrap_or(0);
    for class in 0..n_classes as u32 {
        (of_class[class as usize].0, of_column[class as usize].0) = (own(class), own(class));
    }
    for ((class, column), count) in &counts {
        if *count > of_class[*class as usize].0 {
            of_class[*class as usize] = (*count, *column);
        }
        if *count > of_column[*column as usize].0 {
            of_column[*column as usize] = (*count, *class);
        }
    }
    let partner = |class: u32| {
        let column = of_class[class as usize].1;
        (of_column[column as usize].1 == class).then_some(column)
    };
    let mut columns: Vec<Option<u32>> = (0..n_classes as u32).map(partner).collect();
    let mut is_free = vec![true; n_classes];
    columns.iter().flatten().for_each(|column| is_free[*column as usize] = false);
    // one column each: the own one if nobody has it, otherwise one that is left over
    for (class, column) in columns.iter_mut().enumerate().filter(|(class, column)| column.is_none() && is_free[*class])
    {
        *column = Some(class as u32);
    }
    columns.iter().flatten().for_each(|column| is_free[*column as usize] = false);
    let mut left_over = (0..n_classes as u32).filter(|column| is_free[*column as usize]);
    let one_each = "as many columns as classes";
    columns.into_iter().map(|column| column.unwrap_or_else(|| left_over.next().expect(one_each))).collect()
}

/// The same rows, if column `columns[c]` were that of class `c`.
fn with_columns(pairs: &[(u32, u32)], columns: &[u32]) -> Vec<(u32, u32)> {
    let mut class_of = vec![0; columns.len()];
    (0..).zip(columns).for_each(|(class, column)| class_of[*column as usize] = class);
    pairs.iter().map(|(label, said)| (*label, class_of[*said as usize])).collect()
}

fn n_right(pairs: &[(u32, u32)]) -> usize {
    pairs.iter().filter(|(label, said)| label == said).count()
}

/// Agreement of the same predictions on shuffled rows: its mean and its standard deviation.
fn shuffled(pairs: &[(u32, u32)], n_classes: usize) -> (f64, f64) {
    let (mut labels, mut said) = (vec![0.0f64; n_classes], vec![0.0f64; n_classes]);
    for pair in pairs {
        labels[pair.0 as usize] += 1.0;
        said[pair.1 as usize] += 1.0;
    }
    let n = pairs.len() as f64;
    if n < 2.0 {
        return (0.0, 0.0);
    }
    let (mut both, mut correction) = (0.0, 0.0);
    for (label, said) in labels.iter().zip(&said) {
        both += label * said;
        correction += label * said * (1.0 - label - said);
    }
    // E[K^2] = E[K] + sum over pairs of rows of the probability that both agree
    let mean = both / n;
    let variance = mean + (both * both + correction) / (n * (n - 1.0)) - mean * mean;
    // where all labels or all predictions are the same, rounding is all that is left of it
    let is_rounding = variance <= 1e-9 * (1.0 + mean * mean);
    (mean, if is_rounding { 0.0 } else { variance.sqrt() })
}

fn n_expected(pairs: &[(u32, u32)], n_classes: usize) -> f64 {
    shuffled(pairs, n_classes).0
}

/// Probability of at least so many agreements in `n`, where `n_expected` are expected.
fn tail(n_found: usize, n: usize, n_expected: f64) -> f64 {
    if n_found == 0 {
        return 1.0;
    }
    let share = (n_expected / n as f64).clamp(0.0, 1.0);
    Binomial::new(share, n as u64).map_or(1.0, |binomial| binomial.sf(n_found as u64 - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_core::Seed;

    const N_CLASSES: u32 = 5;

    fn draw(name: &str, row: usize, below: u32) -> u32 {
        (Seed(7).derive(name, row as u64).0 % u64::from(below)) as u32
    }

    /// Answers right in `percent` of the rows more than chance, with labels one after the other or drawn.
    fn answers(n_rows: usize, percent: u32, labels: &dyn Fn(usize) -> u32) -> Answers {
        let said = |row: usize| match draw("right", row, 100) < percent {
            true => labels(row),
            false => draw("said", row, N_CLASSES),
        };
        Answers {
            labels: (0..n_rows).map(|row| Some(labels(row))).collect(),
            said: (0..n_rows).map(said).collect(),
            n_classes: N_CLASSES as usize,
        }
    }

    fn drawn(row: usize) -> u32 {
        draw("label", row, N_CLASSES)
    }

    #[test]
    fn good_and_weak_teachers_fit() {
        for labels in [&drawn as &dyn Fn(usize) -> u32, &|row| row as u32 % N_CLASSES, &|row| row as u32 / 200] {
            for percent in [100, 80, 40, 15] {
                assert_eq!(answers(1000, percent, labels).misfit(), None, "{percent}");
            }
            assert_eq!(answers(100, 40, labels).misfit(), None);
        }
        assert_eq!(answers(8, 0, &drawn).misfit(), None, "too few to tell");
        // most examples of class 0 are taken for class 1: weak, and no other order of columns
        let mut biased = answers(400, 70, &|row| row as u32 % 2);
        biased
            .said
            .iter_mut()
            .enumerate()
            .for_each(|(row, said)| *said = if draw("bias", row, 10) < 6 { 1 } else { *said });
        assert_eq!(biased.misfit(), None);
        let mut constant = answers(1000, 100, &drawn);
        constant.said.fill(3);
        assert_eq!(constant.misfit(), None, "any order of its rows is as good");
        let rare = |row: usize| u32::from(draw("rare", row, 100) < 5);
        let mut rare_teacher = answers(2000, 0, &rare);
        rare_teacher.said = (0..2000).map(|row| if draw("right", row, 10) < 3 { rare(row) } else { 0 }).collect();
        assert_eq!(rare_teacher.misfit(), None, "its few hits are more than those of shuffled rows");
    }

    #[test]
    fn rows_in_another_order_are_found() {
        for n_rows in [100, 1000] {
            let right = answers(n_rows, 90, &drawn);
            let mut shuffled = answers(n_rows, 90, &drawn);
            shuffled.said = (0..n_rows).map(|row| right.said[(row * 37 + 11) % n_rows]).collect();
            let Some(Misfit { kind: MisfitKind::Chance { n_expected }, n_right, .. }) = shuffled.misfit() else {
                panic!("{:?}", shuffled.misfit())
            };
            assert!((n_expected / n_rows as f64 - 0.2).abs() < 0.05 && n_right < n_rows / 3);
            let mut backwards = answers(n_rows, 90, &drawn);
            backwards.said.reverse();
            assert!(matches!(
                backwards.misfit(),
                Some(Misfit { kind: MisfitKind::Rows { order: Order::Backwards, n_right }, .. }) if n_right > n_rows * 4 / 5
            ));
            for shift in [1, -2] {
                let mut moved = answers(n_rows, 90, &drawn);
                if shift > 0 {
                    moved.said.rotate_right(1);
                } else {
                    moved.said.rotate_left(2);
                }
                let kind = moved.misfit().unwrap().kind;
                assert!(
                    matches!(kind, MisfitKind::Rows { order: Order::Moved(found), .. } if found == shift),
                    "{kind:?}"
                );
            }
        }
    }

    #[test]
    fn columns_in_another_order_are_found() {
        for (n_rows, percent) in [(100, 90), (1000, 40)] {
            let mut answers = answers(n_rows, percent, &drawn);
            answers.said.iter_mut().for_each(|said| *said = [2, 0, 1, 3, 4][*said as usize]);
            let Misfit { kind, n_right, .. } = answers.misfit().unwrap();
            let MisfitKind::Columns { moved, n_right: n_matched } = kind else { panic!("{kind:?}") };
            assert_eq!(moved, [(0, 2), (1, 0), (2, 1)]);
            assert!(n_matched > 2 * n_right || percent < 90);
        }
    }

    #[test]
    fn rows_without_a_label_are_left_out() {
        let mut answers = answers(300, 90, &drawn);
        answers.labels.iter_mut().step_by(3).for_each(|label| *label = None);
        assert_eq!(answers.misfit(), None);
        answers.said.reverse();
        assert_eq!(answers.misfit().unwrap().n_rows, 200);
        answers.labels.fill(None);
        assert_eq!(answers.misfit(), None);
    }
}
