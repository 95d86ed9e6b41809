//! Predictions of examples that the predicting networks were not trained on: what confusion is read from (paper, sec. 5.2).
//!
//! N examples, C classes.

use super::generalist::generalist_recipe;
use super::training::{Recipe, train_model};
use super::{Member, Teacher, Trained, Workshop};
use crate::error::Result;
use crate::parallel::Share;
use std::borrow::Cow;
use stillhouse_core::ClassId;
use stillhouse_data::Split;
use stillhouse_ensemble::HeldOutPredictions;

/// Probabilities that are kept: 1 GiB of them.
const MAX_KEPT: usize = 1 << 28;

/// A network and the part of the training split that it has not seen.
pub(super) struct Fold {
    pub trained: Trained,
    rest: Split,
}

/// Trains a generalist for each fold of the training split, side by side; none where the validation split is used.
pub(super) fn train_folds(shop: &Workshop<'_>, predictions: &HeldOutPredictions) -> Result<Vec<Fold>> {
    let HeldOutPredictions::OutOfFold(folds) = predictions else { return Ok(Vec::new()) };
    let n_folds = folds.n_folds;
    let train_one = |fold_idx: &usize, share: &Share<'_>| {
        let shop = without_fold(shop, *fold_idx, n_folds);
        train_model(&shop, &fold_recipe(&shop, *fold_idx, n_folds), share)
    };
    let indices: Vec<usize> = (0..n_folds).collect();
    let n_workers = shop.context.memory().n_workers(shop, &generalist_recipe(shop, 0).needs())?;
    let trained = shop.context.side_by_side(&indices, n_workers, train_one)?.into_iter().collect::<Result<Vec<_>>>()?;
    let fold = |(fold_idx, trained)| Fold { trained, rest: rows_of_folds(shop, n_folds, |fold| fold == fold_idx) };
    Ok(trained.into_iter().enumerate().map(fold).collect())
}

/// The rows of the training split whose folds are taken.
fn rows_of_folds(shop: &Workshop<'_>, n_folds: usize, is_taken: impl Fn(usize) -> bool) -> Split {
    // windows of one text stay together, so that no fold has seen a part of what it predicts
    let fold_of = |row: usize| shop.seed.derive("fold", shop.train.whole(row)).0 as usize % n_folds;
    let rows: Vec<usize> = (0..shop.train.len()).filter(|row| is_taken(fold_of(*row))).collect();
    shop.train.select(&rows)
}

/// The workshop in which a fold's network is trained.
pub(super) fn without_fold<'a>(shop: &'a Workshop<'a>, fold_idx: usize, n_folds: usize) -> Workshop<'a> {
    shop.with_train(rows_of_folds(shop, n_folds, |fold| fold != fold_idx))
}

/// The training of a fold's network; the workshop's training split is the rest of the examples.
pub(super) fn fold_recipe<'a>(shop: &Workshop<'a>, fold_idx: usize, n_folds: usize) -> Recipe<'a> {
    let depends_on = vec![format!("all but fold {fold_idx} of {n_folds}")];
    Recipe { kind: "fold", index: Some(fold_idx), depends_on, ..generalist_recipe(shop, 0) }
}

/// Held-out predictions: kept where they are few, made anew for every pass over them where they are many.
pub(super) struct HeldOut<'a> {
    shop: &'a Workshop<'a>,
    parts: Vec<(Teacher<'a>, Split)>,
    labels: Vec<ClassId>,
    kept: Option<Vec<f32>>,
}

impl<'a> HeldOut<'a> {
    /// The mean of everyone who knows every class, on the validation split.
    pub fn validation(shop: &'a Workshop<'a>, generalists: &'a [Trained]) -> Result<Self> {
        let teacher = Teacher::Mean(shop.complete_members(generalists));
        Self::new(shop, vec![(teacher, shop.valid.clone())])
    }

    /// Each fold's network on the part that it has not seen.
    pub fn of_folds(shop: &'a Workshop<'a>, folds: &'a [Fold]) -> Result<Self> {
        let part = |fold: &'a Fold| (Teacher::Single(Member::Network(&fold.trained)), fold.rest.clone());
        Self::new(shop, folds.iter().map(part).collect())
    }

    fn new(shop: &'a Workshop<'a>, parts: Vec<(Teacher<'a>, Split)>) -> Result<Self> {
        let labels: Vec<ClassId> = parts.iter().flat_map(|(_, split)| split.labels()).copied().collect();
        let mut held_out = Self { shop, parts, labels, kept: None };
        if held_out.labels.len() * shop.n_classes() <= MAX_KEPT {
            held_out.kept = Some(held_out.all()?.into_owned());
        }
        Ok(held_out)
    }

    /// Labels of all examples, `[N]`.
    pub fn labels(&self) -> &[ClassId] {
        &self.labels
    }

    /// All predictions, `[N, C]`, for affinities between all pairs of classes.
    pub fn all(&self) -> Result<Cow<'_, [f32]>> {
        if let Some(kept) = &self.kept {
            return Ok(Cow::Borrowed(kept));
        }
        let mut all = Vec::with_capacity(self.labels.len() * self.shop.n_classes());
        self.predict(|probs, _| {
            all.extend_from_slice(probs);
            Ok(())
        })?;
        Ok(Cow::Owned(all))
    }

    /// Shows them piece by piece, with their labels.
    pub fn visit(&self, mut see: impl FnMut(&[f32], &[ClassId]) -> Result<()> + Send) -> Result<()> {
        match &self.kept {
            Some(kept) => see(kept, &self.labels),
            None => self.predict(see),
        }
    }

    fn predict(&self, mut see: impl FnMut(&[f32], &[ClassId]) -> Result<()> + Send) -> Result<()> {
        let shop = self.shop;
        shop.context.with_all_threads(|| {
            for (teacher, split) in &self.parts {
                teacher.predict_in_chunks(shop, split, |rows, probs| see(probs, &split.labels()[rows]))?;
            }
            Ok(())
        })?
    }
}
