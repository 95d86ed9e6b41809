//! A training as a stage: a recipe in, a trained network out.

use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::networks::artifacts::Trained;
use crate::networks::memory;
use crate::networks::network::{folder_error, model_error, new_model};
use crate::networks::recipe::{HeadOnly, Recipe};
use crate::networks::student_targets::remove_passing_targets;
use crate::networks::tokenizer::{planned_input, tokenizer, tokenizer_stage};
use crate::parallel::Share;
use crate::planning::{FrozenBody, PlanRecorder, PlannedTraining, TrainingGroup, Work};
use crate::seal::sealed_file;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stage;
use std::path::Path;
use std::sync::Arc;
use stillhouse_core::{InputShape, Seed};
use stillhouse_data::Split;
use stillhouse_models::{HeadInit, Model, Tokenizer, WeightBits};
use stillhouse_train::{
    FORWARD_PASSES_PER_STEP, FitJob, FitSummary, Monitor, Validation, fit, load_weights, predict_features,
    remove_checkpoint, save_weights,
};

const WEIGHTS: &str = "model.safetensors";
const FIT: &str = "fit.json";
const CHECKPOINT: &str = "checkpoint.safetensors";

/// Trains networks side by side, the one with most examples first; results in the recipes' order. What was trained before
/// is read back.
pub(crate) fn train_side_by_side(session: &Session<'_>, recipes: &[Recipe<'_>]) -> Result<Vec<Result<Trained>>> {
    let n_workers = n_workers(session, recipes)?;
    if let Some(recorder) = session.context.plan() {
        return Ok(recipes.iter().map(|recipe| stand_in(session, recipe, recorder)).collect());
    }
    let mut order: Vec<usize> = (0..recipes.len()).collect();
    order.sort_by_key(|&recipe_idx| std::cmp::Reverse(recipes[recipe_idx].n_examples_seen()));
    if session.context.reversed_jobs() {
        order.reverse();
    }
    let train_one = |&recipe_idx: &usize, share: &Share<'_>| train(session, &recipes[recipe_idx], share);
    let results = session.context.side_by_side(&order, n_workers, train_one)?;
    let mut in_order: Vec<_> = order.into_iter().zip(results).collect();
    in_order.sort_by_key(|(recipe_idx, _)| *recipe_idx);
    Ok(in_order.into_iter().map(|(_, result)| result).collect())
}

/// How many of these trainings fit into memory side by side, all counted like the one with the most outputs.
fn n_workers(session: &Session<'_>, recipes: &[Recipe<'_>]) -> Result<usize> {
    let n_classes = session.data.n_classes();
    let Some(largest) = recipes.iter().max_by_key(|recipe| recipe.n_outputs(n_classes)) else { return Ok(1) };
    let n_fit = memory::n_workers(session, &largest.memory_need(n_classes))?;
    if let Some(recorder) = session.context.plan() {
        let bytes_each = memory::training_bytes(session, &largest.memory_need(n_classes))?;
        let section = largest.role.section();
        recorder.group(TrainingGroup { section, n_trainings: recipes.len(), n_fit, bytes_each });
    }
    Ok(n_fit)
}

/// Trains a network, or reads it back if that was done before.
fn train(session: &Session<'_>, recipe: &Recipe<'_>, share: &Share<'_>) -> Result<Trained> {
    let stage = recipe.stage(session);
    let produce = |folder: &Path| {
        let monitor = session.context.monitor(stage.name(), share);
        let (model, summary) = Training { session, recipe, stage: &stage, folder, monitor: &monitor }.run()?;
        save_weights(&folder.join(WEIGHTS), &model)?;
        write_json(&folder.join(FIT), &summary)?;
        remove_checkpoint(&folder.join(CHECKPOINT));
        remove_passing_targets(folder);
        Ok(())
    };
    let load = |folder: &Path| {
        let model = blank(session, recipe)?;
        load_weights(&folder.join(WEIGHTS), &model)?;
        let fit: FitSummary = read_json(&folder.join(FIT))?;
        Ok(trained(recipe, &stage, Arc::new(model), fit))
    };
    run_stage(session.context, &stage, || unreachable!("plans take stand-ins"), produce, load)
}

fn trained(recipe: &Recipe<'_>, stage: &Stage, model: Arc<Model>, fit: FitSummary) -> Trained {
    let body_key = match (recipe.start, recipe.frozen) {
        (Some(start), Some(_)) => start.body_key.clone(),
        _ => stage.key().to_owned(),
    };
    Trained { role: recipe.role, stage: stage.clone(), body_key, model, fit }
}

/// Records a training in a plan. The stand-in has the architecture and the cost of the network that would be trained.
fn stand_in(session: &Session<'_>, recipe: &Recipe<'_>, recorder: &PlanRecorder) -> Result<Trained> {
    let stage = recipe.stage(session);
    let frozen = recipe.frozen.zip(recipe.start).map(|(frozen, start)| FrozenBody {
        key: start.body_key.clone(),
        n_rows: recipe.examples.len() / frozen.n_sharing + recipe.validation(session).split.len(),
    });
    let model = stand_in_model(session, recipe, recorder)?;
    // a finished training may have stopped early, and the plain ensemble is sized by its true cost
    let artifact = session.context.artifact(&stage);
    let fit = match &artifact {
        Some(folder) => read_json(&sealed_file(folder, FIT)?)?,
        None => FitSummary { train_flops: train_flops(recipe, &model), ..FitSummary::default() },
    };
    let (config, n_examples) = (recipe.training.clone(), recipe.n_examples_seen());
    let targets = recipe.planned_targets(session);
    let planned = PlannedTraining { model: model.clone(), config, n_examples, frozen, targets };
    recorder.step(&stage, artifact.is_some(), Work::Training(Box::new(planned)));
    Ok(trained(recipe, &stage, model, fit))
}

/// A network of the recipe's architecture whose weights mean nothing; a tokenizer that is not trained is left out.
fn stand_in_model(session: &Session<'_>, recipe: &Recipe<'_>, recorder: &PlanRecorder) -> Result<Arc<Model>> {
    let (input, tokenizer) = planned_input(session, recipe.tokenizer)?;
    let n_outputs = recipe.n_outputs(session.data.n_classes());
    let make = || {
        let model = new_model(session, recipe.model, &input, n_outputs, (&recipe.reductions, None))?;
        match &tokenizer {
            Some(tokenizer) => model.with_tokenizer(tokenizer).map_err(model_error),
            None => Ok(model),
        }
    };
    let tokenizer_key = recipe.tokenizer.map(|config| tokenizer_stage(session, config));
    let architecture = serde_json::to_string(&(recipe.model, input, n_outputs, tokenizer_key, &recipe.reductions));
    recorder.model(architecture.expect("a config of plain values"), make)
}

/// Floating-point operations of a training that is not stopped early.
fn train_flops(recipe: &Recipe<'_>, model: &Model) -> f64 {
    let n_examples = recipe.n_examples_seen() as f64;
    let (whole, body) = (model.flops_per_example() as f64, model.body_flops_per_example() as f64);
    let (trained, of_body) = match recipe.frozen {
        Some(frozen) => (whole - body, body * recipe.examples.len() as f64 / frozen.n_sharing as f64),
        None => (whole, 0.0),
    };
    (FORWARD_PASSES_PER_STEP * trained + recipe.teacher_flops_per_example()) * n_examples + of_body
}

/// A network of the recipe's architecture, with the weights that it starts from, or zeros.
fn blank(session: &Session<'_>, recipe: &Recipe<'_>) -> Result<Model> {
    build(session, recipe, None)
}

/// A network of the recipe's architecture: with the weights that it starts from, or drawn from the seed, or zero.
fn build(session: &Session<'_>, recipe: &Recipe<'_>, seed: Option<Seed>) -> Result<Model> {
    if let Some(start) = recipe.start {
        return start.model.with_head(recipe.head_init()).map_err(model_error);
    }
    let tokenizer = recipe.tokenizer.map(|config| tokenizer(session, config)).transpose()?;
    let of_tokens = |tokenizer: &Arc<Tokenizer>| InputShape::Tokens { vocabulary_size: tokenizer.vocabulary_size() };
    let input = tokenizer.as_ref().map_or(session.data.input.shape, of_tokens);
    let n_outputs = recipe.n_outputs(session.data.n_classes());
    let model = new_model(session, recipe.model, &input, n_outputs, (&recipe.reductions, seed))?;
    match tokenizer {
        Some(tokenizer) => model.with_tokenizer(&tokenizer).map_err(model_error),
        None => Ok(model),
    }
}

/// One training on its way.
struct Training<'a> {
    session: &'a Session<'a>,
    recipe: &'a Recipe<'a>,
    stage: &'a Stage,
    folder: &'a Path,
    monitor: &'a dyn Monitor,
}

impl Training<'_> {
    fn run(&self) -> Result<(Model, FitSummary)> {
        let Self { session, recipe, .. } = *self;
        let first = build(session, recipe, Some(recipe.seed.derive("init", 0)))?;
        if let (None, Some(folder)) = (recipe.start, first.config().pretrained()) {
            first.load_pretrained(folder, &session.data.input).map_err(folder_error)?;
        }
        let validation = recipe.validation(session);
        let (model, summary) = match recipe.frozen {
            None => {
                let summary = self.fit(&first, &recipe.examples, &validation)?;
                (first, summary)
            }
            Some(frozen) => self.fit_head(&first, frozen, &validation)?,
        };
        for (output, delta) in recipe.bias_corrections() {
            model.add_to_output_bias(output, delta).map_err(model_error)?;
        }
        Ok((model, summary))
    }

    /// Trains the head on features of the frozen body and puts it back.
    fn fit_head(&self, whole: &Model, frozen: HeadOnly<'_>, validation: &Validation) -> Result<(Model, FitSummary)> {
        let train = frozen.features.expect("features are computed for every frozen training to be done");
        let features = predict_features(whole, &validation.split, None)?;
        let split = validation.split.with_features(features, whole.n_features());
        let validation = Validation { split, labels: validation.labels.clone() };
        let head = whole.head_alone().map_err(model_error)?;
        let mut summary = self.fit(&head, train, &validation)?;
        let body_pass = whole.body_flops_per_example() as f64 * train.len() as f64;
        summary.train_flops += body_pass / frozen.n_sharing as f64;
        Ok((whole.with_head(HeadInit::Of(&head)).map_err(model_error)?, summary))
    }

    fn fit(&self, model: &Model, train: &Split, validation: &Validation) -> Result<FitSummary> {
        let recipe = self.recipe;
        let bits = recipe.bits.map(|bits| WeightBits::uniform(model, bits));
        let job = FitJob {
            name: self.stage.name(),
            key: self.stage.key(),
            config: recipe.training,
            split: train,
            sampler: &recipe.sampler,
            views: recipe.views(self.session),
            objective: &*recipe.objective(self.session, self.folder)?,
            bits: bits.as_ref(),
            validation: (!validation.split.is_empty()).then_some(validation),
            seed: recipe.seed,
            checkpoint: Some(&self.folder.join(CHECKPOINT)),
        };
        let mut summary = fit(model, &job, self.monitor)?;
        summary.train_flops += recipe.teacher_flops_per_example() * summary.n_examples_seen as f64;
        Ok(summary)
    }
}
