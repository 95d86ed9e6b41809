//! Which classes the generalist confuses, and the clusters that specialists are trained on (paper, sec. 5.2).

use super::{Member, Teacher, Trained, Workshop};
use crate::error::{ExperimentError, Result, file_error};
use crate::files::{read_json, write_json};
use crate::store::{Stage, run_stage};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::Path;
use stillhouse_core::{ClassClustering, ClassId, Seed};
use stillhouse_ensemble::{
    ClusteringConfig, ClusteringMethod, Diagnoser, Diagnosis, Hierarchy, OnlineKMeans, class_affinity,
    clustering_agreement,
};

/// The clustering and what it promises.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Clustered {
    pub clustering: ClassClustering,
    pub diagnosis: Diagnosis,
}

const CLUSTERING: &str = "clustering.json";

/// Clusters the classes by the generalists' mean predictions on the validation split, which it did not fit, and says what
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
    if shop.valid.is_empty() {
        return Err(ExperimentError::Usage(
            "clusters are made from the generalist's confusions on the validation split, which is empty\n  \
             hint: set `data.valid_fraction` above 0"
                .into(),
        ));
    }
    let n_classes = shop.n_classes();
    let held_out = HeldOut::new(shop, generalists)?;
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
        let affinity = class_affinity(config.affinity, &probs, shop.valid.labels(), n_classes).map_err(usage)?;
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
    Ok(Clustered { clustering, diagnosis })
}

/// The generalists' mean predictions on the validation split: kept where they are few, made anew for every pass over them
/// where they are many.
struct HeldOut<'a> {
    shop: &'a Workshop<'a>,
    teacher: Teacher<'a>,
    kept: Option<Vec<f32>>,
}

/// Probabilities that are kept: 1 GiB of them.
const MAX_KEPT: usize = 1 << 28;

impl<'a> HeldOut<'a> {
    fn new(shop: &'a Workshop<'a>, generalists: &'a [Trained]) -> Result<Self> {
        let mut held_out = Self { shop, teacher: Teacher::Mean(shop.complete_members(generalists)), kept: None };
        if shop.valid.len() * shop.n_classes() <= MAX_KEPT {
            held_out.kept = Some(held_out.all()?.into_owned());
        }
        Ok(held_out)
    }

    /// All of them, `[N, C]`, for affinities between all pairs of classes.
    fn all(&self) -> Result<Cow<'_, [f32]>> {
        if let Some(kept) = &self.kept {
            return Ok(Cow::Borrowed(kept));
        }
        let shop = self.shop;
        shop.context.with_all_threads(|| self.teacher.predict(shop, &shop.valid, None))?.map(Cow::Owned)
    }

    /// Shows them piece by piece, with their labels.
    fn visit(&self, mut see: impl FnMut(&[f32], &[ClassId]) -> Result<()> + Send) -> Result<()> {
        let shop = self.shop;
        let labels = shop.valid.labels();
        if let Some(kept) = &self.kept {
            return see(kept, labels);
        }
        shop.context.with_all_threads(|| {
            self.teacher.predict_in_chunks(shop, &shop.valid, |rows, probs| see(probs, &labels[rows]))
        })?
    }
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
