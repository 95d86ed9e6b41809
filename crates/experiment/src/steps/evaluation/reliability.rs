//! What a network's confidence is worth as it ships: whether it is right as often as it says, and how well a threshold keeps out
//! what it does not know.

use crate::report::{CalibrationReport, ReliabilityBin, ThresholdRow};
use crate::role::Role;
use stillhouse_core::Temperature;
use stillhouse_train::{PredictionRecord, metrics_of};

const N_BINS: usize = 10;
/// Shares of the validation examples that a threshold may refuse.
const REFUSED_SHARES: [f64; 3] = [0.01, 0.05, 0.1];

/// A network's records with its fitted temperature.
pub(super) struct Calibrated<'a> {
    pub role: Role,
    pub temperature: Temperature,
    pub on_valid: &'a [PredictionRecord],
    pub on_test: &'a [PredictionRecord],
    /// Its confidence in examples of no class, if there are any.
    pub others: Option<&'a [f64]>,
}

impl Calibrated<'_> {
    /// Compares with the records of the test split as trained.
    pub fn report(&self, as_trained: &[PredictionRecord]) -> CalibrationReport {
        let (before, after) = (metrics_of(as_trained), metrics_of(self.on_test));
        CalibrationReport {
            model: self.role.name(),
            temperature: self.temperature.get(),
            nll_as_trained: before.nll,
            nll: after.nll,
            ece_as_trained: before.ece,
            ece: after.ece,
            bins: bins(self.on_test),
            thresholds: self.thresholds(),
        }
    }

    /// Thresholds that refuse given shares of the validation examples, and what they refuse elsewhere.
    fn thresholds(&self) -> Vec<ThresholdRow> {
        let mut confidences: Vec<f64> = self.on_valid.iter().map(|record| f64::from(record.top_prob)).collect();
        confidences.sort_by(f64::total_cmp);
        let row = |share: f64| {
            let threshold = *confidences.get((share * confidences.len() as f64) as usize)?;
            let kept: Vec<&PredictionRecord> =
                self.on_test.iter().filter(|record| f64::from(record.top_prob) >= threshold).collect();
            let n_right = kept.iter().filter(|record| record.is_correct()).count();
            let share_below = |others: &[f64]| {
                others.iter().filter(|confidence| **confidence < threshold).count() as f64 / others.len().max(1) as f64
            };
            Some(ThresholdRow {
                valid_refused: share,
                threshold,
                test_refused: 1.0 - kept.len() as f64 / self.on_test.len().max(1) as f64,
                top1_of_kept: (!kept.is_empty()).then(|| n_right as f64 / kept.len() as f64),
                others_refused: self.others.map(share_below),
            })
        };
        REFUSED_SHARES.into_iter().filter_map(row).collect()
    }
}

/// Test examples by confidence, in bins of equal width; empty bins are left out.
fn bins(records: &[PredictionRecord]) -> Vec<ReliabilityBin> {
    let width = 1.0 / N_BINS as f64;
    let bin_of = |record: &PredictionRecord| ((f64::from(record.top_prob) / width) as usize).min(N_BINS - 1);
    let bin = |index: usize| {
        let of_bin: Vec<&PredictionRecord> = records.iter().filter(|record| bin_of(record) == index).collect();
        let n = of_bin.len() as f64;
        (!of_bin.is_empty()).then(|| ReliabilityBin {
            lower: index as f64 * width,
            upper: (index + 1) as f64 * width,
            n_examples: of_bin.len() as u64,
            confidence: of_bin.iter().map(|record| f64::from(record.top_prob)).sum::<f64>() / n,
            top1: of_bin.iter().filter(|record| record.is_correct()).count() as f64 / n,
        })
    };
    (0..N_BINS).filter_map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_core::ClassId;

    fn records(confidences: &[f32], label: u32) -> Vec<PredictionRecord> {
        confidences.iter().map(|top| PredictionRecord::new(&[*top, 1.0 - *top], ClassId(label))).collect()
    }

    #[test]
    fn a_threshold_refuses_its_share_of_the_validation_examples() {
        let confidences: Vec<f32> = (0..100).map(|nth| 0.5 + nth as f32 / 250.0).collect();
        let on_valid = records(&confidences, 0);
        let on_test = [records(&[0.51, 0.9], 0), records(&[0.6, 0.7], 1)].concat();
        let others = [0.5, 0.505, 0.6, 0.99];
        let calibrated = Calibrated {
            role: Role::Student,
            temperature: Temperature::ONE,
            on_valid: &on_valid,
            on_test: &on_test,
            others: Some(&others),
        };
        let thresholds = calibrated.report(&on_test).thresholds;
        let five = &thresholds[1];
        assert!((five.threshold - 0.52).abs() < 1e-6, "five of a hundred are below");
        assert_eq!((five.test_refused, five.others_refused), (0.25, Some(0.5)));
        assert!((five.top1_of_kept.unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert!(thresholds.is_sorted_by(|a, b| a.threshold <= b.threshold));
    }

    #[test]
    fn bins_hold_confidence_and_accuracy() {
        let found = bins(&[records(&[0.62, 0.68, 1.0], 0), records(&[0.65], 1)].concat());
        assert_eq!(found.iter().map(|bin| bin.n_examples).collect::<Vec<_>>(), [3, 1]);
        assert!((found[0].confidence - 0.65).abs() < 1e-6 && (found[0].top1 - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((found[1].upper, found[1].top1), (1.0, 1.0));
        assert!(bins(&[]).is_empty());
    }
}
