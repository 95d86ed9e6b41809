//! Predictions of networks on one split: every network computes each example once, whatever is computed from it.
//!
//! N rows, C classes, L classes of a specialist or an external teacher.

use crate::error::Result;
use crate::networks::artifacts::Trained;
use crate::networks::member::Member;
use crate::session::Session;
use std::borrow::Cow;
use std::ops::Range;
use stillhouse_core::ViewId;
use stillhouse_data::Split;
use stillhouse_models::Model;
use stillhouse_train::{PREDICTION_BATCH, predict_together};

/// Probabilities that are in memory at once.
pub(crate) const PROBS_AT_ONCE: usize = 1 << 24;
/// Rows that are predicted between two checks for an interruption: whole batches, enough for many threads.
const ROWS_BETWEEN_CHECKS: usize = 64 * PREDICTION_BATCH;

/// Probabilities of some members for the same rows.
pub(crate) struct Predictions<'m, 'a> {
    members: &'m [Member<'a>],
    n_rows: usize,
    /// `[N, C]`, `[N, L + 1]` or `[N, L]` of each member
    probs: Vec<Vec<f32>>,
}

/// The members that differ, each once.
pub(crate) fn distinct<'a>(members: impl IntoIterator<Item = Member<'a>>) -> Vec<Member<'a>> {
    let mut distinct: Vec<Member<'a>> = Vec::new();
    for member in members {
        if distinct.iter().all(|known| known.stage() != member.stage()) {
            distinct.push(member);
        }
    }
    distinct
}

/// Predicts a split piece by piece, so that memory does not grow with the number of examples: `visit` is given rows of the
/// split and the members' predictions for them. Runs in the caller's pool, whose threads all get a batch.
pub(crate) fn visit_predictions<'a>(
    session: &Session<'_>,
    members: &[Member<'a>],
    split: &Split,
    mut visit: impl FnMut(Range<usize>, &Predictions<'_, 'a>) -> Result<()>,
) -> Result<()> {
    let n_outputs: usize = members.iter().map(|member| member.n_outputs(session.data.n_classes())).sum();
    let n_batches = PROBS_AT_ONCE / (n_outputs.max(1) * PREDICTION_BATCH);
    let n_rows = n_batches.max(rayon::current_num_threads()) * PREDICTION_BATCH;
    for start in (0..split.len()).step_by(n_rows) {
        let rows = start..(start + n_rows).min(split.len());
        let positions: Vec<usize> = rows.clone().collect();
        visit(rows, &Predictions::new(session, members, &split.select(&positions), None)?)?;
    }
    Ok(())
}

impl<'m, 'a> Predictions<'m, 'a> {
    /// Predicts all rows of a split. Each example is read, augmented and encoded once for all networks that take the same
    /// input. Runs in the caller's pool.
    pub fn new(session: &Session<'_>, members: &'m [Member<'a>], split: &Split, view: Option<ViewId>) -> Result<Self> {
        let networks: Vec<&Trained> = members.iter().filter_map(Member::network).collect();
        let models: Vec<&Model> = networks.iter().map(|network| &*network.model).collect();
        let first_with_body =
            |network: &&Trained| networks.iter().position(|other| other.body_key == network.body_key).expect("itself");
        let body_of: Vec<usize> = networks.iter().map(first_with_body).collect();
        let mut of_networks: Vec<Vec<f32>> = vec![Vec::new(); networks.len()];
        for start in (0..split.len()).step_by(ROWS_BETWEEN_CHECKS) {
            session.context.check_interrupt()?;
            let rows: Vec<usize> = (start..(start + ROWS_BETWEEN_CHECKS).min(split.len())).collect();
            let predicted = predict_together(&models, &body_of, &split.select(&rows), view)?;
            of_networks.iter_mut().zip(predicted).for_each(|(all, predicted)| all.extend(predicted));
        }
        let mut of_networks = of_networks.into_iter();
        let of_member = |member: &Member<'_>| match member {
            Member::Network(_) => Ok(of_networks.next().expect("one for each network")),
            Member::External(external) => external.predict(split),
        };
        let probs = members.iter().map(of_member).collect::<Result<_>>()?;
        Ok(Self { members, n_rows: split.len(), probs })
    }

    /// Predictions of one member.
    ///
    /// # Panics
    /// If these are not its predictions: a bug in this program.
    pub fn of(&self, member: Member<'_>) -> &[f32] {
        let position = self.members.iter().position(|known| known.stage() == member.stage());
        &self.probs[position.expect("every member that is looked at has predicted")]
    }

    /// Predictions of several members.
    pub fn of_all(&self, members: &[Member<'_>]) -> Vec<&[f32]> {
        members.iter().map(|member| self.of(*member)).collect()
    }

    /// Predictions of every member, in their order.
    pub fn into_probs(self) -> Vec<Vec<f32>> {
        self.probs
    }

    /// Predictions of several members for some of the rows, ascending.
    pub fn at(&self, rows: &[usize], members: &[Member<'_>]) -> Vec<Cow<'_, [f32]>> {
        let pick = |probs: &[f32]| -> Vec<f32> {
            let width = probs.len() / self.n_rows;
            rows.iter().flat_map(|row| &probs[row * width..][..width]).copied().collect()
        };
        let of_all = self.of_all(members).into_iter();
        match rows.len() == self.n_rows {
            true => of_all.map(Cow::Borrowed).collect(),
            false => of_all.map(|probs| Cow::Owned(pick(probs))).collect(),
        }
    }
}

/// Evenly spread rows of a split, for what would take too long on all.
pub(crate) struct Sample(Vec<usize>);

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
