//! Architectures, their configuration and their files on disk.
//!
//! A [`Model`] is a body (one of [`ModelConfig`]'s architectures, one file each) that turns inputs into features, and a
//! linear head that turns features into logits. Specialists are the generalist's body under a head of their own
//! ([`Model::with_head`]); a student is any other [`ModelConfig`].
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use stillhouse_core::{ClassId, ClassSubset, InputShape, Seed};
//! use stillhouse_models::{HeadInit, Mode, Model, ModelConfig, ResNetConfig};
//!
//! let input = InputShape::Image { channels: 1, height: 28, width: 28 };
//! let config = ModelConfig::ResNet(ResNetConfig::new(8, 4));
//! let generalist = Model::new(&config, &input, 10, Seed(0), &Device::Cpu)?;
//! // a specialist on classes 3, 5 and 8, and a dustbin for the other seven
//! let subset = ClassSubset::new(10, [3, 5, 8].map(ClassId))?;
//! let specialist = generalist.with_head(HeadInit::Dustbin { subset: &subset })?;
//! let images = Tensor::zeros((2, 28, 28, 1), DType::F32, &Device::Cpu)?;
//! assert_eq!(specialist.forward(&images.into(), Mode::Eval)?.dims(), [2, 4]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything is `f32`. Images are `[B, H, W, C]`, features `[B, F]`, texts one of the forms of [`ModelInput`].
//! Convolution weights are `[kh, kw, C, O]`, in files `[O, C, kh, kw]` as in PyTorch; linear weights are `[O, I]` in both.
//!
//! **Absent on purpose:** losses, optimizers and data.

#![forbid(unsafe_code)]

mod bert;
mod bert_folder;
mod blocks;
mod body;
mod card;
mod config;
mod convnet;
mod encoder;
mod error;
mod folder;
mod folder_error;
mod head;
mod hub_card;
mod input;
mod kernel_order;
mod layer_inputs;
mod layers;
mod low_rank;
mod mlp;
mod model;
mod ngram_bag;
mod normalisation;
mod outline;
mod param;
mod pretrained;
mod pretrained_resnet;
mod pretrained_resnet_folder;
mod published;
mod quantised;
mod reductions;
mod resnet;
mod rounded_rows;
mod state;
mod tokenizer;
mod tokenizer_config;
mod tokenizer_error;
mod transformer;
mod units;
mod vit;
mod vit_folder;
mod weights_head;

pub use bert::{BertConfig, BertSize};
pub use card::{ModelCard, check_labels};
pub use config::ModelConfig;
pub use convnet::ConvNetConfig;
pub use encoder::{EncoderActivation, EncoderPooling};
pub use error::ModelError;
pub use folder::{FORMAT_VERSION, check_place, load_model, save_model, save_rounded_model};
pub use folder_error::FolderError;
pub use head::HeadInit;
pub use hub_card::{HubCard, HubResults};
pub use input::{ModelInput, TextInput};
pub use layer_inputs::{LayerInputs, LayerKind};
pub use layers::{BATCH_NORM_EPSILON, Mode};
pub use low_rank::first_weight;
pub use mlp::MlpConfig;
pub use model::Model;
pub use ngram_bag::NgramBagConfig;
pub use outline::ModelOutline;
pub use param::{Buffer, Param};
pub use pretrained_resnet::{PretrainedBlock, PretrainedResNetConfig, PretrainedResNetSize};
pub use published::published_files;
pub use quantised::{ExactWeights, Rounder, WeightBits};
pub use reductions::{Reductions, Sizes};
pub use resnet::{BlockKind, ResNetConfig};
pub use rounded_rows::{Codes, RoundedRows, WEIGHT_BITS};
pub use stillhouse_ops::{TokenRows, rotary_angles};
pub use tokenizer::Tokenizer;
pub use tokenizer_config::{HubTokenizer, TokenizerConfig, TokenizerTraining};
pub use tokenizer_error::TokenizerError;
pub use transformer::{Positions, TransformerConfig};
pub use units::InnerWidth;
pub use vit::{VitConfig, VitSize};
