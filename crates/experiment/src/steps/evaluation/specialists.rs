//! What the specialists are worth: on their own classes (the paper's Table 3), by coverage (Table 4), and their dustbins.

use super::models::model_report;
use super::out_of_scope;
use super::scores::{Evaluation, TestScores, of_role};
use crate::config::{SpecialistHead, SpecialistsConfig};
use crate::error::{ExperimentError, Result};
use crate::networks::artifacts::{Specialist, SpecialistCheck};
use crate::report::{ClusterReport, ConditionalReport, CoverageRow, DustbinReport, ModelReport, OutOfScopeReport};
use crate::role::Role;
use stillhouse_core::ClassClustering;
use stillhouse_ensemble::coverage_table;
use stillhouse_train::Metrics;

impl Evaluation<'_> {
    /// What each specialist is worth on its own classes, predictions restricted to them.
    pub(super) fn clusters(
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
            let check = &checked.checks[idx];
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
                n_valid: check.n_own as u64,
                helps: own.top1 > generalist_top1,
                helps_on_valid: Some(check.specialist_top1 > check.generalist_top1),
                is_heard: merged_as.is_some(),
                left_out_effect: merged_as.map(|position| leave_one_out[position]),
                n_left_out: n_left_out as u64,
            };
            (cluster, model_report(specialist.trained.role, &[&specialist.trained], own, on_valid.top1))
        };
        checked.specialists.iter().enumerate().map(report).unzip()
    }

    /// The paper's Table 3; none without specialists that have test examples.
    pub(super) fn conditional_table(
        &self,
        on_test: &[TestScores],
        clusters: &[ClusterReport],
    ) -> Option<ConditionalReport> {
        if clusters.is_empty() {
            return None;
        }
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

    pub(super) fn out_of_scope_table(&self, on_test: &[TestScores]) -> Option<OutOfScopeReport> {
        Some(OutOfScopeReport {
            n_examples: self.out_of_scope?.len() as u64,
            temperatures: out_of_scope::TEMPERATURES.to_vec(),
            rows: on_test.iter().filter_map(|model| model.out_of_scope.clone()).collect(),
        })
    }

    /// What was added to each dustbin's logit after training, in nats; none for another head.
    pub(super) fn dustbin_corrections(&self) -> Vec<Option<f64>> {
        let corrected = |s: &Specialist| (s.head == SpecialistHead::Dustbin).then_some(s.counted_shift + s.refit_shift);
        self.models.teachers.specialists.specialists.iter().map(corrected).collect()
    }

    /// Each specialist's dustbin on the validation split.
    pub(super) fn dustbins(&self) -> Vec<Option<DustbinReport>> {
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
    pub(super) fn coverage(&self, on_test: &[TestScores]) -> Result<Vec<CoverageRow>> {
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
