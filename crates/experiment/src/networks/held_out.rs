//! Predictions of examples that the predicting networks were not trained on. Classes are clustered by them (paper,
//! sec. 5.3; that they are held out is our choice).
//!
//! N examples, C classes.

use crate::error::Result;
use crate::networks::artifacts::Trained;
use crate::networks::member::{Member, complete_members};
use crate::networks::recipe::Recipe;
use crate::networks::teacher::Teacher;
use crate::networks::training::train_side_by_side;
use crate::session::Session;
use crate::stage::Stage;
use std::borrow::Cow;
use stillhouse_core::ClassId;
use stillhouse_data::Split;
use stillhouse_ensemble::{Folds, HeldOutPredictions};

/// Probabilities that are kept: 1 GiB of them.
const MAX_KEPT: usize = 1 << 28;

/// A network and the part of the training split that it has not seen.
pub(crate) struct Fold {
    pub trained: Trained,
    rest: Split,
}

impl Fold {
    /// The stage of its training.
    pub fn stage(&self) -> &Stage {
        &self.trained.stage
    }

    /// Floating-point operations of its training.
    pub fn train_flops(&self) -> f64 {
        self.trained.fit.train_flops
    }
}

/// Trains a generalist for each fold of the training split, side by side; none where the validation split is used.
pub(crate) fn train_folds(session: &Session<'_>, predictions: &HeldOutPredictions) -> Result<Vec<Fold>> {
    let HeldOutPredictions::OutOfFold(Folds { n_folds }) = *predictions else { return Ok(Vec::new()) };
    let recipe =
        |fold_idx| Recipe::fold(session, fold_idx, n_folds, rows_of_folds(session, n_folds, |fold| fold != fold_idx));
    let recipes: Vec<_> = (0..n_folds).map(recipe).collect();
    let trained = train_side_by_side(session, &recipes)?.into_iter().collect::<Result<Vec<_>>>()?;
    let fold = |(fold_idx, trained)| Fold { trained, rest: rows_of_folds(session, n_folds, |fold| fold == fold_idx) };
    Ok(trained.into_iter().enumerate().map(fold).collect())
}

/// The rows of the training split whose folds are taken.
fn rows_of_folds(session: &Session<'_>, n_folds: usize, is_taken: impl Fn(usize) -> bool) -> Split {
    let train = &session.data.train;
    // windows of one text stay together, so that no fold has seen a part of what it predicts
    let fold_of = |row: usize| session.seed.derive("fold", train.whole(row)).0 as usize % n_folds;
    let rows: Vec<usize> = (0..train.len()).filter(|row| is_taken(fold_of(*row))).collect();
    train.select(&rows)
}

/// Predictions of examples that the predicting network was not trained on, with their labels.
pub(crate) trait HeldOutRows {
    /// Labels of all examples, `[N]`.
    fn labels(&self) -> &[ClassId];

    /// All predictions, `[N, C]`, for affinities between all pairs of classes.
    ///
    /// # Errors
    /// Predictions that cannot be made.
    fn all(&self) -> Result<Cow<'_, [f32]>>;

    /// Shows them piece by piece, with their labels.
    ///
    /// # Errors
    /// As [`HeldOutRows::all`], and what `see` refuses.
    fn visit(&self, see: impl FnMut(&[f32], &[ClassId]) -> Result<()> + Send) -> Result<()>;
}

/// Held-out predictions of this run's networks: kept where they are few, made anew for every pass over them where they are many.
pub(crate) struct HeldOut<'a> {
    session: &'a Session<'a>,
    parts: Vec<(Teacher<'a>, Split)>,
    labels: Vec<ClassId>,
    kept: Option<Vec<f32>>,
}

impl<'a> HeldOut<'a> {
    /// The mean of all members that know every class, on the validation split.
    pub fn validation(session: &'a Session<'a>, generalists: &'a [Trained]) -> Result<Self> {
        let teacher = Teacher::Mean(complete_members(session, generalists));
        Self::new(session, vec![(teacher, session.data.valid.clone())])
    }

    /// Each fold's network on the part that it has not seen.
    pub fn of_folds(session: &'a Session<'a>, folds: &'a [Fold]) -> Result<Self> {
        let part = |fold: &'a Fold| (Teacher::Single(Member::Network(&fold.trained)), fold.rest.clone());
        Self::new(session, folds.iter().map(part).collect())
    }

    fn new(session: &'a Session<'a>, parts: Vec<(Teacher<'a>, Split)>) -> Result<Self> {
        let labels: Vec<ClassId> = parts.iter().flat_map(|(_, split)| split.labels()).copied().collect();
        let mut held_out = Self { session, parts, labels, kept: None };
        if held_out.labels.len() * session.data.n_classes() <= MAX_KEPT {
            held_out.kept = Some(held_out.all()?.into_owned());
        }
        Ok(held_out)
    }

    fn predict(&self, mut see: impl FnMut(&[f32], &[ClassId]) -> Result<()> + Send) -> Result<()> {
        let session = self.session;
        session.context.with_all_threads(|| {
            for (teacher, split) in &self.parts {
                teacher.predict_in_chunks(session, split, |rows, probs| see(probs, &split.labels()[rows]))?;
            }
            Ok(())
        })?
    }
}

impl HeldOutRows for HeldOut<'_> {
    fn labels(&self) -> &[ClassId] {
        &self.labels
    }

    fn all(&self) -> Result<Cow<'_, [f32]>> {
        if let Some(kept) = &self.kept {
            return Ok(Cow::Borrowed(kept));
        }
        let mut all = Vec::with_capacity(self.labels.len() * self.session.data.n_classes());
        self.predict(|probs, _| {
            all.extend_from_slice(probs);
            Ok(())
        })?;
        Ok(Cow::Owned(all))
    }

    fn visit(&self, mut see: impl FnMut(&[f32], &[ClassId]) -> Result<()> + Send) -> Result<()> {
        match &self.kept {
            Some(kept) => see(kept, &self.labels),
            None => self.predict(see),
        }
    }
}
