//! The laws of models, on small nets: every architecture, head surgery, files.

mod architectures;
mod batch_norm;
mod bert;
mod cases;
mod config;
#[cfg(feature = "cuda")]
mod cuda;
mod folder;
mod head;
mod pretrained_images;
mod published;
mod state;
mod training;
