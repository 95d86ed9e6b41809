//! Published residual networks for large images: sizes and names, those of the transformers library and those of timm,
//! which are torchvision's.

use crate::normalisation::Renormalise;
use crate::pretrained::Origin;
use crate::published::{Part, published_size};
use crate::weights_head::Shapes;
use crate::{FolderError, PretrainedBlock, PretrainedResNetConfig, PretrainedResNetSize};
use serde::Deserialize;
use std::path::Path;
use stillhouse_core::InputSpec;

/// A `config.json` of the transformers library.
#[derive(Deserialize)]
struct PublishedConfig {
    #[serde(default = "rgb")]
    num_channels: usize,
    embedding_size: usize,
    hidden_sizes: Vec<usize>,
    depths: Vec<usize>,
    layer_type: PretrainedBlock,
    #[serde(default)]
    downsample_in_first_stage: bool,
    #[serde(default)]
    downsample_in_bottleneck: bool,
    hidden_act: String,
}

fn rgb() -> usize {
    3
}

/// Mean and deviation of ImageNet's channels, which all networks of the family were trained with.
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
/// The architectures of timm's without parts that this program does not have, some of which are in no tensor.
const TIMM_NAMES: [&str; 6] = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet200"];
/// A tensor that every network of the family has; what stands before its name is the prefix of all names.
pub(crate) const ANCHORS: &[&str] = &["embedder.embedder.convolution.weight", "conv1.weight"];

impl PretrainedResNetConfig {
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
        let size = published_size(folder, "resnet", of_transformers, timm_size)?;
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
        let names = if shapes.has("conv1.weight") { Names::Timm } else { Names::Transformers };
        let renormalise = Renormalise::of(folder, input, IMAGENET)?;
        let mut parts = names.stem().parts("stem", &shape);
        renormalise_stem(&mut parts, &renormalise);
        let mut n_in = size.stem_width;
        for (stage, (&width, &depth)) in size.widths.iter().zip(&size.depths).enumerate() {
            for block in 0..depth {
                let own = format!("stages.{stage}.blocks.{block}");
                for index in 0..size.block.convolutions(width).len() {
                    parts.extend(
                        names.convolution(stage, block, index).parts(&format!("{own}.conv{}", index + 1), &shape),
                    );
                }
                if block == 0 && (stage > 0 || n_in != width) {
                    parts.extend(names.shortcut(stage).parts(&format!("{own}.shortcut"), &shape));
                }
            }
            n_in = width;
        }
        Ok(parts)
    }
}

impl PublishedConfig {
    fn size(self) -> Result<PretrainedResNetSize, String> {
        if self.downsample_in_first_stage || self.downsample_in_bottleneck || self.hidden_act != "relu" {
            return Err(format!(
                "downsample_in_first_stage is {}, downsample_in_bottleneck {} and hidden_act \"{}\", expected false, false \
                 and \"relu\"",
                self.downsample_in_first_stage, self.downsample_in_bottleneck, self.hidden_act
            ));
        }
        Ok(PretrainedResNetSize {
            channels: self.num_channels,
            stem_width: self.embedding_size,
            widths: self.hidden_sizes,
            depths: self.depths,
            block: self.layer_type,
        })
    }
}

/// The sizes of a network of timm's.
fn timm_size(architecture: &str, shapes: &Shapes) -> Result<PretrainedResNetSize, String> {
    if !TIMM_NAMES.contains(&architecture) {
        return Err(format!("architecture is \"{architecture}\", expected one of {}", TIMM_NAMES.join(", ")));
    }
    let [stem_width, channels, rows, columns] = shapes.axes::<4>("conv1.weight")?;
    if [rows, columns] != [7, 7] {
        return Err(format!("conv1.weight has kernels of {rows}x{columns}, expected 7x7"));
    }
    let is_bottleneck = shapes.has("layer1.0.conv3.weight");
    let last = if is_bottleneck { "conv3" } else { "conv2" };
    let is_there = |stage: usize, block: usize| shapes.has(&format!("layer{}.{block}.conv1.weight", stage + 1));
    let n_stages = (0..).take_while(|stage| is_there(*stage, 0)).count();
    let width = |stage: usize| shapes.axes::<4>(&format!("layer{}.0.{last}.weight", stage + 1)).map(|axes| axes[0]);
    let depth = |stage: usize| (0..).take_while(|block| is_there(stage, *block)).count();
    Ok(PretrainedResNetSize {
        channels,
        stem_width,
        widths: (0..n_stages).map(width).collect::<Result<_, _>>()?,
        depths: (0..n_stages).map(depth).collect(),
        block: if is_bottleneck { PretrainedBlock::Bottleneck } else { PretrainedBlock::Basic },
    })
}

/// Who published a network.
#[derive(Clone, Copy)]
enum Names {
    Transformers,
    Timm,
}

/// A convolution and the batch norm after it, by their published names.
struct Layer {
    convolution: String,
    norm: String,
}

impl Names {
    fn stem(self) -> Layer {
        match self {
            Self::Transformers => Layer::in_transformers("embedder.embedder"),
            Self::Timm => Layer { convolution: "conv1".into(), norm: "bn1".into() },
        }
    }

    fn convolution(self, stage: usize, block: usize, index: usize) -> Layer {
        match self {
            Self::Transformers => {
                Layer::in_transformers(&format!("encoder.stages.{stage}.layers.{block}.layer.{index}"))
            }
            Self::Timm => {
                let block = format!("layer{}.{block}", stage + 1);
                let (convolution, norm) = (format!("{block}.conv{}", index + 1), format!("{block}.bn{}", index + 1));
                Layer { convolution, norm }
            }
        }
    }

    /// The projection in the shortcut of a stage's first block.
    fn shortcut(self, stage: usize) -> Layer {
        match self {
            Self::Transformers => Layer::in_transformers(&format!("encoder.stages.{stage}.layers.0.shortcut")),
            Self::Timm => {
                let projection = format!("layer{}.0.downsample", stage + 1);
                Layer { convolution: format!("{projection}.0"), norm: format!("{projection}.1") }
            }
        }
    }
}

impl Layer {
    fn in_transformers(name: &str) -> Self {
        Self { convolution: format!("{name}.convolution"), norm: format!("{name}.normalization") }
    }

    /// Kernels are published as `[O, C, kh, kw]`.
    fn parts(&self, own: &str, shape: impl Fn(&str) -> Vec<usize>) -> Vec<Part> {
        let name = format!("{own}.conv.weight");
        let [rows, columns, n_in, n_out] = shape(&name)[..] else { unreachable!("a kernel has four axes") };
        let mut parts = vec![Part {
            name,
            sources: vec![(format!("{}.weight", self.convolution), vec![n_out, n_in, rows, columns])],
            combine: Box::new(|tensors| tensors[0].permute([2, 3, 1, 0])?.contiguous()),
        }];
        for end in ["weight", "bias", "running_mean", "running_var"] {
            let sources = vec![format!("{}.{end}", self.norm)];
            parts.push(Part::stacked(format!("{own}.norm.{end}"), sources, &[n_out]));
        }
        parts
    }
}

/// The kernels take images of the dataset; what they then lack goes into the running mean that is subtracted from them.
fn renormalise_stem(parts: &mut [Part], renormalise: &Renormalise) {
    let kernel = parts[0].sources[0].clone();
    for part in parts {
        let renormalise = renormalise.clone();
        if part.name.ends_with("conv.weight") {
            part.combine =
                Box::new(move |tensors| renormalise.kernel(&tensors[0])?.permute([2, 3, 1, 0])?.contiguous());
        } else if part.name.ends_with("running_mean") {
            part.sources.push(kernel.clone());
            part.combine = Box::new(move |tensors| &tensors[0] - renormalise.shift(&tensors[1])?);
        }
    }
}
