//! A plain convolutional network in the manner of VGG (Simonyan and Zisserman 2014), with batch norm.
//!
//! Shapes: `B` batch, `H`, `W` height and width, `C` channels, `F` features.

use crate::ModelError;
use crate::config::MAX_WIDTH;
use crate::layers::{Activation, ConvNorm, HEAD, Linear, Mode, Window, dropout};
use crate::param::Registry;
use crate::units::InnerWidth;
use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_ops::{flatten, max_pool2d};

/// VGG-like: 3x3 convolutions with batch norm and ReLU, and a 2x2 max pool after each stage while the image is larger
/// than one pixel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvNetConfig {
    /// channels of each stage
    #[schemars(length(min = 1), inner(range(min = 1, max = MAX_WIDTH)))]
    #[schemars(extend("examples" = [[32, 64]]))]
    pub widths: Vec<usize>,
    /// convolutions of each stage, 1 or 2
    #[serde(default = "one_conv")]
    #[schemars(range(min = 1, max = 2))]
    pub convs_per_stage: usize,
    /// units of a fully connected layer between the last stage and the head; without it there is none
    #[serde(default)]
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    pub hidden: Option<usize>,
    /// probability of dropping a value that the head reads
    #[serde(default)]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub dropout: f64,
}

fn one_conv() -> usize {
    1
}

/// The stages, and the hidden layer where there is one.
pub(crate) struct ConvNet {
    stages: Vec<Stage>,
    hidden: Option<Linear>,
    dropout: f64,
    n_features: usize,
}

struct Stage {
    convs: Vec<ConvNorm>,
    pool: bool,
}

/// Name of the fully connected layer.
const HIDDEN: &str = "hidden";
const CONV: Window = Window { kernel: 3, stride: 1 };
/// Side of the max pool's window, and its step.
const POOL: usize = 2;

impl ConvNet {
    /// `image` is `[height, width, channels]`.
    pub(crate) fn build(
        config: &ConvNetConfig,
        image: [usize; 3],
        registry: &mut Registry,
    ) -> Result<Self, ModelError> {
        let mut size = image;
        let mut stages = Vec::with_capacity(config.widths.len());
        for (index, &width) in config.widths.iter().enumerate() {
            let name = format!("stages.{index}");
            let reader = match (index + 1 < config.widths.len(), config.hidden) {
                (true, _) => format!("stages.{}.0", index + 1),
                (false, Some(_)) => HIDDEN.to_owned(),
                (false, None) => HEAD.to_owned(),
            };
            let (stage, after) = Stage::build((&name, &reader), size, width, config.convs_per_stage, registry)?;
            stages.push(stage);
            size = after;
        }
        let mut n_features = size.iter().product();
        let mut hidden = None;
        if let Some(n_units) = config.hidden {
            let n_units = registry.inner_width(InnerWidth::of_layer(HIDDEN, n_units, HEAD));
            hidden = Some(Linear::hidden(HIDDEN, n_features, n_units, registry)?);
            n_features = n_units;
        }
        Ok(Self { stages, hidden, dropout: config.dropout, n_features })
    }

    pub(crate) fn n_features(&self) -> usize {
        self.n_features
    }

    /// `[B, H, W, C]` to `[B, F]`.
    pub(crate) fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        let mut hidden = images.clone();
        for stage in &self.stages {
            hidden = stage.forward(&hidden, mode)?;
        }
        let features = flatten(&hidden)?;
        match &self.hidden {
            Some(layer) => layer.forward_dropout(&features, self.dropout, mode, 0),
            None => dropout(&features, self.dropout, mode, 0),
        }
    }
}

impl Stage {
    /// The stage, and the `[height, width, channels]` of its output, which `reader` reads.
    fn build(
        (name, reader): (&str, &str),
        size: [usize; 3],
        width: usize,
        n_convs: usize,
        registry: &mut Registry,
    ) -> Result<(Self, [usize; 3]), ModelError> {
        let mut size = size;
        let mut convs = Vec::with_capacity(n_convs);
        for index in 0..n_convs {
            let conv = format!("{name}.{index}");
            let next = format!("{name}.{}", index + 1);
            let reader = if index + 1 < n_convs { &next } else { reader };
            let width = registry.inner_width(InnerWidth::of_layer(&conv, width, reader));
            let conv = ConvNorm::build(&conv, size, CONV, width, registry)?;
            size = conv.output_size();
            convs.push(conv);
        }
        let [height, width, channels] = size;
        let pool = height >= POOL && width >= POOL;
        let after = if pool { [height / POOL, width / POOL, channels] } else { size };
        if pool {
            registry.count_activations(&after);
        }
        Ok((Self { convs, pool }, after))
    }

    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        let mut hidden = images.clone();
        for conv in &self.convs {
            hidden = conv.forward(&hidden, Activation::Relu, mode)?;
        }
        if self.pool { Ok(max_pool2d(&hidden, POOL, POOL, 0)?) } else { Ok(hidden) }
    }
}
