//! The report of each model: quality, size, cost, latency and learning curve.

use super::scores::Evaluation;
use crate::error::Result;
use crate::networks::artifacts::Trained;
use crate::networks::latency::latency_ms;
use crate::networks::member::Member;
use crate::networks::teacher::Teacher;
use crate::report::{Curve, EpochPoint, ModelReport};
use crate::role::Role;
use stillhouse_train::Metrics;

const BYTES_PER_PARAMETER: u64 = 4;

impl Evaluation<'_> {
    /// The report of a model that predicts every class, but its agreement with the others.
    pub(super) fn report_of(
        &self,
        role: Role,
        teacher: &Teacher<'_>,
        on_test: &Metrics,
        valid_top1: f64,
    ) -> Result<ModelReport> {
        let members = teacher.members();
        let networks: Vec<&Trained> = members.iter().filter_map(Member::network).collect();
        let is_measurable = networks.len() == members.len();
        let one = self.session.data.valid.select(&[0]);
        let measure = || latency_ms(|| teacher.predict(self.session, &one).map(drop));
        let latency_ms = is_measurable.then(measure).transpose()?;
        let shipped = self.models.shipped().filter(|_| matches!(role, Role::Shipped | Role::TwinOfShipped));
        let report = ModelReport {
            latency_ms_p50: latency_ms.map(|[p50, _]| p50),
            latency_ms_p95: latency_ms.map(|[_, p95]| p95),
            ..model_report(role, &networks, on_test, valid_top1)
        };
        let bytes = shipped.map_or(report.bytes, |shipped| shipped.bits.n_bytes(&networks[0].model));
        // the merged ensemble would not be there without its clusters
        let of_clusters =
            self.clustered.filter(|_| role == Role::MergedEnsemble).map_or(0.0, |clustered| clustered.train_flops);
        Ok(ModelReport { bytes, train_flops: report.train_flops + of_clusters, ..report })
    }
}

pub(super) fn model_report(role: Role, members: &[&Trained], metrics: &Metrics, valid_top1: f64) -> ModelReport {
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
        macro_f1: None,
        balanced_accuracy: None,
    }
}

pub(super) fn curve(trained: &Trained) -> Curve {
    let point = |record: &stillhouse_train::EpochRecord| EpochPoint {
        epoch: record.epoch as u64,
        train_loss: record.train_loss,
        valid_loss: record.valid_loss,
        valid_top1: record.valid_top1,
        learning_rate: record.learning_rate,
    };
    Curve { model: trained.stage.name().to_owned(), epochs: trained.fit.history.epochs.iter().map(point).collect() }
}
