//! Residual networks for small images (He et al. 2015, arXiv:1512.03385, section 4.2).
//!
//! Shapes: `B` batch, `H`, `W` height and width, `C` channels, `F` features.

use crate::ModelError;
use crate::config::MAX_WIDTH;
use crate::layers::{Activation, ConvNorm, Mode, Shortcut, Window};
use crate::param::Registry;
use crate::units::InnerWidth;
use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Problem;
use stillhouse_ops::global_average_pool;

/// Residual network for small images: a 3x3 stem, stages of two-convolution blocks that halve the image and widen it,
/// a global average pool. Shortcuts that change the shape are 1x1 convolutions with batch norm (option B).
///
/// The usual form has three stages of `width`, `2 width` and `4 width` channels and `depth = 6n + 2`; `resnet32x4` of
/// the distillation literature is `depth = 32`, `widths = [64, 128, 256]`, `stem_width = 32`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// layers with weights, shortcuts not counted: 6n + 2 (8, 14, 20, 32, ...); with `widths` of s stages, 2sn + 2
    #[schemars(range(min = 4, max = MAX_DEPTH))]
    #[schemars(extend("examples" = [20]))]
    pub depth: usize,
    /// channels of the first of three stages; each further stage has twice as many; 16 where `widths` is not given
    #[serde(default)]
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    pub width: Option<usize>,
    /// channels of each stage, in place of `width`
    #[serde(default)]
    #[schemars(length(min = 1), inner(range(min = 1, max = MAX_WIDTH)))]
    pub widths: Option<Vec<usize>>,
    /// channels of the first convolution; those of the first stage where it is not given
    #[serde(default)]
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    pub stem_width: Option<usize>,
    /// what the blocks are made of
    #[serde(default)]
    pub block: BlockKind,
}

/// The two convolutions of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// 3x3 convolutions over all channels
    #[default]
    Basic,
    /// depthwise separable ones: 3x3 on each channel alone, then 1x1 over all channels, each with batch norm and ReLU
    /// (Howard et al. 2017, arXiv:1704.04861); about an eighth of the multiplications
    Separable,
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
        Self { depth, width: Some(width), widths: None, stem_width: None, block: BlockKind::Basic }
    }

    pub(crate) fn contradictions(&self) -> Vec<Problem> {
        let both = (self.width.is_some() && self.widths.is_some())
            .then(|| Problem::new("widths", "given together with width").hint("keep one of them"));
        both.into_iter().chain(self.depth_problem()).collect()
    }

    /// A depth that is no whole number of blocks for each stage. Depths and stages out of range are found by the schema.
    fn depth_problem(&self) -> Option<Problem> {
        let step = CONVS_PER_BLOCK * self.widths.as_ref().map_or(N_DEFAULT_STAGES, Vec::len);
        let is_checked = step > 0 && self.depth <= MAX_DEPTH;
        let is_whole =
            self.depth >= step + LAYERS_OUTSIDE_BLOCKS && (self.depth - LAYERS_OUTSIDE_BLOCKS).is_multiple_of(step);
        (is_checked && !is_whole).then(|| {
            let examples: Vec<String> =
                (1..=N_EXAMPLES).map(|n| (step * n + LAYERS_OUTSIDE_BLOCKS).to_string()).collect();
            let text = format!("must be {step}n + 2 ({}, ...), found {}", examples.join(", "), self.depth);
            Problem::new("depth", text)
        })
    }

    /// Blocks of each stage.
    pub fn n_blocks(&self) -> Vec<usize> {
        let n_stages = self.stage_widths().len();
        vec![self.blocks_per_stage(n_stages); n_stages]
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
    conv1: BlockConv,
    conv2: BlockConv,
    shortcut: Shortcut,
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
                let name = format!("stages.{stage}.blocks.{index}");
                if Shortcut::is_identity(size, stride, width) && !registry.has_block(&name) {
                    continue;
                }
                let block = Block::build(&name, config.block, size, stride, width, registry)?;
                size = block.conv2.conv.output_size();
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
        kind: BlockKind,
        size: [usize; 3],
        stride: usize,
        width: usize,
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        let [first, second] = ["conv1", "conv2"].map(|conv| format!("{name}.{conv}"));
        let mut channels = InnerWidth::of_layer(&first, width, &second);
        if kind == BlockKind::Separable {
            channels.writers.push(depthwise(&second));
        }
        let n_channels = registry.inner_width(channels);
        let conv1 = BlockConv::build(&first, kind, size, stride, n_channels, registry)?;
        let conv2 = BlockConv::build(&second, kind, conv1.conv.output_size(), 1, width, registry)?;
        let shortcut = Shortcut::build(&format!("{name}.shortcut"), size, stride, width, registry)?;
        Ok(Self { conv1, conv2, shortcut })
    }

    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        let shortcut = self.shortcut.forward(images, mode)?;
        let hidden = self.conv1.forward_onto(images, None, mode)?;
        self.conv2.forward_onto(&hidden, Some(&shortcut), mode)
    }
}

/// Name of the depthwise convolution before this one.
fn depthwise(name: &str) -> String {
    format!("{name}.depthwise")
}

/// A convolution of a block, with a depthwise one before it in separable blocks.
struct BlockConv {
    depthwise: Option<ConvNorm>,
    conv: ConvNorm,
}

impl BlockConv {
    fn build(
        name: &str,
        kind: BlockKind,
        size: [usize; 3],
        stride: usize,
        width: usize,
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        let window = Window { kernel: 3, stride };
        if kind == BlockKind::Basic {
            return Ok(Self { depthwise: None, conv: ConvNorm::build(name, size, window, width, registry)? });
        }
        let depthwise = ConvNorm::depthwise(&depthwise(name), size, window, registry)?;
        let window = Window { kernel: 1, stride: 1 };
        let conv = ConvNorm::build(name, depthwise.output_size(), window, width, registry)?;
        Ok(Self { depthwise: Some(depthwise), conv })
    }

    /// Adds the residual, where there is one, before the last rectifier.
    fn forward_onto(&self, images: &Tensor, residual: Option<&Tensor>, mode: Mode) -> Result<Tensor, ModelError> {
        match &self.depthwise {
            None => self.conv.forward_onto(images, residual, Activation::Relu, mode),
            Some(depthwise) => {
                let hidden = depthwise.forward(images, Activation::Relu, mode)?;
                self.conv.forward_onto(&hidden, residual, Activation::Relu, mode)
            }
        }
    }
}
