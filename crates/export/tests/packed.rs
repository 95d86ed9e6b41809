//! Weights in 8 and 4 bits: what is lost, and how many bytes remain.

mod support;

use stillhouse_core::{InputShape, Ngrams};
use stillhouse_export::Bits;
use stillhouse_export::graph::Graph;
use stillhouse_export::packed::{PackedConstant, PackedGraph};
use stillhouse_models::{ModelConfig, NgramBagConfig};

/// A table and a head that are large enough for 4 bits.
fn large_bag() -> Graph {
    let config = NgramBagConfig { ngrams: Ngrams::default(), ..NgramBagConfig::new(2000, 25) };
    Graph::of(&support::model(&ModelConfig::NgramBag(config), &InputShape::Text {})).unwrap()
}

#[test]
fn thirty_two_bits_change_nothing() {
    for (name, model) in support::models() {
        let graph = Graph::of(&model).unwrap();
        let packed = PackedGraph::of(graph.clone(), Bits::ThirtyTwo);
        assert_eq!(packed.graph(), &graph, "{name}");
        assert_eq!(packed.n_bytes(), 4 * graph.n_weights(), "{name}");
    }
}

#[test]
fn rounding_twice_is_rounding_once() {
    for bits in [Bits::Eight, Bits::Four] {
        let once = PackedGraph::of(large_bag(), bits);
        let twice = PackedGraph::of(once.graph().clone(), bits);
        let pairs = once.graph().constants().iter().zip(twice.graph().constants());
        for (first, second) in pairs {
            let distance = support::distance(&first.values, &second.values);
            let largest = first.values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            assert!(distance <= largest / 100.0, "{}: {distance} of {largest}", first.name);
        }
    }
}

#[test]
fn eight_bits_keep_the_logits() {
    for (name, model) in support::models() {
        let graph = Graph::of(&model).unwrap();
        let packed = PackedGraph::of(graph.clone(), Bits::Eight);
        let (examples, expected) = support::examples(&model);
        for (example, expected) in examples.iter().zip(&expected) {
            let distance = support::distance(&packed.graph().logits(example), expected);
            let largest = expected.iter().fold(1.0_f32, |largest, logit| largest.max(logit.abs()));
            assert!(distance < 0.05 * largest, "{name}: {distance} of {largest}");
        }
    }
}

#[test]
fn four_bits_take_an_eighth_and_err_by_less_than_a_tenth() {
    let graph = large_bag();
    let packed = PackedGraph::of(graph.clone(), Bits::Four);
    let table = graph.constants().iter().position(|constant| constant.name == "embedding.weight").unwrap();
    let (before, after) = (&graph.constants()[table], &packed.graph().constants()[table]);
    let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|value| f64::from(value).powi(2)).sum::<f64>();
    let error = squares(&mut before.values.iter().zip(&after.values).map(|(a, b)| a - b));
    let relative = (error / squares(&mut before.values.iter().copied())).sqrt();
    // a uniform distribution over 15 steps gives 1 / (7 sqrt(4)) = 0.071
    assert!((0.03..0.1).contains(&relative), "{relative}");
    let PackedConstant::Rows(rows) = packed.constants().nth(table).unwrap().1 else { panic!("a table of rows") };
    // 25 numbers in 13 bytes, and a scale
    assert_eq!((rows.bits(), rows.n_bytes()), (4, 2000 * (13 + 2)));
}

#[test]
fn small_matrices_keep_eight_bits() {
    let packed = PackedGraph::of(large_bag(), Bits::Four);
    let bits_of = |name: &str| {
        let (_, packed) = packed.constants().find(|(constant, _)| constant.name == name).unwrap();
        match packed {
            PackedConstant::Plain => 32,
            PackedConstant::Rows(rows) => rows.bits(),
        }
    };
    assert_eq!(["embedding.weight", "head.weight", "head.bias"].map(bits_of), [4, 8, 32]);
}

#[test]
fn the_rounded_model_gives_the_logits_of_the_rounded_graph() {
    for (name, model) in support::models() {
        for bits in [Bits::Four, Bits::Eight] {
            let packed = PackedGraph::of(Graph::of(&model).unwrap(), bits);
            let rounded = packed.model(&model).unwrap();
            assert!(rounded.state_dict().unwrap().len() == model.state_dict().unwrap().len());
            let (examples, found) = support::examples(&rounded);
            for (example, found) in examples.iter().zip(&found) {
                let distance = support::distance(&packed.graph().logits(example), found);
                assert!(distance < 1e-4, "{name}, {bits:?}: {distance}");
            }
        }
    }
}
