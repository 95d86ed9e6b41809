//! `plan`: what a run would do, what of it is done, and about what it would cost.

use crate::config::{Baseline, Experiment, SpecialistBody, SpecialistHead};
use crate::context::RunContext;
use crate::error::{ExperimentError, Result};
use crate::memory;
use crate::observer::{Interrupt, Observer};
use crate::pipeline::{open_workshop, summarise};
use crate::report::DatasetReport;
use crate::role::{Role, Section};
use crate::run::{RunOptions, load};
use crate::stages::planning::{self, model_error};
use crate::stages::{Clustered, Trained, Workshop};
use crate::store::Stage;
use serde::Serialize;
use std::path::PathBuf;
use stillhouse_data::SealedTest;
use stillhouse_ensemble::HeldOutPredictions;
use stillhouse_models::{Model, ModelConfig, TokenizerConfig};
use stillhouse_train::{FORWARD_PASSES_PER_STEP, TrainingConfig, seconds_per_example};

/// A run before it is made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// where the run would write
    pub run_dir: PathBuf,
    /// what the run would do, in order
    pub stages: Vec<PlannedStage>,
    /// examples, soft targets, and weights, gradients, optimizer states, activations and waiting batches of the trainings
    /// that run side by side
    pub memory_bytes: u64,
    /// plain sentences
    pub notes: Vec<String>,
}

/// One stage of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStage {
    /// for example `specialist_3`
    pub name: String,
    /// whether its artifact exists
    pub cached: bool,
    /// wall time on this machine from a short measurement, for stages that train or predict, of whose work the forward passes
    /// are counted; with all workers busy
    pub estimated_seconds: Option<f64>,
    /// size of its artifact
    pub disk_bytes: u64,
}

const BYTES_PER_NUMBER: u64 = 4;

/// Plans a run: loads the data, looks for finished stages, and measures a few training steps of each architecture.
///
/// # Errors
/// Those of loading the data, and a model that does not fit it.
pub fn plan(
    experiment: &Experiment,
    options: &RunOptions,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<Plan> {
    let scratch = tempfile::tempdir().map_err(|error| ExperimentError::Failed(error.into()))?;
    let run_dir = options.run_dir(experiment);
    // under `--force` the run takes nothing from its store, so the plan looks into one where nothing can be
    let stages = match (options.force, &options.stages) {
        (true, _) => scratch.path().join("stages"),
        (false, Some(stages)) => stages.clone(),
        (false, None) => run_dir.join("stages"),
    };
    // events of a plan are no part of the run's record
    let options = RunOptions { stages: Some(stages), force: false, ..options.clone() };
    let context = RunContext::new(scratch.path(), &options, observer, interrupt)?.reading_only();
    let (experiment, dataset) = load(experiment, &context)?;
    let summary = summarise(&dataset);
    let (shop, test) = open_workshop(&experiment, dataset, options.open_device()?, &context)?;
    let mut planner =
        Planner { shop: &shop, n_threads: options.n_threads.max(1), stages: vec![], groups: vec![], notes: vec![] };
    planner.run(experiment.name(), &summary)?;
    let memory_bytes = planner.memory_bytes(&test)?;
    Ok(Plan { run_dir, stages: planner.stages, memory_bytes, notes: planner.notes })
}

/// What is trained.
#[derive(Clone, Copy)]
struct Architecture<'a> {
    model: &'a ModelConfig,
    tokenizer: Option<&'a TokenizerConfig>,
    /// Where only its head is trained, the body that it shares with others.
    shared_body: Option<SharedBody>,
}

/// A frozen body.
#[derive(Clone, Copy)]
struct SharedBody {
    /// Trainings that share its one pass over the training split.
    n_sharing: usize,
    seconds_per_row: f64,
}

impl<'a> Architecture<'a> {
    /// All weights of a model, with the tokenizer that it needs, if any.
    fn whole(model: &'a ModelConfig, tokenizer: Option<&'a TokenizerConfig>) -> Self {
        Self { model, tokenizer, shared_body: None }
    }
}

struct Planner<'a> {
    shop: &'a Workshop<'a>,
    n_threads: usize,
    stages: Vec<PlannedStage>,
    /// Trainings that may run side by side: their table in the config, and how many they are.
    groups: Vec<(Section, usize)>,
    notes: Vec<String>,
}

/// Cost of one training.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    /// Of one example's forward pass, a third of a training step's; of a body that others share the head alone.
    seconds_per_row: f64,
    flops: f64,
    disk_bytes: u64,
}

impl Cost {
    /// For so many times the examples.
    fn times(self, factor: f64) -> Self {
        Self { seconds: self.seconds * factor, flops: self.flops * factor, ..self }
    }
}

/// The specialists of a plan.
struct PlannedSpecialists {
    /// Once the clusters are known.
    keys: Option<Vec<String>>,
    flops: f64,
    /// Of one example's forward passes through all of them.
    seconds_per_row: f64,
}

/// Soft targets of a plan, and the student that learns from them.
struct PlannedTargets {
    store: &'static str,
    student: Role,
    /// Of the teachers, if they are known.
    keys: Option<Vec<String>>,
    /// Of one example's forward passes through all of them.
    seconds_per_row: f64,
}

impl Planner<'_> {
    fn run(&mut self, run_name: &str, dataset: &DatasetReport) -> Result<()> {
        let n_classes = self.shop.n_classes();
        let n_train = self.shop.train.len();
        let generalist = self.shop.config.generalist.as_ref();
        let cost = generalist.map(|config| {
            let architecture = Architecture::whole(&config.model, config.tokenizer.as_ref());
            self.cost(architecture, &config.training, n_train, n_classes)
        });
        let cost = cost.transpose()?;
        let generalist_keys = self.generalists(0..self.shop.config.n_generalists(), cost);
        let external_keys: Vec<String> = self.shop.external.iter().map(|external| external.key.clone()).collect();
        let generalists = planning::finished_generalists(self.shop)?;
        let clustered = generalists.as_deref().map(|generalists| planning::finished_clustering(self.shop, generalists));
        let clustered = clustered.transpose()?.flatten();
        let fold_flops = cost.map_or(Ok(0.0), |cost| self.folds(cost))?;
        if self.shop.config.clustering.is_some() {
            self.push("clustering", clustered.is_some(), 0);
        }
        let specialists = self.specialists(cost, generalists.as_deref().zip(clustered.as_ref()))?;
        let ensemble_keys = cost.map_or(Vec::new(), |cost| self.ensemble(cost, specialists.flops + fold_flops));
        let generalist_seconds = cost.map_or(0.0, |cost| cost.seconds_per_row);
        let merged_seconds = generalist_keys.len() as f64 * generalist_seconds + specialists.seconds_per_row;
        let on_valid = self.shop.valid.len() as f64 * merged_seconds;
        let check = specialists.keys.as_ref().map(|keys| {
            let generalists: Vec<&str> = generalist_keys.iter().chain(&external_keys).map(String::as_str).collect();
            let specialists: Vec<&str> = keys.iter().map(String::as_str).collect();
            planning::check_stage(self.shop, &generalists, &specialists)
        });
        self.push_predicting("validation", check.as_ref(), on_valid, 0);
        let n_specialists = specialists.keys.as_ref().map_or(0, Vec::len);
        let selection = check.as_ref().map(|check| planning::selection_stage(self.shop, check.key(), n_specialists));
        if let Some(stage) = selection.as_ref().and_then(Option::as_ref) {
            self.push_predicting(stage.name(), Some(stage), on_valid, 0);
        }
        let last = selection.flatten().or(check);
        let merged = last.as_ref().map(|stage| planning::merged_stage(self.shop, stage.key()));
        self.push_predicting("merged", merged.as_ref(), on_valid, 0);
        let plain_keys = match ensemble_keys.is_empty() {
            true => Vec::new(),
            false => [&generalist_keys[..], &ensemble_keys].concat(),
        };
        let merged_keys = last.as_ref().map(|stage| vec![stage.key().to_owned()]);
        let targets = self.targets((merged_keys, merged_seconds), &generalist_keys, plain_keys, generalist_seconds);
        let (student_keys, student_seconds) = self.students(targets)?;
        let evaluation = specialists.keys.zip(student_keys).zip(last).map(|((specialists, students), last)| {
            let keys = [&generalist_keys[..], &specialists, &students, &ensemble_keys].concat();
            planning::evaluation_stage(self.shop, run_name, dataset, clustered.as_ref(), &keys, last.key())
        });
        let evaluated_seconds = merged_seconds + ensemble_keys.len() as f64 * generalist_seconds + student_seconds;
        let n_evaluated = (self.shop.valid.len() as u64 + dataset.n_test) as f64;
        self.push_predicting("evaluation", evaluation.as_ref(), n_evaluated * evaluated_seconds, 0);
        Ok(())
    }

    /// Plans the generalists that predict what clusters are made from, if the config asks for such; their cost.
    fn folds(&mut self, generalist: Cost) -> Result<f64> {
        let predictions = self.shop.config.clustering.as_ref().map(|clustering| &clustering.predictions);
        let Some(HeldOutPredictions::OutOfFold(folds)) = predictions else { return Ok(0.0) };
        let share = 1.0 - 1.0 / folds.n_folds as f64;
        let cost = generalist.times(share);
        self.groups.push((Section::Generalist, folds.n_folds));
        for fold_idx in 0..folds.n_folds {
            let stage = planning::fold_stage(self.shop, fold_idx, folds.n_folds);
            self.push_training(stage.name(), self.is_done(&stage), cost);
        }
        planning::folds_flops(self.shop, folds.n_folds)
    }

    /// Plans the trainings of some generalists; their keys.
    fn generalists(&mut self, members: std::ops::Range<usize>, cost: Option<Cost>) -> Vec<String> {
        let plan = |member| {
            let stage = planning::generalist_stage(self.shop, member);
            self.push_training(stage.name(), self.is_done(&stage), cost.expect("measured where there is a generalist"));
            stage.key().to_owned()
        };
        let keys: Vec<String> = members.map(plan).collect();
        self.groups.push((Section::Generalist, keys.len()));
        keys
    }

    /// Plans the other generalists of the plain ensemble; their keys.
    fn ensemble(&mut self, cost: Cost, specialist_flops: f64) -> Vec<String> {
        if !self.shop.config.evaluation.wants(Baseline::GeneralistEnsemble) {
            return Vec::new();
        }
        let n_models = self.shop.config.n_generalists();
        self.generalists(n_models..planning::n_equal_cost_members(n_models, cost.flops, specialist_flops), Some(cost))
    }

    /// Plans the specialists, whose clusters may be known.
    fn specialists(
        &mut self,
        generalist: Option<Cost>,
        known: Option<(&[Trained], &Clustered)>,
    ) -> Result<PlannedSpecialists> {
        let config = self.shop.config;
        let n_classes = self.shop.n_classes();
        let (Some(specialists), Some(clustering)) = (&config.specialists, &config.clustering) else {
            return Ok(PlannedSpecialists { keys: Some(Vec::new()), flops: 0.0, seconds_per_row: 0.0 });
        };
        let model = config.specialist_model().expect("checked with the config");
        let stages =
            known.map(|(generalists, clustered)| planning::specialist_stages(self.shop, generalists, clustered));
        let stages = stages.transpose()?;
        let known_flops = known
            .map(|(generalists, clustered)| planning::specialists_flops(self.shop, generalists, Some(clustered)))
            .transpose()?;
        let sizes: Vec<usize> = match &stages {
            Some(stages) => stages.iter().map(|planned| planned.n_own).collect(),
            None => {
                self.notes.push("the clusters are not known yet: specialists are planned with equal ones".into());
                let n_clusters = clustering.n_clusters(n_classes).unwrap_or(UNKNOWN_N_CLUSTERS);
                vec![(n_classes * clustering.coverage.max(1)).div_ceil(n_clusters).min(n_classes); n_clusters]
            }
        };
        let shared_body = generalist.filter(|_| specialists.body == SpecialistBody::Frozen).map(|cost| SharedBody {
            n_sharing: sizes.len().div_ceil(config.n_generalists()),
            seconds_per_row: cost.seconds_per_row,
        });
        self.groups.push((Section::Specialists, sizes.len()));
        let mut planned = PlannedSpecialists { keys: None, flops: 0.0, seconds_per_row: 0.0 };
        for (specialist_idx, n_own) in sizes.into_iter().enumerate() {
            let known = stages.as_ref().map(|stages| &stages[specialist_idx]);
            let n_rows = known.map_or(2 * self.shop.train.len() * n_own / n_classes, |planned| planned.n_rows);
            let n_outputs = match specialists.head {
                SpecialistHead::Dustbin => n_own + 1,
                SpecialistHead::FullSoftmax => n_classes,
            };
            let whole = Architecture::whole(model, config.specialist_tokenizer());
            let architecture = Architecture { shared_body, ..whole };
            let cost = self.cost(architecture, &specialists.training, n_rows, n_outputs)?;
            let cached = known.is_some_and(|planned| self.is_done(&planned.stage));
            planned.flops += cost.flops;
            planned.seconds_per_row += cost.seconds_per_row;
            self.push_training(&Role::Specialist(specialist_idx).name(), cached, cost);
        }
        planned.flops = known_flops.unwrap_or(planned.flops);
        planned.keys = stages.map(|stages| stages.iter().map(|planned| planned.stage.key().to_owned()).collect());
        Ok(planned)
    }

    /// The soft targets that the config asks for: of the merged ensemble, whose keys may be known and whose seconds of one
    /// example's forward passes are given, of the first generalist, and of a plain ensemble, if there is one.
    fn targets(
        &self,
        (merged_keys, merged_seconds): (Option<Vec<String>>, f64),
        generalist_keys: &[String],
        plain_keys: Vec<String>,
        generalist_seconds: f64,
    ) -> Vec<PlannedTargets> {
        let wants = |baseline| self.shop.config.evaluation.wants(baseline);
        let of_merged = PlannedTargets {
            store: "soft_targets",
            student: Role::Student,
            keys: merged_keys,
            seconds_per_row: merged_seconds,
        };
        let complete = self.shop.external.iter().filter(|external| external.is_complete());
        let first = generalist_keys.iter().chain(complete.map(|external| &external.key)).next();
        let of_generalist = wants(Baseline::StudentGeneralist).then(|| PlannedTargets {
            store: "soft_targets_generalist",
            student: Role::TwinOnGeneralist,
            keys: Some(first.into_iter().cloned().collect()),
            seconds_per_row: generalist_seconds,
        });
        let has_plain = wants(Baseline::StudentGeneralistEnsemble) && !plain_keys.is_empty();
        let of_plain = has_plain.then_some(PlannedTargets {
            store: "soft_targets_ensemble",
            student: Role::TwinOnPlainEnsemble,
            seconds_per_row: plain_keys.len() as f64 * generalist_seconds,
            keys: Some(plain_keys),
        });
        [of_merged].into_iter().chain(of_generalist).chain(of_plain).collect()
    }

    /// Plans the stores of soft targets and the students on them; the students' keys, if all teachers' are known, and the
    /// seconds of one example's forward passes through all of them.
    fn students(&mut self, targets: Vec<PlannedTargets>) -> Result<(Option<Vec<String>>, f64)> {
        let shop = self.shop;
        let student = &shop.config.student;
        let n_views = if shop.augmented { student.views as usize } else { 1 };
        let n_rows = shop.student_examples().len() * n_views;
        let store_bytes = planning::layout(shop).size_bytes(n_rows, shop.n_classes());
        let architecture = Architecture::whole(&student.model, student.tokenizer.as_ref());
        let cost_of_twin = self.cost(architecture, &student.training, shop.train.len(), shop.n_classes())?;
        let n_seen = |n_rows| student.training.n_examples_seen(n_rows) as f64;
        let cost = cost_of_twin.times(n_seen(shop.student_examples().len()) / n_seen(shop.train.len()));
        let mut students = Vec::new();
        for PlannedTargets { store, student, keys, seconds_per_row } in targets {
            let stage = keys.map(|keys| planning::targets_stage(shop, store, &keys, student == Role::Student));
            self.push_predicting(store, stage.as_ref(), n_rows as f64 * seconds_per_row, store_bytes);
            students.push((student, stage.map(|stage| planning::student_stage(shop, student, Some(stage.key())))));
        }
        students.push((Role::TwinOnLabels, Some(planning::student_stage(shop, Role::TwinOnLabels, None))));
        self.groups.push((Section::Student, students.len()));
        for (role, stage) in &students {
            let cost = if *role == Role::TwinOnLabels { cost_of_twin } else { cost };
            self.push_training(role.kind(), stage.as_ref().is_some_and(|stage| self.is_done(stage)), cost);
        }
        let seconds_per_row = students.len() as f64 * cost.seconds_per_row;
        Ok((students.into_iter().map(|(_, stage)| Some(stage?.key().to_owned())).collect(), seconds_per_row))
    }

    fn is_done(&self, stage: &Stage) -> bool {
        stage.is_done(self.shop.context.stages_dir())
    }

    /// Measures a few steps with the threads that one of several trainings side by side gets.
    fn cost(
        &self,
        architecture: Architecture<'_>,
        training: &TrainingConfig,
        n_rows: usize,
        n_outputs: usize,
    ) -> Result<Cost> {
        self.shop.context.check_interrupt()?;
        let (shape, tokenizer) = planning::planned_input(self.shop, architecture.tokenizer)?;
        let mut whole = planning::new_model(self.shop, architecture.model, &shape, n_outputs, None)?;
        if let Some(tokenizer) = tokenizer {
            whole = whole.with_tokenizer(&tokenizer).map_err(model_error)?;
        }
        let disk_bytes = whole.n_parameters() as u64 * BYTES_PER_NUMBER;
        let n_examples = training.n_examples_seen(n_rows) as f64;
        let of_all = |model: &Model| -> Result<Cost> {
            let seconds = || seconds_per_example(model, training, &self.shop.train);
            let seconds = self.shop.context.with_all_threads(seconds)??;
            let flops = FORWARD_PASSES_PER_STEP * model.flops_per_example() as f64 * n_examples;
            let seconds_per_row = seconds / FORWARD_PASSES_PER_STEP;
            Ok(Cost { seconds: seconds * n_examples, seconds_per_row, flops, disk_bytes })
        };
        let Some(body) = architecture.shared_body else { return of_all(&whole) };
        let head = of_all(&whole.head_alone().map_err(model_error)?)?;
        // the body sees a share of the training split, and the validation examples of this training
        let n_train = self.shop.train.len() as f64 / body.n_sharing as f64;
        let n_valid = n_rows as f64 * self.shop.valid.len() as f64 / self.shop.train.len() as f64;
        Ok(Cost {
            seconds: head.seconds + body.seconds_per_row * (n_train + n_valid),
            flops: head.flops + whole.body_flops_per_example() as f64 * n_train,
            ..head
        })
    }

    fn push_training(&mut self, name: &str, cached: bool, cost: Cost) {
        let estimated_seconds = (!cached).then_some(cost.seconds);
        self.stages.push(PlannedStage { name: name.into(), cached, estimated_seconds, disk_bytes: cost.disk_bytes });
    }

    /// Plans a stage that predicts; it is to do if it is not known yet.
    fn push_predicting(&mut self, name: &str, stage: Option<&Stage>, seconds: f64, disk_bytes: u64) {
        let cached = stage.is_some_and(|stage| self.is_done(stage));
        let estimated_seconds = (!cached).then_some(seconds);
        self.stages.push(PlannedStage { name: name.into(), cached, estimated_seconds, disk_bytes });
    }

    fn push(&mut self, name: &str, cached: bool, disk_bytes: u64) {
        self.stages.push(PlannedStage { name: name.into(), cached, estimated_seconds: None, disk_bytes });
    }

    /// The program, examples and soft targets, and the trainings that run side by side where they need most.
    fn memory_bytes(&mut self, test: &SealedTest) -> Result<u64> {
        let shop = self.shop;
        let mut of_trainings = 0;
        for needs in memory::needs_of_config(shop) {
            let n_fit = shop.context.memory().n_workers(shop, &needs)?;
            let n_wanted = self.n_threads.min(self.n_side_by_side(needs.section)).max(1);
            if n_fit < n_wanted {
                let text =
                    format!("--memory lets {n_fit} of {n_wanted} trainings of [{}] run side by side", needs.section);
                self.notes.push(text);
            }
            of_trainings = of_trainings.max(n_fit.min(n_wanted) as u64 * memory::training_bytes(shop, &needs)?);
        }
        let of_examples = memory::all_examples_bytes(shop, test);
        let targets =
            self.stages.iter().filter(|stage| stage.name.starts_with("soft_targets")).map(|stage| stage.disk_bytes);
        Ok(memory::PROGRAM_BYTES + of_examples + of_trainings + targets.sum::<u64>())
    }

    /// Trainings of a section of the config that may run at one time.
    fn n_side_by_side(&self, section: Section) -> usize {
        self.groups.iter().filter(|(of, _)| *of == section).map(|(_, n_trainings)| *n_trainings).max().unwrap_or(0)
    }
}

/// Clusters of a hierarchy whose file is read only in the run.
const UNKNOWN_N_CLUSTERS: usize = 10;
