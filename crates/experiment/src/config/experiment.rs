//! The tables of an experiment's config.

use super::{Classes, ExternalTeacherConfig, SoftTargetsConfig};
use crate::role::Section;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Temperature;
use stillhouse_data::{DataConfig, UnlabelledConfig};
use stillhouse_ensemble::{Calibration, ClusteringConfig, HeldOutPredictions, MergeConfig, Soften};
use stillhouse_models::{ModelConfig, TextInput, TokenizerConfig};
use stillhouse_train::{DistillationConfig, DistillationLoss, TrainingConfig};

/// One experiment, from a dataset to a student.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExperimentConfig {
    /// Name of the run and of its folder; the file's name by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Root of every random stream.
    #[serde(default)]
    pub seed: u64,
    /// Examples and labels.
    pub data: DataConfig,
    /// The network that knows every class. Without it, the first external teacher that knows every class stands in its
    /// place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generalist: Option<GeneralistConfig>,
    /// Which classes go to which specialist. Without it there are no specialists: several generalists, or external
    /// teachers, are merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clustering: Option<ClusteringConfig>,
    /// The networks for one cluster each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specialists: Option<SpecialistsConfig>,
    /// Teachers that were trained elsewhere, beside the run's own or instead of them.
    #[serde(default, rename = "external_teacher", skip_serializing_if = "Vec::is_empty")]
    pub external_teachers: Vec<ExternalTeacherConfig>,
    /// How all of them become one distribution.
    #[serde(default)]
    pub merge: MergeConfig,
    /// How soft targets are stored.
    #[serde(default)]
    pub soft_targets: SoftTargetsConfig,
    /// The small network that is shipped.
    pub student: StudentConfig,
    /// What is measured beside it.
    #[serde(default)]
    pub evaluation: EvaluationConfig,
}

/// The network that knows every class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeneralistConfig {
    /// Architecture; the specialists have the same with their own heads.
    pub model: ModelConfig,
    /// How its texts become tokens; only for models of tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerConfig>,
    /// How it is trained.
    pub training: TrainingConfig,
    /// Generalists that differ in their seeds alone; all of them are teachers, and specialists start from them in turn.
    #[serde(default = "one")]
    pub n_models: usize,
}

fn one() -> usize {
    1
}

/// The networks for one cluster each.
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
    /// Which of these weights are trained.
    #[serde(default)]
    pub body: SpecialistBody,
    /// Where the dustbin's final bias comes from; `refit` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dustbin_bias: Option<DustbinBias>,
    /// Which specialists the merge hears.
    #[serde(default)]
    pub keep: KeepSpecialists,
    /// How each is trained.
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
    /// The generalist's (paper, sec. 5.1); of several generalists the i-th specialist takes number i mod n.
    #[default]
    Generalist,
    /// Its own seeded ones: dearer, and more different from the generalist.
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

/// Where the dustbin's final bias comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DustbinBias {
    /// Training, corrected by counted priors (paper, sec. 5.1).
    Counted,
    /// The same with one more shift, fitted on the validation split.
    Refit,
}

/// Which specialists the merge hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepSpecialists {
    /// Every one that was trained.
    #[default]
    All,
    /// Those that beat the generalist on the validation examples of their own classes.
    Helpful,
    /// Chosen one after the other by how far each lowers the validation loss of the merge, until none does.
    Greedy,
}

/// The small network that is shipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudentConfig {
    /// Architecture.
    pub model: ModelConfig,
    /// How its texts become tokens, which may be another way than its teachers'; only for models of tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerConfig>,
    /// How it is trained; its twins on other targets are trained alike.
    pub training: TrainingConfig,
    /// Loss and weights.
    #[serde(default)]
    pub distillation: DistillationConfig,
    /// Augmented views of each example for which soft targets are stored; teachers and student see the same ones.
    /// Without augmentation there is one, the example itself.
    #[serde(default = "default_views")]
    pub views: u32,
    /// Texts without labels that it learns from beside the training examples, by what its teachers say about them. The
    /// twin on hard labels cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<UnlabelledConfig>,
}

impl StudentConfig {
    /// The temperature of its soft targets; 1 for a loss without one.
    pub fn temperature(&self) -> Temperature {
        match &self.distillation.loss {
            DistillationLoss::SoftCrossEntropy(loss) => loss.temperature,
            _ => Temperature::ONE,
        }
    }
}

fn default_views() -> u32 {
    4
}

/// What is measured beside the student.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Models that the student and the ensemble are compared with. `student_hard` is always trained: `gain_kept` needs it.
    #[serde(default = "all_baselines")]
    pub baselines: Vec<Baseline>,
    /// Test examples whose soft targets the report shows.
    #[serde(default = "default_n_samples")]
    pub n_samples: usize,
    /// Texts that belong to no class: the report tells how well each model's confidence knows them from test examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_scope: Option<UnlabelledConfig>,
}

/// A model to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// The student's twin on hard labels.
    StudentHard,
    /// The student's twin on the generalist's soft targets.
    StudentGeneralist,
    /// Generalists that together cost as much training as generalist and specialists.
    GeneralistEnsemble,
    /// The student's twin on that ensemble's soft targets.
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
    /// Whether a baseline is asked for, itself or by another that needs it.
    pub fn wants(&self, baseline: Baseline) -> bool {
        let listed = |baseline| self.baselines.contains(&baseline);
        match baseline {
            Baseline::StudentHard => true,
            Baseline::GeneralistEnsemble => listed(baseline) || listed(Baseline::StudentGeneralistEnsemble),
            other => listed(other),
        }
    }
}

/// Whether an architecture works on tokens, for which it needs a tokenizer.
fn takes_tokens(model: &ModelConfig) -> bool {
    matches!(model.text_input(), Some(TextInput::Tokens { .. }))
}

impl ExperimentConfig {
    /// Generalists that the run trains.
    pub fn n_generalists(&self) -> usize {
        self.generalist.as_ref().map_or(0, |generalist| generalist.n_models)
    }

    /// Architecture of the specialists; none without specialists.
    pub fn specialist_model(&self) -> Option<&ModelConfig> {
        let specialists = self.specialists.as_ref()?;
        specialists.model.as_ref().or(self.generalist.as_ref().map(|generalist| &generalist.model))
    }

    /// Tokenizer of the specialists; none for models without one.
    pub fn specialist_tokenizer(&self) -> Option<&TokenizerConfig> {
        let generalist = self.generalist.as_ref().and_then(|generalist| generalist.tokenizer.as_ref());
        let own = self.specialists.as_ref().and_then(|specialists| specialists.tokenizer.as_ref());
        own.or(generalist).filter(|_| self.specialist_model().is_some_and(takes_tokens))
    }

    /// The architectures that the config names, each with its key path; one that is inherited is not named again.
    pub(crate) fn models(&self) -> Vec<(&'static str, &ModelConfig)> {
        let generalist = self.generalist.as_ref().map(|generalist| ("generalist.model", &generalist.model));
        let own = self.specialists.as_ref().and_then(|specialists| specialists.model.as_ref());
        let student = ("student.model", &self.student.model);
        generalist.into_iter().chain(own.map(|model| ("specialists.model", model))).chain([student]).collect()
    }

    /// Tokenizers that are out of range, missing, or of no use.
    fn tokenizer_problems(&self) -> Vec<(String, String)> {
        let generalist = self.generalist.as_ref();
        let specialists = self.specialists.as_ref();
        let roles = [
            (Section::Generalist, generalist.map(|g| &g.model), generalist.and_then(|g| g.tokenizer.as_ref()), None),
            (
                Section::Specialists,
                specialists.and(self.specialist_model()),
                specialists.and_then(|s| s.tokenizer.as_ref()),
                generalist.and_then(|g| g.tokenizer.as_ref()),
            ),
            (Section::Student, Some(&self.student.model), self.student.tokenizer.as_ref(), None),
        ];
        let mut problems = Vec::new();
        for (role, model, own, inherited) in roles {
            let key = format!("{role}.tokenizer");
            let needs_one = model.is_some_and(takes_tokens);
            if needs_one && own.or(inherited).is_none() {
                let text = "missing; the model takes tokens, for example { kind = \"bpe\", vocabulary_size = 4000 }";
                problems.push((key.clone(), text.into()));
            }
            if own.is_some() && !needs_one {
                problems.push((key.clone(), "the model takes no tokens, expected none".into()));
            }
            problems.extend(own.iter().flat_map(|own| own.validate()).map(|text| split_key(&key, &text)));
        }
        problems
    }

    /// Everything out of range: path and sentence of each.
    pub(crate) fn out_of_range(&self) -> Vec<(String, String)> {
        let of = |training: Option<&TrainingConfig>| training.map(TrainingConfig::validate).unwrap_or_default();
        let tables = [
            ("data", self.data.validate()),
            ("generalist.training", of(self.generalist.as_ref().map(|generalist| &generalist.training))),
            ("clustering", self.clustering.as_ref().map(ClusteringConfig::validate).unwrap_or_default()),
            ("specialists.training", of(self.specialists.as_ref().map(|specialists| &specialists.training))),
            ("merge", self.merge.validate()),
            ("student.training", self.student.training.validate()),
            ("student.distillation", self.student.distillation.validate()),
        ];
        let mut problems: Vec<(String, String)> = tables
            .into_iter()
            .flat_map(|(table, found)| found.into_iter().map(move |text| split_key(table, &text)))
            .collect();
        if let Some(generalist) = self.generalist.as_ref().filter(|g| !(1..=MAX_GENERALISTS).contains(&g.n_models)) {
            let text = format!("must be between 1 and {MAX_GENERALISTS}, found {}", generalist.n_models);
            problems.push(("generalist.n_models".into(), text));
        }
        problems.extend(self.missing_tables());
        problems.extend(self.tokenizer_problems());
        let of_model = |(key, model): (&'static str, &ModelConfig)| {
            model.problems().into_iter().map(|text| split_key(key, &text)).collect::<Vec<_>>()
        };
        problems.extend(self.models().into_iter().flat_map(of_model));
        problems.extend(self.specialists.iter().flat_map(|specialists| self.impossible_specialists(specialists)));
        problems.extend(self.clustering_problems());
        problems.extend(self.external_problems());
        let is_soft = matches!(self.student.distillation.loss, DistillationLoss::SoftCrossEntropy(_));
        if self.merge.soften == Soften::BeforeMerge && !is_soft {
            let text = "before_merge needs the loss soft_cross_entropy, whose temperature it applies";
            problems.push(("merge.soften".into(), text.into()));
        }
        if self.merge.soften == Soften::BeforeMerge && self.merge.calibration != Calibration::None {
            let text = "is fitted to what teachers say at T = 1, expected none with soften = \"before_merge\"";
            problems.push(("merge.calibration".into(), text.into()));
        }
        problems.extend(self.soft_targets.out_of_range(&self.student));
        problems.extend(self.unlabelled_problems());
        if !(1..=MAX_VIEWS).contains(&self.student.views) {
            let text = format!("must be between 1 and {MAX_VIEWS}, found {}", self.student.views);
            problems.push(("student.views".into(), text));
        }
        if self.name.as_ref().is_some_and(|name| name.is_empty() || name.contains(['/', '\\'])) {
            problems.push(("name".into(), "must be a plain folder name".into()));
        }
        problems
    }

    /// Tables that this combination of teachers needs.
    fn missing_tables(&self) -> Vec<(String, String)> {
        let missing = |table: &str, why: &str| (table.to_owned(), format!("missing; {why}"));
        let mut problems = Vec::new();
        let has_complete = self.external_teachers.iter().any(|teacher| teacher.classes == Classes::All);
        if self.generalist.is_none() && !has_complete {
            problems.push(missing("generalist", "or an [[external_teacher]] that knows every class"));
        }
        match (&self.clustering, &self.specialists) {
            (None, None) if self.external_teachers.is_empty() && self.n_generalists() < 2 => {
                problems.push(missing("clustering", NOTHING_TO_MERGE));
                problems.push(missing("specialists", NOTHING_TO_MERGE));
            }
            (None, Some(_)) => problems.push(missing("clustering", "the specialists need clusters of classes")),
            (Some(_), None) => problems.push(missing("specialists", "the clusters are for specialists")),
            _ => {}
        }
        problems
    }

    /// What these specialists would need and do not have.
    fn impossible_specialists(&self, specialists: &SpecialistsConfig) -> Vec<(String, String)> {
        let problem = |key: &str, text: &str| (format!("specialists.{key}"), text.to_owned());
        let mut problems = Vec::new();
        if specialists.body == SpecialistBody::Frozen && specialists.init == SpecialistInit::Scratch {
            let text = "a frozen body is the generalist's, expected `init = \"generalist\"`, found \"scratch\"";
            problems.push(problem("body", text));
        }
        if specialists.head == SpecialistHead::FullSoftmax && specialists.dustbin_bias == Some(DustbinBias::Refit) {
            let text = "a full_softmax head has no dustbin to refit, expected \"counted\"";
            problems.push(problem("dustbin_bias", text));
        }
        let has_own_model = specialists.model.is_some() || specialists.tokenizer.is_some();
        if self.generalist.is_none() && specialists.model.is_none() {
            problems.push(problem("model", "missing; there is no generalist whose architecture it could be"));
        }
        if specialists.init == SpecialistInit::Generalist && (self.generalist.is_none() || has_own_model) {
            let text = "weights of another architecture, or of no network at all, expected \"scratch\"";
            problems.push(problem("init", text));
        }
        let text_input = |model: &ModelConfig| model.text_input();
        let of_generalist = self.generalist.as_ref().map(|generalist| text_input(&generalist.model));
        let of_specialist = self.specialist_model().map(text_input);
        if specialists.head == SpecialistHead::FullSoftmax && of_generalist.is_some() && of_generalist != of_specialist
        {
            let text = "a full_softmax head learns from a generalist that sees the very same n-grams or tokens";
            problems.push(problem("model", text));
        }
        if specialists.head == SpecialistHead::FullSoftmax && self.generalist.is_none() {
            let text = "a full_softmax head learns from a generalist of this run, expected \"dustbin\"";
            problems.push(problem("head", text));
        }
        problems
    }

    fn clustering_problems(&self) -> Vec<(String, String)> {
        let predictions = self.clustering.as_ref().map(|clustering| &clustering.predictions);
        match predictions {
            Some(HeldOutPredictions::OutOfFold(_)) if self.generalist.is_none() => {
                let text = "out_of_fold trains the generalist on folds, expected a [generalist] or \"validation\"";
                vec![("clustering.predictions".into(), text.into())]
            }
            _ => Vec::new(),
        }
    }

    /// Texts without labels that cannot be, for the student or for the evaluation.
    fn unlabelled_problems(&self) -> Vec<(String, String)> {
        let tables =
            [("student.transfer", &self.student.transfer), ("evaluation.out_of_scope", &self.evaluation.out_of_scope)];
        let mut problems = Vec::new();
        if let (Some(transfer), Some(out_of_scope)) = (&self.student.transfer, &self.evaluation.out_of_scope)
            && (&transfer.path, &transfer.list) == (&out_of_scope.path, &out_of_scope.list)
        {
            let text = "the same texts as student.transfer, expected some that no model was trained on";
            problems.push(("evaluation.out_of_scope".into(), text.into()));
        }
        for (table, config) in tables {
            let Some(config) = config else { continue };
            problems.extend(config.validate().iter().map(|text| split_key(table, text)));
            if !self.data.is_text() {
                problems.push((table.into(), "needs data of texts, of the kind table".into()));
            }
            if !self.external_teachers.is_empty() {
                let text = "external teachers have not seen these texts, expected none";
                problems.push((table.into(), text.into()));
            }
        }
        problems
    }

    fn external_problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for (idx, teacher) in self.external_teachers.iter().enumerate() {
            let table = format!("external_teacher[{idx}]");
            problems.extend(teacher.out_of_range().iter().map(|text| split_key(&table, text)));
            if self.external_teachers[..idx].iter().any(|other| other.name == teacher.name) {
                problems.push((format!("{table}.name"), format!("\"{}\" is taken by an earlier one", teacher.name)));
            }
        }
        if !self.external_teachers.is_empty() && self.data.is_augmented() {
            let text = "external teachers have not seen the augmented views, expected none";
            problems.push(("data.augment".into(), text.into()));
        }
        problems
    }
}

/// A typing error beyond this: each of them is a whole training.
const MAX_GENERALISTS: usize = 1000;
/// A typing error beyond this: each view of each example has soft targets of its own.
const MAX_VIEWS: u32 = 1 << 20;
const NOTHING_TO_MERGE: &str = "without specialists one generalist has nothing to be merged with";

/// Splits `key: sentence` of a table into a whole path and the sentence.
pub(super) fn split_key(table: &str, problem: &str) -> (String, String) {
    match problem.split_once(": ") {
        Some((key, text)) if !key.contains(' ') => (format!("{table}.{key}"), text.to_owned()),
        _ => (table.to_owned(), problem.to_owned()),
    }
}
