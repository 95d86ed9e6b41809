//! `report.json`, format version 1: what other programs read.
//!
//! The fields up to "added" in each struct are fixed: names, types, which may be null. Fields that came later are read
//! with a default, unknown ones are ignored, so old and new programs read each other's reports. All accuracies are
//! shares, 0..1. A number that is not finite is written as null, even where a number is required, and read back as NaN.

use crate::classes::{ClassComparison, ClassReport, ConfusedPair};
use crate::format::{bytes, percent};
use crate::numbers::{NullAsNan, non_finite};
use crate::role::{ModelRole, Role, rank};
use crate::statistics::Comparison;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The version of the contract that this program writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// Classes that `report.json` lists at most: a report of 15 000 classes stays small enough to be read by people.
pub const N_LISTED_CLASSES: usize = 500;

/// A report that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Text that is no report: broken JSON, a missing field, a wrong type.
    #[error("not a report of format version {FORMAT_VERSION}: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A report of another program version.
    #[error(
        "report.json has format version {got}, expected {FORMAT_VERSION}; hint: write it anew with `stillhouse report DIR`"
    )]
    Version {
        /// the version found in the file
        got: u64,
    },
}

/// Everything that one run measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Report {
    /// always [`FORMAT_VERSION`]
    pub format_version: u32,
    /// name of the experiment
    pub name: String,
    /// root seed of the run
    pub seed: u64,
    /// what was learned from
    pub dataset: DatasetReport,
    /// every model that was evaluated, teachers and baselines included
    pub models: Vec<ModelReport>,
    /// share of the ensemble's gain over hard labels that the student keeps
    pub gain_kept: Option<f64>,
    /// one per specialist, in their order
    pub clusters: Vec<ClusterReport>,
    /// accuracy by the number of specialists that cover the true class (paper, Table 4)
    pub coverage: Vec<CoverageRow>,
    /// paired comparisons on the test split
    pub comparisons: Vec<Comparison>,
    /// compute of all trainings, added up
    pub total_train_seconds: f64,
    /// time from start to end as the user saw it
    pub wall_seconds: f64,

    // added
    /// share of the generalist's validation errors whose true and predicted class share a cluster
    #[serde(default)]
    pub oracle_bound: Option<f64>,
    /// off-diagonal mass of the affinity that lies inside clusters, as a share of all off-diagonal mass
    #[serde(default)]
    pub confusion_mass_inside: Option<f64>,
    /// agreement of the clusters with those of another seed: 1 equal, 0 as by chance; null for methods without a seed
    #[serde(default)]
    pub cluster_stability: Option<f64>,
    /// what was added to each specialist's dustbin logit; null for heads without a dustbin
    #[serde(default)]
    pub dustbin_corrections: Vec<Option<f64>>,
    /// accuracy inside the specialists' clusters and over all (paper, Table 3)
    #[serde(default)]
    pub conditional: Option<ConditionalReport>,
    /// what the confidence of the student and of what ships of it is worth
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibration: Vec<CalibrationReport>,
    /// how well confidence tells test examples from examples of no class; null without such examples
    #[serde(default)]
    pub out_of_scope: Option<OutOfScopeReport>,
    /// each specialist's dustbin on the validation split, in their order; null for heads without a dustbin
    #[serde(default)]
    pub dustbins: Vec<Option<DustbinReport>>,
    /// what the training compute of the teachers buys: generalists alone, then with ever more specialists
    #[serde(default)]
    pub portfolio: Vec<PortfolioPoint>,
    /// mean entropy of the student's soft targets at temperature 1 on the transfer set, in nats
    #[serde(default)]
    pub soft_target_entropy: Option<f64>,
    /// classes with test examples, those first of which the student gets the smallest share right; at most
    /// [`N_LISTED_CLASSES`], all of them are in `classes.csv`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassReport>,
    /// which classes distillation helps and which it hurts
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_comparison: Option<ClassComparison>,
    /// what the student confuses most, the most frequent pair first
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confused_pairs: Vec<ConfusedPair>,
    /// what was tried to make the student ship; null without `[ship]`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship: Option<ShipReport>,
    /// files for other programs that were written; empty without `[export]`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<ExportReport>,
    /// what the reader should know before believing a number, in plain sentences
    #[serde(default)]
    pub warnings: Vec<String>,
    /// what to change in the config after a run without a gain
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_steps: Vec<String>,
    /// other remarks, in plain sentences
    #[serde(default)]
    pub notes: Vec<String>,
    /// names of external teachers whose predictions hardly are what the config says or do not fit the labels
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubted_teachers: Vec<String>,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Report {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // the derived function, which `remote` makes an inherent one
        Self::deserialize(NullAsNan::read(deserializer)?).map_err(D::Error::custom)
    }
}

/// What was learned from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetReport {
    /// name of the dataset
    pub name: String,
    /// number of classes
    pub n_classes: u64,
    /// training examples
    pub n_train: u64,
    /// validation examples
    pub n_valid: u64,
    /// test examples
    pub n_test: u64,
    /// hash of the data, as in the manifest
    pub fingerprint: String,

    // added
    /// hash over the examples of no class, if there are any
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_scope_fingerprint: Option<String>,
}

/// One evaluated model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    /// `generalist`, `ensemble`, `student`, `student_hard`, `student_generalist`, `generalist_ensemble`,
    /// `student_generalist_ensemble`, `shipped`, `shipped_twin` or `specialist_<i>`
    pub name: String,
    /// parameters; of all members for an ensemble
    pub n_parameters: u64,
    /// bytes of the weights
    pub bytes: u64,
    /// test top-1 accuracy
    pub top1: f64,
    /// test top-5 accuracy
    pub top5: f64,
    /// test negative log-likelihood in nats, mean over examples
    pub nll: f64,
    /// test expected calibration error
    pub ece: f64,
    /// validation top-1 accuracy of the same weights
    pub valid_top1: f64,
    /// seconds spent in training
    pub train_seconds: f64,
    /// floating-point operations of the training
    pub train_flops: f64,
    /// median milliseconds for one example
    pub latency_ms_p50: Option<f64>,
    /// milliseconds for one example that 95 of 100 do not exceed
    #[serde(default)]
    pub latency_ms_p95: Option<f64>,

    // added
    /// what the model is for
    #[serde(default)]
    pub role: ModelRole,
    /// share of test examples with the same top-1 class as the student's teacher
    #[serde(default)]
    pub agreement: Option<f64>,
    /// validation top-1 after the last epoch; `valid_top1` is of the reported epoch
    #[serde(default)]
    pub last_epoch_valid_top1: Option<f64>,
    /// epoch with the best validation result, counted from 1
    #[serde(default)]
    pub best_epoch: Option<u64>,
    /// epochs trained
    #[serde(default)]
    pub n_epochs: Option<u64>,
    /// mean F1 over the classes with test examples; null for specialists
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macro_f1: Option<f64>,
    /// mean recall over the classes with test examples; null for specialists
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced_accuracy: Option<f64>,
}

impl ModelReport {
    /// Whether it was trained elsewhere: its size and cost are not known.
    pub fn is_external(&self) -> bool {
        self.n_parameters == 0
    }
}

/// An export of the student that ships, or of the student where none ships.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReport {
    /// `html`, `onnx` or `c`
    pub form: String,
    /// the file to open first, relative to the run's folder
    pub path: String,
    /// bits of a weight that were asked for
    pub bits: u8,
    /// bytes of all files
    pub bytes: u64,
}

/// What was tried to make the student small, in the order of trying. Judged on the validation split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShipReport {
    /// bytes of the weights at most
    pub max_bytes: u64,
    /// points of validation top-1 that may be lost to the student
    pub max_loss: f64,
    /// the student's validation top-1
    pub student_valid_top1: f64,
    /// networks that were tried
    pub attempts: Vec<ShipAttempt>,

    // added
    /// each way to a small network by itself and without further training, where the config asks for it
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<ShipWay>,
}

/// The student made smaller in one way, without further training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShipWay {
    /// the way, for example `pruned units`
    pub way: String,
    /// how far, for example `units, channels and heads at 50 %`
    pub what: String,
    /// bytes of the weights
    pub bytes: u64,
    /// validation top-1
    pub valid_top1: f64,
    /// validation negative log-likelihood in nats
    pub valid_nll: f64,
}

/// A network that might ship.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShipAttempt {
    /// what was done to the student, for example `rounded to 4 bits`
    pub what: String,
    /// bytes of the weights
    pub bytes: u64,
    /// validation top-1; null where it was too large to be tried
    pub valid_top1: Option<f64>,
    /// validation negative log-likelihood in nats
    pub valid_nll: Option<f64>,
    /// mean divergence of its predictions from the student's on validation examples, in nats
    pub kl: Option<f64>,
    /// median time of one example on one thread, in milliseconds; null where it was not measured
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms_p50: Option<f64>,
    /// whether it ships
    pub is_shipped: bool,
}

impl fmt::Display for ShipAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, bytes(self.bytes))?;
        self.valid_top1.map_or(Ok(()), |top1| write!(f, ", {} % of the validation examples", percent(top1)))
    }
}

/// One specialist's classes and what it is worth there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterReport {
    /// labels of its classes
    pub classes: Vec<String>,
    /// validation accuracy that the generalist would gain if the specialist were never wrong inside its cluster
    pub oracle_gain: f64,
    /// the generalist's top-1 on test examples of these classes, predictions restricted to them
    pub generalist_conditional_top1: f64,
    /// the specialist's, on the same examples
    pub specialist_conditional_top1: f64,

    // added
    /// `specialist_conditional_top1 - generalist_conditional_top1`
    #[serde(default)]
    pub specialist_gain: f64,
    /// validation examples of these classes
    #[serde(default)]
    pub n_valid: u64,
    /// whether the specialist beats the generalist on test examples of its own classes
    #[serde(default)]
    pub helps: bool,
    /// whether it beats the generalist on validation examples of its own classes: advice goes by this
    #[serde(default)]
    pub helps_on_valid: Option<bool>,
    /// whether the ensemble merges it
    #[serde(default = "is_heard_by_default")]
    pub is_heard: bool,
    /// top-1 of the merged ensemble minus that of the ensemble without this specialist, on `n_left_out` test examples
    #[serde(default)]
    pub left_out_effect: Option<f64>,
    /// test examples of that comparison
    #[serde(default)]
    pub n_left_out: u64,
}

fn is_heard_by_default() -> bool {
    true
}

/// The paper's Table 3. Conditional: over all specialists, the test examples of their classes, predictions restricted
/// to these.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionalReport {
    /// examples that count, once for each specialist that covers their class
    pub n_examples: u64,
    /// the generalist's conditional top-1
    pub generalist_conditional_top1: f64,
    /// the merged ensemble's
    pub ensemble_conditional_top1: f64,
    /// the generalist's top-1 on all test examples
    pub generalist_top1: f64,
    /// the merged ensemble's
    pub ensemble_top1: f64,
}

/// The confidence of a network as it ships: its logits are divided by a temperature that was fitted on the validation split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationReport {
    /// name as in `models`, whose numbers are at temperature 1
    pub model: String,
    /// what the logits are divided by
    pub temperature: f64,
    /// test negative log likelihood at temperature 1, in nats
    pub nll_as_trained: f64,
    /// and with the fitted temperature
    pub nll: f64,
    /// test expected calibration error at temperature 1
    pub ece_as_trained: f64,
    /// and with the fitted temperature
    pub ece: f64,
    /// test examples by confidence, ascending; empty bins are left out
    pub bins: Vec<ReliabilityBin>,
    /// thresholds of the confidence, ascending
    pub thresholds: Vec<ThresholdRow>,
}

/// Test examples of about the same confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// lower end, which belongs to the bin
    pub lower: f64,
    /// upper end
    pub upper: f64,
    /// examples
    pub n_examples: u64,
    /// mean confidence
    pub confidence: f64,
    /// share that is right
    pub top1: f64,
}

/// What is refused below a confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdRow {
    /// share of the validation examples that it was chosen to refuse
    pub valid_refused: f64,
    /// the confidence, for `predict --threshold`
    pub threshold: f64,
    /// share of the test examples that are refused: false alarms
    pub test_refused: f64,
    /// top-1 of the others; null if there are none
    pub top1_of_kept: Option<f64>,
    /// share of the examples of no class that are refused; null without such examples
    pub others_refused: Option<f64>,
}

/// Detection of examples of no class by the largest value of `softmax(v/T)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutOfScopeReport {
    /// examples of no class; the others are all test examples
    pub n_examples: u64,
    /// the temperatures `T`
    pub temperatures: Vec<f64>,
    /// one row per model
    pub rows: Vec<OutOfScopeRow>,
}

/// One model's detection of examples of no class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutOfScopeRow {
    /// name as in `models`
    pub model: String,
    /// area under the ROC curve at each of the temperatures: 1 is perfect, 0.5 is chance
    pub aurocs: Vec<f64>,
}

/// A dustbin: mean predicted against observed share of other classes, and its calibration error, at three moments.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DustbinReport {
    /// share of validation examples of other classes
    pub observed: f64,
    /// mean probability as trained, on half own and half other examples
    pub uncorrected: f64,
    /// calibration error as trained
    pub uncorrected_ece: f64,
    /// mean probability after the correction by counted priors
    pub counted: f64,
    /// calibration error after the correction by counted priors
    pub counted_ece: f64,
    /// mean probability after a refit of the bias on these examples
    pub refit: f64,
    /// calibration error after the refit
    pub refit_ece: f64,
    /// shift of the refit in nats, on top of the counted correction
    pub refit_shift: f64,
    /// whether the merge uses the refit one
    pub uses_refit: bool,
}

/// A set of teachers: its cost and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortfolioPoint {
    /// networks that know every class
    pub n_generalists: u64,
    /// networks that know a cluster; 0 for a plain ensemble
    pub n_specialists: u64,
    /// specialists that know a class, mean over the classes
    pub coverage: f64,
    /// floating-point operations of all their trainings
    pub train_flops: f64,
    /// test top-1 of their merge, on `n_test` examples
    pub top1: f64,
    /// the same on the validation split, by which a choice should be made
    pub valid_top1: f64,
    /// test examples of that accuracy
    pub n_test: u64,
}

/// One row of the paper's Table 4.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoverageRow {
    /// number of specialists that cover the true class
    pub covering: u64,
    /// test examples with such a class
    pub n_examples: u64,
    /// examples that the ensemble gets right minus examples that the generalist gets right
    pub delta_correct: i64,
    /// `delta_correct` as a share of what the generalist gets right there
    pub relative_gain: f64,
}

impl Report {
    /// The model of that name, if it was evaluated.
    pub fn model(&self, role: Role) -> Option<&ModelReport> {
        self.models.iter().find(|model| Role::of_name(&model.name) == Some(role))
    }

    /// The teacher that the student learned from: the merged ensemble, or the only teacher where nothing was merged.
    pub fn students_teacher(&self) -> Role {
        self.model(Role::MergedEnsemble).map_or(Role::Generalist, |_| Role::MergedEnsemble)
    }

    /// The comparison of `a` with `b`, turned round if it was recorded the other way.
    pub fn comparison(&self, a: Role, b: Role) -> Option<Comparison> {
        let find = |a: Role, b: Role| {
            let is_of = |name: &str, role: Role| Role::of_name(name) == Some(role);
            self.comparisons.iter().find(|comparison| is_of(&comparison.a, a) && is_of(&comparison.b, b))
        };
        find(a, b).cloned().or_else(|| find(b, a).map(Comparison::reversed))
    }

    /// Models that a result table shows: all but the specialists, which see only their own classes. In their order, the
    /// student first.
    pub fn main_models(&self) -> Vec<&ModelReport> {
        self.sorted_models(|model| model.role != ModelRole::Specialist)
    }

    pub(crate) fn specialist_models(&self) -> Vec<&ModelReport> {
        self.sorted_models(|model| model.role == ModelRole::Specialist)
    }

    fn sorted_models(&self, is_shown: fn(&ModelReport) -> bool) -> Vec<&ModelReport> {
        let mut models: Vec<&ModelReport> = self.models.iter().filter(|model| is_shown(model)).collect();
        models.sort_by_key(|model| rank(&model.name));
        models
    }

    /// The same report, with a warning that names every number that is not finite, unless it has one.
    pub fn with_non_finite_named(&self) -> Self {
        const NOT_FINITE: &str = "Not finite, a training may have diverged";
        let (mut report, found) = (self.clone(), non_finite(self));
        if !found.is_empty() && !report.warnings.iter().any(|warning| warning.starts_with(NOT_FINITE)) {
            report.warnings.push(format!("{NOT_FINITE}: {}.", found.join(", ")));
        }
        report
    }

    /// `report.json`, with a warning that names what is not finite.
    pub fn to_json(&self) -> String {
        let report = self.with_non_finite_named();
        serde_json::to_string_pretty(&report).expect("a struct of numbers, strings and lists is valid JSON")
    }

    /// Reads `report.json`.
    ///
    /// # Errors
    /// Another format version, or text that is not a report.
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        match value.get("format_version").and_then(serde_json::Value::as_u64) {
            Some(got) if got != u64::from(FORMAT_VERSION) => Err(ReportError::Version { got }),
            _ => Ok(serde_json::from_value(value)?),
        }
    }
}
