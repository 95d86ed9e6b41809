//! From models to graphs: one file for each architecture, which names the parameters as `stillhouse-models` does.
//!
//! The layers that architectures share are in `layers.rs`.

mod bert;
mod convnet;
mod encoder;
mod layers;
mod mlp;
mod ngram_bag;
mod pretrained_resnet;
mod resnet;
mod transformer;
mod vit;
mod weights;

use super::builder::GraphBuilder;
use super::{Graph, GraphInput};
use crate::ExportError;
use stillhouse_core::InputShape;
use stillhouse_models::{Model, ModelConfig, TextInput};
use weights::Weights;

/// A graph that grows out of a model's weights.
struct Lowering {
    weights: Weights,
    graph: GraphBuilder,
}

/// The graph of a model.
pub(super) fn lower(model: &Model) -> Result<Graph, ExportError> {
    let mut lowering = Lowering { weights: Weights::of(model)?, graph: GraphBuilder::new(graph_input(model)) };
    let features = match model.config() {
        ModelConfig::Mlp(config) => lowering.mlp(config),
        ModelConfig::ConvNet(config) => lowering.convnet(config),
        ModelConfig::ResNet(config) => lowering.resnet(config),
        ModelConfig::NgramBag(config) => lowering.ngram_bag(config),
        ModelConfig::Transformer(config) => lowering.transformer(config),
        ModelConfig::Bert(config) => lowering.bert(config, built(config.size.as_ref())),
        ModelConfig::Vit(config) => lowering.vit(config, built(config.size.as_ref())),
        ModelConfig::PretrainedResNet(config) => lowering.pretrained_resnet(built(config.size.as_ref())),
    };
    lowering.weights.scale("head", model.temperature().get().recip());
    lowering.linear_of_any("head", features);
    Ok(lowering.graph.finish())
}

/// The sizes of a pretrained architecture; without them no model is built.
fn built<S>(size: Option<&S>) -> &S {
    size.expect("a model has sizes")
}

fn graph_input(model: &Model) -> GraphInput {
    match (*model.input(), model.config().text_input()) {
        (InputShape::Image { channels, height, width }, _) => GraphInput::Image { channels, height, width },
        (InputShape::Features { n_features }, _) => GraphInput::Features { n_features },
        (InputShape::Tokens { vocabulary_size }, Some(TextInput::Tokens { max_len })) => {
            GraphInput::Tokens { vocabulary_size, max_len }
        }
        (_, Some(TextInput::Ngrams { n_buckets, .. })) => GraphInput::Ngrams { n_buckets },
        (shape, _) => unreachable!("no model is built for {shape:?}"),
    }
}
