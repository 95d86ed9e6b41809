//! Images: decoded, resized, augmented, and batched as `[B, H, W, C]`.
//!
//! | file | subject |
//! |---|---|
//! | `decode.rs`, `jpeg.rs` | from the bytes of a file to values |
//! | `formats.rs` | which formats are read, and the names of others |
//! | `fault.rs` | what is said of an image that is not read |
//! | `ground.rs` | transparent pixels |
//! | `pixels.rs` | values of 8 and of 16 bits |
//! | `encoded.rs` | images that stay in their files or in cells of a table |
//! | `load.rs` | all images of a source, decoded once |
//! | `digest.rs` | hashes and sums for the fingerprint and the normalisation |
//! | `examples.rs` | the modality |
//! | `augment/` | views |
//! | `given.rs` | image files that a model is to predict |

mod augment;
mod decode;
mod digest;
mod encoded;
mod examples;
mod fault;
mod formats;
mod given;
mod ground;
mod jpeg;
mod load;
mod pixels;

pub use augment::{
    AffineElasticConfig, AugmentConfig, ColourJitterConfig, CombinedConfig, CropFlipConfig, GeometryConfig,
    RandomErasingConfig, ShiftConfig,
};
pub(crate) use decode::{Target, read_header};
pub(crate) use digest::digest_all;
pub(crate) use encoded::{Cells, EncodedImages};
pub(crate) use examples::{ImageExamples, Pixels};
pub(crate) use formats::{HEAD_BYTES, Kind, has_image_ending, kind};
pub(crate) use given::given_image;
pub(crate) use load::{Loading, MAX_SIZE, TargetSettings};
