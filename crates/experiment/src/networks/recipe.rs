//! What decides a training: one recipe for each network, and the key of its stage.
//!
//! Generalist, specialist and student differ in their goal (what they are trained to match), in the weights that they
//! start from and in the examples that they see. Everything else follows from these.
//!
//! C classes of the dataset, L classes of a specialist.

use crate::config::{SpecialistBody, SpecialistHead, SpecialistInit};
use crate::error::{ExperimentError, Result};
use crate::networks::artifacts::{Clustered, Trained};
use crate::networks::memory::MemoryNeed;
use crate::networks::student_targets::{StudentTargets, TargetsInPassing};
use crate::networks::tokenizer::tokenizer_stage;
use crate::planning::PlannedTargets;
use crate::role::{Role, Section};
use crate::session::Session;
use crate::stage::Stage;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillhouse_core::{ClassSubset, Seed};
use stillhouse_data::Split;
use stillhouse_ensemble::dustbin_logit_shift;
use stillhouse_models::{HeadInit, ModelConfig, Reductions, TokenizerConfig};
use stillhouse_train::{
    DistillationConfig, EpochObjective, ImbalanceConfig, LabelView, Objective, Sampler, TrainingConfig, Validation,
    ViewPolicy,
};

/// Raise this when trainings compute something else from the same recipe.
const CODE_VERSION: u32 = 8;

/// What a network is trained to match.
pub(crate) enum Goal<'a> {
    /// The labels of all classes.
    Labels,
    /// The labels of one cluster, and a dustbin for all other classes (paper, sec. 5.2).
    Dustbin(&'a ClassSubset),
    /// The labels of one cluster, and the generalist's soft targets for examples of other classes (sec. 6.1).
    FullSoftmax(&'a ClassSubset, &'a Trained),
    /// A teacher's soft targets, with the labels or without them.
    SoftTargets(StudentTargets<'a>, &'a DistillationConfig),
}

impl Goal<'_> {
    /// The classes of a specialist.
    pub fn cluster(&self) -> Option<&ClassSubset> {
        match self {
            Self::Dustbin(cluster) | Self::FullSoftmax(cluster, _) => Some(cluster),
            Self::Labels | Self::SoftTargets(..) => None,
        }
    }

    /// How the network numbers the classes.
    pub fn labels(&self) -> LabelView {
        match self {
            Self::Dustbin(cluster) => LabelView::Dustbin((*cluster).clone()),
            Self::Labels | Self::FullSoftmax(..) | Self::SoftTargets(..) => LabelView::Global,
        }
    }
}

/// What students on soft targets learn from.
pub(crate) struct Taught {
    pub examples: Split,
    /// What decided which examples these are, where they are not all.
    pub choice: Option<String>,
}

/// A training of the head alone.
#[derive(Clone, Copy)]
pub(crate) struct HeadOnly<'a> {
    /// Trainings that share one pass of the body over the training split.
    pub n_sharing: usize,
    /// The body's features of the training split, `[N, F]`; there whenever the training is still to be done.
    pub features: Option<&'a Split>,
}

/// Everything that decides a training.
pub(crate) struct Recipe<'a> {
    pub role: Role,
    /// Name and number of its stage: `generalist_1` is a member of the plain ensemble, `fold_0` a generalist too.
    kind: &'static str,
    index: Option<usize>,
    pub model: &'a ModelConfig,
    /// How texts become tokens, for models of tokens.
    pub tokenizer: Option<&'a TokenizerConfig>,
    pub training: &'a TrainingConfig,
    pub seed: Seed,
    /// The network whose weights it starts from; its own seeded weights without one.
    pub start: Option<&'a Trained>,
    /// Whether only the head is trained, on features of the network that it starts from.
    pub frozen: Option<HeadOnly<'a>>,
    pub examples: Split,
    /// What tells the examples and views of a student from all of them.
    choice: Option<String>,
    /// The fold of the training split that is left out, and the number of folds.
    fold: Option<(usize, usize)>,
    pub goal: Goal<'a>,
    pub sampler: Sampler,
    /// Added to the dustbin's logit, in nats: it turns the odds of training back into the odds of the data.
    pub counted_shift: f64,
    /// Bits of its weights; 32 without them.
    pub bits: Option<u8>,
    /// What it has less of than its architecture says.
    pub reductions: Reductions,
}

impl<'a> Recipe<'a> {
    /// The generalist (member 0), or another one that differs in its seed alone.
    pub fn generalist(session: &Session<'a>, member: usize) -> Self {
        let config = session.config.generalist.as_ref().expect("only configs with a generalist train any");
        let kind = Role::Generalist.kind();
        Self {
            role: Role::Generalist,
            kind,
            index: (member > 0).then_some(member),
            model: &config.model,
            tokenizer: config.tokenizer.as_ref(),
            training: &config.training,
            seed: session.seed.derive(kind, member as u64),
            start: None,
            frozen: None,
            examples: session.data.train.clone(),
            choice: None,
            fold: None,
            goal: Goal::Labels,
            sampler: sampler(&config.training, &session.data.train),
            counted_shift: 0.0,
            bits: None,
            reductions: Reductions::default(),
        }
    }

    /// A generalist that is trained on these examples, all but one fold, and predicts the fold.
    pub fn fold(session: &Session<'a>, fold_idx: usize, n_folds: usize, examples: Split) -> Self {
        let fold = Some((fold_idx, n_folds));
        let generalist = Self::generalist(session, 0);
        let sampler = sampler(generalist.training, &examples);
        Self { kind: "fold", index: Some(fold_idx), examples, fold, sampler, ..generalist }
    }

    /// The specialist of a cluster. Half of its examples are of its own classes, half are drawn from all others (paper,
    /// sec. 5.2); after training, the odds of its dustbin are brought back to those of the data.
    ///
    /// # Errors
    /// A cluster of which the training split has no example, or nothing else.
    pub fn specialist(
        session: &Session<'a>,
        generalists: &'a [Trained],
        clustered: &'a Clustered,
        cluster_idx: usize,
    ) -> Result<Self> {
        let config = session.config.specialists.as_ref().expect("only configs with specialists train any");
        let clusters = clustered.clustering.clusters();
        let cluster = &clusters[cluster_idx];
        let generalist = generalists.get(cluster_idx % generalists.len().max(1));
        let its_generalist =
            || generalist.expect("the config asks for a generalist of the run only where there is one");
        let role = Role::Specialist(cluster_idx);
        let n_sharing = clusters.len().div_ceil(generalists.len().max(1));
        Ok(Self {
            role,
            kind: role.kind(),
            index: role.index(),
            model: session.config.specialist_model().expect("checked with the config"),
            tokenizer: session.config.specialist_tokenizer(),
            training: &config.training,
            seed: session.seed.derive(role.kind(), cluster_idx as u64),
            start: (config.init == SpecialistInit::Generalist).then(its_generalist),
            frozen: (config.body == SpecialistBody::Frozen).then_some(HeadOnly { n_sharing, features: None }),
            examples: session.data.train.clone(),
            choice: None,
            fold: None,
            goal: match config.head {
                SpecialistHead::Dustbin => Goal::Dustbin(cluster),
                SpecialistHead::FullSoftmax => Goal::FullSoftmax(cluster, its_generalist()),
            },
            sampler: Sampler::half_and_half(&session.data.train, cluster),
            counted_shift: counted_shift(&session.data.train, cluster)?,
            bits: None,
            reductions: Reductions::default(),
        })
    }

    /// The student or one of its twins: same architecture, initial weights and order of examples, another goal. `taught` are the
    /// examples of those on soft targets.
    pub fn student(session: &Session<'a>, role: Role, goal: Goal<'a>, taught: &Taught) -> Self {
        let config = &session.config.student;
        let (examples, choice) = match goal {
            Goal::SoftTargets(..) => (&taught.examples, taught.choice.clone()),
            _ => (&session.student.labelled, None),
        };
        let plain = session.config.is_plain_for_students().then(|| "no views".to_owned());
        let choices: Vec<String> = session.student.choice.clone().into_iter().chain(plain).chain(choice).collect();
        Self {
            role,
            kind: role.kind(),
            index: None,
            model: &config.model,
            tokenizer: config.tokenizer.as_ref(),
            training: &config.training,
            seed: session.seed.derive(Role::Student.kind(), 0),
            start: None,
            frozen: None,
            sampler: sampler(&config.training, examples),
            examples: examples.clone(),
            choice: (!choices.is_empty()).then(|| choices.join(", ")),
            fold: None,
            goal,
            counted_shift: 0.0,
            bits: None,
            reductions: Reductions::default(),
        }
    }

    /// A student in a form with fewer numbers, of fewer bits: from the weights of `start`, which has this form, or from its own
    /// seeded ones.
    pub fn compressed(
        self,
        (reductions, bits): (Reductions, u8),
        training: &'a TrainingConfig,
        start: Option<&'a Trained>,
    ) -> Self {
        let (kind, sampler) = (self.role.kind(), sampler(training, &self.examples));
        Self { kind, training, start, sampler, bits: Some(bits), reductions, ..self }
    }

    /// The stage of this training. Its key hashes every ingredient; networks and soft targets by the keys of their stages. Sampler
    /// and examples follow from goal, cluster and fold.
    pub fn stage(&self, session: &Session<'_>) -> Stage {
        #[derive(Serialize)]
        struct Ingredients<'a> {
            data: &'a str,
            fold: Option<(usize, usize)>,
            model: &'a ModelConfig,
            pretrained: Option<String>,
            tokenizer: Option<Stage>,
            training: &'a TrainingConfig,
            seed: Seed,
            start: Option<&'a Stage>,
            is_frozen: bool,
            cluster: Option<&'a ClassSubset>,
            /// the source of soft targets
            teacher: Option<&'a Stage>,
            loss: Option<&'a DistillationConfig>,
            // names are part of the key: with another one, finished trainings would not be found
            #[serde(rename = "prior_shift")]
            counted_shift: f64,
            /// the choice of a student's examples; keys without one are those of earlier versions
            #[serde(skip_serializing_if = "Option::is_none")]
            examples: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            bits: Option<u8>,
            /// codes of 2 bits; earlier versions had three
            #[serde(skip_serializing_if = "Option::is_none")]
            n_codes: Option<u8>,
            #[serde(skip_serializing_if = "Reductions::is_empty")]
            reductions: &'a Reductions,
            /// where a training gives other bits than on the CPU
            device: Option<&'static str>,
        }
        let (teacher, loss) = match &self.goal {
            Goal::Labels | Goal::Dustbin(_) => (None, None),
            Goal::FullSoftmax(_, generalist) => (Some(&generalist.stage), None),
            Goal::SoftTargets(targets, config) => (Some(targets.stage()), Some(*config)),
        };
        let ingredients = Ingredients {
            data: &session.data.fingerprint,
            fold: self.fold,
            model: self.model,
            pretrained: self.model.pretrained().map(content_of),
            tokenizer: self.tokenizer.map(|config| tokenizer_stage(session, config)),
            training: self.training,
            seed: self.seed,
            start: self.start.map(|start| &start.stage),
            is_frozen: self.frozen.is_some(),
            cluster: self.goal.cluster(),
            teacher,
            loss,
            counted_shift: self.counted_shift,
            examples: self.choice.clone(),
            bits: self.bits,
            n_codes: (self.bits == Some(2)).then_some(4),
            reductions: &self.reductions,
            device: (!session.device.is_cpu()).then_some("cuda"),
        };
        Stage::new(self.kind, CODE_VERSION, self.index, &ingredients)
    }

    /// Outputs of the network: C, or `L + 1` with a dustbin.
    pub fn n_outputs(&self, n_classes: usize) -> usize {
        match self.goal {
            Goal::Dustbin(cluster) => cluster.len() + 1,
            _ => n_classes,
        }
    }

    /// How the head of the network that it starts from becomes its own.
    pub fn head_init(&self) -> HeadInit<'a> {
        match self.goal {
            Goal::Dustbin(subset) => HeadInit::Dustbin { subset },
            _ => HeadInit::Same,
        }
    }

    /// What `fit` is given to match; `folder` is that of the training's files.
    pub fn objective<'b>(&'b self, session: &'b Session<'b>, folder: &'b Path) -> Result<Box<dyn EpochObjective + 'b>> {
        Ok(match &self.goal {
            Goal::Labels | Goal::Dustbin(_) => Box::new(Objective::HardLabels(self.goal.labels())),
            Goal::FullSoftmax(cluster, generalist) => Box::new(Objective::FullSoftmax {
                subset: (*cluster).clone(),
                generalist: match self.frozen {
                    Some(_) => Arc::new(generalist.model.head_alone().map_err(super::network::model_error)?),
                    None => generalist.model.clone(),
                },
            }),
            Goal::SoftTargets(StudentTargets::Stored(stored), config) => {
                let targets = stored.targets.clone().expect("only a plan goes on without the targets");
                Box::new(Objective::Distillation { targets, config: (*config).clone() })
            }
            Goal::SoftTargets(StudentTargets::InPassing(_, teacher), config) => {
                Box::new(TargetsInPassing::new(session, teacher, config, folder))
            }
        })
    }

    /// Soft targets that the training computes itself.
    pub fn planned_targets(&self, session: &Session<'_>) -> Option<PlannedTargets> {
        match &self.goal {
            Goal::SoftTargets(targets, _) => targets.planned(session, self.training.n_epochs),
            _ => None,
        }
    }

    /// What is measured after each epoch: the validation split, or a specialist's validation examples and as many others,
    /// which is what its training looks like.
    pub fn validation(&self, session: &Session<'_>) -> Validation {
        let valid = &session.data.valid;
        let split = match self.goal.cluster() {
            None => valid.clone(),
            Some(cluster) => {
                let sampler = Sampler::half_and_half(valid, cluster);
                valid.select(&sampler.epoch_rows(valid.len(), self.seed.derive("validation", 0), 0))
            }
        };
        Validation { split, labels: self.goal.labels() }
    }

    /// Views of the examples: the views of the soft targets where there are any, otherwise a new one in each epoch; a frozen body
    /// computes its features once.
    pub fn views(&self, session: &Session<'_>) -> ViewPolicy {
        match (&self.frozen, &self.goal) {
            (Some(_), _) => ViewPolicy::Plain,
            (None, Goal::SoftTargets(..)) => session.stored_views(),
            (None, _) => session.fresh_views(self.role.section() == Section::Student),
        }
    }

    /// What is added to biases of outputs after training.
    pub fn bias_corrections(&self) -> Vec<(usize, f64)> {
        match &self.goal {
            Goal::Dustbin(cluster) => vec![(cluster.len(), self.counted_shift)],
            Goal::FullSoftmax(cluster, _) => {
                cluster.members().iter().map(|class| (class.index(), -self.counted_shift)).collect()
            }
            Goal::Labels | Goal::SoftTargets(..) => Vec::new(),
        }
    }

    /// Floating-point operations of another network for each example seen: the generalist predicts the examples of other
    /// classes.
    pub fn teacher_flops_per_example(&self) -> f64 {
        match self.goal {
            Goal::FullSoftmax(_, generalist) => {
                (1.0 - self.sampler.own_share()) * generalist.model.flops_per_example() as f64
            }
            _ => 0.0,
        }
    }

    /// Examples that it sees in all epochs.
    pub fn n_examples_seen(&self) -> usize {
        self.training.n_examples_seen(self.sampler.epoch_len(self.examples.len()))
    }

    /// What it needs of the machine's memory.
    pub fn memory_need(&self, n_classes: usize) -> MemoryNeed<'_> {
        let Self { model, tokenizer, training, .. } = *self;
        MemoryNeed { section: self.role.section(), model, tokenizer, training, n_outputs: self.n_outputs(n_classes) }
    }
}

/// The rows of an epoch over all examples, of each class as many as its training asks for.
fn sampler(training: &TrainingConfig, examples: &Split) -> Sampler {
    match training.imbalance {
        Some(ImbalanceConfig::BalancedSampling {}) => Sampler::balanced(examples),
        _ => Sampler::All,
    }
}

/// Shift of a specialist's dustbin logit, in nats, that turns the odds of its training back into the odds of the training
/// split (paper, sec. 5.2). Both odds are counted.
fn counted_shift(train: &Split, cluster: &ClassSubset) -> Result<f64> {
    let n_own = train.labels().iter().filter(|class| cluster.contains(**class)).count();
    let special_prior = n_own as f64 / train.len() as f64;
    let training_share = Sampler::half_and_half(train, cluster).own_share();
    let shift = dustbin_logit_shift(special_prior, training_share);
    shift.map_err(|error| ExperimentError::Usage(format!("specialists: {error}")))
}

/// Hash of the files that a pretrained model is read from. A file that cannot be read is an error as soon as it is needed.
fn content_of(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_read = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "json" || ending == "safetensors");
    let mut files: Vec<PathBuf> = entries.filter(is_read).collect();
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        if let Ok(content) = stillhouse_files::open(&file) {
            // a file that breaks off in the middle fails again when it is read as weights
            let _ = hasher.update_reader(content);
        }
    }
    hasher.finalize().to_hex().to_string()
}
