//! Published vision transformers: sizes and names, those of the transformers library and those of timm.

use crate::normalisation::Renormalise;
use crate::pretrained::Origin;
use crate::published::{Part, published_size};
use crate::weights_head::Shapes;
use crate::{EncoderActivation, FolderError, VitConfig, VitSize};
use candle_core::{Result as TensorResult, Tensor};
use serde::Deserialize;
use std::path::Path;
use stillhouse_core::InputSpec;

/// A `config.json` of the transformers library.
#[derive(Deserialize)]
struct PublishedConfig {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    layer_norm_eps: f64,
    image_size: usize,
    patch_size: usize,
    #[serde(default = "rgb")]
    num_channels: usize,
    #[serde(default = "has_bias_by_default")]
    qkv_bias: bool,
}

fn rgb() -> usize {
    3
}

fn has_bias_by_default() -> bool {
    true
}

const TIMM_NORM_EPS: f64 = 1e-6;
/// Heads are in no file of timm's, but in its code, by the name of the size.
const TIMM_HEADS: [(&str, usize); 4] =
    [("vit_tiny_patch", 3), ("vit_small_patch", 6), ("vit_base_patch", 12), ("vit_large_patch", 16)];
/// Parts of timm's later variants that this program does not have.
const TIMM_VARIANTS: [&str; 7] = [
    "norm_pre.",
    "fc_norm.",
    "reg_token",
    "dist_token",
    "patch_embed.backbone.",
    "blocks.0.ls1.",
    "blocks.0.attn.q_norm.",
];

impl VitConfig {
    pub(crate) fn origin(&self) -> Origin<'_> {
        let (pretrained, repo, revision) = (&self.pretrained, &self.repo, &self.revision);
        Origin::new([pretrained, repo, revision], self.size.is_some())
    }

    /// This config with the sizes of the network in `folder`.
    ///
    /// # Errors
    /// A folder without a readable `config.json`, or one of another family; for a network of timm's, whose sizes are
    /// those of its tensors, weights that cannot be read.
    pub fn resolved(&self, folder: &Path) -> Result<Self, FolderError> {
        let of_transformers = |published: PublishedConfig| published.size();
        let size = published_size(folder, "vit", of_transformers, timm_size)?;
        Ok(Self { size: Some(size), ..self.clone() })
    }

    /// How the body's parameters, whose shapes are given, are made of the tensors of `folder`; none for a network without
    /// sizes.
    pub(crate) fn parts(
        &self,
        folder: &Path,
        shapes: &Shapes,
        input: &InputSpec,
        shape: impl Fn(&str) -> Vec<usize>,
    ) -> Result<Vec<Part>, FolderError> {
        let Some(size) = &self.size else { return Ok(Vec::new()) };
        let names = if shapes.has("cls_token") { &TIMM_NAMES } else { &TRANSFORMERS_NAMES };
        let renormalise = Renormalise::of(folder, input, [[0.5; 3]; 2])?;
        let mut parts = names.embeddings(size, &renormalise);
        for end in ["weight", "bias"] {
            let mut push = |name: String, sources: Vec<String>| {
                let shape = shape(&name);
                parts.push(Part::stacked(name, sources, &shape));
            };
            push(format!("norm.{end}"), vec![format!("{}.{end}", names.norm)]);
            for layer in 0..size.n_layers {
                let (own, published) = (format!("layers.{layer}"), format!("{}.{layer}", names.layers));
                let projections = names.projections.iter().map(|part| format!("{published}.{part}.{end}"));
                push(format!("{own}.attention.projections.{end}"), projections.collect());
                for (name, source) in names.others {
                    push(format!("{own}.{name}.{end}"), vec![format!("{published}.{source}.{end}")]);
                }
            }
        }
        Ok(parts)
    }
}

impl PublishedConfig {
    fn size(&self) -> Result<VitSize, String> {
        if !self.qkv_bias {
            return Err("qkv_bias is false, expected true".into());
        }
        Ok(VitSize {
            image: [self.image_size; 2],
            channels: self.num_channels,
            patch: self.patch_size,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            width: self.hidden_size,
            feed_forward_width: self.intermediate_size,
            activation: EncoderActivation::published(&self.hidden_act)?,
            norm_eps: self.layer_norm_eps,
        })
    }
}

/// The sizes of a network of timm's.
fn timm_size(architecture: &str, shapes: &Shapes) -> Result<VitSize, String> {
    let is_known = |(name, _): &&(&str, usize)| architecture.starts_with(name) && !architecture.contains("plus");
    let Some((_, n_heads)) = TIMM_HEADS.iter().find(is_known) else {
        let known = TIMM_HEADS.map(|(name, _)| name).join(", ");
        return Err(format!("architecture is \"{architecture}\", expected one of {known}"));
    };
    if let Some(part) = TIMM_VARIANTS.iter().find(|part| shapes.names().any(|name| name.starts_with(**part))) {
        return Err(format!("the weights have \"{part}\", a part of a variant that is not known here"));
    }
    let [_, n_places, width] = shapes.axes::<3>("pos_embed")?;
    let [_, channels, patch, _] = shapes.axes::<4>("patch_embed.proj.weight")?;
    let [feed_forward_width, _] = shapes.axes::<2>("blocks.0.mlp.fc1.weight")?;
    let side = (n_places - 1).isqrt();
    if side * side != n_places - 1 || side == 0 {
        return Err(format!("pos_embed has {n_places} places, expected one more than a square"));
    }
    let n_layers = (0..).take_while(|layer| shapes.has(&format!("blocks.{layer}.norm1.weight"))).count();
    Ok(VitSize {
        image: [side * patch; 2],
        channels,
        patch,
        n_layers,
        n_heads: *n_heads,
        width,
        feed_forward_width,
        activation: EncoderActivation::Gelu,
        norm_eps: TIMM_NORM_EPS,
    })
}

/// A tensor that every network of the family has; what stands before its name is the prefix of all names.
pub(crate) const ANCHORS: &[&str] = &["embeddings.cls_token", "cls_token"];

/// What a library calls the parts of a network.
struct Names {
    class_token: &'static str,
    places: &'static str,
    patches: &'static str,
    norm: &'static str,
    layers: &'static str,
    projections: &'static [&'static str],
    others: [(&'static str, &'static str); 5],
}

const TRANSFORMERS_NAMES: Names = Names {
    class_token: "embeddings.cls_token",
    places: "embeddings.position_embeddings",
    patches: "embeddings.patch_embeddings.projection",
    norm: "layernorm",
    layers: "encoder.layer",
    projections: &["attention.attention.query", "attention.attention.key", "attention.attention.value"],
    others: [
        ("attention.output", "attention.output.dense"),
        ("attention.norm", "layernorm_before"),
        ("feed_forward.up", "intermediate.dense"),
        ("feed_forward.down", "output.dense"),
        ("feed_forward.norm", "layernorm_after"),
    ],
};

const TIMM_NAMES: Names = Names {
    class_token: "cls_token",
    places: "pos_embed",
    patches: "patch_embed.proj",
    norm: "norm",
    layers: "blocks",
    projections: &["attn.qkv"],
    others: [
        ("attention.output", "attn.proj"),
        ("attention.norm", "norm1"),
        ("feed_forward.up", "mlp.fc1"),
        ("feed_forward.down", "mlp.fc2"),
        ("feed_forward.norm", "norm2"),
    ],
};

impl Names {
    /// The linear layer of patches and the positions, of which the first holds the class token (see the module `vit`).
    fn embeddings(&self, size: &VitSize, renormalise: &Renormalise) -> Vec<Part> {
        let (patch, width, n_tokens) = (size.patch, size.width, 1 + size.n_patches());
        let kernel = (format!("{}.weight", self.patches), vec![width, size.channels, patch, patch]);
        let bias = (format!("{}.bias", self.patches), vec![width]);
        let class_token = (self.class_token.to_owned(), vec![1, 1, width]);
        let places = (self.places.to_owned(), vec![1, n_tokens, width]);
        let (of_weight, of_bias, of_places) = (renormalise.clone(), renormalise.clone(), renormalise.clone());
        vec![
            Part {
                name: "patches.weight".into(),
                sources: vec![kernel.clone()],
                combine: Box::new(move |tensors| of_weight.kernel(&tensors[0])?.permute([0, 2, 3, 1])?.flatten_from(1)),
            },
            Part {
                name: "patches.bias".into(),
                sources: vec![kernel.clone(), bias.clone()],
                combine: Box::new(move |tensors| &tensors[1] + of_bias.shift(&tensors[0])?),
            },
            Part {
                name: "positions.weight".into(),
                sources: vec![kernel, bias, class_token, places],
                combine: Box::new(move |tensors| places_of(tensors, &of_places)),
            },
        ]
    }
}

/// The class token and what the layer of patches adds to a patch of zeros go into the first position.
fn places_of(tensors: &[Tensor], renormalise: &Renormalise) -> TensorResult<Tensor> {
    let [kernel, bias, class_token, places] = tensors else { unreachable!("the four sources of the places") };
    let bias = (bias + renormalise.shift(kernel)?)?;
    let places = places.squeeze(0)?;
    let first = ((places.narrow(0, 0, 1)? + class_token.squeeze(0)?)? - bias.unsqueeze(0)?)?;
    Tensor::cat(&[&first, &places.narrow(0, 1, places.dim(0)? - 1)?], 0)
}
