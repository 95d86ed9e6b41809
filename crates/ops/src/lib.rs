//! Tensor operations with backward, optimizer steps, seeded initialisation and dropout.
//!
//! candle supplies tensors; this crate supplies the operations that training spends its time in, each one fused, with
//! its own backward: [`linear`], [`conv2d`], [`depthwise_conv2d`], [`batch_norm_train`], [`ConvNorm`] for a convolution
//! with all that follows it, [`relu`], [`dropout`], pooling, those of texts, and the losses of distillation in
//! [`loss`]. [`record`] records them and computes gradients without candle's graph. [`optimizer`] steps parameters in
//! place, [`init`] fills them from a seed, and [`gradient_coverage`] lists the variables that a loss does not reach.
//!
//! **Texts** are [`TokenRows`]: ids of all texts one after the other, without padding. [`embedding`], [`embedding_bag`],
//! [`self_attention`], [`layer_norm`], [`gelu`] and [`pool_tokens`] work on them. The gradient of a table is a
//! [`RowGradient`] of the rows that were read, and the steps in [`optimizer`] touch these rows alone.
//!
//! **Layout.** Images are `[N, H, W, C]`, convolution weights `[kh, kw, C, O]`, depthwise ones `[kh, kw, C]`, linear
//! weights `[O, I]`, so the innermost axis of an image is always the channel, and a convolution reads contiguous rows.
//!
//! **Invariants.** An operation takes its threads from the rayon pool that it is called in, and gives the same bits for
//! any number of them: work is cut into chunks of a fixed size, and partial sums are combined in a fixed order. Inputs
//! may be strided. A wrong shape is an error that names what was expected and what was found. Tensors that are not on
//! the CPU take the path of candle's own differentiable operations, which is also the reference in the tests.
//!
//! **Absent on purpose:** models, parameters' names, schedules, and any random number that does not come from a key.

mod activation;
mod arithmetic;
mod attention;
mod attention_kernel;
mod batch_norm;
mod batch_norm_kernel;
mod channel_moments;
mod channel_sums;
mod composite;
mod conv2d;
mod conv_norm;
mod coverage;
mod dropout;
mod element;
mod embedding;
mod embedding_bag;
mod gelu;
mod gradients;
pub mod init;
mod lane_sums;
mod layer_norm;
mod linear;
pub mod loss;
mod matmul;
mod memory;
mod normal;
pub mod optimizer;
mod parallel;
mod pooling;
mod rotary;
mod row_groups;
mod scratch;
mod shape;
mod simd;
mod softmax;
mod storage;
mod tape;
#[cfg(test)]
mod tests;
mod token_input;
mod token_pooling;
mod vector;

pub use activation::{add_bias, relu};
pub use arithmetic::{add, scale};
pub use attention::{AttentionConfig, self_attention};
pub use batch_norm::{batch_norm_eval, batch_norm_train, update_running_average};
pub use conv_norm::ConvNorm;
pub use conv2d::{conv2d, depthwise_conv2d};
pub use coverage::{GradientProblem, gradient_coverage, gradient_problem};
pub use dropout::{DropoutKey, LayerKey, dropout};
pub use embedding::embedding;
pub use embedding_bag::embedding_bag;
pub use gelu::{Gelu, gelu};
pub use gradients::{Gradient, Gradients, RowGradient};
pub use layer_norm::layer_norm;
pub use linear::{linear, linear_relu, linear_relu_dropout};
pub use memory::keep_freed_memory;
pub use pooling::{avg_pool2d, global_average_pool, max_pool2d};
pub use rotary::rotary_angles;
pub use simd::{WIDEST_VECTOR_UNIT, vector_unit};
pub use softmax::softmax_rows;
pub use tape::{Tape, flatten, record, reshape};
pub use token_input::TokenRows;
pub use token_pooling::{TokenPooling, pool_tokens};
