//! The graph of every architecture gives the model's own logits.

mod support;

use std::collections::BTreeSet;
use stillhouse_export::graph::{ConstantId, Example, Graph, LUMA};
use support::{distance, examples};

/// Sums in another order.
const TOLERANCE: f32 = 2e-5;

#[test]
fn graphs_give_the_logits_of_their_models() {
    for (name, model) in support::models() {
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
    for (name, model) in support::models().into_iter().filter(|(name, _)| name.starts_with("grey")) {
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
fn names_are_unique_and_every_constant_is_read() {
    for (name, model) in support::models() {
        let graph = Graph::of(&model).unwrap();
        for names in [
            graph.nodes().iter().map(|node| node.name.as_str()).collect::<Vec<_>>(),
            graph.constants().iter().map(|constant| constant.name.as_str()).collect(),
        ] {
            let different: BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!(different.len(), names.len(), "{name}: {names:?}");
        }
        let read: BTreeSet<usize> =
            graph.nodes().iter().flat_map(|node| node.operator.constants()).map(ConstantId::index).collect();
        assert_eq!(read.len(), graph.constants().len(), "{name}");
    }
}
