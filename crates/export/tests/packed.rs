//! Weights in few bits: which codes a page and C source carry, and how many bytes they take.

mod support;

use stillhouse_core::{InputShape, Ngrams};
use stillhouse_export::graph::Graph;
use stillhouse_export::packed::{PackedConstant, PackedGraph};
use stillhouse_models::{Model, ModelConfig, NgramBagConfig, WeightBits, load_model, save_rounded_model};

/// A table of 2000 x 25 and a head of 7 x 25.
fn large_bag() -> Model {
    let config = NgramBagConfig { ngrams: Ngrams::default(), ..NgramBagConfig::new(2000, 25) };
    support::model(&ModelConfig::NgramBag(config), &InputShape::Text {})
}

fn bits_of(packed: &PackedGraph, name: &str) -> Option<u8> {
    let (_, packed) = packed.constants().find(|(constant, _)| constant.name == name).unwrap();
    match packed {
        PackedConstant::Plain => None,
        PackedConstant::Rows(rows) => Some(rows.bits()),
    }
}

#[test]
fn weights_as_they_are_change_nothing() {
    for (name, model) in support::models() {
        let graph = Graph::of(&model).unwrap();
        let packed = PackedGraph::of(&model, None).unwrap();
        assert_eq!(packed.graph(), &graph, "{name}");
        assert_eq!((packed.n_bytes(), packed.rounded_to()), (4 * graph.n_weights(), None), "{name}");
    }
}

#[test]
fn eight_bits_keep_the_logits() {
    for (name, model) in support::models() {
        let packed = PackedGraph::of(&model, Some(8)).unwrap();
        let (examples, expected) = support::examples(&model);
        for (example, expected) in examples.iter().zip(&expected) {
            let distance = support::distance(&packed.graph().logits(example), expected);
            let largest = expected.iter().fold(1.0_f32, |largest, logit| largest.max(logit.abs()));
            assert!(distance < 0.05 * largest, "{name}: {distance} of {largest}");
        }
    }
}

#[test]
fn few_bits_take_few_bytes_and_the_head_has_eight() {
    let model = large_bag();
    let sizes = [(8, 25), (6, 19), (5, 16), (4, 13), (3, 10), (2, 7)].map(|(bits, row_bytes)| {
        let packed = PackedGraph::of(&model, Some(bits)).unwrap();
        assert_eq!(bits_of(&packed, "embedding.weight"), Some(bits));
        assert_eq!((bits_of(&packed, "head.weight"), bits_of(&packed, "head.bias")), (Some(8), None));
        // a half as the scale of each row; the head has 7 rows, with the temperature in their scales, and a bias
        assert_eq!(packed.n_bytes(), 2000 * (row_bytes + 2) + 7 * (25 + 4) + 7 * 4);
        packed.n_bytes()
    });
    assert!(sizes.is_sorted_by(|a, b| a > b));
    assert_eq!(PackedGraph::of(&model, Some(4)).unwrap().bits_in_words(), "4 and 8 bits");
}

#[test]
fn the_codes_of_a_rounded_folder_are_carried_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for (name, model) in support::models_with_tokenizers().into_iter().chain(support::models_of_values()) {
        for bits in [2, 3, 4, 8] {
            let of_model = WeightBits::at_most(&model, bits).unwrap();
            let place = folder.path().join(format!("{name} {bits}"));
            save_rounded_model(&place, &of_model.rounded(&model).unwrap(), &support::card(&model), &of_model).unwrap();
            let (read, _) = load_model(&place, model.device()).unwrap();
            let packed = PackedGraph::of(&read, Some(8)).unwrap();
            assert_eq!(packed.rounded_to(), None, "{name}, {bits} bits: nothing is rounded a second time");
            let directly = PackedGraph::of(&model, Some(bits)).unwrap();
            assert!(packed.constants().eq(directly.constants()), "{name}, {bits} bits: the same codes and scales");
            let (examples, expected) = support::examples(&read);
            for (example, expected) in examples.iter().zip(&expected) {
                let distance = support::distance(&packed.graph().logits(example), expected);
                let largest = expected.iter().fold(1.0_f32, |largest, logit| largest.max(logit.abs()));
                assert!(distance < 1e-5 * largest, "{name}, {bits} bits: {distance}");
            }
        }
    }
}
