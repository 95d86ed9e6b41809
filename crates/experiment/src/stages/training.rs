//! A model's training as a stage: a recipe in, a trained model out.

use super::Workshop;
use super::tokenizer::{tokenizer, tokenizer_stage};
use crate::error::{ExperimentError, Result};
use crate::files::{read_json, write_json};
use crate::memory::Needs;
use crate::parallel::Share;
use crate::role::Role;
use crate::store::{Stage, run_stage};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillhouse_core::{InputShape, Seed, in_words};
use stillhouse_data::Split;
use stillhouse_models::{FolderError, HeadInit, Model, ModelConfig, TokenizerConfig};
use stillhouse_train::{
    FitJob, FitSummary, LabelView, Monitor, Objective, Sampler, TrainingConfig, Validation, ViewPolicy, fit,
    load_weights, predict_features, remove_checkpoint, save_weights,
};

/// A trained model with the record of its training.
pub(crate) struct Trained {
    pub role: Role,
    /// The name of its stage: `generalist_2` is a generalist too.
    pub name: String,
    /// Hash of everything that it depends on.
    pub key: String,
    /// The key of the training that made its body: another one's where the body was frozen.
    pub body_key: String,
    pub model: Arc<Model>,
    pub fit: FitSummary,
}

/// Everything that decides a training.
pub(crate) struct Recipe<'a> {
    pub role: Role,
    /// Name and number of its stage.
    pub kind: &'static str,
    pub index: Option<usize>,
    pub model: &'a ModelConfig,
    /// How texts become tokens, for models of tokens.
    pub tokenizer: Option<&'a TokenizerConfig>,
    pub training: &'a TrainingConfig,
    pub seed: Seed,
    /// Weights to start from; its own seeded ones if there are none.
    pub start: Option<(&'a Trained, HeadInit<'a>)>,
    pub n_outputs: usize,
    /// Whether it sees texts without labels beside the training examples.
    pub with_transfer: bool,
    pub sampler: Sampler,
    pub objective: Objective,
    pub views: ViewPolicy,
    pub validation: Validation,
    /// Whether only the head is trained, on features of the model that it starts from.
    pub frozen: Option<Frozen>,
    /// These features of the training split, `[N, F]`; needed when a frozen training is still to be done.
    pub frozen_features: Option<&'a Split>,
    /// Added to outputs' biases after training.
    pub bias_corrections: Vec<(usize, f64)>,
    /// Floating-point operations for each example seen beside the model's own: of a teacher that is asked in passing.
    pub flops_beside: f64,
    /// What the stage's key hashes beside the model, its training, seed and data.
    pub depends_on: Vec<String>,
}

/// A training of the head alone.
#[derive(Clone, Copy)]
pub(crate) struct Frozen {
    /// Trainings that share one pass of the body over the training split.
    pub n_sharing: usize,
}

/// The hashed part of a recipe.
#[derive(Serialize)]
struct KeyParts<'a> {
    data: &'a str,
    model: &'a ModelConfig,
    training: &'a TrainingConfig,
    seed: Seed,
    start: Option<&'a str>,
    bias_corrections: &'a [(usize, f64)],
    is_frozen: bool,
    depends_on: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    tokenizer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pretrained: Option<String>,
    /// Where other bits come out than on the CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'static str>,
}

const WEIGHTS: &str = "model.safetensors";
const FIT: &str = "fit.json";
const CHECKPOINT: &str = "checkpoint.safetensors";

impl Recipe<'_> {
    /// The stage that this recipe is.
    pub fn stage(&self, shop: &Workshop<'_>) -> Stage {
        let tokenizer = self.tokenizer.map(|config| tokenizer_stage(shop, config));
        let parts = KeyParts {
            data: &shop.fingerprint,
            model: self.model,
            training: self.training,
            seed: self.seed,
            start: self.start.as_ref().map(|(trained, _)| trained.key.as_str()),
            bias_corrections: &self.bias_corrections,
            is_frozen: self.frozen.is_some(),
            depends_on: &self.depends_on,
            tokenizer: tokenizer.map(|stage| stage.key().to_owned()),
            pretrained: self.model.pretrained().map(content_of),
            device: (!shop.device.is_cpu()).then_some("cuda"),
        };
        Stage::new(self.kind, self.index, &parts)
    }

    /// What it needs of the machine's memory.
    pub fn needs(&self) -> Needs<'_> {
        let Self { model, tokenizer, training, n_outputs, .. } = *self;
        Needs { section: self.role.section(), model, tokenizer, training, n_outputs }
    }

    fn examples<'s>(&self, shop: &'s Workshop<'_>) -> &'s Split {
        if self.with_transfer { shop.student_examples() } else { &shop.train }
    }

    /// How many examples it sees in all.
    pub fn n_examples_seen(&self, shop: &Workshop<'_>) -> usize {
        self.training.n_examples_seen(self.epoch_len(shop))
    }

    /// Examples of each epoch.
    pub fn epoch_len(&self, shop: &Workshop<'_>) -> usize {
        self.sampler.epoch_len(self.examples(shop).len())
    }

    /// The model before its training.
    fn first_model(&self, shop: &Workshop<'_>) -> Result<Model> {
        let model = self.model(shop, Some(self.seed.derive("init", 0)))?;
        if let (None, Some(folder)) = (&self.start, model.config().pretrained()) {
            model.load_pretrained(folder, &shop.input).map_err(folder_error)?;
        }
        Ok(model)
    }

    /// The architecture, with weights drawn from the seed or zeros, or with those of the model that it starts from.
    fn model(&self, shop: &Workshop<'_>, seed: Option<Seed>) -> Result<Model> {
        let model = match (&self.start, self.tokenizer) {
            (Some((trained, head)), _) => trained.model.with_head(*head),
            (None, None) => return new_model(shop, self.model, &shop.input.shape, self.n_outputs, seed),
            (None, Some(config)) => {
                let tokenizer = tokenizer(shop, config)?;
                let input = InputShape::Tokens { vocabulary_size: tokenizer.vocabulary_size() };
                new_model(shop, self.model, &input, self.n_outputs, seed)?.with_tokenizer(&tokenizer)
            }
        };
        model.map_err(model_error)
    }

    fn train(&self, shop: &Workshop<'_>, stage: &Stage, folder: &Path, share: &Share<'_>) -> Result<()> {
        let whole = self.first_model(shop)?;
        let monitor = shop.context.monitor(stage.name(), share);
        let checkpoint = folder.join(CHECKPOINT);
        let (model, summary) = match self.frozen {
            None => {
                let summary = self.fit(stage, &checkpoint, &monitor, &whole, self.examples(shop), &self.validation)?;
                (whole, summary)
            }
            Some(frozen) => self.train_head(stage, &checkpoint, &monitor, &whole, frozen)?,
        };
        for (output, delta) in &self.bias_corrections {
            model.add_to_output_bias(*output, *delta).map_err(model_error)?;
        }
        save_weights(&folder.join(WEIGHTS), &model)?;
        write_json(&folder.join(FIT), &summary)?;
        remove_checkpoint(&checkpoint);
        Ok(())
    }

    /// Trains the head on features of the frozen body and puts it back.
    fn train_head(
        &self,
        stage: &Stage,
        checkpoint: &Path,
        monitor: &dyn Monitor,
        whole: &Model,
        frozen: Frozen,
    ) -> Result<(Model, FitSummary)> {
        let train = self.frozen_features.expect("features are computed for every frozen training to be done");
        let split = &self.validation.split;
        let features = predict_features(whole, split, None)?;
        let split = split.with_features(features, whole.n_features());
        let validation = Validation { split, labels: self.validation.labels.clone() };
        let head = whole.head_alone().map_err(model_error)?;
        let mut summary = self.fit(stage, checkpoint, monitor, &head, train, &validation)?;
        let body_pass = whole.body_flops_per_example() as f64 * train.len() as f64;
        summary.train_flops += body_pass / frozen.n_sharing as f64;
        Ok((whole.with_head(HeadInit::Of(&head)).map_err(model_error)?, summary))
    }

    fn fit(
        &self,
        stage: &Stage,
        checkpoint: &Path,
        monitor: &dyn Monitor,
        model: &Model,
        train: &Split,
        validation: &Validation,
    ) -> Result<FitSummary> {
        let job = FitJob {
            name: stage.name(),
            key: stage.key(),
            config: self.training,
            split: train,
            sampler: &self.sampler,
            views: self.views,
            objective: &self.objective,
            validation: (!validation.split.is_empty()).then_some(validation),
            seed: self.seed,
            checkpoint: Some(checkpoint),
        };
        let mut summary = fit(model, &job, monitor)?;
        summary.train_flops += self.flops_beside * summary.n_examples_seen as f64;
        Ok(summary)
    }
}

/// Trains a model, or reads it back if that was done before.
pub(crate) fn train_model(shop: &Workshop<'_>, recipe: &Recipe<'_>, share: &Share<'_>) -> Result<Trained> {
    let stage = recipe.stage(shop);
    let load = |folder: &Path| {
        let model = recipe.model(shop, None)?;
        load_weights(&folder.join(WEIGHTS), &model)?;
        let fit: FitSummary = read_json(&folder.join(FIT))?;
        let (name, key) = (stage.name().to_owned(), stage.key().to_owned());
        let body_key = match (&recipe.start, recipe.frozen) {
            (Some((start, _)), Some(_)) => start.body_key.clone(),
            _ => key.clone(),
        };
        Ok(Trained { role: recipe.role, name, key, body_key, model: Arc::new(model), fit })
    };
    run_stage(shop.context, &stage, |folder| recipe.train(shop, &stage, folder, share), load)
}

/// Trains several models side by side, the dearest first; results in the recipes' order.
pub(crate) fn train_side_by_side(shop: &Workshop<'_>, recipes: &[Recipe<'_>]) -> Result<Vec<Result<Trained>>> {
    let mut order: Vec<usize> = (0..recipes.len()).collect();
    order.sort_by_key(|&recipe_idx| std::cmp::Reverse(recipes[recipe_idx].n_examples_seen(shop)));
    if shop.context.reversed_jobs() {
        order.reverse();
    }
    let train_one = |&recipe_idx: &usize, share: &Share<'_>| train_model(shop, &recipes[recipe_idx], share);
    let n_workers = n_workers(shop, recipes)?;
    let results = shop.context.side_by_side(&order, n_workers, train_one)?;
    let mut in_order: Vec<_> = order.into_iter().zip(results).collect();
    in_order.sort_by_key(|(recipe_idx, _)| *recipe_idx);
    Ok(in_order.into_iter().map(|(_, result)| result).collect())
}

/// How many of some trainings fit into memory side by side, all counted like the one with the most outputs.
fn n_workers(shop: &Workshop<'_>, recipes: &[Recipe<'_>]) -> Result<usize> {
    let largest = recipes.iter().max_by_key(|recipe| recipe.n_outputs);
    largest.map_or(Ok(1), |recipe| shop.context.memory().n_workers(shop, &recipe.needs()))
}

/// The whole validation split in the dataset's own numbering.
pub(crate) fn global_validation(shop: &Workshop<'_>) -> Validation {
    Validation { split: shop.valid.clone(), labels: LabelView::Global }
}

/// A model with weights drawn from the seed; without a seed, of zeros. Its sizes are those of the pretrained encoder that the
/// config names, if it does.
pub(crate) fn new_model(
    shop: &Workshop<'_>,
    config: &ModelConfig,
    input: &InputShape,
    n_outputs: usize,
    seed: Option<Seed>,
) -> Result<Model> {
    let config = config.resolved().map_err(folder_error)?;
    let model = match seed {
        Some(seed) => Model::new(&config, input, n_outputs, seed, &shop.device),
        None => Model::blank(&config, input, n_outputs, &shop.device),
    };
    model.map_err(model_error)
}

/// Hash of the files that a pretrained model is read from. What cannot be read is an error as soon as it is needed.
fn content_of(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_read = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "json" || ending == "safetensors");
    let mut files: Vec<PathBuf> = entries.filter(is_read).collect();
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        if let Ok(content) = std::fs::File::open(&file) {
            // a file that breaks off in the middle fails again when it is read as weights
            let _ = hasher.update_reader(content);
        }
    }
    hasher.finalize().to_hex().to_string()
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
pub(crate) fn folder_error(error: FolderError) -> ExperimentError {
    ExperimentError::BadData(anyhow::Error::msg(error.to_string()))
}

pub(crate) fn model_error(error: stillhouse_models::ModelError) -> ExperimentError {
    match error {
        stillhouse_models::ModelError::Config(problems) => {
            ExperimentError::Usage(format!("the model does not fit the data: {}", in_words(&problems)))
        }
        error => ExperimentError::Failed(error.into()),
    }
}
