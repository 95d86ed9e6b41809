//! Learning rate as a function of training progress.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use stillhouse_core::Problem;

/// Learning rate over the steps of a training. Warm-up rises linearly from 0 over its epochs (which may be a fraction).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScheduleConfig {
    /// One rate throughout.
    Constant(ConstantSchedule),
    /// Half a cosine from the peak down to `final_fraction` of it.
    Cosine(CosineSchedule),
    /// Up to the peak and down to nearly nothing, both on a cosine (Smith and Topin 2018, arXiv:1708.07120).
    OneCycle(OneCycleSchedule),
    /// Multiplied by `factor` at each milestone.
    Step(StepSchedule),
}

impl ScheduleConfig {
    /// Its highest rate.
    pub fn peak(&self) -> f64 {
        match self {
            Self::Constant(schedule) => schedule.learning_rate,
            Self::Cosine(schedule) => schedule.peak_learning_rate,
            Self::OneCycle(schedule) => schedule.peak_learning_rate,
            Self::Step(schedule) => schedule.learning_rate,
        }
    }

    /// Half a cosine down from this rate to 0.
    pub fn cosine(peak_learning_rate: f64) -> Self {
        Self::Cosine(CosineSchedule { peak_learning_rate, warmup_epochs: 0.0, final_fraction: 0.0 })
    }
}

/// Settings of [`ScheduleConfig::Constant`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConstantSchedule {
    /// The rate of every step.
    #[schemars(extend("exclusiveMinimum" = 0))]
    #[schemars(extend("examples" = [0.01]))]
    pub learning_rate: f64,
    /// Epochs of linear warm-up.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub warmup_epochs: f64,
}

/// Settings of [`ScheduleConfig::Cosine`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CosineSchedule {
    /// Highest rate.
    #[schemars(extend("exclusiveMinimum" = 0))]
    #[schemars(extend("examples" = [0.001]))]
    pub peak_learning_rate: f64,
    /// Epochs of linear warm-up.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub warmup_epochs: f64,
    /// Last rate as a share of the peak.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub final_fraction: f64,
}

/// Settings of [`ScheduleConfig::OneCycle`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneCycleSchedule {
    /// Highest rate.
    #[schemars(extend("exclusiveMinimum" = 0))]
    #[schemars(extend("examples" = [0.001]))]
    pub peak_learning_rate: f64,
    /// Share of the steps in which the rate rises.
    #[serde(default = "default_rising_fraction")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub rising_fraction: f64,
}

/// Settings of [`ScheduleConfig::Step`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSchedule {
    /// First rate.
    #[schemars(extend("exclusiveMinimum" = 0))]
    #[schemars(extend("examples" = [0.01]))]
    pub learning_rate: f64,
    /// Epochs after which the rate is multiplied, ascending.
    #[schemars(extend("examples" = [[20, 40]]))]
    pub milestones: Vec<usize>,
    /// What the rate is multiplied by at each milestone.
    #[serde(default = "default_step_factor")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub factor: f64,
    /// Epochs of linear warm-up.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub warmup_epochs: f64,
}

/// One-cycle starts at this share of the peak.
const ONE_CYCLE_START: f64 = 1.0 / 25.0;
/// One-cycle ends at this share of the peak.
const ONE_CYCLE_END: f64 = 1e-4;

fn default_rising_fraction() -> f64 {
    0.3
}

fn default_step_factor() -> f64 {
    0.1
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self::Cosine(CosineSchedule { peak_learning_rate: 1e-3, warmup_epochs: 0.0, final_fraction: 0.0 })
    }
}

impl ScheduleConfig {
    /// Rate of one step (`0..n_steps`) of a training of `n_epochs`.
    pub fn learning_rate(&self, step: usize, n_steps: usize, n_epochs: usize) -> f64 {
        let progress = step as f64 / n_steps.max(1) as f64;
        let epoch = progress * n_epochs as f64;
        match self {
            Self::Constant(config) => config.learning_rate * warmup(epoch, config.warmup_epochs),
            Self::Cosine(config) => {
                let warmup_share = config.warmup_epochs / n_epochs as f64;
                let after_warmup = ((progress - warmup_share) / (1.0 - warmup_share)).clamp(0.0, 1.0);
                let share = interpolate_cosine(1.0, config.final_fraction, after_warmup);
                config.peak_learning_rate * share * warmup(epoch, config.warmup_epochs)
            }
            Self::OneCycle(config) => config.peak_learning_rate * one_cycle(progress, config.rising_fraction),
            Self::Step(config) => {
                let n_passed = config.milestones.iter().filter(|milestone| epoch >= **milestone as f64).count();
                config.learning_rate * config.factor.powi(n_passed as i32) * warmup(epoch, config.warmup_epochs)
            }
        }
    }

    /// Settings that contradict each other or the number of epochs; ranges are in the schema.
    pub(crate) fn contradiction(&self, n_epochs: usize) -> Option<Problem> {
        let warmup_epochs = match self {
            Self::Step(config) if !config.milestones.is_sorted_by(|a, b| a < b) => {
                let text = format!("must ascend, found {:?}", config.milestones);
                return Some(Problem::new("schedule.milestones", text));
            }
            Self::Constant(config) => config.warmup_epochs,
            Self::Cosine(config) => config.warmup_epochs,
            Self::Step(config) => config.warmup_epochs,
            Self::OneCycle(_) => 0.0,
        };
        (warmup_epochs >= n_epochs.max(1) as f64).then(|| {
            let text = format!("must be below n_epochs = {n_epochs}, found {warmup_epochs}");
            Problem::new("schedule.warmup_epochs", text)
        })
    }
}

/// Share of the rate in linear warm-up, 1 afterwards.
fn warmup(epoch: f64, warmup_epochs: f64) -> f64 {
    if epoch < warmup_epochs { epoch / warmup_epochs } else { 1.0 }
}

fn one_cycle(progress: f64, rising_fraction: f64) -> f64 {
    if progress < rising_fraction {
        interpolate_cosine(ONE_CYCLE_START, 1.0, progress / rising_fraction)
    } else {
        interpolate_cosine(1.0, ONE_CYCLE_END, (progress - rising_fraction) / (1.0 - rising_fraction))
    }
}

/// From `start` at 0 to `end` at 1 along half a cosine.
fn interpolate_cosine(start: f64, end: f64, progress: f64) -> f64 {
    end + (start - end) * 0.5 * (1.0 + (PI * progress).cos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_core::{check_values, in_words};

    fn rates(text: &str, n_epochs: usize) -> Vec<f64> {
        let schedule: ScheduleConfig = serde_json::from_str(text).unwrap();
        assert_eq!(schedule.contradiction(n_epochs), None);
        (0..=100).map(|step| schedule.learning_rate(step, 100, n_epochs)).collect()
    }

    #[test]
    fn cosine_falls_from_peak_to_final() {
        let rates = rates(r#"{"kind": "cosine", "peak_learning_rate": 2.0, "final_fraction": 0.1}"#, 10);
        assert_eq!(rates[0], 2.0);
        assert!((rates[50] - 1.1).abs() < 1e-12);
        assert!((rates[100] - 0.2).abs() < 1e-12);
    }

    #[test]
    fn warmup_rises_linearly() {
        let rates = rates(r#"{"kind": "constant", "learning_rate": 1.0, "warmup_epochs": 2.0}"#, 10);
        assert_eq!(rates[0], 0.0);
        assert!((rates[10] - 0.5).abs() < 1e-12);
        assert_eq!(rates[20], 1.0);
    }

    #[test]
    fn one_cycle_peaks_at_its_rising_fraction() {
        let rates = rates(r#"{"kind": "one_cycle", "peak_learning_rate": 1.0}"#, 10);
        assert!((rates[0] - 0.04).abs() < 1e-12);
        assert!((rates[30] - 1.0).abs() < 1e-12);
        assert!(rates[100] < 2e-4);
    }

    #[test]
    fn steps_come_at_their_epochs() {
        let rates = rates(r#"{"kind": "step", "learning_rate": 1.0, "milestones": [5, 8]}"#, 10);
        assert_eq!(rates[49], 1.0);
        assert!((rates[50] - 0.1).abs() < 1e-12);
        assert!((rates[80] - 0.01).abs() < 1e-12);
    }

    #[test]
    fn ranges_are_checked() {
        let bad = |text: &str| {
            let schedule: ScheduleConfig = serde_json::from_str(text).unwrap();
            let problems: Vec<Problem> = check_values(&schedule).into_iter().chain(schedule.contradiction(3)).collect();
            in_words(&problems)
        };
        assert!(bad(r#"{"kind": "constant", "learning_rate": 0}"#).contains("learning_rate: must be above 0"));
        assert!(
            bad(r#"{"kind": "cosine", "peak_learning_rate": 1, "warmup_epochs": 3}"#).contains("below n_epochs = 3")
        );
        assert!(bad(r#"{"kind": "step", "learning_rate": 1, "milestones": [2, 1]}"#).contains("ascend"));
    }
}
