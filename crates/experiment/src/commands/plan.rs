//! `plan`: what a run would do, what of it is done, and about what it would cost.

use crate::config::{Baseline, Experiment, SpecialistHead};
use crate::context::RunContext;
use crate::error::{ExperimentError, Result};
use crate::memory;
use crate::observer::{Interrupt, Observer};
use crate::pipeline::{open_workshop, summarise};
use crate::report::DatasetReport;
use crate::run::{RunOptions, load};
use crate::stages::{Clustered, Trained, Workshop, planning};
use crate::store::Stage;
use serde::Serialize;
use std::path::PathBuf;
use stillhouse_data::SealedTest;
use stillhouse_ensemble::HeldOutPredictions;
use stillhouse_models::{ModelConfig, TokenizerConfig};
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
    /// wall time on this machine from a short measurement, for stages that train; with all workers busy
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
    let stages = options.stages.clone().unwrap_or_else(|| run_dir.join("stages"));
    // events of a plan are no part of the run's record
    let options = RunOptions { stages: Some(stages), ..options.clone() };
    let context = RunContext::new(scratch.path(), &options, observer, interrupt)?;
    let (experiment, dataset) = load(experiment, &context)?;
    let summary = summarise(&dataset);
    let (shop, test) = open_workshop(&experiment, dataset, options.open_device()?, &context)?;
    let mut planner =
        Planner { shop: &shop, n_threads: options.n_threads.max(1), stages: Vec::new(), notes: Vec::new() };
    planner.run(experiment.name(), &summary)?;
    let memory_bytes = planner.memory_bytes(&test)?;
    Ok(Plan { run_dir, stages: planner.stages, memory_bytes, notes: planner.notes })
}

/// A model and the tokenizer that it needs, if any.
type Architecture<'a> = (&'a ModelConfig, Option<&'a TokenizerConfig>);

struct Planner<'a> {
    shop: &'a Workshop<'a>,
    n_threads: usize,
    stages: Vec<PlannedStage>,
    notes: Vec<String>,
}

/// Cost of one training.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    flops: f64,
    disk_bytes: u64,
}

impl Cost {
    /// For so many times the examples.
    fn times(self, factor: f64) -> Self {
        Self { seconds: self.seconds * factor, flops: self.flops * factor, ..self }
    }
}

impl Planner<'_> {
    fn run(&mut self, run_name: &str, dataset: &DatasetReport) -> Result<()> {
        let n_classes = self.shop.n_classes();
        let n_train = self.shop.train.len();
        let generalist = self.shop.config.generalist.as_ref();
        let cost = generalist
            .map(|config| self.cost((&config.model, config.tokenizer.as_ref()), &config.training, n_train, n_classes));
        let cost = cost.transpose()?;
        let generalist_keys = self.generalists(0..self.shop.config.n_generalists(), cost);
        let external_keys: Vec<String> = self.shop.external.iter().map(|external| external.key.clone()).collect();
        let generalists = planning::finished_generalists(self.shop)?;
        let clustered = generalists.as_deref().map(|generalists| planning::finished_clustering(self.shop, generalists));
        let clustered = clustered.transpose()?.flatten();
        let fold_flops = cost.map_or(0.0, |cost| self.folds(cost));
        if self.shop.config.clustering.is_some() {
            self.push("clustering", clustered.is_some(), 0);
        }
        let (specialist_keys, specialist_flops) = self.specialists(generalists.as_deref().zip(clustered.as_ref()))?;
        let ensemble_keys = cost.map_or(Vec::new(), |cost| self.ensemble(cost, specialist_flops + fold_flops));
        let check = specialist_keys.as_ref().map(|keys| {
            let generalists: Vec<&str> = generalist_keys.iter().chain(&external_keys).map(String::as_str).collect();
            let specialists: Vec<&str> = keys.iter().map(String::as_str).collect();
            planning::check_stage(self.shop, &generalists, &specialists)
        });
        self.push("validation", check.as_ref().is_some_and(|stage| self.is_done(stage)), 0);
        let n_specialists = specialist_keys.as_ref().map_or(0, Vec::len);
        let selection = check.as_ref().map(|check| planning::selection_stage(self.shop, check.key(), n_specialists));
        if let Some(stage) = selection.as_ref().and_then(Option::as_ref) {
            self.push(stage.name(), self.is_done(stage), 0);
        }
        let last = selection.flatten().or(check);
        let merged_keys = last.as_ref().map(|stage| vec![stage.key().to_owned()]);
        let first = generalist_keys.first().or_else(|| {
            let complete = self.shop.external.iter().find(|external| external.is_complete());
            complete.map(|external| &external.key)
        });
        let first = first.into_iter().cloned().collect();
        let plain_keys = match ensemble_keys.is_empty() {
            true => Vec::new(),
            false => [generalist_keys.clone(), ensemble_keys.clone()].concat(),
        };
        let student_keys = self.students(merged_keys, first, plain_keys)?;
        let evaluation = specialist_keys.zip(student_keys).zip(last).map(|((specialists, students), last)| {
            let keys = [generalist_keys, specialists, students, ensemble_keys].concat();
            planning::evaluation_stage(self.shop, run_name, dataset, clustered.as_ref(), &keys, last.key())
        });
        self.push("evaluation", evaluation.is_some_and(|stage| self.is_done(&stage)), 0);
        Ok(())
    }

    /// Plans the generalists that predict what clusters are made from, if the config asks for such; their cost.
    fn folds(&mut self, generalist: Cost) -> f64 {
        let predictions = self.shop.config.clustering.as_ref().map(|clustering| &clustering.predictions);
        let Some(HeldOutPredictions::OutOfFold(folds)) = predictions else { return 0.0 };
        let share = 1.0 - 1.0 / folds.n_folds as f64;
        let cost = Cost { seconds: generalist.seconds * share, flops: generalist.flops * share, ..generalist };
        for fold_idx in 0..folds.n_folds {
            let stage = planning::fold_stage(self.shop, fold_idx, folds.n_folds);
            self.push_training(stage.name(), self.is_done(&stage), cost);
        }
        cost.flops * folds.n_folds as f64
    }

    /// Plans the trainings of some generalists; their keys.
    fn generalists(&mut self, members: std::ops::Range<usize>, cost: Option<Cost>) -> Vec<String> {
        let plan = |member| {
            let stage = planning::generalist_stage(self.shop, member);
            self.push_training(stage.name(), self.is_done(&stage), cost.expect("measured where there is a generalist"));
            stage.key().to_owned()
        };
        members.map(plan).collect()
    }

    /// Plans the other generalists of the plain ensemble; their keys.
    fn ensemble(&mut self, cost: Cost, specialist_flops: f64) -> Vec<String> {
        if !self.shop.config.evaluation.wants(Baseline::GeneralistEnsemble) {
            return Vec::new();
        }
        let n_models = self.shop.config.n_generalists();
        self.generalists(n_models..planning::n_equal_cost_members(n_models, cost.flops, specialist_flops), Some(cost))
    }

    /// Plans the specialists; their keys, once the clusters are known, and their cost.
    fn specialists(&mut self, known: Option<(&[Trained], &Clustered)>) -> Result<(Option<Vec<String>>, f64)> {
        let config = self.shop.config;
        let n_classes = self.shop.n_classes();
        let (Some(specialists), Some(clustering)) = (&config.specialists, &config.clustering) else {
            return Ok((Some(Vec::new()), 0.0));
        };
        let model = config.specialist_model().expect("checked with the config");
        let stages =
            known.map(|(generalists, clustered)| planning::specialist_stages(self.shop, generalists, clustered));
        let stages = stages.transpose()?;
        let sizes: Vec<usize> = match &stages {
            Some(stages) => stages.iter().map(|(_, n_own)| *n_own).collect(),
            None => {
                self.notes.push("the clusters are not known yet: specialists are planned with equal ones".into());
                let n_clusters = clustering.n_clusters(n_classes).unwrap_or(UNKNOWN_N_CLUSTERS);
                vec![(n_classes * clustering.coverage.max(1)).div_ceil(n_clusters).min(n_classes); n_clusters]
            }
        };
        let mut flops = 0.0;
        for (specialist_idx, n_own) in sizes.into_iter().enumerate() {
            let n_rows = 2 * self.shop.train.len() * n_own / n_classes;
            let n_outputs = match specialists.head {
                SpecialistHead::Dustbin => n_own + 1,
                SpecialistHead::FullSoftmax => n_classes,
            };
            let cost = self.cost((model, config.specialist_tokenizer()), &specialists.training, n_rows, n_outputs)?;
            let stage = stages.as_ref().map(|stages| &stages[specialist_idx].0);
            let cached = stage.is_some_and(|stage| self.is_done(stage));
            flops += cost.flops;
            self.push_training(&format!("specialist_{specialist_idx}"), cached, cost);
        }
        let keys = stages.map(|stages| stages.iter().map(|(stage, _)| stage.key().to_owned()).collect());
        Ok((keys, flops))
    }

    /// Plans the stores of soft targets and the students on them; the students' keys, if all teachers' are known.
    fn students(
        &mut self,
        merged: Option<Vec<String>>,
        generalist: Vec<String>,
        ensemble: Vec<String>,
    ) -> Result<Option<Vec<String>>> {
        let shop = self.shop;
        let student = &shop.config.student;
        let wants = |baseline| shop.config.evaluation.wants(baseline);
        let n_views = if shop.augmented { student.views as usize } else { 1 };
        let n_rows = shop.student_examples().len() * n_views;
        let store_bytes = planning::layout(shop).size_bytes(n_rows, shop.n_classes());
        let distilled = [
            ("soft_targets", "student", true, merged),
            ("soft_targets_generalist", "student_generalist", wants(Baseline::StudentGeneralist), Some(generalist)),
            (
                "soft_targets_ensemble",
                "student_generalist_ensemble",
                wants(Baseline::StudentGeneralistEnsemble) && !ensemble.is_empty(),
                Some(ensemble),
            ),
        ];
        let architecture = (&student.model, student.tokenizer.as_ref());
        let cost_of_twin = self.cost(architecture, &student.training, shop.train.len(), shop.n_classes())?;
        let cost = cost_of_twin.times(shop.student_examples().len() as f64 / shop.train.len() as f64);
        let mut students = Vec::new();
        for (store, name, _, keys) in distilled.into_iter().filter(|(_, _, wanted, _)| *wanted) {
            let store_stage = keys.map(|keys| planning::targets_stage(shop, store, &keys, name == "student"));
            self.push(store, store_stage.as_ref().is_some_and(|stage| self.is_done(stage)), store_bytes);
            students.push((name, store_stage.map(|stage| planning::student_stage(shop, name, Some(stage.key())))));
        }
        students.push(("student_hard", Some(planning::student_stage(shop, "student_hard", None))));
        for (name, stage) in &students {
            let cost = if *name == "student_hard" { cost_of_twin } else { cost };
            self.push_training(name, stage.as_ref().is_some_and(|stage| self.is_done(stage)), cost);
        }
        Ok(students.into_iter().map(|(_, stage)| Some(stage?.key().to_owned())).collect())
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
        let shape = planning::planned_input(self.shop, architecture.1)?;
        let model = planning::new_model(self.shop, architecture.0, &shape, n_outputs, self.shop.seed)?;
        let n_examples = (n_rows * training.n_epochs) as f64;
        let seconds = self.shop.context.with_all_threads(|| seconds_per_example(&model, training))??;
        let flops = FORWARD_PASSES_PER_STEP * model.flops_per_example() as f64 * n_examples;
        Ok(Cost { seconds: seconds * n_examples, flops, disk_bytes: model.n_parameters() as u64 * BYTES_PER_NUMBER })
    }

    fn push_training(&mut self, name: &str, cached: bool, cost: Cost) {
        let estimated_seconds = (!cached).then_some(cost.seconds);
        self.stages.push(PlannedStage { name: name.into(), cached, estimated_seconds, disk_bytes: cost.disk_bytes });
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
            let n_wanted = self.n_threads.min(self.n_trainings(needs.section)).max(1);
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

    /// Planned trainings of a section of the config.
    fn n_trainings(&self, section: &str) -> usize {
        let prefix = section.trim_end_matches('s');
        self.stages.iter().filter(|stage| stage.name.starts_with(prefix)).count()
    }
}

/// Clusters of a hierarchy whose file is read only in the run.
const UNKNOWN_N_CLUSTERS: usize = 10;
