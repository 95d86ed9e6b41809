//! JSON has no NaN: what becomes of numbers that are not finite.
//!
//! A diverged training must not lose the report of the whole run, and must not look good in it either. So an optional
//! number that is not finite becomes null, a required one the **worst value** that its field can take, and a warning
//! names it.

use super::contract::{ClusterReport, CoverageRow, ModelReport, PortfolioPoint, Report};
use crate::statistics::{Comparison, Verdict};

/// The largest negative log-likelihood that a probability held in a double can have, `-ln(5e-324)`.
const LARGEST_NLL: f64 = 744.440_071_921_381_2;

/// Collects the names of fields that were not finite while it replaces them.
struct Cleaner {
    replaced: Vec<String>,
}

impl Cleaner {
    fn required(&mut self, what: impl FnOnce() -> String, value: &mut f64, worst: f64) {
        if !value.is_finite() {
            self.replaced.push(format!("{} (written as {worst})", what()));
            *value = worst;
        }
    }

    fn optional(&mut self, what: impl FnOnce() -> String, value: &mut Option<f64>) {
        if value.is_some_and(|number| !number.is_finite()) {
            self.replaced.push(format!("{} (written as null)", what()));
            *value = None;
        }
    }

    fn model(&mut self, model: &mut ModelReport) {
        let name = model.name.clone();
        let path = |field: &'static str| {
            let name = &name;
            move || format!("{name}.{field}")
        };
        self.required(path("top1"), &mut model.top1, 0.0);
        self.required(path("top5"), &mut model.top5, 0.0);
        self.required(path("nll"), &mut model.nll, LARGEST_NLL);
        self.required(path("ece"), &mut model.ece, 1.0);
        self.required(path("valid_top1"), &mut model.valid_top1, 0.0);
        self.required(path("train_seconds"), &mut model.train_seconds, 0.0);
        self.required(path("train_flops"), &mut model.train_flops, 0.0);
        self.optional(path("latency_ms_p50"), &mut model.latency_ms_p50);
        self.optional(path("latency_ms_p95"), &mut model.latency_ms_p95);
        self.optional(path("agreement"), &mut model.agreement);
        self.optional(path("last_epoch_valid_top1"), &mut model.last_epoch_valid_top1);
    }

    fn cluster(&mut self, cluster_idx: usize, cluster: &mut ClusterReport) {
        let path = |field: &'static str| move || format!("clusters[{cluster_idx}].{field}");
        self.required(path("oracle_gain"), &mut cluster.oracle_gain, 0.0);
        self.required(path("generalist_conditional_top1"), &mut cluster.generalist_conditional_top1, 0.0);
        self.required(path("specialist_conditional_top1"), &mut cluster.specialist_conditional_top1, 0.0);
        self.required(path("specialist_gain"), &mut cluster.specialist_gain, 0.0);
    }

    fn coverage(&mut self, row: &mut CoverageRow) {
        let covering = row.covering;
        self.required(|| format!("coverage[{covering}].relative_gain"), &mut row.relative_gain, 0.0);
    }

    fn comparison(&mut self, comparison: &mut Comparison) {
        let numbers = [comparison.delta, comparison.ci95[0], comparison.ci95[1], comparison.p_value];
        if numbers.iter().all(|number| number.is_finite()) {
            return;
        }
        self.replaced.push(format!("{} against {} (written as no difference)", comparison.a, comparison.b));
        (comparison.delta, comparison.ci95) = (0.0, [-1.0, 1.0]);
        (comparison.p_value, comparison.verdict) = (1.0, Verdict::NoDifference);
    }
}

impl Report {
    /// The same report with every float finite; what had to be replaced is named in its warnings.
    pub fn sanitised(&self) -> Self {
        let mut report = self.clone();
        let mut cleaner = Cleaner { replaced: Vec::new() };
        report.models.iter_mut().for_each(|model| cleaner.model(model));
        report.clusters.iter_mut().enumerate().for_each(|(index, cluster)| cleaner.cluster(index, cluster));
        report.coverage.iter_mut().for_each(|row| cleaner.coverage(row));
        report.comparisons.iter_mut().for_each(|comparison| cleaner.comparison(comparison));
        cleaner.optional(|| "gain_kept".into(), &mut report.gain_kept);
        cleaner.optional(|| "oracle_bound".into(), &mut report.oracle_bound);
        cleaner.optional(|| "confusion_mass_inside".into(), &mut report.confusion_mass_inside);
        cleaner.optional(|| "soft_target_entropy".into(), &mut report.soft_target_entropy);
        report.cluster_stability = report.cluster_stability.filter(|agreement| agreement.is_finite());
        report.conditional = report.conditional.filter(|table| {
            [table.generalist_conditional_top1, table.ensemble_conditional_top1].iter().all(|share| share.is_finite())
        });
        for cluster in &mut report.clusters {
            cluster.left_out_effect = cluster.left_out_effect.filter(|effect| effect.is_finite());
        }
        for dustbin in &mut report.dustbins {
            *dustbin =
                dustbin.filter(|d| [d.uncorrected, d.counted, d.refit, d.refit_shift].iter().all(|v| v.is_finite()));
        }
        report.portfolio.retain(|point| {
            let PortfolioPoint { coverage, train_flops, top1, valid_top1, .. } = *point;
            [coverage, train_flops, top1, valid_top1].iter().all(|value| value.is_finite())
        });
        for (index, correction) in report.dustbin_corrections.iter_mut().enumerate() {
            cleaner.optional(|| format!("dustbin_corrections[{index}]"), correction);
        }
        cleaner.required(|| "total_train_seconds".into(), &mut report.total_train_seconds, 0.0);
        cleaner.required(|| "wall_seconds".into(), &mut report.wall_seconds, 0.0);
        if !cleaner.replaced.is_empty() {
            report.warnings.push(format!("Not finite, a training may have diverged: {}.", cleaner.replaced.join(", ")));
        }
        report
    }
}
