//! The tables of an experiment's config.

use super::card::CardConfig;
use super::{ExportConfig, ExternalTeacherConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Temperature;
use stillhouse_data::{DataConfig, UnlabelledConfig};
use stillhouse_ensemble::{Calibration, ClusteringConfig, MergeConfig};
use stillhouse_models::{ModelConfig, TextInput, TokenizerConfig};
use stillhouse_targets::{Layout, SoftTargetsConfig};
use stillhouse_train::{DistillationConfig, ScheduleConfig, TrainingConfig};

/// One experiment, from a dataset to a student.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExperimentConfig {
    /// Name of the run and of its folder; the file's name by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = r"^[^/\\]+$"))]
    pub name: Option<String>,
    /// Root of every random stream: another seed gives other first weights, batches and carved splits.
    #[serde(default)]
    pub seed: u64,
    /// The examples and their labels: where they come from, and how they are divided into splits.
    pub data: DataConfig,
    /// The network that knows every class. Without it, the first external teacher that knows every class takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generalist: Option<GeneralistConfig>,
    /// Which classes go to which specialist. Without it there are no specialists: several generalists, or external
    /// teachers, are merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clustering: Option<ClusteringConfig>,
    /// The networks that learn one cluster each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specialists: Option<SpecialistsConfig>,
    /// Teachers that were trained elsewhere, in addition to the run's own or in place of them.
    #[serde(default, rename = "external_teacher", skip_serializing_if = "Vec::is_empty")]
    pub external_teachers: Vec<ExternalTeacherConfig>,
    /// How the predictions of all teachers are merged into one distribution.
    #[serde(default)]
    pub merge: MergeConfig,
    /// How soft targets are stored.
    #[serde(default)]
    pub soft_targets: SoftTargetsConfig,
    /// The small network that is shipped.
    pub student: StudentConfig,
    /// Makes the student small enough to ship, with less in its weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship: Option<ShipConfig>,
    /// Files for other programs that the run ends with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<ExportConfig>,
    /// What model hubs are told of the student.
    #[serde(default, skip_serializing_if = "CardConfig::is_empty")]
    #[schemars(extend("default" = {}))]
    pub card: CardConfig,
    /// Which models are compared with it, and what the report shows.
    #[serde(default)]
    pub evaluation: EvaluationConfig,
}

/// The network that knows every class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeneralistConfig {
    /// Architecture; the specialists have it too by default, each with its own head.
    pub model: ModelConfig,
    /// How its texts become tokens; only for architectures that read tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerConfig>,
    /// How it is trained.
    pub training: TrainingConfig,
    /// Number of generalists, which differ only in their seeds. All of them are teachers; specialists start from them in
    /// turn.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = MAX_GENERALISTS))]
    pub n_models: usize,
}

fn one() -> usize {
    1
}

/// The networks that learn one cluster each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpecialistsConfig {
    /// Architecture; the generalist's by default. Another one needs `init = "scratch"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelConfig>,
    /// How its texts become tokens; the generalist's by default. Another one needs `init = "scratch"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerConfig>,
    /// Outputs of a specialist.
    #[serde(default)]
    pub head: SpecialistHead,
    /// Weights that a specialist starts from.
    #[serde(default)]
    pub init: SpecialistInit,
    /// Which weights are trained.
    #[serde(default)]
    pub body: SpecialistBody,
    /// How the dustbin's final bias is computed; `refit` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dustbin_bias: Option<DustbinBias>,
    /// Which specialists are merged.
    #[serde(default)]
    pub keep: KeepSpecialists,
    /// How each specialist is trained.
    pub training: TrainingConfig,
}

impl SpecialistsConfig {
    /// Whether dustbins' biases are fitted on the validation split.
    pub fn refits_dustbins(&self) -> bool {
        self.head == SpecialistHead::Dustbin && self.dustbin_bias != Some(DustbinBias::Counted)
    }
}

/// Outputs of a specialist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpecialistHead {
    /// Its own classes and one dustbin for every other class.
    #[default]
    Dustbin,
    /// Every class: hard labels on its own classes, the generalist's soft targets on the others (paper, sec. 6.1).
    FullSoftmax,
}

/// Weights that a specialist starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpecialistInit {
    /// The generalist's (paper, sec. 5.2); of several generalists the i-th specialist takes number i mod n.
    #[default]
    Generalist,
    /// Its own random ones: more training, and predictions that differ more from the generalist's.
    Scratch,
}

/// Which weights of a specialist are trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpecialistBody {
    /// All of them.
    #[default]
    Trained,
    /// The head only, on features that the generalist's body computes once for each example, without augmentation.
    Frozen,
}

/// How the dustbin's final bias is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DustbinBias {
    /// The trained bias, corrected by counted priors (paper, sec. 5.2).
    Counted,
    /// The same plus a shift that is fitted on the validation split.
    Refit,
}

/// Which specialists are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepSpecialists {
    /// Every specialist that was trained.
    #[default]
    All,
    /// Those that beat the generalist on the validation examples of their own classes.
    Helpful,
    /// Added one at a time, each time the one that lowers the validation loss of the merge most, until none lowers it.
    Greedy,
}

/// The small network that is shipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudentConfig {
    /// Architecture of the student.
    pub model: ModelConfig,
    /// How its texts become tokens, not necessarily as its teachers' do; only for architectures that read tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerConfig>,
    /// How it is trained; students on other targets (`evaluation.baselines`) are trained the same way.
    pub training: TrainingConfig,
    /// How it learns from soft targets: the loss, and its weight and that of the labels.
    #[serde(default)]
    pub distillation: DistillationConfig,
    /// Views of each example, augmented or mixed, for which soft targets are stored; teachers and student see the same ones. 0:
    /// the example itself, for the student on hard labels too; so it is where nothing is augmented or mixed.
    #[serde(default = "default_views")]
    #[schemars(range(max = MAX_VIEWS))]
    pub views: u32,
    /// Views that mix two examples, for students on soft targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<MixConfig>,
    /// Which of the training examples it learns from, and the student on hard labels too; all of them by default. Teachers learn
    /// from all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples: Option<StudentExamplesConfig>,
    /// Examples without labels that it learns from too, by its teachers' soft targets. The student on hard labels has no use
    /// for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<UnlabelledConfig>,
    /// Of the examples without labels, only those to whose most probable class the student's teacher gives at least this
    /// probability, in the mean of the views. Students on other targets learn from the same examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub min_confidence: Option<f64>,
}

/// Views that mix two examples: images and features are added, texts spliced (Beyer et al. 2022, function matching). Teachers
/// are asked about the mixed view, which has no label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MixConfig {
    /// Part of the views that are mixed; the others show one example.
    #[serde(default = "all_views")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub share: f64,
}

fn all_views() -> f64 {
    1.0
}

/// The training examples that students learn from: paper, sec. 3 (classes left out) and 6 (3 % of the data).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudentExamplesConfig {
    /// Part of each class's examples, seeded; at least one of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub fraction: Option<f64>,
    /// Names of classes that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_classes: Vec<String>,
}

impl StudentConfig {
    /// The temperature of its soft targets; 1 for a loss without one.
    pub fn temperature(&self) -> Temperature {
        self.distillation.temperature().unwrap_or(Temperature::ONE)
    }
}

fn default_views() -> u32 {
    4
}

/// The student in few bytes: its weights are rounded to few bits, and it goes on learning from its soft targets with rounded
/// weights, which needs no teacher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipConfig {
    /// Bytes of the weights at most.
    #[schemars(range(min = 1))]
    #[schemars(extend("examples" = [200_000]))]
    pub max_bytes: u64,
    /// Points of top-1 accuracy on the validation split that it may lose to the student.
    #[serde(default = "one_point")]
    #[schemars(range(min = 0, max = 100))]
    pub max_loss: f64,
    /// Bits of a weight that may be tried; the most that fit are taken.
    #[serde(default = "all_bits")]
    #[schemars(length(min = 1), inner(range(min = 2, max = 8)))]
    pub bits: Vec<u8>,
    /// Shares of their numbers that the linear layers may be brought down to, as products of two factors; each is tried where it
    /// leaves room for more bits than the whole layers have.
    #[serde(default = "some_shares")]
    #[schemars(inner(range(min = 0, max = 1)))]
    pub low_rank: Vec<f64>,
    /// Shares of their numbers that layers with hidden units, channels inside a residual block, and heads may be brought down to
    /// with fewer of these; each is tried where it leaves room for more bits.
    #[serde(default = "some_shares")]
    #[schemars(inner(range(min = 0, max = 1)))]
    pub pruning: Vec<f64>,
    /// Shares of the layers of a transformer, or of the blocks of a residual network that keep their input's shape, that may stay; one
    /// stays at least. Each is tried where it leaves room for more bits.
    #[serde(default = "half")]
    #[schemars(inner(range(min = 0, max = 1)))]
    pub layers: Vec<f64>,
    /// Whether the report shows each way to a small network by itself too, without further training: bits, low rank, pruning, fewer
    /// layers; and, as controls, plain SVD and the smallest weights at 0.
    #[serde(default)]
    pub compare_ways: bool,
    /// How it goes on learning. By default as the student, for a quarter of its epochs, with a rate that falls from three tenths of
    /// the student's highest to 0; and where nothing is within `max_loss` then, the nearest form for as long as the student has learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingConfig>,
}

fn one_point() -> f64 {
    1.0
}

fn all_bits() -> Vec<u8> {
    vec![8, 6, 5, 4, 3, 2]
}

fn half() -> Vec<f64> {
    vec![0.5]
}

fn some_shares() -> Vec<f64> {
    vec![0.75, 0.5, 0.25]
}

/// Share of the student's epochs in which the shipped network goes on learning.
const RECOVERY_EPOCHS: f64 = 0.25;
/// Its first learning rate, as a share of the student's highest.
const RECOVERY_RATE: f64 = 0.3;

/// Which models are compared with the student, and what the report shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Models that the student and the ensemble are compared with. `student_hard` is always trained: `gain_kept` needs it.
    #[serde(default = "all_baselines")]
    pub baselines: Vec<Baseline>,
    /// Test examples whose soft targets the report shows.
    #[serde(default = "default_n_samples")]
    pub n_samples: usize,
    /// Examples that belong to no class: the report says how well each model's confidence separates them from test examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_scope: Option<UnlabelledConfig>,
}

/// A model to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// A student that is trained on hard labels.
    StudentHard,
    /// A student that is trained on the generalist's soft targets.
    StudentGeneralist,
    /// An ensemble of generalists that costs as much training as generalist and specialists.
    GeneralistEnsemble,
    /// A student that is trained on that ensemble's soft targets.
    StudentGeneralistEnsemble,
}

fn all_baselines() -> Vec<Baseline> {
    use Baseline::{GeneralistEnsemble, StudentGeneralist, StudentGeneralistEnsemble, StudentHard};
    vec![StudentHard, StudentGeneralist, GeneralistEnsemble, StudentGeneralistEnsemble]
}

fn default_n_samples() -> usize {
    8
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { baselines: all_baselines(), n_samples: default_n_samples(), out_of_scope: None }
    }
}

impl EvaluationConfig {
    /// Whether a baseline is trained: it is listed, or another one that is listed needs it.
    pub fn wants(&self, baseline: Baseline) -> bool {
        let listed = |baseline| self.baselines.contains(&baseline);
        match baseline {
            Baseline::StudentHard => true,
            Baseline::GeneralistEnsemble => listed(baseline) || listed(Baseline::StudentGeneralistEnsemble),
            other => listed(other),
        }
    }
}

/// Whether an architecture reads tokens, for which it needs a tokenizer.
pub(super) fn takes_tokens(model: &ModelConfig) -> bool {
    matches!(model.text_input(), Some(TextInput::Tokens { .. }))
}

impl ExperimentConfig {
    /// Whether students on soft targets see views of the examples, augmented or mixed.
    pub fn student_has_views(&self) -> bool {
        (self.data.is_augmented() || self.student.mix.is_some()) && self.student.views > 0
    }

    /// Whether students learn from the examples themselves though others learn from augmented views.
    pub fn is_plain_for_students(&self) -> bool {
        self.data.is_augmented() && !self.student_has_views()
    }

    /// Whether there is one teacher and it is taken as it is: nothing is merged or calibrated.
    pub fn has_one_teacher(&self) -> bool {
        let n_teachers = self.n_generalists() + self.external_teachers.len();
        n_teachers == 1 && self.specialists.is_none() && self.merge.calibration == Calibration::None
    }

    /// Says that the config asks for a way to merge though there is one teacher.
    pub fn unused_merge(&self) -> Option<&'static str> {
        let text = "[merge] is not used: there is one teacher, which is taken as it is";
        (self.has_one_teacher() && self.merge != MergeConfig::default()).then_some(text)
    }

    /// Generalists that the run trains.
    pub fn n_generalists(&self) -> usize {
        self.generalist.as_ref().map_or(0, |generalist| generalist.n_models)
    }

    /// Architecture of the specialists; none without specialists.
    pub fn specialist_model(&self) -> Option<&ModelConfig> {
        let specialists = self.specialists.as_ref()?;
        specialists.model.as_ref().or(self.generalist.as_ref().map(|generalist| &generalist.model))
    }

    /// Tokenizer of the specialists; none for architectures that read no tokens.
    pub fn specialist_tokenizer(&self) -> Option<&TokenizerConfig> {
        let generalist = self.generalist.as_ref().and_then(|generalist| generalist.tokenizer.as_ref());
        let own = self.specialists.as_ref().and_then(|specialists| specialists.tokenizer.as_ref());
        own.or(generalist).filter(|_| self.specialist_model().is_some_and(takes_tokens))
    }

    /// How the shipped network goes on learning after its weights were rounded.
    pub fn recovery_training(&self, ship: &ShipConfig) -> TrainingConfig {
        ship.training.clone().unwrap_or_else(|| recovery_of(&self.student.training))
    }

    /// The layout of a store of `n_rows` rows of soft targets for the student.
    pub(crate) fn soft_targets_layout(&self, n_rows: usize, n_classes: usize) -> Layout {
        let student = &self.student;
        self.soft_targets.layout(n_rows, n_classes, student.temperature(), student.distillation.needs_all_classes())
    }

    /// The architectures that the config names, each with its key path; an inherited one is not repeated.
    pub(crate) fn models(&self) -> Vec<(&'static str, &ModelConfig)> {
        let generalist = self.generalist.as_ref().map(|generalist| ("generalist.model", &generalist.model));
        let own = self.specialists.as_ref().and_then(|specialists| specialists.model.as_ref());
        let student = ("student.model", &self.student.model);
        generalist.into_iter().chain(own.map(|model| ("specialists.model", model))).chain([student]).collect()
    }
}

/// How a network that was trained so goes on learning after its weights were rounded.
pub(super) fn recovery_of(student: &TrainingConfig) -> TrainingConfig {
    let n_epochs = (student.n_epochs as f64 * RECOVERY_EPOCHS).ceil() as usize;
    let schedule = ScheduleConfig::cosine(RECOVERY_RATE * student.schedule.peak());
    TrainingConfig { n_epochs, schedule, ..student.clone() }
}

/// A typing error beyond this: each of them is a whole training.
const MAX_GENERALISTS: usize = 1000;
/// A typing error beyond this: each view of each example has soft targets of its own.
const MAX_VIEWS: u32 = 1 << 20;
