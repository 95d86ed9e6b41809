//! Which classes the generalist confuses, and the clusters that specialists are trained on (paper, sec. 5.2).

use super::held_out::{HeldOut, train_folds};
use super::{Member, Trained, Workshop};
use crate::error::{ExperimentError, Result, file_error};
use crate::files::{read_json, write_json};
use crate::store::{Stage, run_stage};
use serde::{Deserialize, Serialize};
use std::path::Path;
use stillhouse_core::{ClassClustering, Seed};
use stillhouse_ensemble::{
    ClusteringConfig, ClusteringMethod, Diagnoser, Diagnosis, Hierarchy, OnlineKMeans, class_affinity,
    clustering_agreement,
};

/// The clustering and what it promises.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Clustered {
    pub clustering: ClassClustering,
    pub diagnosis: Diagnosis,
    /// Floating-point operations of trainings that only served to find the clusters.
    #[serde(default)]
    pub train_flops: f64,
}

const CLUSTERING: &str = "clustering.json";

/// Clusters the classes by the generalists' predictions of examples that they did not fit, and says what
/// specialists on these clusters can win at most, before any of them is trained. None for a config without specialists.
pub(crate) fn cluster_classes(shop: &Workshop<'_>, generalists: &[Trained]) -> Result<Option<Clustered>> {
    let Some(config) = &shop.config.clustering else { return Ok(None) };
    let hierarchy = read_hierarchy(shop)?;
    let stage = clustering_stage(shop, generalists)?;
    let produce = |folder: &Path| {
        let clustered = compute(shop, config, generalists, hierarchy.as_deref())?;
        write_json(&folder.join(CLUSTERING), &clustered)
    };
    let clustered: Clustered = run_stage(shop.context, &stage, produce, |folder| read_json(&folder.join(CLUSTERING)))?;
    shop.context.note("clustering", clustered.diagnosis.recommendation.clone());
    Ok(Some(clustered))
}

/// The stage that clusters by these generalists' confusions.
pub(crate) fn clustering_stage(shop: &Workshop<'_>, generalists: &[Trained]) -> Result<Stage> {
    let hierarchy = read_hierarchy(shop)?;
    let keys: Vec<&str> = shop.complete_members(generalists).iter().map(Member::key).collect();
    Ok(Stage::new("clustering", None, &(keys, &shop.config.clustering, clustering_seed(shop), &hierarchy)))
}

fn clustering_seed(shop: &Workshop<'_>) -> Seed {
    shop.seed.derive("clustering", 0)
}

fn compute(
    shop: &Workshop<'_>,
    config: &ClusteringConfig,
    generalists: &[Trained],
    hierarchy: Option<&str>,
) -> Result<Clustered> {
    let n_classes = shop.n_classes();
    let folds = train_folds(shop, &config.predictions)?;
    let held_out =
        if folds.is_empty() { HeldOut::validation(shop, generalists) } else { HeldOut::of_folds(shop, &folds) }?;
    let hierarchy = hierarchy.map(|text| Hierarchy::parse(text, &shop.labels)).transpose().map_err(usage)?;
    let cluster = |seed: Seed| -> Result<(ClassClustering, f64)> {
        if let ClusteringMethod::OnlineKMeans(_) = config.method {
            let mut online = OnlineKMeans::new(n_classes, config, seed).map_err(usage)?;
            held_out.visit(|probs, _| {
                online.push(probs);
                Ok(())
            })?;
            let off_diagonal_mass = online.off_diagonal_mass();
            return Ok((online.finish().map_err(usage)?, off_diagonal_mass));
        }
        let probs = held_out.all()?;
        let affinity = class_affinity(config.affinity, &probs, held_out.labels(), n_classes).map_err(usage)?;
        let clustering = stillhouse_ensemble::cluster_classes(&affinity, config, hierarchy.as_ref(), seed);
        Ok((clustering.map_err(usage)?, affinity.off_diagonal_mass()))
    };
    let seed = clustering_seed(shop);
    let (clustering, off_diagonal_mass) = cluster(seed)?;
    let mut diagnoser = Diagnoser::new(&clustering);
    held_out.visit(|probs, labels| diagnoser.push(probs, labels).map_err(usage))?;
    let mut diagnosis = diagnoser.finish(off_diagonal_mass).map_err(usage)?;
    if config.method.is_seeded() && n_classes <= MAX_STABILITY {
        let (other, _) = cluster(seed.derive("stability", 0))?;
        diagnosis.stability = Some(clustering_agreement(&clustering, &other));
    }
    let train_flops = folds.iter().map(|fold| fold.trained.fit.train_flops).sum();
    Ok(Clustered { clustering, diagnosis, train_flops })
}

/// Most classes whose pairs are compared between two seeds.
const MAX_STABILITY: usize = 4000;

fn read_hierarchy(shop: &Workshop<'_>) -> Result<Option<String>> {
    let method = shop.config.clustering.as_ref().map(|config| &config.method);
    let Some(ClusteringMethod::Hierarchy(hierarchy)) = method else { return Ok(None) };
    let text = std::fs::read_to_string(&hierarchy.path);
    text.map(Some).map_err(|error| file_error(&hierarchy.path, "the class hierarchy cannot be read", error))
}

fn usage(error: impl std::fmt::Display) -> ExperimentError {
    ExperimentError::Usage(format!("clustering: {error}"))
}
