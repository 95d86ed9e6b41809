//! Residual networks for large images (He et al. 2015, arXiv:1512.03385, section 4.1), trainable, usually started from
//! published weights: ResNet-18, -34, -50, -101 and -152.
//!
//! As with [`BertConfig`](crate::BertConfig), a config in a file of the user names a folder or a repository and no
//! sizes.
//!
//! Shapes: `B` batch, `H`, `W` height and width, `C` channels, `F` features.

use crate::ModelError;
use crate::config::{MAX_WIDTH, one};
use crate::layers::{Activation, ConvNorm, Mode, Shortcut, Window};
use crate::param::Registry;
use crate::pretrained::unknown_sizes;
use crate::units::InnerWidth;
use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{InputShape, Problem};
use stillhouse_ops::{global_average_pool, max_pool2d};

/// A pretrained residual network for large images, all of it trainable; images of any size only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PretrainedResNetConfig {
    /// where sizes and first weights come from: a folder with `config.json` and `model.safetensors`, as hubs have it
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub pretrained: Option<String>,
    /// the same from a model repository of the hub, for example `timm/resnet18.a1_in1k` or `microsoft/resnet-18`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// branch, tag or commit of `repo`; a run pins it to a commit
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// the sizes; taken from `pretrained` where they are not given
    #[serde(default)]
    pub size: Option<PretrainedResNetSize>,
    /// each stage learns this much slower than the one above it: the last stage at this share of the head's learning
    /// rate, the one below at its square, the stem slowest
    #[serde(default = "one")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub learning_rate_decay: f64,
}

/// Sizes of a residual network for large images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PretrainedResNetSize {
    /// channels of an image: 1 (grey) or 3 (RGB)
    #[schemars(extend("enum" = [1, 3]))]
    pub channels: usize,
    /// channels of the first convolution
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    pub stem_width: usize,
    /// channels that each stage gives out
    #[schemars(length(min = 1), inner(range(min = 1, max = MAX_WIDTH)))]
    pub widths: Vec<usize>,
    /// blocks of each stage
    #[schemars(length(max = MAX_STAGES), inner(range(min = 1, max = MAX_BLOCKS)))]
    pub depths: Vec<usize>,
    /// what the blocks are made of
    pub block: PretrainedBlock,
}

/// The convolutions of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PretrainedBlock {
    /// two of 3x3
    Basic,
    /// 1x1 to a quarter of the channels, 3x3, 1x1 back
    Bottleneck,
}

impl PretrainedBlock {
    /// Kernels and channels of its convolutions, one after the other.
    pub(crate) fn convolutions(self, width: usize) -> Vec<(usize, usize)> {
        match self {
            Self::Basic => vec![(3, width), (3, width)],
            Self::Bottleneck => vec![(1, width / REDUCTION), (3, width / REDUCTION), (1, width)],
        }
    }
}

/// Channels of a stage over those inside of its bottlenecks.
pub(crate) const REDUCTION: usize = 4;
/// Deeper stages than in any published network are typing errors.
const MAX_BLOCKS: usize = 200;
/// Each stage halves the image.
const MAX_STAGES: usize = 16;

impl PretrainedResNetConfig {
    /// A net of the given size, with everything else as usual.
    pub fn new(size: PretrainedResNetSize) -> Self {
        let size = Some(size);
        Self { pretrained: None, repo: None, revision: None, size, learning_rate_decay: 1.0 }
    }

    pub(crate) fn contradictions(&self) -> Vec<Problem> {
        let origin = self.origin().problem();
        let Some(PretrainedResNetSize { widths, depths, block, .. }) = &self.size else {
            return origin.into_iter().collect();
        };
        let is_cut = *block == PretrainedBlock::Basic || widths.iter().all(|width| width.is_multiple_of(REDUCTION));
        let uncut = (!is_cut)
            .then(|| Problem::new("size.widths", format!("must be multiples of {REDUCTION}, found {widths:?}")));
        let uneven = (widths.len() != depths.len()).then(|| {
            let text = format!("must list a number for each of size.widths = {widths:?}, found {depths:?}");
            Problem::new("size.depths", text)
        });
        [origin, uncut, uneven].into_iter().flatten().collect()
    }

    /// Images of other channels than the pretrained network's.
    pub(crate) fn misfit(&self, input: &InputShape) -> Option<Problem> {
        let expected = self.size.as_ref()?.channels;
        match *input {
            InputShape::Image { channels, .. } if channels != expected => {
                let text = format!("\"pretrained_resnet\" takes images of {expected} channels, found {channels}");
                let hint = format!("data.channels = {expected}, where the kind of data has it");
                Some(Problem::new("kind", text).hint(hint))
            }
            _ => None,
        }
    }
}

/// Stem and blocks; the stages are only in the names.
pub(crate) struct PretrainedResNet {
    stem: ConvNorm,
    blocks: Vec<Block>,
    n_features: usize,
}

struct Block {
    convolutions: Vec<ConvNorm>,
    shortcut: Shortcut,
}

const STEM: Window = Window { kernel: 7, stride: 2 };
/// The max pool after the stem.
const POOL: Window = Window { kernel: 3, stride: 2 };

impl PretrainedResNet {
    /// `image` is `[height, width, channels]`; the config has passed its checks.
    pub(crate) fn build(
        config: &PretrainedResNetConfig,
        image: [usize; 3],
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        let size = config.size.as_ref().ok_or_else(unknown_sizes)?;
        let n_stages = size.widths.len();
        let factor = |n_above: usize| config.learning_rate_decay.powf(n_above as f64);
        registry.learning_rate_factor = factor(n_stages + 1);
        let stem = ConvNorm::build("stem", image, STEM, size.stem_width, registry)?;
        let [height, width, n_channels] = stem.output_size();
        let mut image = [POOL.output_size(height), POOL.output_size(width), n_channels];
        registry.count_activations(&image);
        let mut blocks = Vec::new();
        for (stage, (&width, &depth)) in size.widths.iter().zip(&size.depths).enumerate() {
            registry.learning_rate_factor = factor(n_stages - stage);
            for index in 0..depth {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let name = format!("stages.{stage}.blocks.{index}");
                if Shortcut::is_identity(image, stride, width) && !registry.has_block(&name) {
                    continue;
                }
                let block = Block::build(&name, size.block, image, stride, width, registry)?;
                image = block.convolutions.last().expect("a block has convolutions").output_size();
                blocks.push(block);
            }
        }
        registry.learning_rate_factor = 1.0;
        Ok(Self { stem, blocks, n_features: image[2] })
    }

    pub(crate) fn n_features(&self) -> usize {
        self.n_features
    }

    /// `[B, H, W, C]` to `[B, F]`.
    pub(crate) fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        let stem = self.stem.forward(images, Activation::Relu, mode)?;
        let mut hidden = max_pool2d(&stem, POOL.kernel, POOL.stride, POOL.padding())?;
        for block in &self.blocks {
            hidden = block.forward(&hidden, mode)?;
        }
        Ok(global_average_pool(&hidden)?)
    }
}

impl Block {
    fn build(
        name: &str,
        kind: PretrainedBlock,
        image: [usize; 3],
        stride: usize,
        width: usize,
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        let mut size = image;
        let mut convolutions = Vec::new();
        let mut left = stride;
        let of_block = kind.convolutions(width);
        let n_convolutions = of_block.len();
        for (index, (kernel, n_out)) in of_block.into_iter().enumerate() {
            // the first 3x3 convolution steps, also in a bottleneck, as in the published networks
            let stride = if kernel > 1 { std::mem::replace(&mut left, 1) } else { 1 };
            let [name, next] = [1, 2].map(|offset| format!("{name}.conv{}", index + offset));
            let is_inner = index + 1 < n_convolutions;
            let n_out = if is_inner { registry.inner_width(InnerWidth::of_layer(&name, n_out, &next)) } else { n_out };
            convolutions.push(ConvNorm::build(&name, size, Window { kernel, stride }, n_out, registry)?);
            size = convolutions[index].output_size();
        }
        let shortcut = Shortcut::build(&format!("{name}.shortcut"), image, stride, width, registry)?;
        Ok(Self { convolutions, shortcut })
    }

    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        let shortcut = self.shortcut.forward(images, mode)?;
        let mut hidden = images.clone();
        for (index, convolution) in self.convolutions.iter().enumerate() {
            let residual = (index + 1 == self.convolutions.len()).then_some(&shortcut);
            hidden = convolution.forward_onto(&hidden, residual, Activation::Relu, mode)?;
        }
        Ok(hidden)
    }
}
