//! Evaluates every model on every test example, once. Only this stage opens the test split.

mod classes;
mod cost_curve;
mod models;
mod out_of_scope;
mod prediction_table;
mod reliability;
mod remarks;
mod samples;
mod scores;
mod specialists;

use self::classes::{ClassResults, Classes, macro_means};
use self::cost_curve::LeaveOneOut;
use self::models::curve;
use self::out_of_scope::{Confidences, confidences};
use self::prediction_table::{disk_bytes, write_predictions};
use self::reliability::Calibrated;
use self::remarks::unmet_merges;
use self::samples::{cluster_galleries, confused_examples, soft_target_samples};
pub(crate) use self::scores::Models;
use self::scores::{AllScores, Evaluation, ModelScores, SplitScores, TestScores, members, of_role};
use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::networks::ensemble::Ensemble;
use crate::networks::predictions::visit_predictions;
use crate::networks::student_targets::StudentTargets;
use crate::networks::teacher::{Complete, Teacher};
use crate::networks::teachers::Teachers;
use crate::planning::Work;
use crate::report::{Curve, DatasetReport, FORMAT_VERSION, Gallery, Report, SoftTargetSample, Tile};
use crate::role::Role;
use crate::run_dir::{CLASSES, PREDICTIONS};
use crate::session::Session;
use crate::stage::Stage;
use crate::statistics::{compare, gain_kept};
use crate::store::run_stage;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_data::SealedTest;
use stillhouse_targets::SoftTargets;
use stillhouse_train::{PredictionRecord, agreement, metrics_of};

/// What the evaluation measured and what the page shows of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Evaluated {
    pub report: Report,
    pub curves: Vec<Curve>,
    pub cluster_galleries: Vec<Gallery>,
    pub soft_target_samples: Vec<SoftTargetSample>,
    /// One for each of the report's confused pairs; none where examples are neither pictures nor texts.
    #[serde(default)]
    pub confused_examples: Vec<Tile>,
    /// The stage's folder, with the tables of all predictions and of all classes; empty for a run that is only read.
    #[serde(skip)]
    pub stage_dir: PathBuf,
}

const EVALUATION: &str = "evaluation.json";
/// Raise this when the evaluation measures more than before, so that finished runs are evaluated anew.
const CODE_VERSION: u32 = 16;

/// Evaluates all models on the test split, which it takes by value: nobody reads it a second time. None in a plan.
pub(crate) fn evaluate(
    session: &Session<'_>,
    run_name: &str,
    dataset: DatasetReport,
    models: &Models<'_>,
    targets: &StudentTargets<'_>,
    test: SealedTest,
) -> Result<Option<Evaluated>> {
    let Teachers { clustered, specialists, .. } = models.teachers;
    let trained: Vec<&Stage> = models.all_trained().iter().map(|trained| &trained.stage).collect();
    let config = (&session.config.merge, &session.config.evaluation, &specialists.stage);
    let clustering = clustered.as_ref().map(|clustered| &clustered.clustering);
    let inputs = (run_name, &dataset, clustering, trained, &models.temperatures.stage, config);
    let stage = match models.ship {
        // what was tried is in the report too
        Some(ship) => Stage::new("evaluation", CODE_VERSION, None, &(inputs, &ship.decision)),
        None => Stage::new("evaluation", CODE_VERSION, None, &inputs),
    };
    let n_rows = session.data.valid.len() + test.len();
    let table_bytes = disk_bytes(test.len(), &session.data.labels);
    let plan = || {
        let networks = models.all_trained().into_iter().map(|trained| &trained.stage);
        Ok((Work::stored_prediction(networks, n_rows, table_bytes), None))
    };
    let produce = |folder: &Path| {
        let (test, out_of_scope) = test.unseal_all();
        let out_of_scope = out_of_scope.as_ref();
        let targets = targets.store().map(|targets| &**targets);
        let evaluated = session.context.with_all_threads(|| {
            let clustered = clustered.as_ref();
            Evaluation { session, models, clustered, test: &test, out_of_scope }.run(run_name, dataset, targets, folder)
        })??;
        write_json(&folder.join(EVALUATION), &evaluated)
    };
    let load = |folder: &Path| {
        let evaluated: Evaluated = read_json(&folder.join(EVALUATION))?;
        Ok(Some(Evaluated { stage_dir: folder.to_owned(), ..evaluated }))
    };
    run_stage(session.context, &stage, plan, produce, load)
}

impl Evaluation<'_> {
    /// Evaluates the models and writes the tables of all predictions and all classes into `folder`.
    fn run(
        &self,
        run_name: &str,
        dataset: DatasetReport,
        targets: Option<&SoftTargets>,
        folder: &Path,
    ) -> Result<Evaluated> {
        let complete = self.models.complete(self.session);
        let n_student = self.session.taught(targets)?.len();
        let AllScores { mut on_test, own, leave_one_out, n_left_out, cost_curve, n_unmet } =
            self.predict_all(&complete)?;
        let students_teacher = self.models.students_teacher();
        let teacher_records = of_role(&on_test, students_teacher).records.clone();
        for model in &mut on_test {
            model.report.agreement = Some(agreement(&model.records, &teacher_records));
            let [balanced_accuracy, macro_f1] = macro_means(self.test, &model.records);
            model.report.balanced_accuracy = balanced_accuracy;
            model.report.macro_f1 = macro_f1;
        }
        let class_results = self.class_results(&on_test, folder)?;
        let (clusters, specialist_reports) = self.clusters(&on_test, &own, (&leave_one_out, n_left_out));
        let samples = soft_target_samples(self.session, self.test, &teacher_records, (students_teacher, &complete))?;
        let top1 = |role: Role| of_role(&on_test, role).report.top1;
        let report = Report {
            format_version: FORMAT_VERSION,
            name: run_name.to_owned(),
            seed: self.session.config.seed,
            dataset,
            gain_kept: gain_kept(top1(Role::Student), top1(Role::TwinOnLabels), top1(students_teacher)),
            conditional: self.conditional_table(&on_test, &clusters),
            out_of_scope: self.out_of_scope_table(&on_test),
            calibration: on_test.iter().filter_map(|model| model.calibration.clone()).collect(),
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
            dustbin_corrections: self.dustbin_corrections(),
            soft_target_entropy: targets.map(SoftTargets::mean_entropy),
            classes: class_results.listed,
            class_comparison: class_results.comparison,
            confused_pairs: class_results.confused_pairs,
            ship: self.models.ship.map(|ship| ship.report.clone()),
            exports: Vec::new(),
            warnings: Vec::new(),
            next_steps: Vec::new(),
            notes: self.notes(n_student),
            doubted_teachers: self.doubted_teachers(),
        };
        let curves: Vec<Curve> = self.models.all_trained().into_iter().map(curve).collect();
        let report = self.with_advice(report, &curves, n_student, n_unmet);
        let subsets = self.models.teachers.specialists.specialists.iter().map(|specialist| &specialist.subset);
        let cluster_galleries = cluster_galleries(self.session, subsets)?;
        Ok(Evaluated {
            confused_examples: confused_examples(self.test, &report.confused_pairs)?,
            report,
            curves,
            cluster_galleries,
            soft_target_samples: samples,
            stage_dir: PathBuf::new(),
        })
    }

    /// The report with what a reader should know before believing it, and what to try next.
    fn with_advice(&self, report: Report, curves: &[Curve], n_student: usize, n_unmet: usize) -> Report {
        let lengths = self.training_lengths(n_student);
        // what was noted of the data comes first: all numbers rest on it
        let warnings = self.session.context.warnings().into_iter();
        let warnings = warnings.chain(self.failed_specialists()).chain(unmet_merges(n_unmet)).chain(self.extreme_fit());
        let warnings = warnings.chain(self.nothing_ships()).chain(crate::report::few_steps(&lengths));
        let warnings = warnings.chain(crate::report::warnings(&report, curves)).collect();
        let next_steps = crate::report::next_steps(&report, curves, &lengths);
        Report { warnings, next_steps, ..report }.with_non_finite_named()
    }

    /// Writes the tables of all predictions and of all classes, and says what the report has of the classes.
    fn class_results(&self, on_test: &[TestScores], folder: &Path) -> Result<ClassResults> {
        let labels = &self.session.data.labels;
        write_predictions(&folder.join(PREDICTIONS), self.test, labels, on_test)?;
        let classes = Classes::new(self.test, labels, on_test);
        classes.write(&folder.join(CLASSES))?;
        Ok(classes.results())
    }

    /// Scores of all models on the test and the validation split; every network predicts each example once.
    fn predict_all(&self, complete: &Complete<'_>) -> Result<AllScores> {
        let (session, models) = (self.session, self.models);
        let (test, valid) = (self.test, &session.data.valid);
        let members = members(complete, &models.teachers.specialists.specialists);
        let mut left_out = LeaveOneOut::new(session, models.teachers, models.ensemble, test.len());
        let n_unmet = || models.ensemble.map_or(0, Ensemble::n_unmet);
        let mut on_test = SplitScores::new(session, models, complete, test, self.out_of_scope.is_some())?;
        let n_unmet_before = n_unmet();
        visit_predictions(session, &members, test, |rows, predictions| {
            left_out.add(test, &rows, predictions);
            on_test.add(&rows, predictions)
        })?;
        let n_unmet = n_unmet() - n_unmet_before;
        let mut on_valid = SplitScores::new(session, models, complete, valid, false)?;
        visit_predictions(session, &members, valid, |rows, predictions| on_valid.add(&rows, predictions))?;
        let of_others = |others| confidences(session, (complete, models.temperatures), others);
        let out_of_scope = self.out_of_scope.map(of_others).transpose()?;
        let own = on_test.own.iter().zip(&on_valid.own);
        Ok(AllScores {
            own: own.map(|(test, valid)| [metrics_of(test), metrics_of(valid)]).collect(),
            n_left_out: left_out.n_examples(),
            leave_one_out: left_out.effects()?,
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
            let as_shipped = scores.as_shipped.as_ref().zip(on_valid[idx].as_shipped.as_ref());
            let calibration = as_shipped.map(|((temperature, on_test), (_, on_valid))| {
                let others = on_others.and_then(|others| others[idx].as_shipped());
                Calibrated { role: *role, temperature: *temperature, on_valid, on_test, others }.report(&scores.records)
            });
            Ok(TestScores {
                role: *role,
                report: self.report_of(*role, teacher, &metrics_of(&scores.records), valid_top1)?,
                correct: scores.records.iter().map(PredictionRecord::is_correct).collect(),
                calibration,
                as_shipped: scores.as_shipped.map(|(_, records)| records),
                records: scores.records,
                conditional_top1: scores.conditional.finish(),
                out_of_scope: confidences.map(|(confidences, others)| confidences.against(*role, &others[idx])),
            })
        };
        complete.iter().zip(on_test).enumerate().map(of_model).collect()
    }
}

/// Pairs of models whose difference is tested.
const COMPARED: [(Role, Role); 14] = [
    (Role::MergedEnsemble, Role::Generalist),
    (Role::MergedEnsemble, Role::PlainEnsemble),
    (Role::MergedEnsemble, Role::TwinOnLabels),
    (Role::Generalist, Role::TwinOnLabels),
    (Role::Student, Role::TwinOnLabels),
    (Role::Student, Role::TwinOnGeneralist),
    (Role::Student, Role::TwinOnPlainEnsemble),
    (Role::Student, Role::Generalist),
    (Role::Student, Role::MergedEnsemble),
    (Role::Shipped, Role::Student),
    (Role::Shipped, Role::TwinOfShipped),
    (Role::PlainEnsemble, Role::Generalist),
    (Role::TwinOnGeneralist, Role::TwinOnLabels),
    (Role::TwinOnPlainEnsemble, Role::TwinOnLabels),
];

fn comparisons(on_test: &[TestScores]) -> Vec<crate::statistics::Comparison> {
    let find = |role: Role| on_test.iter().find(|model| model.role == role);
    let pairs = COMPARED.iter().filter_map(|(a, b)| Some((find(*a)?, find(*b)?)));
    pairs.map(|(a, b)| compare(&a.role.name(), &a.correct, &b.role.name(), &b.correct)).collect()
}
