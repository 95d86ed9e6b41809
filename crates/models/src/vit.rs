//! Vision transformers (Dosovitskiy et al. 2021, arXiv:2010.11929), trainable, usually started from published weights.
//!
//! As with [`BertConfig`](crate::BertConfig), a config in a file of the user names a folder or a repository and no
//! sizes.
//!
//! The class token is stored as the position vector of a patch of zeros in front of the others: its first vector is a
//! sum of parameters in either form, and so every token of the model is a patch.
//!
//! Shapes: `B` images of `H x W` pixels with `C` channels, `P` patches of `S x S` pixels in each, `D` width.

use crate::ModelError;
use crate::config::{MAX_WIDTH, one};
use crate::encoder::{
    Encoder, EncoderActivation, EncoderPooling, EncoderSettings, LayerNorm, NormPlace, learning_rate_factor,
};
use crate::layers::{Activation, Linear, Mode, dropout};
use crate::param::Registry;
use crate::pretrained::unknown_sizes;
use crate::transformer::{EMBEDDING_STD, MAX_LAYERS, frozen_problem, heads_problem};
use candle_core::{Tensor, Var};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{InputShape, Problem};
use stillhouse_ops::{TokenRows, add, embedding, pool_tokens};

/// A pretrained vision transformer, all of it trainable; images only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VitConfig {
    /// where sizes and first weights come from: a folder with `config.json` and `model.safetensors`, as hubs have it
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub pretrained: Option<String>,
    /// the same from a model repository of the hub, for example `timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// branch, tag or commit of `repo`; a run pins it to a commit
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// the sizes; taken from `pretrained` where they are not given
    #[serde(default)]
    pub size: Option<VitSize>,
    /// how the vectors of an image's tokens become one; the class token by default
    #[serde(default = "default_pooling")]
    pub pooling: EncoderPooling,
    /// probability of dropping a number of the embeddings, an attention weight, or a number of what a part adds
    #[serde(default)]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub dropout: f64,
    /// keep the embeddings and this many of the first layers as they are; 0 keeps the embeddings alone, none trains all
    #[serde(default)]
    pub n_frozen_layers: Option<usize>,
    /// each layer learns this much slower than the one above it, as in a `bert`
    #[serde(default = "one")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub learning_rate_decay: f64,
}

/// Sizes of a vision transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VitSize {
    /// height and width of an image in pixels, multiples of the patch
    #[schemars(inner(range(min = 1)))]
    pub image: [usize; 2],
    /// channels of an image: 1 (grey) or 3 (RGB)
    #[schemars(extend("enum" = [1, 3]))]
    pub channels: usize,
    /// height and width of a patch in pixels
    #[schemars(range(min = 1))]
    pub patch: usize,
    /// layers of attention and feed-forward part
    #[schemars(range(min = 1, max = MAX_LAYERS))]
    pub n_layers: usize,
    /// attention heads of a layer, a divisor of the width
    #[schemars(range(min = 1))]
    pub n_heads: usize,
    /// width of a patch's vector
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    pub width: usize,
    /// units of the feed-forward part
    #[schemars(range(min = 1, max = MAX_WIDTH))]
    pub feed_forward_width: usize,
    /// what stands between the linear layers of the feed-forward part
    pub activation: EncoderActivation,
    /// added to the variance in each layer norm
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub norm_eps: f64,
}

fn default_pooling() -> EncoderPooling {
    EncoderPooling::Cls
}

impl VitConfig {
    /// A net of the given size, with everything else as usual.
    pub fn new(size: VitSize) -> Self {
        Self {
            pretrained: None,
            repo: None,
            revision: None,
            size: Some(size),
            pooling: default_pooling(),
            dropout: 0.0,
            n_frozen_layers: None,
            learning_rate_decay: 1.0,
        }
    }

    pub(crate) fn contradictions(&self) -> Vec<Problem> {
        let origin = self.origin().problem();
        let Some(size) = &self.size else { return origin.into_iter().collect() };
        let [height, width] = size.image;
        let is_cut = size.patch == 0 || (height.is_multiple_of(size.patch) && width.is_multiple_of(size.patch));
        let uncut = (!is_cut).then(|| {
            let text = format!("must divide size.image = [{height}, {width}], found {}", size.patch);
            Problem::new("size.patch", text)
        });
        let heads = heads_problem("size.n_heads", size.n_heads, size.width);
        let frozen = frozen_problem(self.n_frozen_layers, size.n_layers);
        [origin, heads, uncut, frozen].into_iter().flatten().collect()
    }

    /// Images of another size than the pretrained network's positions are for.
    pub(crate) fn input_mismatch(&self, input: &InputShape) -> Option<Problem> {
        let size = self.size.as_ref()?;
        let ([height, width], channels) = (size.image, size.channels);
        let expected = InputShape::Image { channels, height, width };
        (*input != expected && matches!(input, InputShape::Image { .. })).then(|| {
            let text = format!("\"vit\" takes {channels} channels of {height} x {width} pixels, found {input:?}");
            Problem::new("kind", text).hint(format!(
                "data.size = [{height}, {width}] and data.channels = {channels}, where the kind of data has them"
            ))
        })
    }

    fn settings(&self, size: &VitSize) -> EncoderSettings {
        EncoderSettings {
            n_layers: size.n_layers,
            n_heads: size.n_heads,
            width: size.width,
            feed_forward_width: size.feed_forward_width,
            unit: size.activation.into(),
            norm_place: NormPlace::Before,
            norm_eps: size.norm_eps,
            rotary: false,
            dropout: self.dropout,
        }
    }
}

impl VitSize {
    /// Patches of an image, `P`.
    pub(crate) fn n_patches(&self) -> usize {
        self.image[0] / self.patch * (self.image[1] / self.patch)
    }
}

/// Patches, layers and the last norm.
pub(crate) struct Vit {
    /// `[D, S * S * C]`
    patches: Linear,
    /// `[1 + P, D]`
    places: Var,
    encoder: Encoder,
    norm: LayerNorm,
    config: VitConfig,
    size: VitSize,
}

const FIRST_LAYER_DROPOUT: u64 = 1;

impl Vit {
    /// `image` is `[height, width, channels]`; the config has passed its checks.
    pub(crate) fn build(config: &VitConfig, image: [usize; 3], registry: &mut Registry) -> Result<Self, ModelError> {
        let size = config.size.as_ref().ok_or_else(unknown_sizes)?;
        let n_channels = image[2];
        let factor = |depth: usize| {
            learning_rate_factor(config.n_frozen_layers, config.learning_rate_decay, depth, size.n_layers)
        };
        let n_tokens = 1 + size.n_patches();
        registry.n_tokens = n_tokens;
        registry.learning_rate_factor = factor(0);
        let n_values = size.patch * size.patch * n_channels;
        let std = (1.0 / n_values as f64).sqrt();
        let patches = Linear::with_std("patches", [n_values, size.width], std, registry)?;
        let places = registry.table("positions.weight".into(), n_tokens, size.width, EMBEDDING_STD)?;
        let encoder = Encoder::build("layers", config.settings(size), |layer| factor(layer + 1), registry)?;
        registry.learning_rate_factor = 1.0;
        let norm = LayerNorm::build("norm", size.width, size.norm_eps, registry)?;
        // the patches themselves, their sum with the positions, the last norm
        registry.count_activations(&[n_tokens, n_values + 2 * size.width]);
        registry.n_tokens = 1;
        Ok(Self { patches, places, encoder, norm, config: config.clone(), size: size.clone() })
    }

    pub(crate) fn n_features(&self) -> usize {
        self.size.width
    }

    /// `[B, H, W, C]` to `[B, D]`.
    pub(crate) fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        let rows = self.rows(images.dim(0)?)?;
        let patches = self.patches.forward(&self.cut(images)?, Activation::None, mode)?;
        let mut hidden = add(&patches, &embedding(&mode.read(&self.places), rows.ids())?)?;
        hidden = dropout(&hidden, self.config.dropout, mode, 0)?;
        if self.config.n_frozen_layers == Some(0) {
            hidden = hidden.detach();
        }
        let n_frozen = self.config.n_frozen_layers.unwrap_or(0);
        hidden = self.encoder.forward(&hidden, &rows, mode, FIRST_LAYER_DROPOUT, n_frozen)?;
        Ok(pool_tokens(&self.norm.forward(&hidden, mode)?, &rows, self.config.pooling.into())?)
    }

    /// `[B, H, W, C]` to `[B * (1 + P), S * S * C]`: a patch of zeros, then the image's patches row by row.
    fn cut(&self, images: &Tensor) -> Result<Tensor, ModelError> {
        let (n_images, height, width, n_channels) = images.dims4()?;
        let patch = self.size.patch;
        let (n_rows, n_columns, n_values) = (height / patch, width / patch, patch * patch * n_channels);
        let patches = images
            .reshape(&[n_images, n_rows, patch, n_columns, patch, n_channels][..])?
            .permute([0, 1, 3, 2, 4, 5])?
            .reshape((n_images, n_rows * n_columns, n_values))?;
        let zeros = Tensor::zeros((n_images, 1, n_values), images.dtype(), images.device())?;
        Ok(Tensor::cat(&[&zeros, &patches], 1)?.reshape((n_images * (1 + n_rows * n_columns), n_values))?)
    }

    /// The positions of all tokens of a batch.
    fn rows(&self, n_images: usize) -> Result<TokenRows, ModelError> {
        let n_tokens = 1 + self.size.n_patches() as u32;
        let starts = (0..=n_images as u32).map(|image| image * n_tokens).collect();
        Ok(TokenRows::new((0..n_images).flat_map(|_| 0..n_tokens).collect(), starts)?)
    }
}
