//! Pretrained networks: where their published weights and sizes come from, and how a model is filled with them.

use crate::config::input_problem;
use crate::published::{Part, Published, parts_mismatch};
use crate::weights_head::Shapes;
use crate::{BertConfig, FolderError, Model, ModelConfig, ModelError, PretrainedResNetConfig, VitConfig};
use crate::{bert_folder, pretrained_resnet_folder, vit_folder};
use candle_core::Tensor;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use stillhouse_core::{InputShape, InputSpec, Problem, check_values};

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

fn not_published(folder: &Path, config: &ModelConfig) -> FolderError {
    let problem = Problem::new("kind", format!("\"{}\" has no pretrained weights", config.kind()));
    let problem = problem.hint("kind = \"bert\", \"vit\" or \"pretrained_resnet\"");
    FolderError::model(folder)(ModelError::Config(vec![problem]))
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
    /// A folder without a readable `config.json`, one of another family, or weights that are missing or of other sizes.
    pub fn resolved(&self) -> Result<Cow<'_, Self>, FolderError> {
        let Some(folder) = self.pretrained() else { return Ok(Cow::Borrowed(self)) };
        let resolved = match self {
            Self::Bert(config) => Self::Bert(config.resolved(folder)?),
            Self::Vit(config) => Self::Vit(config.resolved(folder)?),
            Self::PretrainedResNet(config) => Self::PretrainedResNet(config.resolved(folder)?),
            _ => return Ok(Cow::Borrowed(self)),
        };
        resolved.check_published(folder)?;
        Ok(Cow::Owned(resolved))
    }

    /// Refuses a folder whose weights are not those of its `config.json`, from the heads of its files: the config may claim
    /// any sizes, and memory would be asked for them. Sizes that are out of range are told as problems of the config.
    fn check_published(&self, folder: &Path) -> Result<(), FolderError> {
        let (_, shapes) = self.published_shapes(folder)?;
        if !check_values(self).is_empty() {
            return Ok(());
        }
        let (as_model, input) = (FolderError::model(folder), self.published_input());
        if let Some(problem) = input_problem(&input) {
            return Err(as_model(ModelError::Config(vec![problem])));
        }
        let own = self.count(&input, 1).map_err(&as_model)?.into_shapes();
        let n_channels = input.n_channels();
        let input = InputSpec::new(input, vec![0.0; n_channels], vec![1.0; n_channels]);
        let shape = |name: &str| own[name].clone();
        let mismatch = parts_mismatch(&self.parts(folder, &shapes, &input, shape)?, &shapes);
        if mismatch.is_empty() { Ok(()) } else { Err(as_model(ModelError::weights(&mismatch))) }
    }

    /// An input that the published network takes.
    fn published_input(&self) -> InputShape {
        match self {
            Self::Bert(BertConfig { size: Some(size), .. }) => {
                InputShape::Tokens { vocabulary_size: size.vocabulary_size }
            }
            Self::Vit(VitConfig { size: Some(size), .. }) => {
                InputShape::Image { channels: size.channels, height: size.image[0], width: size.image[1] }
            }
            Self::PretrainedResNet(PretrainedResNetConfig { size: Some(size), .. }) => {
                InputShape::Image { channels: size.channels, height: 1, width: 1 }
            }
            _ => InputShape::Text {},
        }
    }

    /// The prefix of all names in a folder of published weights, and the tensors there without it.
    fn published_shapes(&self, folder: &Path) -> Result<(String, Shapes), FolderError> {
        let anchors = match self {
            Self::Bert(_) => bert_folder::ANCHORS,
            Self::Vit(_) => vit_folder::ANCHORS,
            Self::PretrainedResNet(_) => pretrained_resnet_folder::ANCHORS,
            other => return Err(not_published(folder, other)),
        };
        let shapes = Shapes::read(folder)?;
        let prefix = shapes.prefix(anchors);
        let bare = shapes.without(&prefix);
        Ok((prefix, bare))
    }

    /// How a body's parameters, whose shapes are given, are made of published tensors.
    fn parts(
        &self,
        folder: &Path,
        shapes: &Shapes,
        input: &InputSpec,
        shape: impl Fn(&str) -> Vec<usize>,
    ) -> Result<Vec<Part>, FolderError> {
        match self {
            Self::Bert(config) => Ok(config.parts(shapes, shape)),
            Self::Vit(config) => config.parts(folder, shapes, input, shape),
            Self::PretrainedResNet(config) => config.parts(folder, shapes, input, shape),
            other => Err(not_published(folder, other)),
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
        let (prefix, shapes) = self.config().published_shapes(folder)?;
        let parts = self.config().parts(folder, &shapes, input, |name| state[name].dims().to_vec())?;
        let mut mismatch = parts_mismatch(&parts, &shapes);
        // told before gigabytes are read
        if !mismatch.is_empty() {
            return Err(as_model(ModelError::weights(&mismatch)));
        }
        let published = Published::read(folder, &prefix)?;
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
