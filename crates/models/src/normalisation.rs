//! From the normalisation of images that a network was pretrained with to that of a dataset.

use crate::FolderError;
use crate::folder::CONFIG;
use crate::published::{PREPROCESSOR, read_json};
use candle_core::{Result as TensorResult, Tensor};
use serde::Deserialize;
use std::path::Path;
use stillhouse_core::InputSpec;

/// `pretraining's value = scale * dataset's value + shift`, for each channel. A layer that reads images takes this into
/// its weights, so that it gives out what it did in pretraining.
#[derive(Clone, Debug)]
pub(crate) struct Renormalise {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// Mean and deviation as the transformers library writes them.
#[derive(Deserialize)]
struct Preprocessor {
    image_mean: Vec<f32>,
    image_std: Vec<f32>,
}

/// Mean and deviation as timm writes them, in its `config.json`.
#[derive(Deserialize)]
struct TimmConfig {
    pretrained_cfg: Option<TimmImages>,
}

#[derive(Deserialize)]
struct TimmImages {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Renormalise {
    /// Pretraining's constants from the files of `folder`; the `usual` mean and deviation where none has them.
    pub(crate) fn of(folder: &Path, input: &InputSpec, usual: [[f32; 3]; 2]) -> Result<Self, FolderError> {
        let (mean, std) = if folder.join(PREPROCESSOR).exists() {
            let Preprocessor { image_mean, image_std } = read_json(folder, PREPROCESSOR)?;
            (image_mean, image_std)
        } else if let Some(images) = read_json::<TimmConfig>(folder, CONFIG)?.pretrained_cfg {
            (images.mean, images.std)
        } else {
            (usual[0].to_vec(), usual[1].to_vec())
        };
        let channels = || input.mean.iter().zip(&input.std).zip(mean.iter().zip(&std));
        Ok(Self {
            scale: channels().map(|((_, std), (_, pretrained_std))| std / pretrained_std).collect(),
            shift: channels()
                .map(|((mean, _), (pretrained_mean, pretrained_std))| (mean - pretrained_mean) / pretrained_std)
                .collect(),
        })
    }

    /// A published kernel `[O, C, kh, kw]` for images of the dataset.
    pub(crate) fn kernel(&self, kernel: &Tensor) -> TensorResult<Tensor> {
        let scale = Tensor::from_slice(&self.scale, (1, self.scale.len(), 1, 1), kernel.device())?;
        kernel.broadcast_mul(&scale)
    }

    /// What is to be added to the outputs of such a kernel, `[O]`, away from padding.
    pub(crate) fn shift(&self, kernel: &Tensor) -> TensorResult<Tensor> {
        let shift = Tensor::from_slice(&self.shift, (1, self.shift.len(), 1, 1), kernel.device())?;
        kernel.broadcast_mul(&shift)?.sum((1, 2, 3))
    }
}
