//! Adapts a pretrained network from the normalisation of its pretraining to that of a dataset.
//!
//! Shapes: kernels `[O, C, kh, kw]` of `O` outputs, `C` channels, `kh` rows and `kw` columns.

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

/// The transformers library's file about images, `preprocessor_config.json`.
#[derive(Deserialize)]
struct Preprocessor {
    image_mean: Option<Vec<f32>>,
    image_std: Option<Vec<f32>>,
    #[serde(default = "yes")]
    do_normalize: bool,
    rescale_factor: Option<f64>,
}

fn yes() -> bool {
    true
}

/// Pixels are scaled to `0..=1` here.
const RESCALE_FACTOR: f64 = 1.0 / 255.0;

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
        let n_channels = input.shape.n_channels();
        let usual = || usual.map(|constants| constants[..n_channels.min(3)].to_vec());
        let (file, [mean, std]) = if folder.join(PREPROCESSOR).exists() {
            let published: Preprocessor = read_json(folder, PREPROCESSOR)?;
            if let Some(found) = published.rescale_factor.filter(|found| (found / RESCALE_FACTOR - 1.0).abs() > 1e-3) {
                return Err(FolderError::folder(
                    folder,
                    format!("{PREPROCESSOR}: rescale_factor is {found}, expected 1/255"),
                ));
            }
            let constants = match (published.do_normalize, published.image_mean, published.image_std) {
                (false, _, _) => [vec![0.0; n_channels], vec![1.0; n_channels]],
                (true, Some(mean), Some(std)) => [mean, std],
                (true, _, _) => usual(),
            };
            (PREPROCESSOR, constants)
        } else {
            let published: TimmConfig = read_json(folder, CONFIG)?;
            (CONFIG, published.pretrained_cfg.map_or_else(usual, |images| [images.mean, images.std]))
        };
        let is_right = |constants: &[f32]| constants.len() == n_channels && constants.iter().all(|c| c.is_finite());
        if !is_right(&mean) || !is_right(&std) || std.iter().any(|std| *std <= 0.0) {
            let problem =
                format!("{file}: found the mean {mean:?} and the deviation {std:?}, expected {n_channels} numbers");
            return Err(FolderError::folder(folder, problem));
        }
        let scale = input.std.iter().zip(&std).map(|(own, published)| own / published).collect();
        let distance = input.mean.iter().zip(&mean).map(|(own, published)| own - published);
        Ok(Self { scale, shift: distance.zip(&std).map(|(distance, published)| distance / published).collect() })
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
