//! Evaluates every model on every test example, once. Only this stage opens the test split.

mod cost_curve;
mod out_of_scope;
mod samples;
mod scores;

use self::out_of_scope::{Confidences, confidences};
use self::samples::{cluster_galleries, soft_target_samples};
use self::scores::{ModelScores, SplitScores, Wants, members};
use crate::config::{SpecialistHead, SpecialistsConfig};
use crate::error::{ExperimentError, Result};
use crate::files::{read_json, write_json};
use crate::networks::artifacts::{Clustered, Specialist, SpecialistCheck, StoredTargets, Trained};
use crate::networks::ensemble::Ensemble;
use crate::networks::member::Member;
use crate::networks::predictions::visit_predictions;
use crate::networks::teacher::{Complete, Teacher};
use crate::networks::teachers::Teachers;
use crate::planning::Work;
use crate::report::counted;
use crate::report::{
    ClusterReport, ConditionalReport, CoverageRow, Curve, DatasetReport, DustbinReport, EpochPoint, FORMAT_VERSION,
    Gallery, ModelReport, OutOfScopeReport, OutOfScopeRow, PortfolioPoint, Report, SoftTargetSample, TrainingLength,
};
use crate::role::{Role, Section};
use crate::session::Session;
use crate::stage::Stage;
use crate::stages::student::Students;
use crate::statistics::{compare, gain_kept};
use crate::store::run_stage;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;
use stillhouse_core::{ClassClustering, ClassSubset, Temperature};
use stillhouse_data::{SealedTest, Split};
use stillhouse_ensemble::{Calibration, TeacherWeights, coverage_table};
use stillhouse_targets::SoftTargets;
use stillhouse_train::{Metrics, PredictionRecord, Sampler, TrainingConfig, agreement, metrics_of};

/// Everything that was trained.
pub(crate) struct Models<'a> {
    pub teachers: &'a Teachers,
    pub ensemble: &'a Ensemble<'a>,
    pub students: &'a Students,
}

/// What the evaluation measured and what the page shows of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Evaluated {
    pub report: Report,
    pub curves: Vec<Curve>,
    pub cluster_galleries: Vec<Gallery>,
    pub soft_target_samples: Vec<SoftTargetSample>,
}

const EVALUATION: &str = "evaluation.json";
/// Raised when the evaluation measures more than before, so that finished runs are evaluated anew.
const CODE_VERSION: u32 = 12;

/// Evaluates all models on the test split, which it takes by value: nobody reads it a second time. None in a plan.
pub(crate) fn evaluate(
    session: &Session<'_>,
    run_name: &str,
    dataset: DatasetReport,
    models: &Models<'_>,
    targets: &StoredTargets,
    test: SealedTest,
) -> Result<Option<Evaluated>> {
    let Teachers { clustered, specialists, .. } = models.teachers;
    let trained: Vec<&Stage> = models.all_trained().iter().map(|trained| &trained.stage).collect();
    let config = (&session.config.merge, &session.config.evaluation, &specialists.stage);
    let clustering = clustered.as_ref().map(|clustered| &clustered.clustering);
    let inputs = (run_name, &dataset, clustering, trained, config);
    let stage = Stage::new("evaluation", CODE_VERSION, None, &inputs);
    let plan = || {
        let networks = models.all_trained().into_iter().map(|trained| &trained.stage);
        Ok((Work::prediction(networks, session.data.valid.len() + test.len()), None))
    };
    let load = |folder: &Path| read_json(&folder.join(EVALUATION)).map(Some);
    if session.context.plan().is_some() {
        return run_stage(session.context, &stage, plan, |_| unreachable!("a plan evaluates nothing"), load);
    }
    let produce = |folder: &Path| {
        let (test, out_of_scope) = test.unseal_all();
        let out_of_scope = out_of_scope.as_ref();
        let targets = targets.targets.as_ref().expect("only a plan goes on without the targets");
        let evaluated = session.context.with_all_threads(|| {
            let clustered = clustered.as_ref();
            Evaluation { session, models, clustered, test: &test, out_of_scope }.run(run_name, dataset, targets)
        })??;
        write_json(&folder.join(EVALUATION), &evaluated)
    };
    run_stage(session.context, &stage, || unreachable!("no plan"), produce, load)
}

impl<'a> Models<'a> {
    fn all_trained(&self) -> Vec<&'a Trained> {
        let Teachers { generalists, specialists, ensemble_members, .. } = self.teachers;
        let specialists = specialists.specialists.iter().map(|specialist| &specialist.trained);
        let students = std::iter::once(&self.students.student).chain(&self.students.twins);
        generalists.iter().chain(specialists).chain(students).chain(ensemble_members).collect()
    }

    /// All models that predict every class.
    fn complete(&self, session: &'a Session<'_>) -> Vec<(Role, Teacher<'a>)> {
        let student = |trained: &'a Trained| (trained.role, Teacher::Single(Member::Network(trained)));
        let mut complete = vec![
            (Role::Generalist, Teacher::Single(self.teachers.generalist(session))),
            (Role::MergedEnsemble, Teacher::Merged(self.ensemble)),
            student(&self.students.student),
        ];
        complete.extend(self.students.twins.iter().map(student));
        complete.extend(self.teachers.plain_ensemble().map(|teacher| (Role::PlainEnsemble, teacher)));
        complete
    }
}

struct Evaluation<'a> {
    session: &'a Session<'a>,
    models: &'a Models<'a>,
    clustered: Option<&'a Clustered>,
    test: &'a Split,
    /// Out-of-scope examples.
    out_of_scope: Option<&'a Split>,
}

/// Scores of one model on the test split.
struct TestScores {
    role: Role,
    records: Vec<PredictionRecord>,
    correct: Vec<bool>,
    /// On the examples of each specialist's classes, with the prediction restricted to them; none without examples.
    conditional_top1: Vec<Option<f64>>,
    out_of_scope: Option<OutOfScopeRow>,
    report: ModelReport,
}

/// Scores of all models on the test split.
struct AllScores {
    /// In the order of the complete models.
    on_test: Vec<TestScores>,
    /// Of each specialist, on the test and on the validation examples of its own classes.
    own: Vec<[Metrics; 2]>,
    /// What the merge loses in top-1 without each specialist that is merged, and the examples that this was measured on.
    leave_one_out: Vec<f64>,
    n_left_out: usize,
    cost_curve: Vec<PortfolioPoint>,
    /// Test examples whose merge did not meet its solver's tolerance.
    n_unmet: usize,
}

impl Evaluation<'_> {
    fn run(&self, run_name: &str, dataset: DatasetReport, targets: &SoftTargets) -> Result<Evaluated> {
        let complete = self.models.complete(self.session);
        let AllScores { mut on_test, own, leave_one_out, n_left_out, cost_curve, n_unmet } =
            self.predict_all(&complete)?;
        let ensemble_records = of_role(&on_test, Role::MergedEnsemble).records.clone();
        for model in &mut on_test {
            model.report.agreement = Some(agreement(&model.records, &ensemble_records));
        }
        let (clusters, specialist_reports) = self.clusters(&on_test, &own, (&leave_one_out, n_left_out));
        let of = |role: Role| complete.iter().find(|(found, _)| *found == role).map(|(_, teacher)| teacher);
        let shown =
            [Role::MergedEnsemble, Role::Generalist, Role::Student].map(|role| of(role).expect("always evaluated"));
        let samples = soft_target_samples(self.session, self.test, &ensemble_records, shown)?;
        let top1 = |role: Role| of_role(&on_test, role).report.top1;
        let report = Report {
            format_version: FORMAT_VERSION,
            name: run_name.to_owned(),
            seed: self.session.config.seed,
            dataset,
            gain_kept: gain_kept(top1(Role::Student), top1(Role::TwinOnLabels), top1(Role::MergedEnsemble)),
            conditional: self.conditional_table(&on_test, &clusters),
            out_of_scope: self.out_of_scope_table(&on_test),
            clusters,
            dustbins: self.dustbins(),
            coverage: self.coverage(&on_test)?,
            portfolio: cost_curve,
            comparisons: comparisons(&on_test),
            models: on_test.into_iter().map(|model| model.report).chain(specialist_reports).collect(),
            total_train_seconds: self.models.all_trained().iter().map(|trained| trained.fit.train_seconds).sum(),
            wall_seconds: 0.0,
            oracle_bound: self.clustered.map(|clustered| clustered.diagnosis.errors_inside),
            confusion_mass_inside: self.clustered.map(|clustered| clustered.diagnosis.confusion_inside),
            cluster_stability: self.clustered.and_then(|clustered| clustered.diagnosis.stability),
            dustbin_corrections: self
                .models
                .teachers
                .specialists
                .specialists
                .iter()
                .map(|s| (s.head == SpecialistHead::Dustbin).then_some(s.prior_correction + s.refit_shift))
                .collect(),
            soft_target_entropy: Some(targets.mean_entropy()),
            warnings: Vec::new(),
            next_steps: Vec::new(),
            notes: self.notes(),
        };
        let curves: Vec<Curve> = self.models.all_trained().into_iter().map(curve).collect();
        let failed = self.failed_specialists();
        let told = failed.into_iter().chain(unmet_merges(n_unmet)).chain(self.extreme_fit());
        let lengths = self.training_lengths();
        let told = told.chain(crate::report::few_steps(&lengths));
        let warnings = told.chain(crate::report::warnings(&report, &curves)).collect();
        let subsets = self.models.teachers.specialists.specialists.iter().map(|specialist| &specialist.subset);
        let cluster_galleries = cluster_galleries(self.session, subsets)?;
        let next_steps = crate::report::next_steps(&report, &curves, &lengths);
        let report = Report { warnings, next_steps, ..report }.with_non_finite_named();
        Ok(Evaluated { report, curves, cluster_galleries, soft_target_samples: samples })
    }

    /// Epochs and optimizer steps of each role in the config; of the specialists, those of the smallest.
    fn training_lengths(&self) -> Vec<TrainingLength> {
        let config = self.session.config;
        let length = |section, training: &TrainingConfig, n_rows| TrainingLength {
            section,
            n_epochs: training.n_epochs as u64,
            n_steps: (training.n_epochs * training.steps_per_epoch(n_rows)) as u64,
        };
        let n_train = self.session.data.train.len();
        let n_student = self.session.data.transfer.as_ref().map_or(n_train, |transfer| transfer.split.len());
        let generalist = config.generalist.as_ref().map(|c| length(Section::Generalist, &c.training, n_train));
        let epoch_len =
            |subset: &ClassSubset| Sampler::half_and_half(&self.session.data.train, subset).epoch_len(n_train);
        let smallest = self.models.teachers.specialists.specialists.iter().map(|s| epoch_len(&s.subset)).min();
        let specialists = config
            .specialists
            .as_ref()
            .zip(smallest)
            .map(|(c, n_rows)| length(Section::Specialists, &c.training, n_rows));
        let student = length(Section::Student, &config.student.training, n_student);
        [generalist, specialists, Some(student)].into_iter().flatten().collect()
    }

    /// A sentence for each specialist that is missing, since its clusters' numbers are missing too.
    fn failed_specialists(&self) -> Vec<String> {
        let is_there = |cluster_idx: &usize| {
            self.models.teachers.specialists.specialists.iter().any(|s| s.cluster_idx == *cluster_idx)
        };
        let n_clusters = self.clustered.map_or(0, |clustered| clustered.clustering.clusters().len());
        let failed = (0..n_clusters).filter(|cluster_idx| !is_there(cluster_idx));
        failed.map(|idx| format!("Specialist {idx} failed and is left out of everything below.")).collect()
    }

    /// A fit of the merge that found no best value.
    fn extreme_fit(&self) -> Option<String> {
        let is_fitted = self.session.config.merge.calibration == Calibration::Temperature
            || self.session.config.merge.weights == TeacherWeights::Fitted {};
        (is_fitted && self.models.teachers.specialists.fitted.is_extreme()).then(|| {
            "A temperature or weight of the merge was fitted to the end of its range: the validation split is too small \
             or too easy to tell."
                .to_owned()
        })
    }

    /// What the numbers of teachers from elsewhere leave out.
    fn notes(&self) -> Vec<String> {
        let names: Vec<&str> = self.session.external.iter().map(|external| external.name.as_str()).collect();
        let text = format!(
            "Size, training cost and latency of external teachers are not known and are counted as nothing: {}.",
            names.join(", ")
        );
        let of_external = (!names.is_empty()).then_some(text);
        let of_transfer = self.session.data.transfer.as_ref().map(|transfer| {
            format!(
                "Students on soft targets also saw {} texts without labels, in as many more steps; the twin on hard labels \
                 cannot, so that its distance is not that of the targets alone.",
                transfer.n_unlabelled
            )
        });
        let temperature = self.models.teachers.specialists.fitted.temperature;
        let of_calibration = (temperature != Temperature::ONE).then(|| {
            format!("The merged logits are divided by {:.3}, fitted on the validation split.", temperature.get())
        });
        let warnings = self.session.context.warnings();
        of_external.into_iter().chain(of_transfer).chain(of_calibration).chain(warnings).collect()
    }

    /// Scores of all models on the test and the validation split; every network predicts each example once.
    fn predict_all(&self, complete: &Complete<'_>) -> Result<AllScores> {
        let (session, models) = (self.session, self.models);
        let (test, valid) = (self.test, &session.data.valid);
        let members = members(complete, &models.teachers.specialists.specialists);
        let wants = Wants { confidences: self.out_of_scope.is_some(), leave_one_out: true };
        let mut on_test = SplitScores::new(session, models.teachers, complete, test, wants)?;
        let n_unmet_before = models.ensemble.n_unmet();
        visit_predictions(session, &members, test, |rows, predictions| on_test.add(&rows, predictions))?;
        let n_unmet = models.ensemble.n_unmet() - n_unmet_before;
        let mut on_valid = SplitScores::new(session, models.teachers, complete, valid, Wants::default())?;
        visit_predictions(session, &members, valid, |rows, predictions| on_valid.add(&rows, predictions))?;
        let out_of_scope = self.out_of_scope.map(|others| confidences(session, complete, others)).transpose()?;
        let own = on_test.own.iter().zip(&on_valid.own);
        let leave_one_out = on_test.cost_curve.leave_one_out_effects();
        Ok(AllScores {
            own: own.map(|(test, valid)| [metrics_of(test), metrics_of(valid)]).collect(),
            n_left_out: if leave_one_out.is_empty() { 0 } else { on_test.cost_curve.n_examples() },
            leave_one_out,
            cost_curve: cost_curve::points(models.teachers, self.clustered, &on_test.cost_curve, &on_valid.cost_curve),
            n_unmet,
            on_test: self.on_test(complete, on_test.models, &on_valid.models, out_of_scope.as_deref())?,
        })
    }

    /// Scores of each model that predicts every class on the test and the validation split, and on examples of no class.
    fn on_test(
        &self,
        complete: &Complete<'_>,
        on_test: Vec<ModelScores<'_>>,
        on_valid: &[ModelScores<'_>],
        on_others: Option<&[Confidences]>,
    ) -> Result<Vec<TestScores>> {
        let of_model = |(idx, ((role, teacher), scores)): (usize, (&(Role, Teacher<'_>), ModelScores<'_>))| {
            let valid_top1 = metrics_of(&on_valid[idx].records).top1;
            let confidences = scores.confidences.as_ref().zip(on_others);
            Ok(TestScores {
                role: *role,
                report: self.report_of(*role, teacher, &metrics_of(&scores.records), valid_top1)?,
                correct: scores.records.iter().map(PredictionRecord::is_correct).collect(),
                records: scores.records,
                conditional_top1: scores.conditional.finish(),
                out_of_scope: confidences.map(|(confidences, others)| confidences.against(*role, &others[idx])),
            })
        };
        complete.iter().zip(on_test).enumerate().map(of_model).collect()
    }

    /// The report of a model that predicts every class, but its agreement with the others.
    fn report_of(&self, role: Role, teacher: &Teacher<'_>, on_test: &Metrics, valid_top1: f64) -> Result<ModelReport> {
        let members = teacher.members();
        let networks: Vec<&Trained> = members.iter().filter_map(Member::network).collect();
        let is_measurable = networks.len() == members.len();
        let latency_ms = if is_measurable { Some(self.latency_ms(teacher)?) } else { None };
        let report = ModelReport {
            latency_ms_p50: latency_ms.map(|[p50, _]| p50),
            latency_ms_p95: latency_ms.map(|[_, p95]| p95),
            ..model_report(role, &networks, on_test, valid_top1)
        };
        // the merged ensemble would not be there without its clusters
        let of_clusters =
            self.clustered.filter(|_| role == Role::MergedEnsemble).map_or(0.0, |clustered| clustered.train_flops);
        Ok(ModelReport { train_flops: report.train_flops + of_clusters, ..report })
    }

    /// Median and 95th percentile of the milliseconds of one example, after warm-up, in this thread pool.
    fn latency_ms(&self, teacher: &Teacher<'_>) -> Result<[f64; 2]> {
        let one = self.session.data.valid.select(&[0]);
        let mut times_ms = Vec::with_capacity(N_LATENCY_RUNS);
        for run in 0..N_LATENCY_WARMUPS + N_LATENCY_RUNS {
            let start = Instant::now();
            teacher.predict(self.session, &one)?;
            if run >= N_LATENCY_WARMUPS {
                times_ms.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        times_ms.sort_by(f64::total_cmp);
        Ok([50, 95].map(|percent| times_ms[N_LATENCY_RUNS * percent / 100]))
    }

    /// What each specialist is worth on its own classes, predictions restricted to them.
    fn clusters(
        &self,
        on_test: &[TestScores],
        own: &[[Metrics; 2]],
        (leave_one_out, n_left_out): (&[f64], usize),
    ) -> (Vec<ClusterReport>, Vec<ModelReport>) {
        let generalist = of_role(on_test, Role::Generalist);
        let checked = &self.models.teachers.specialists;
        let diagnoses = self.clustered.map_or(&[][..], |clustered| &clustered.diagnosis.clusters);
        let report = |(idx, specialist): (usize, &Specialist)| {
            let [own, on_valid] = &own[idx];
            let generalist_top1 = generalist.conditional_top1[idx].unwrap_or(0.0);
            let merged_as = checked.kept.iter().position(|kept| *kept == idx);
            let cluster = ClusterReport {
                classes: specialist
                    .subset
                    .members()
                    .iter()
                    .map(|class| self.session.data.labels[class.index()].clone())
                    .collect(),
                oracle_gain: diagnoses[specialist.cluster_idx].oracle_gain,
                generalist_conditional_top1: generalist_top1,
                specialist_conditional_top1: own.top1,
                specialist_gain: own.top1 - generalist_top1,
                n_valid: checked.checks[idx].n_own as u64,
                helps: own.top1 > generalist_top1,
                is_heard: merged_as.is_some(),
                left_out_effect: merged_as.map(|position| leave_one_out[position]),
                n_left_out: n_left_out as u64,
            };
            (cluster, model_report(specialist.trained.role, &[&specialist.trained], own, on_valid.top1))
        };
        checked.specialists.iter().enumerate().map(report).unzip()
    }

    /// The paper's Table 3; none without specialists that have test examples.
    fn conditional_table(&self, on_test: &[TestScores], clusters: &[ClusterReport]) -> Option<ConditionalReport> {
        let (generalist, ensemble) = (of_role(on_test, Role::Generalist), of_role(on_test, Role::MergedEnsemble));
        let (mut n_examples, mut by_generalist, mut by_ensemble) = (0, 0.0, 0.0);
        let specialists = self.models.teachers.specialists.specialists.iter().zip(clusters);
        for ((specialist, cluster), by_merge) in specialists.zip(&ensemble.conditional_top1) {
            let subset = &specialist.subset;
            let n_own = self.test.labels().iter().filter(|class| subset.contains(**class)).count();
            n_examples += n_own;
            by_generalist += n_own as f64 * cluster.generalist_conditional_top1;
            by_ensemble += n_own as f64 * by_merge.unwrap_or(0.0);
        }
        (n_examples > 0).then(|| ConditionalReport {
            n_examples: n_examples as u64,
            generalist_conditional_top1: by_generalist / n_examples as f64,
            ensemble_conditional_top1: by_ensemble / n_examples as f64,
            generalist_top1: generalist.report.top1,
            ensemble_top1: ensemble.report.top1,
        })
    }

    fn out_of_scope_table(&self, on_test: &[TestScores]) -> Option<OutOfScopeReport> {
        Some(OutOfScopeReport {
            n_examples: self.out_of_scope?.len() as u64,
            temperatures: out_of_scope::TEMPERATURES.to_vec(),
            rows: on_test.iter().filter_map(|model| model.out_of_scope.clone()).collect(),
        })
    }

    /// Each specialist's dustbin on the validation split.
    fn dustbins(&self) -> Vec<Option<DustbinReport>> {
        let config = self.session.config.specialists.as_ref();
        let uses_refit = config.is_some_and(SpecialistsConfig::refits_dustbins);
        let report = |check: &SpecialistCheck| {
            check.dustbin.map(|dustbin| DustbinReport {
                observed: dustbin.counted.observed,
                uncorrected: dustbin.uncorrected.predicted,
                uncorrected_ece: dustbin.uncorrected.ece,
                counted: dustbin.counted.predicted,
                counted_ece: dustbin.counted.ece,
                refit: dustbin.refit.predicted,
                refit_ece: dustbin.refit.ece,
                refit_shift: dustbin.refit_shift,
                uses_refit,
            })
        };
        self.models.teachers.specialists.checks.iter().map(report).collect()
    }

    /// The paper's Table 4: by the number of specialists that cover the true class.
    fn coverage(&self, on_test: &[TestScores]) -> Result<Vec<CoverageRow>> {
        let trained: Vec<_> =
            self.models.teachers.specialists.specialists.iter().map(|specialist| specialist.subset.clone()).collect();
        if trained.is_empty() {
            return Ok(Vec::new());
        }
        let trained = ClassClustering::new(trained).map_err(|error| ExperimentError::Failed(error.into()))?;
        let (generalist, ensemble) = (of_role(on_test, Role::Generalist), of_role(on_test, Role::MergedEnsemble));
        Ok(coverage_table(self.test.labels(), &generalist.correct, &ensemble.correct, &trained)
            .into_iter()
            .map(|row| CoverageRow {
                covering: row.covering as u64,
                n_examples: row.n_examples as u64,
                delta_correct: row.delta_correct,
                relative_gain: row.relative_gain,
            })
            .collect())
    }
}

/// Runs before the clock counts: caches fill, buffers grow.
const N_LATENCY_WARMUPS: usize = 10;
const N_LATENCY_RUNS: usize = 50;
const BYTES_PER_PARAMETER: u64 = 4;

/// Pairs of models whose difference is tested.
const COMPARED: [(Role, Role); 11] = [
    (Role::MergedEnsemble, Role::Generalist),
    (Role::MergedEnsemble, Role::PlainEnsemble),
    (Role::MergedEnsemble, Role::TwinOnLabels),
    (Role::Student, Role::TwinOnLabels),
    (Role::Student, Role::TwinOnGeneralist),
    (Role::Student, Role::TwinOnPlainEnsemble),
    (Role::Student, Role::Generalist),
    (Role::Student, Role::MergedEnsemble),
    (Role::PlainEnsemble, Role::Generalist),
    (Role::TwinOnGeneralist, Role::TwinOnLabels),
    (Role::TwinOnPlainEnsemble, Role::TwinOnLabels),
];

/// A sentence on merges that are not exact.
fn unmet_merges(n_unmet: usize) -> Option<String> {
    let text = "The solver of the merge did not meet its tolerance on";
    (n_unmet > 0).then(|| format!("{text} {}.", counted(n_unmet, "test example")))
}

fn comparisons(on_test: &[TestScores]) -> Vec<crate::statistics::Comparison> {
    let find = |role: Role| on_test.iter().find(|model| model.role == role);
    let pairs = COMPARED.iter().filter_map(|(a, b)| Some((find(*a)?, find(*b)?)));
    pairs.map(|(a, b)| compare(&a.role.name(), &a.correct, &b.role.name(), &b.correct)).collect()
}

fn of_role(on_test: &[TestScores], role: Role) -> &TestScores {
    on_test
        .iter()
        .find(|model| model.role == role)
        .expect("generalist, ensemble, student and hard twin are always there")
}

fn model_report(role: Role, members: &[&Trained], metrics: &Metrics, valid_top1: f64) -> ModelReport {
    let n_parameters: u64 = members.iter().map(|trained| trained.model.n_parameters() as u64).sum();
    let only = (members.len() == 1).then(|| &members[0].fit);
    ModelReport {
        name: role.name(),
        n_parameters,
        bytes: n_parameters * BYTES_PER_PARAMETER,
        top1: metrics.top1,
        top5: metrics.top5,
        nll: metrics.nll,
        ece: metrics.ece,
        valid_top1,
        train_seconds: members.iter().map(|trained| trained.fit.train_seconds).sum(),
        train_flops: members.iter().map(|trained| trained.fit.train_flops).sum(),
        latency_ms_p50: None,
        latency_ms_p95: None,
        role: role.group(),
        agreement: None,
        last_epoch_valid_top1: only.and_then(|fit| fit.history.epochs.last()?.valid_top1),
        best_epoch: only.and_then(|fit| fit.history.best_epoch).map(|epoch| epoch as u64),
        n_epochs: only.map(|fit| fit.history.epochs.len() as u64),
    }
}

fn curve(trained: &Trained) -> Curve {
    let point = |record: &stillhouse_train::EpochRecord| EpochPoint {
        epoch: record.epoch as u64,
        train_loss: record.train_loss,
        valid_loss: record.valid_loss,
        valid_top1: record.valid_top1,
        learning_rate: record.learning_rate,
    };
    Curve { model: trained.stage.name().to_owned(), epochs: trained.fit.history.epochs.iter().map(point).collect() }
}
