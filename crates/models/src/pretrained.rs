//! Pretrained networks: where their published weights and sizes come from, and how a model is filled with them.

use crate::error::StateMismatch;
use crate::published::{Part, Published};
use crate::{BertConfig, FolderError, Model, ModelConfig, ModelError, PretrainedResNetConfig, VitConfig};
use candle_core::Tensor;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use stillhouse_core::{InputSpec, Problem};

/// The keys of a config that say where sizes and first weights come from.
pub(crate) struct Origin<'a> {
    pub(crate) pretrained: Option<&'a str>,
    pub(crate) repo: Option<&'a str>,
    pub(crate) revision: Option<&'a str>,
    pub(crate) has_size: bool,
}

impl<'a> Origin<'a> {
    /// `pretrained`, `repo` and `revision` of a config, and whether it has sizes.
    pub(crate) fn new(keys: [&'a Option<String>; 3], has_size: bool) -> Self {
        let [pretrained, repo, revision] = keys.map(Option::as_deref);
        Self { pretrained, repo, revision, has_size }
    }

    /// What is wrong with them.
    pub(crate) fn problem(&self) -> Option<Problem> {
        match (self.pretrained, self.repo, self.revision, self.has_size) {
            (Some(_), Some(_), _, _) => {
                Some(Problem::new("pretrained", "given together with repo").hint("keep one of them"))
            }
            (_, None, Some(_), _) => Some(Problem::new("revision", "is that of repo, which is missing")),
            (None, None, None, false) => Some(Problem::new("pretrained", "missing; give it, or repo, or size")),
            _ => None,
        }
    }
}

/// A model of published weights that is built before its sizes were read: a bug of the caller.
pub(crate) fn unknown_sizes() -> ModelError {
    let problem = Problem::new("size", "the sizes of the pretrained network are unknown");
    ModelError::Config(vec![problem.hint("read them with ModelConfig::resolved")])
}

impl ModelConfig {
    /// None for an architecture that has no published weights.
    fn origin(&self) -> Option<Origin<'_>> {
        match self {
            Self::Bert(config) => Some(config.origin()),
            Self::Vit(config) => Some(config.origin()),
            Self::PretrainedResNet(config) => Some(config.origin()),
            Self::Mlp(_) | Self::ConvNet(_) | Self::ResNet(_) | Self::NgramBag(_) | Self::Transformer(_) => None,
        }
    }

    /// The folder that sizes and first weights come from, if the config names one.
    pub fn pretrained(&self) -> Option<&Path> {
        self.origin()?.pretrained.map(Path::new)
    }

    /// The hub repository that stands in place of such a folder, and its revision.
    pub fn repository(&self) -> Option<(&str, Option<&str>)> {
        let origin = self.origin()?;
        Some((origin.repo?, origin.revision))
    }

    /// This config with a folder in place of the repository.
    pub fn in_folder(&self, folder: &Path) -> Self {
        let pretrained = Some(folder.to_string_lossy().into_owned());
        let (repo, revision) = (None, None);
        match self.clone() {
            Self::Bert(config) => Self::Bert(BertConfig { pretrained, repo, revision, ..config }),
            Self::Vit(config) => Self::Vit(VitConfig { pretrained, repo, revision, ..config }),
            Self::PretrainedResNet(config) => {
                Self::PretrainedResNet(PretrainedResNetConfig { pretrained, repo, revision, ..config })
            }
            other => other,
        }
    }

    /// This config with the sizes of its pretrained network, where it names a folder.
    ///
    /// # Errors
    /// A folder without a readable `config.json`, or one of another family.
    pub fn resolved(&self) -> Result<Cow<'_, Self>, FolderError> {
        match (self, self.pretrained()) {
            (Self::Bert(config), Some(folder)) => Ok(Cow::Owned(Self::Bert(config.resolved(folder)?))),
            (Self::Vit(config), Some(folder)) => Ok(Cow::Owned(Self::Vit(config.resolved(folder)?))),
            (Self::PretrainedResNet(config), Some(folder)) => {
                Ok(Cow::Owned(Self::PretrainedResNet(config.resolved(folder)?)))
            }
            _ => Ok(Cow::Borrowed(self)),
        }
    }
}

impl Model {
    /// Fills the body with the published weights of `folder`; the head stays as it is. Tensors that the body does not
    /// have, such as poolers and the heads of pretraining, are ignored. The first layer of a network of images is
    /// changed so that it takes images with the normalisation of `input` in place of that of pretraining.
    ///
    /// # Errors
    /// A model of an architecture without published weights, files that are missing or damaged, and missing or
    /// misshapen tensors, all named.
    pub fn load_pretrained(&self, folder: &Path, input: &InputSpec) -> Result<(), FolderError> {
        let as_model = FolderError::model(folder);
        let mut state: BTreeMap<String, Tensor> = self.state_dict().map_err(&as_model)?.into_iter().collect();
        let shape = |name: &str| state[name].dims().to_vec();
        let (published, parts): (Published, Vec<Part>) = match self.config() {
            ModelConfig::Bert(config) => config.published(folder, shape)?,
            ModelConfig::Vit(config) => config.published(folder, input, shape)?,
            ModelConfig::PretrainedResNet(config) => config.published(folder, input, shape)?,
            other => {
                let problem = Problem::new("kind", format!("\"{}\" has no pretrained weights", other.kind()));
                let problem = problem.hint("kind = \"bert\", \"vit\" or \"pretrained_resnet\"");
                return Err(as_model(ModelError::Config(vec![problem])));
            }
        };
        let mut mismatch = StateMismatch::default();
        for part in parts {
            if let Some(tensor) = published.part(&part, &mut mismatch).map_err(|e| as_model(e.into()))? {
                state.insert(part.name, tensor);
            }
        }
        if !mismatch.is_empty() {
            return Err(as_model(ModelError::weights(&mismatch)));
        }
        self.load_state(state).map_err(as_model)
    }
}
