//! Which classes the generalist confuses, and the clusters that specialists are trained on (paper, sec. 5.3).

use crate::error::{ExperimentError, Result, system_error};
use crate::files::{read_json, write_json};
use crate::networks::artifacts::{Clustered, Trained};
use crate::networks::held_out::{Fold, HeldOut, HeldOutRows, train_folds};
use crate::networks::member::{Member, complete_members};
use crate::planning::Work;
use crate::seal::sealed_file;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stage;
use std::path::Path;
use stillhouse_core::{ClassClustering, ClassId, ClassSubset, Seed};
use stillhouse_ensemble::{
    ClusteringConfig, ClusteringMethod, Diagnoser, Diagnosis, Hierarchy, OnlineKMeans, class_affinity,
    clustering_agreement,
};

/// Raise this when clusters are found in another way.
const CODE_VERSION: u32 = 8;
const CLUSTERING: &str = "clustering.json";

/// Clusters the classes by the generalists' predictions of examples that they did not fit, and says what
/// specialists on these clusters can win at most, before any of them is trained. None for a config without specialists. A
/// plan goes on with clusters of equal size until the clusters are known.
pub(crate) fn cluster_classes(session: &Session<'_>, generalists: &[Trained]) -> Result<Option<Clustered>> {
    let Some(config) = &session.config.clustering else { return Ok(None) };
    let hierarchy = read_hierarchy(session)?;
    let stage = clustering_stage(session, generalists, hierarchy.as_deref());
    let produce = |folder: &Path| {
        let clustered = compute(session, config, generalists, hierarchy.as_deref())?;
        write_json(&folder.join(CLUSTERING), &clustered)
    };
    let load = |folder: &Path| read_json(&folder.join(CLUSTERING));
    let plan = || {
        let members = complete_members(session, generalists);
        let folds = train_folds(session, &config.predictions)?;
        let clustered = match session.context.artifact(&stage) {
            Some(folder) => read_json(&sealed_file(&folder, CLUSTERING)?)?,
            None => equal_clusters(session, config, folds.iter().map(Fold::train_flops).sum())?,
        };
        // each fold's network predicts the rest of the training split, otherwise all members the validation split
        let work = match folds.len() {
            0 => Work::prediction(members.iter().map(Member::stage), session.data.valid.len()),
            n_folds => Work::prediction(folds.iter().map(Fold::stage), session.data.train.len() / n_folds),
        };
        Ok((work, clustered))
    };
    let clustered: Clustered = run_stage(session.context, &stage, plan, produce, load)?;
    session.context.note("clustering", clustered.diagnosis.recommendation.clone());
    Ok(Some(clustered))
}

/// The stage that clusters by these generalists' confusions.
fn clustering_stage(session: &Session<'_>, generalists: &[Trained], hierarchy: Option<&str>) -> Stage {
    let members = complete_members(session, generalists);
    let stages: Vec<&Stage> = members.iter().map(Member::stage).collect();
    let data = &session.data.fingerprint;
    let inputs = (data, stages, &session.config.clustering, clustering_seed(session.seed), hierarchy);
    Stage::new("clustering", CODE_VERSION, None, &inputs)
}

/// Clusters of equal size, for a plan made before the clusters are known.
fn equal_clusters(session: &Session<'_>, config: &ClusteringConfig, train_flops: f64) -> Result<Clustered> {
    let n_classes = session.data.n_classes();
    let n_clusters = config.n_clusters(n_classes).unwrap_or(UNKNOWN_N_CLUSTERS);
    let size = (n_classes * config.coverage.max(1)).div_ceil(n_clusters).min(n_classes - 1);
    let cluster = |cluster_idx: usize| {
        let classes = (0..size).map(|nth| ClassId(((cluster_idx * size + nth) % n_classes) as u32));
        ClassSubset::new(n_classes, classes).expect("fewer distinct classes than there are")
    };
    let clustering = ClassClustering::new((0..n_clusters).map(cluster).collect());
    let clustering = clustering.map_err(|error| ExperimentError::Failed(error.into()))?;
    if let Some(recorder) = session.context.plan() {
        recorder.note("the clusters are not known yet: specialists are planned with equal ones");
    }
    Ok(Clustered { clustering, diagnosis: Diagnosis::default(), train_flops })
}

/// Clusters that a plan assumes where the method has no number of them before the predictions are there.
const UNKNOWN_N_CLUSTERS: usize = 10;

/// Of the methods that draw, by the run's seed.
pub(crate) fn clustering_seed(seed: Seed) -> Seed {
    seed.derive("clustering", 0)
}

fn compute(
    session: &Session<'_>,
    config: &ClusteringConfig,
    generalists: &[Trained],
    hierarchy: Option<&str>,
) -> Result<Clustered> {
    let n_classes = session.data.n_classes();
    let folds = train_folds(session, &config.predictions)?;
    let held_out =
        if folds.is_empty() { HeldOut::validation(session, generalists) } else { HeldOut::of_folds(session, &folds) }?;
    let hierarchy = hierarchy.map(|text| Hierarchy::parse(text, &session.data.labels)).transpose().map_err(usage)?;
    let (clustering, diagnosis) =
        cluster_by(&held_out, n_classes, config, hierarchy.as_ref(), clustering_seed(session.seed))?;
    let train_flops = folds.iter().map(Fold::train_flops).sum();
    Ok(Clustered { clustering, diagnosis, train_flops })
}

/// Clusters the classes by predictions of examples that the predicting network was not trained on, and says what
/// specialists on these clusters can win at most.
///
/// # Errors
/// A config that these classes cannot meet; predictions that cannot be made.
pub(crate) fn cluster_by(
    held_out: &impl HeldOutRows,
    n_classes: usize,
    config: &ClusteringConfig,
    hierarchy: Option<&Hierarchy>,
    seed: Seed,
) -> Result<(ClassClustering, Diagnosis)> {
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
        let clustering = stillhouse_ensemble::cluster_classes(&affinity, config, hierarchy, seed);
        Ok((clustering.map_err(usage)?, affinity.off_diagonal_mass()))
    };
    let (clustering, off_diagonal_mass) = cluster(seed)?;
    let mut diagnoser = Diagnoser::new(&clustering);
    held_out.visit(|probs, labels| diagnoser.push(probs, labels).map_err(usage))?;
    let mut diagnosis = diagnoser.finish(off_diagonal_mass).map_err(usage)?;
    if config.method.is_seeded() && n_classes <= MAX_STABILITY {
        let (other, _) = cluster(seed.derive("stability", 0))?;
        diagnosis.stability = Some(clustering_agreement(&clustering, &other));
    }
    Ok((clustering, diagnosis))
}

/// Most classes whose pairs are compared between two seeds.
const MAX_STABILITY: usize = 4000;

fn read_hierarchy(session: &Session<'_>) -> Result<Option<String>> {
    let method = session.config.clustering.as_ref().map(|config| &config.method);
    let Some(ClusteringMethod::Hierarchy(hierarchy)) = method else { return Ok(None) };
    let text = stillhouse_files::read_text(&hierarchy.path);
    text.map(Some).map_err(|error| system_error(&hierarchy.path, "the class hierarchy cannot be read", &error))
}

fn usage(error: impl std::fmt::Display) -> ExperimentError {
    ExperimentError::Usage(format!("clustering: {error}"))
}
