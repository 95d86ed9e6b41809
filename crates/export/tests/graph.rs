//! The graph of every architecture gives the model's own logits.

mod support;

use stillhouse_export::graph::{Example, Graph, LUMA};
use support::{distance, examples};

/// Sums in another order.
const TOLERANCE: f32 = 2e-5;

#[test]
fn graphs_give_the_logits_of_their_models() {
    for (name, model) in support::models_of_values().into_iter().chain(support::models_of_ngrams()) {
        let graph = Graph::of(&model).unwrap();
        let (examples, expected) = examples(&model);
        for (example, expected) in examples.iter().zip(&expected) {
            let found = graph.logits(example);
            let distance = distance(&found, expected);
            assert!(distance < TOLERANCE, "{name}: {distance}, {found:?} for {expected:?}");
        }
    }
}

#[test]
fn a_grey_model_reads_grey_pixels_in_rgb() {
    for (name, model) in support::models_of_values().into_iter().filter(|(name, _)| name.starts_with("grey")) {
        let (examples, expected) = examples(&model);
        let graph = Graph::of(&model).unwrap().with_rgb_input();
        for (example, expected) in examples.iter().zip(&expected) {
            let Example::Values(grey) = example else { unreachable!("an image") };
            let distance = distance(&graph.logits(&Example::Values(grey.repeat(LUMA.len()))), expected);
            assert!(distance < TOLERANCE, "{name}: {distance}");
        }
    }
}

#[test]
fn names_are_unique_and_weights_are_all_there() {
    for (name, model) in support::models_of_values().into_iter().chain(support::models_of_ngrams()) {
        let graph = Graph::of(&model).unwrap();
        let mut names: Vec<&str> = graph.nodes().iter().map(|node| node.name.as_str()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{name}: {names:?}");
        // batch norm's scale and shift become the convolution's bias
        assert!(graph.n_weights() <= model.n_parameters(), "{name}");
    }
}
