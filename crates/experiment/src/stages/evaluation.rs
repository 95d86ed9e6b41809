//! The only room that opens the test split: every model on every test example, once.

use super::out_of_scope::{self, Confidences};
use super::portfolio::portfolio;
use super::samples::{cluster_galleries, soft_target_samples};
use super::teacher::PROBS_AT_ONCE;
use super::validation::{SpecialistCheck, own_examples};
use super::{CheckedSpecialists, Clustered, Ensemble, Member, Specialist, Students, Teacher, Trained, Workshop};
use crate::config::{SpecialistHead, SpecialistsConfig};
use crate::error::{ExperimentError, Result};
use crate::files::{read_json, write_json};
use crate::report::counted;
use crate::report::{
    ClusterReport, ConditionalReport, CoverageRow, Curve, DatasetReport, DustbinReport, EpochPoint, FORMAT_VERSION,
    Gallery, ModelReport, ModelRole, OutOfScopeReport, OutOfScopeRow, Report, SoftTargetSample,
};
use crate::statistics::{compare, gain_kept};
use crate::store::{Stage, run_stage};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;
use stillhouse_core::{ClassClustering, ClassId, Temperature};
use stillhouse_data::{SealedTest, Split};
use stillhouse_ensemble::{Calibration, ConditionalTop1, TeacherWeights, coverage_table};
use stillhouse_targets::SoftTargets;
use stillhouse_train::{Metrics, PredictionRecord, agreement, metrics_of, records};

/// Everything that was trained.
pub(crate) struct Models<'a> {
    pub generalists: &'a [Trained],
    /// The first of them, or the external teacher in its place.
    pub generalist: Member<'a>,
    pub specialists: &'a CheckedSpecialists,
    pub ensemble: &'a Ensemble<'a>,
    pub students: &'a Students,
    /// Members of the plain ensemble beside the generalist; empty without that baseline.
    pub ensemble_members: &'a [Trained],
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
const VERSION: u32 = 2;

/// Evaluates all models on the test split, which it takes by value: nobody reads it a second time.
pub(crate) fn evaluate(
    shop: &Workshop<'_>,
    run_name: &str,
    dataset: DatasetReport,
    clustered: Option<&Clustered>,
    models: &Models<'_>,
    targets: &SoftTargets,
    test: SealedTest,
) -> Result<Evaluated> {
    let keys: Vec<String> = models.all_trained().iter().map(|trained| trained.key.clone()).collect();
    let stage = evaluation_stage(shop, run_name, &dataset, clustered, &keys, &models.specialists.key);
    let produce = |folder: &Path| {
        let (test, out_of_scope) = test.unseal_all();
        let out_of_scope = out_of_scope.as_ref();
        let evaluated = shop.context.with_all_threads(|| {
            Evaluation { shop, models, clustered, test: &test, out_of_scope }.run(run_name, dataset, targets)
        })??;
        write_json(&folder.join(EVALUATION), &evaluated)
    };
    run_stage(shop.context, &stage, produce, |folder| read_json(&folder.join(EVALUATION)))
}

/// The stage that evaluates the networks with these keys: generalists, specialists, students, other members of the plain
/// ensemble; `specialists_key` is that of their choice.
pub(crate) fn evaluation_stage(
    shop: &Workshop<'_>,
    run_name: &str,
    dataset: &DatasetReport,
    clustered: Option<&Clustered>,
    keys: &[String],
    specialists_key: &str,
) -> Stage {
    let config = (&shop.config.merge, &shop.config.evaluation, specialists_key);
    let clustering = clustered.map(|clustered| &clustered.clustering);
    Stage::new("evaluation", None, &(VERSION, run_name, dataset, clustering, keys, config))
}

impl<'a> Models<'a> {
    /// The merged ensemble.
    pub fn merged(&self) -> Teacher<'a> {
        Teacher::Merged(self.ensemble)
    }

    /// The plain ensemble of equal cost, if it was asked for.
    pub fn plain_ensemble(&self) -> Option<Teacher<'a>> {
        let members = self.generalists.iter().chain(self.ensemble_members).map(Member::Network).collect();
        (self.generalists.len() + self.ensemble_members.len() > 1).then_some(Teacher::Mean(members))
    }

    fn all_trained(&self) -> Vec<&'a Trained> {
        let specialists = self.specialists.specialists.iter().map(|specialist| &specialist.trained);
        let students = std::iter::once(&self.students.student).chain(&self.students.twins);
        self.generalists.iter().chain(specialists).chain(students).chain(self.ensemble_members).collect()
    }

    /// All that predict every class, by their names in the report.
    fn complete(&self) -> Vec<(String, Teacher<'a>)> {
        let mut complete = vec![
            ("generalist".to_owned(), Teacher::Single(self.generalist)),
            ("ensemble".to_owned(), self.merged()),
            ("student".to_owned(), Teacher::Single(Member::Network(&self.students.student))),
        ];
        complete
            .extend(self.students.twins.iter().map(|twin| (twin.name.clone(), Teacher::Single(Member::Network(twin)))));
        complete.extend(self.plain_ensemble().map(|teacher| ("generalist_ensemble".to_owned(), teacher)));
        complete
    }
}

struct Evaluation<'a> {
    shop: &'a Workshop<'a>,
    models: &'a Models<'a>,
    clustered: Option<&'a Clustered>,
    test: &'a Split,
    /// Examples of no class.
    out_of_scope: Option<&'a Split>,
}

/// What is kept of a model's predictions on the test split.
struct OnTest {
    name: String,
    records: Vec<PredictionRecord>,
    correct: Vec<bool>,
    /// On the examples of each specialist's classes, with the prediction restricted to them; none without examples.
    conditional_top1: Vec<Option<f64>>,
    out_of_scope: Option<OutOfScopeRow>,
    report: ModelReport,
}

impl Evaluation<'_> {
    fn run(&self, run_name: &str, dataset: DatasetReport, targets: &SoftTargets) -> Result<Evaluated> {
        let complete = self.models.complete();
        let mut on_test: Vec<OnTest> = Vec::with_capacity(complete.len());
        for (name, teacher) in &complete {
            on_test.push(self.test_one(name, teacher)?);
        }
        let ensemble_records = by_name(&on_test, "ensemble").records.clone();
        for model in &mut on_test {
            model.report.agreement = Some(agreement(&model.records, &ensemble_records));
        }
        let (clusters, specialist_reports) = self.clusters(&on_test)?;
        let of = |name: &str| complete.iter().find(|(found, _)| found == name).map(|(_, teacher)| teacher);
        let shown = ["ensemble", "generalist", "student"].map(|name| of(name).expect("always evaluated"));
        let samples = soft_target_samples(self.shop, self.test, &ensemble_records, shown)?;
        let top1 = |name: &str| by_name(&on_test, name).report.top1;
        let report = Report {
            format_version: FORMAT_VERSION,
            name: run_name.to_owned(),
            seed: self.shop.config.seed,
            dataset,
            gain_kept: gain_kept(top1("student"), top1("student_hard"), top1("ensemble")),
            conditional: self.conditional_table(&on_test, &clusters),
            out_of_scope: self.out_of_scope_table(&on_test),
            clusters,
            dustbins: self.dustbins(),
            coverage: self.coverage(&on_test)?,
            portfolio: portfolio(self.shop, self.models, self.clustered, self.test)?,
            comparisons: comparisons(&on_test),
            models: on_test.into_iter().map(|model| model.report).chain(specialist_reports).collect(),
            total_train_seconds: self.models.all_trained().iter().map(|trained| trained.fit.train_seconds).sum(),
            wall_seconds: 0.0,
            oracle_bound: self.clustered.map(|clustered| clustered.diagnosis.errors_inside),
            confusion_mass_inside: self.clustered.map(|clustered| clustered.diagnosis.confusion_inside),
            cluster_stability: self.clustered.and_then(|clustered| clustered.diagnosis.stability),
            dustbin_corrections: self
                .models
                .specialists
                .specialists
                .iter()
                .map(|s| (s.head == SpecialistHead::Dustbin).then_some(s.prior_correction + s.refit_shift))
                .collect(),
            soft_target_entropy: Some(targets.mean_entropy()),
            warnings: Vec::new(),
            notes: self.notes(),
        };
        let curves: Vec<Curve> = self.models.all_trained().into_iter().map(curve).collect();
        let failed = self.failed_specialists();
        let told = failed.into_iter().chain(self.unmet_merges()).chain(self.extreme_fit());
        let warnings = told.chain(crate::report::warnings(&report, &curves)).collect();
        let subsets = self.models.specialists.specialists.iter().map(|specialist| &specialist.subset);
        let cluster_galleries = cluster_galleries(self.shop, subsets)?;
        let report = Report { warnings, ..report }.sanitised();
        Ok(Evaluated { report, curves, cluster_galleries, soft_target_samples: samples })
    }

    /// A sentence for each specialist that is missing, since its clusters' numbers are missing too.
    fn failed_specialists(&self) -> Vec<String> {
        let is_there =
            |cluster_idx: &usize| self.models.specialists.specialists.iter().any(|s| s.cluster_idx == *cluster_idx);
        let n_clusters = self.clustered.map_or(0, |clustered| clustered.clustering.clusters().len());
        let failed = (0..n_clusters).filter(|cluster_idx| !is_there(cluster_idx));
        failed.map(|idx| format!("Specialist {idx} failed and is left out of everything below.")).collect()
    }

    /// Merges of this evaluation that are not exact.
    fn unmet_merges(&self) -> Option<String> {
        let n_unmet = self.models.ensemble.n_unmet();
        let text = "The solver of the merge did not meet its tolerance on";
        (n_unmet > 0).then(|| format!("{text} {}.", counted(n_unmet, "example")))
    }

    /// A fit of the merge that found no best value.
    fn extreme_fit(&self) -> Option<String> {
        let is_fitted = self.shop.config.merge.calibration == Calibration::Temperature
            || self.shop.config.merge.weights == TeacherWeights::Fitted {};
        (is_fitted && self.models.specialists.fitted.is_extreme()).then(|| {
            "A temperature or weight of the merge was fitted to the end of its range: the validation split is too small \
             or too easy to tell."
                .to_owned()
        })
    }

    /// What the numbers of teachers from elsewhere leave out.
    fn notes(&self) -> Vec<String> {
        let names: Vec<&str> = self.shop.external.iter().map(|external| external.name.as_str()).collect();
        let text = format!(
            "Size, training cost and latency of external teachers are not known and are counted as nothing: {}.",
            names.join(", ")
        );
        let of_external = (!names.is_empty()).then_some(text);
        let of_transfer = self.shop.transfer.as_ref().map(|transfer| {
            format!(
                "Students on soft targets also saw {} texts without labels, in as many more steps; the twin on hard labels \
                 cannot, so that its distance is not that of the targets alone.",
                transfer.n_unlabelled
            )
        });
        let temperature = self.models.specialists.fitted.temperature;
        let of_calibration = (temperature != Temperature::ONE).then(|| {
            format!("The merged logits are divided by {:.3}, fitted on the validation split.", temperature.get())
        });
        of_external.into_iter().chain(of_transfer).chain(of_calibration).collect()
    }

    fn test_one(&self, name: &str, teacher: &Teacher<'_>) -> Result<OnTest> {
        let subsets = self.models.specialists.specialists.iter().map(|specialist| &specialist.subset);
        let mut conditional = ConditionalTop1::new(self.shop.n_classes(), subsets);
        let mut confidences = Confidences::default();
        let records = teacher.records(self.shop, self.test, |row, label| {
            conditional.push(row, label);
            if self.out_of_scope.is_some() {
                confidences.push(row);
            }
        })?;
        let out_of_scope = self.out_of_scope.map(|others| confidences.against(name, teacher, self.shop, others));
        let valid = metrics_of(&teacher.records(self.shop, &self.shop.valid, |_, _| {})?);
        let members = teacher.members();
        let networks: Vec<&Trained> = members.iter().filter_map(Member::network).collect();
        let is_measurable = networks.len() == members.len();
        let latency_ms = if is_measurable { Some(self.latency_ms(teacher)?) } else { None };
        let report = ModelReport {
            latency_ms_p50: latency_ms.map(|[p50, _]| p50),
            latency_ms_p95: latency_ms.map(|[_, p95]| p95),
            ..model_report(name, &networks, &metrics_of(&records), valid.top1)
        };
        // the merged ensemble would not be there without its clusters
        let of_clusters = self.clustered.filter(|_| name == "ensemble").map_or(0.0, |clustered| clustered.train_flops);
        let report = ModelReport { train_flops: report.train_flops + of_clusters, ..report };
        let correct = records.iter().map(PredictionRecord::is_correct).collect();
        let conditional_top1 = conditional.finish();
        Ok(OnTest {
            name: name.to_owned(),
            correct,
            records,
            conditional_top1,
            out_of_scope: out_of_scope.transpose()?,
            report,
        })
    }

    /// Median and 95th percentile of the milliseconds of one example, after warm-up, in this thread pool.
    fn latency_ms(&self, teacher: &Teacher<'_>) -> Result<[f64; 2]> {
        let one = self.shop.valid.select(&[0]);
        let mut times_ms = Vec::with_capacity(N_LATENCY_RUNS);
        for run in 0..N_LATENCY_WARMUPS + N_LATENCY_RUNS {
            let start = Instant::now();
            teacher.predict(self.shop, &one, None)?;
            if run >= N_LATENCY_WARMUPS {
                times_ms.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        times_ms.sort_by(f64::total_cmp);
        Ok([50, 95].map(|percent| times_ms[N_LATENCY_RUNS * percent / 100]))
    }

    /// What each specialist is worth on its own classes, predictions restricted to them.
    fn clusters(&self, on_test: &[OnTest]) -> Result<(Vec<ClusterReport>, Vec<ModelReport>)> {
        let generalist = by_name(on_test, "generalist");
        let (effects, n_left_out) = self.left_out_effects()?;
        let mut clusters = Vec::new();
        let mut reports = Vec::new();
        let diagnoses = self.clustered.map_or(&[][..], |clustered| &clustered.diagnosis.clusters);
        for (idx, specialist) in self.models.specialists.specialists.iter().enumerate() {
            let subset = &specialist.subset;
            let generalist_top1 = generalist.conditional_top1[idx].unwrap_or(0.0);
            let own = self.conditional(specialist, &own_examples(self.test, subset))?;
            let own_valid = own_examples(&self.shop.valid, subset);
            let on_valid = self.conditional(specialist, &own_valid)?;
            clusters.push(ClusterReport {
                classes: subset.members().iter().map(|class| self.shop.labels[class.index()].clone()).collect(),
                oracle_gain: diagnoses[specialist.cluster_idx].oracle_gain,
                generalist_conditional_top1: generalist_top1,
                specialist_conditional_top1: own.top1,
                specialist_gain: own.top1 - generalist_top1,
                n_valid: own_valid.len() as u64,
                helps: own.top1 > generalist_top1,
                is_heard: self.models.specialists.kept.contains(&idx),
                left_out_effect: effects[idx],
                n_left_out: n_left_out as u64,
            });
            reports.push(model_report(&specialist.trained.name, &[&specialist.trained], &own, on_valid.top1));
        }
        Ok((clusters, reports))
    }

    /// For each specialist, the top-1 of the merged ensemble minus that of the ensemble without it; none for those that
    /// are not heard anyway. On as many test examples as keep the number of merges bounded.
    fn left_out_effects(&self) -> Result<(Vec<Option<f64>>, usize)> {
        let kept = &self.models.specialists.kept;
        if kept.is_empty() {
            return Ok((vec![None; self.models.specialists.specialists.len()], 0));
        }
        let n_merges = MAX_LEFT_OUT_MERGES / kept.len().max(1);
        let n_rows = self.test.len().min(n_merges).min(PROBS_AT_ONCE / self.shop.n_classes()).max(1);
        let rows: Vec<usize> = (0..n_rows).map(|row| row * self.test.len() / n_rows).collect();
        let sample = self.test.select(&rows);
        let predictions = self.models.merged().predict_members(self.shop, &sample, None)?;
        let n_classes = self.shop.n_classes();
        let predictions: Vec<&[f32]> = predictions.iter().map(Vec::as_slice).collect();
        let top1 = |ensemble: &Ensemble<'_>, predictions: &[&[f32]]| -> Result<f64> {
            let probs = ensemble.merge(predictions)?;
            Ok(metrics_of(&records(&probs, sample.labels(), n_classes)).top1)
        };
        let with_all = top1(self.models.ensemble, &predictions)?;
        let checked = self.models.specialists;
        let mut effects = vec![None; self.models.specialists.specialists.len()];
        for (position, specialist) in kept.iter().enumerate() {
            self.shop.context.check_interrupt()?;
            let mut others = predictions.clone();
            others.remove(self.models.generalists.len() + position);
            let mut heard = checked.kept();
            heard.remove(position);
            let without = Ensemble::of(self.shop, self.models.generalists, heard, checked.fitted)?;
            effects[*specialist] = Some(with_all - top1(&without, &others)?);
        }
        Ok((effects, n_rows))
    }

    /// The paper's Table 3; none without specialists that have test examples.
    fn conditional_table(&self, on_test: &[OnTest], clusters: &[ClusterReport]) -> Option<ConditionalReport> {
        let (generalist, ensemble) = (by_name(on_test, "generalist"), by_name(on_test, "ensemble"));
        let (mut n_examples, mut by_generalist, mut by_ensemble) = (0, 0.0, 0.0);
        let specialists = self.models.specialists.specialists.iter().zip(clusters);
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

    fn out_of_scope_table(&self, on_test: &[OnTest]) -> Option<OutOfScopeReport> {
        Some(OutOfScopeReport {
            n_examples: self.out_of_scope?.len() as u64,
            temperatures: out_of_scope::TEMPERATURES.to_vec(),
            rows: on_test.iter().filter_map(|model| model.out_of_scope.clone()).collect(),
        })
    }

    /// Each specialist's dustbin on the validation split.
    fn dustbins(&self) -> Vec<Option<DustbinReport>> {
        let config = self.shop.config.specialists.as_ref();
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
        self.models.specialists.checks.iter().map(report).collect()
    }

    /// A specialist's metrics on examples of its own classes, its predictions restricted to them and renormalised.
    fn conditional(&self, specialist: &Specialist, split: &Split) -> Result<Metrics> {
        let subset = &specialist.subset;
        let model = &specialist.trained.model;
        let probs = stillhouse_train::predict_proba(model, split, None)?;
        let mut restricted = Vec::with_capacity(split.len() * subset.len());
        for row in probs.chunks_exact(model.n_outputs()) {
            let inside: f32 = specialist.own_probs(row).sum();
            restricted.extend(specialist.own_probs(row).map(|prob| prob / inside.max(f32::MIN_POSITIVE)));
        }
        let local = |class| subset.local(class).expect("rows of the subset's classes").index();
        let labels: Vec<_> = split.labels().iter().map(|class| ClassId(local(*class) as u32)).collect();
        Ok(stillhouse_train::evaluate(&restricted, &labels, subset.len()))
    }

    /// The paper's Table 4: by the number of specialists that cover the true class.
    fn coverage(&self, on_test: &[OnTest]) -> Result<Vec<CoverageRow>> {
        let trained: Vec<_> =
            self.models.specialists.specialists.iter().map(|specialist| specialist.subset.clone()).collect();
        if trained.is_empty() {
            return Ok(Vec::new());
        }
        let trained = ClassClustering::new(trained).map_err(|error| ExperimentError::Failed(error.into()))?;
        let (generalist, ensemble) = (by_name(on_test, "generalist"), by_name(on_test, "ensemble"));
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
/// Merges spent on leaving one specialist out after the other.
const MAX_LEFT_OUT_MERGES: usize = 50_000;
const BYTES_PER_PARAMETER: u64 = 4;

/// Pairs of models whose difference is tested.
const COMPARED: [(&str, &str); 11] = [
    ("ensemble", "generalist"),
    ("ensemble", "generalist_ensemble"),
    ("ensemble", "student_hard"),
    ("student", "student_hard"),
    ("student", "student_generalist"),
    ("student", "student_generalist_ensemble"),
    ("student", "generalist"),
    ("student", "ensemble"),
    ("generalist_ensemble", "generalist"),
    ("student_generalist", "student_hard"),
    ("student_generalist_ensemble", "student_hard"),
];

fn comparisons(on_test: &[OnTest]) -> Vec<crate::statistics::Comparison> {
    let find = |name: &str| on_test.iter().find(|model| model.name == name);
    let pairs = COMPARED.iter().filter_map(|(a, b)| Some((find(a)?, find(b)?)));
    pairs.map(|(a, b)| compare(&a.name, &a.correct, &b.name, &b.correct)).collect()
}

fn by_name<'m>(on_test: &'m [OnTest], name: &str) -> &'m OnTest {
    on_test
        .iter()
        .find(|model| model.name == name)
        .expect("generalist, ensemble, student and hard twin are always there")
}

fn model_report(name: &str, members: &[&Trained], metrics: &Metrics, valid_top1: f64) -> ModelReport {
    let n_parameters: u64 = members.iter().map(|trained| trained.model.n_parameters() as u64).sum();
    let only = (members.len() == 1).then(|| &members[0].fit);
    ModelReport {
        name: name.to_owned(),
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
        role: ModelRole::of_name(name),
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
    Curve { model: trained.name.clone(), epochs: trained.fit.history.epochs.iter().map(point).collect() }
}
