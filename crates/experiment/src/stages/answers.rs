//! What every voice says about a split, each network asked once for all that is computed from it.
//!
//! N rows, C classes.

use super::Workshop;
use super::teacher::{Member, PROBS_AT_ONCE, Teacher, ask};
use crate::error::Result;
use std::borrow::Cow;
use std::ops::Range;
use stillhouse_core::ViewId;
use stillhouse_data::Split;
use stillhouse_train::PREDICTION_BATCH;

/// Several voices, each once.
pub(super) struct Voices<'a>(Vec<Member<'a>>);

impl<'a> Voices<'a> {
    /// Those among these voices that differ.
    pub fn new(members: impl IntoIterator<Item = Member<'a>>) -> Self {
        let mut voices: Vec<Member<'a>> = Vec::new();
        for member in members {
            if voices.iter().all(|voice| voice.key() != member.key()) {
                voices.push(member);
            }
        }
        Self(voices)
    }

    /// Asks about all rows of a split. Runs in the caller's pool.
    pub fn ask_at_once(&self, shop: &Workshop<'_>, split: &Split, view: Option<ViewId>) -> Result<Answers<'_, 'a>> {
        let predictions = ask(shop, &self.0, split, view)?;
        Ok(Answers { voices: &self.0, n_rows: split.len(), predictions })
    }

    /// Asks about a split piece by piece, so that memory does not grow with the number of examples: `hear` is given rows
    /// of the split and what all voices say about them. Runs in the caller's pool, whose threads all get a batch.
    pub fn ask(
        &self,
        shop: &Workshop<'_>,
        split: &Split,
        mut hear: impl FnMut(Range<usize>, &Answers<'_, 'a>) -> Result<()>,
    ) -> Result<()> {
        let n_outputs: usize = self.0.iter().map(|voice| voice.n_outputs(shop.n_classes())).sum();
        let n_batches = PROBS_AT_ONCE / (n_outputs.max(1) * PREDICTION_BATCH);
        let n_rows = n_batches.max(rayon::current_num_threads()) * PREDICTION_BATCH;
        for start in (0..split.len()).step_by(n_rows) {
            let rows = start..(start + n_rows).min(split.len());
            let positions: Vec<usize> = rows.clone().collect();
            hear(rows, &self.ask_at_once(shop, &split.select(&positions), None)?)?;
        }
        Ok(())
    }
}

/// All voices' probabilities for some rows.
pub(super) struct Answers<'v, 'a> {
    voices: &'v [Member<'a>],
    n_rows: usize,
    /// `[rows, C]`, `[rows, L + 1]` or `[rows, L]` of each voice
    predictions: Vec<Vec<f32>>,
}

impl Answers<'_, '_> {
    /// What one of the voices said.
    ///
    /// # Panics
    /// If it was not asked: a bug in this program.
    pub fn of(&self, member: Member<'_>) -> &[f32] {
        let voice = self.voices.iter().position(|voice| voice.key() == member.key()).expect("every voice is asked");
        &self.predictions[voice]
    }

    /// What several of them said.
    pub fn of_all(&self, members: &[Member<'_>]) -> Vec<&[f32]> {
        members.iter().map(|member| self.of(*member)).collect()
    }

    /// What a teacher made of these voices says, `[rows, C]`.
    pub fn by(&self, teacher: &Teacher<'_>) -> Result<Vec<f32>> {
        teacher.combine(&self.of_all(&teacher.members()))
    }

    /// What several of them said about some of the rows, ascending.
    pub fn at(&self, rows: &[usize], members: &[Member<'_>]) -> Vec<Cow<'_, [f32]>> {
        let pick = |predictions: &[f32]| -> Vec<f32> {
            let width = predictions.len() / self.n_rows;
            rows.iter().flat_map(|row| &predictions[row * width..][..width]).copied().collect()
        };
        let of_all = self.of_all(members).into_iter();
        match rows.len() == self.n_rows {
            true => of_all.map(Cow::Borrowed).collect(),
            false => of_all.map(|predictions| Cow::Owned(pick(predictions))).collect(),
        }
    }
}

/// Evenly spread rows of a split, for what would take too long on all.
pub(super) struct Sample(Vec<usize>);

impl Sample {
    /// At most `most` of `n_rows` rows, but one if there are any.
    pub fn new(n_rows: usize, most: usize) -> Self {
        let n_sampled = n_rows.min(most.max(1));
        Self((0..n_sampled).map(|nth| nth * n_rows / n_sampled).collect())
    }

    /// All of them, ascending.
    pub fn rows(&self) -> &[usize] {
        &self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Those among `rows`, counted from the first of these.
    pub fn within(&self, rows: &Range<usize>) -> Vec<usize> {
        let from = |row: usize| self.0.partition_point(|sampled| *sampled < row);
        self.0[from(rows.start)..from(rows.end)].iter().map(|row| row - rows.start).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_and_found_again_in_pieces() {
        let sample = Sample::new(10, 4);
        assert_eq!((sample.len(), sample.within(&(0..10))), (4, vec![0, 2, 5, 7]));
        assert_eq!(
            (sample.within(&(0..5)), sample.within(&(5..6)), sample.within(&(6..10))),
            (vec![0, 2], vec![0], vec![1])
        );
        assert_eq!(Sample::new(3, 9).within(&(1..3)), [0, 1]);
        assert_eq!((Sample::new(3, 0).len(), Sample::new(0, 5).len()), (1, 0));
    }
}
