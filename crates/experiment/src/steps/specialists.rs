//! The networks for one cluster each, trained side by side (paper, sec. 5.2).

use crate::error::{ExperimentError, Result};
use crate::networks::artifacts::{Clustered, Specialist, Trained};
use crate::networks::recipe::Recipe;
use crate::networks::training::train_side_by_side;
use crate::role::Section;
use crate::session::Session;
use crate::stage::Stage;
use stillhouse_data::Split;
use stillhouse_train::predict_features;

/// Trains one specialist for each cluster, none without clusters. One whose training diverges is
/// reported and left out: that is so in every run of this config.
///
/// # Errors
/// Damaged files and failures of the machine, which would otherwise change the merge from one run to the next; an
/// interruption; no specialist that can be trained.
pub(crate) fn train_specialists(
    session: &Session<'_>,
    generalists: &[Trained],
    clustered: Option<&Clustered>,
) -> Result<Vec<Specialist>> {
    let (Some(config), Some(clustered)) = (&session.config.specialists, clustered) else { return Ok(Vec::new()) };
    let clusters = clustered.clustering.clusters();
    let recipe = |cluster_idx| Recipe::specialist(session, generalists, clustered, cluster_idx);
    let mut recipes = (0..clusters.len()).map(recipe).collect::<Result<Vec<_>>>()?;
    let features = frozen_features(session, generalists, &recipes)?;
    for recipe in &mut recipes {
        if let (Some(frozen), Some(start)) = (&mut recipe.frozen, recipe.start) {
            frozen.features = features.iter().find(|(stage, _)| **stage == start.stage).map(|(_, features)| features);
        }
    }
    let leave_out = |cluster_idx: usize, error: &ExperimentError| {
        session.context.note(
            &Section::Specialists.to_string(),
            format!("specialist {cluster_idx} failed and is left out: {error}"),
        );
    };
    let trained = keep_trained(train_side_by_side(session, &recipes)?, leave_out)?;
    let specialist = |(cluster_idx, trained): (usize, Trained)| {
        let (subset, counted_shift) = (clusters[cluster_idx].clone(), recipes[cluster_idx].counted_shift);
        Specialist { trained, cluster_idx, subset, head: config.head, counted_shift, refit_shift: 0.0 }
    };
    Ok(trained.into_iter().map(specialist).collect())
}

/// Those that were trained, with their clusters' numbers. An error other than that a training cannot succeed is
/// everybody's error: left out because of a full disk or a damaged file, a specialist would be missing in one run and
/// there in the next.
fn keep_trained<T>(
    results: Vec<Result<T>>,
    mut leave_out: impl FnMut(usize, &ExperimentError),
) -> Result<Vec<(usize, T)>> {
    let mut kept = Vec::new();
    let mut last_failure = None;
    for (cluster_idx, result) in results.into_iter().enumerate() {
        match result {
            Ok(trained) => kept.push((cluster_idx, trained)),
            Err(error @ ExperimentError::NotTrainable(_)) => {
                leave_out(cluster_idx, &error);
                last_failure = Some(error);
            }
            Err(error) => return Err(error.context(format_args!("specialist {cluster_idx}"))),
        }
    }
    match last_failure {
        Some(error) if kept.is_empty() => Err(error.context("every specialist failed; the last one")),
        _ => Ok(kept),
    }
}

/// Features of the training split, computed by the bodies that frozen specialists still to be trained start from; none
/// when bodies are trained.
fn frozen_features<'a>(
    session: &Session<'_>,
    generalists: &'a [Trained],
    recipes: &[Recipe<'_>],
) -> Result<Vec<(&'a Stage, Split)>> {
    if session.context.plan().is_some() {
        return Ok(Vec::new());
    }
    let is_needed = |generalist: &&Trained| {
        let starts_here = |recipe: &&Recipe<'_>| recipe.start.is_some_and(|start| start.stage == generalist.stage);
        let to_do = |recipe: &Recipe<'_>| recipe.frozen.is_some() && session.context.is_to_do(&recipe.stage(session));
        recipes.iter().filter(starts_here).any(to_do)
    };
    let compute = |generalist: &'a Trained| {
        let train = &session.data.train;
        let features = session.context.with_all_threads(|| predict_features(&generalist.model, train, None))??;
        Ok((&generalist.stage, train.with_features(features, generalist.model.n_features())))
    };
    generalists.iter().filter(is_needed).map(compute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_trainable<T>() -> Result<T> {
        Err(ExperimentError::NotTrainable(anyhow::anyhow!("the loss is NaN")))
    }

    #[test]
    fn a_specialist_that_diverges_is_left_out() {
        let mut left_out = Vec::new();
        let kept = keep_trained(vec![Ok('a'), not_trainable(), Ok('c')], |idx, _| left_out.push(idx)).unwrap();
        assert_eq!(kept, [(0, 'a'), (2, 'c')]);
        assert_eq!(left_out, [1]);
        let error = keep_trained(vec![not_trainable::<char>(), not_trainable()], |_, _| {}).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("every specialist failed"), "{error}");
    }

    #[test]
    fn damage_failures_and_interruptions_end_the_run() {
        let damaged = ExperimentError::BadData(anyhow::anyhow!("changed since it was written"));
        let full_disk = ExperimentError::Failed(anyhow::anyhow!("no space left"));
        for (error, exit_code) in [(damaged, 3), (full_disk, 1), (ExperimentError::Interrupted, 130)] {
            let result = keep_trained(vec![Ok('a'), not_trainable(), Err(error)], |_, _| {});
            assert_eq!(result.unwrap_err().exit_code(), exit_code);
        }
    }
}
