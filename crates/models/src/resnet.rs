//! Residual networks for small images (He et al. 2015, arXiv:1512.03385, section 4.2).
//!
//! Shapes: `B` batch, `H`, `W` height and width, `C` channels, `F` features.

use crate::ModelError;
use crate::config::{check_width, check_widths};
use crate::layers::{Activation, ConvNorm, Mode, Window};
use crate::param::Registry;
use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_ops::{add, global_average_pool, relu};

/// Residual network for small images: a 3x3 stem, stages of two-convolution blocks that halve the image and widen it,
/// a global average pool. Shortcuts that change the shape are 1x1 convolutions with batch norm (option B).
///
/// The usual form has three stages of `width`, `2 width` and `4 width` channels and `depth = 6n + 2`; `resnet32x4` of
/// the distillation literature is `depth = 32`, `widths = [64, 128, 256]`, `stem_width = 32`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// layers with weights, shortcuts not counted: 6n + 2 (8, 14, 20, 32, ...); with `widths` of s stages, 2sn + 2
    pub depth: usize,
    /// channels of the first of three stages; each further stage has twice as many; 16 where `widths` is not given
    #[serde(default)]
    pub width: Option<usize>,
    /// channels of each stage, in place of `width`
    #[serde(default)]
    pub widths: Option<Vec<usize>>,
    /// channels of the first convolution; those of the first stage where it is not given
    #[serde(default)]
    pub stem_width: Option<usize>,
}

const DEFAULT_WIDTH: usize = 16;
const N_DEFAULT_STAGES: usize = 3;
const CONVS_PER_BLOCK: usize = 2;
/// The stem and the head, which belong to no block.
const LAYERS_OUTSIDE_BLOCKS: usize = 2;
/// The deepest net of the paper has 1202 layers.
const MAX_DEPTH: usize = 2000;
/// Length of the example list in the message on a wrong depth.
const N_EXAMPLES: usize = 3;

impl ResNetConfig {
    /// The usual three stages of `width`, `2 width` and `4 width` channels.
    pub fn new(depth: usize, width: usize) -> Self {
        Self { depth, width: Some(width), widths: None, stem_width: None }
    }

    pub(crate) fn check(&self, problems: &mut Vec<String>) {
        if self.width.is_some() && self.widths.is_some() {
            problems.push("width and widths are both given; hint: keep one of them".into());
        }
        if let Some(width) = self.width {
            check_width("width", width, problems);
        }
        if let Some(widths) = &self.widths {
            check_widths("widths", widths, problems);
        }
        if let Some(stem_width) = self.stem_width {
            check_width("stem_width", stem_width, problems);
        }
        self.check_depth(problems);
    }

    fn check_depth(&self, problems: &mut Vec<String>) {
        let n_stages = self.widths.as_ref().map_or(N_DEFAULT_STAGES, Vec::len);
        if n_stages == 0 {
            problems.push("widths must list at least one stage, found []".into());
            return;
        }
        if self.depth > MAX_DEPTH {
            problems.push(format!("depth must be at most {MAX_DEPTH}, found {}", self.depth));
            return;
        }
        let step = CONVS_PER_BLOCK * n_stages;
        if self.depth < step + LAYERS_OUTSIDE_BLOCKS || !(self.depth - LAYERS_OUTSIDE_BLOCKS).is_multiple_of(step) {
            let examples: Vec<String> =
                (1..=N_EXAMPLES).map(|n| (step * n + LAYERS_OUTSIDE_BLOCKS).to_string()).collect();
            problems.push(format!("depth must be {step}n + 2 ({}, ...), found {}", examples.join(", "), self.depth));
        }
    }

    fn stage_widths(&self) -> Vec<usize> {
        let width = self.width.unwrap_or(DEFAULT_WIDTH);
        self.widths.clone().unwrap_or_else(|| (0..N_DEFAULT_STAGES).map(|stage| width << stage).collect())
    }

    fn blocks_per_stage(&self, n_stages: usize) -> usize {
        (self.depth - LAYERS_OUTSIDE_BLOCKS) / (CONVS_PER_BLOCK * n_stages)
    }
}

/// Stem and blocks; the stages are only in the names.
pub(crate) struct ResNet {
    stem: ConvNorm,
    blocks: Vec<Block>,
    n_features: usize,
}

struct Block {
    conv1: ConvNorm,
    conv2: ConvNorm,
    /// none where the block keeps the shape: the shortcut is then the identity
    shortcut: Option<ConvNorm>,
}

impl ResNet {
    /// `image` is `[height, width, channels]`; the config has passed its checks.
    pub(crate) fn build(config: &ResNetConfig, image: [usize; 3], registry: &mut Registry) -> Result<Self, ModelError> {
        let widths = config.stage_widths();
        let n_blocks = config.blocks_per_stage(widths.len());
        let stem_width = config.stem_width.unwrap_or(widths[0]);
        let stem = ConvNorm::build("stem", image, Window { kernel: 3, stride: 1 }, stem_width, registry)?;
        let mut size = stem.output_size();
        let mut blocks = Vec::with_capacity(n_blocks * widths.len());
        for (stage, &width) in widths.iter().enumerate() {
            for index in 0..n_blocks {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let block = Block::build(&format!("stages.{stage}.blocks.{index}"), size, stride, width, registry)?;
                size = block.conv2.output_size();
                blocks.push(block);
            }
        }
        Ok(Self { stem, blocks, n_features: size[2] })
    }

    pub(crate) fn n_features(&self) -> usize {
        self.n_features
    }

    /// `[B, H, W, C]` to `[B, F]`.
    pub(crate) fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        let mut hidden = self.stem.forward(images, Activation::Relu, mode)?;
        for block in &self.blocks {
            hidden = block.forward(&hidden, mode)?;
        }
        Ok(global_average_pool(&hidden)?)
    }
}

impl Block {
    fn build(
        name: &str,
        size: [usize; 3],
        stride: usize,
        width: usize,
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        let conv1 = ConvNorm::build(&format!("{name}.conv1"), size, Window { kernel: 3, stride }, width, registry)?;
        let conv2 = ConvNorm::build(
            &format!("{name}.conv2"),
            conv1.output_size(),
            Window { kernel: 3, stride: 1 },
            width,
            registry,
        )?;
        let mut shortcut = None;
        if stride != 1 || size[2] != width {
            let window = Window { kernel: 1, stride };
            shortcut = Some(ConvNorm::build(&format!("{name}.shortcut"), size, window, width, registry)?);
        }
        Ok(Self { conv1, conv2, shortcut })
    }

    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        let hidden = self.conv1.forward(images, Activation::Relu, mode)?;
        let residual = self.conv2.forward(&hidden, Activation::None, mode)?;
        let shortcut = match &self.shortcut {
            Some(projection) => projection.forward(images, Activation::None, mode)?,
            None => images.clone(),
        };
        Ok(relu(&add(&residual, &shortcut)?)?)
    }
}
