//! ONNX files of every architecture, read by another program (tract), give the model's own probabilities.

mod support;

use stillhouse_core::InputShape;
use stillhouse_export::graph::{Example, Graph, GraphInput};
use stillhouse_export::onnx::{Precision, TableBits, onnx_file};
use stillhouse_models::{ModelConfig, NgramBagConfig, RoundedRows};
use support::{N_CLASSES, examples};
use tract_onnx::prelude::*;

/// Between probabilities.
const TOLERANCE: f32 = 1e-5;

/// A file as tract runs it.
fn load(file: &[u8], inputs: &[Tensor]) -> TypedRunnableModel<TypedModel> {
    let mut model = onnx().model_for_read(&mut &*file).unwrap();
    for (index, input) in inputs.iter().enumerate() {
        model.set_input_fact(index, InferenceFact::dt_shape(input.datum_type(), input.shape())).unwrap();
    }
    model.into_optimized().unwrap().into_runnable().unwrap()
}

/// All examples as one batch; texts are padded to the longest, and have a mask.
fn batch(graph: &Graph, examples: &[Example]) -> Vec<Tensor> {
    let ids = |example: &Example| match example {
        Example::Ids(ids) => ids.clone(),
        Example::Values(_) => unreachable!("a text"),
    };
    let numbers = |example: &Example| match example {
        Example::Values(values) => values.clone(),
        Example::Ids(_) => unreachable!("numbers"),
    };
    let n = examples.len();
    match graph.input() {
        GraphInput::Image { channels, height, width } => {
            let grey = channels * height * width / numbers(&examples[0]).len();
            let values: Vec<f32> = examples.iter().flat_map(|example| numbers(example).repeat(grey)).collect();
            vec![Tensor::from_shape(&[n, channels, height, width], &values).unwrap()]
        }
        GraphInput::Features { n_features } => {
            let values: Vec<f32> = examples.iter().flat_map(numbers).collect();
            vec![Tensor::from_shape(&[n, n_features], &values).unwrap()]
        }
        GraphInput::Tokens { .. } | GraphInput::Ngrams { .. } => {
            let longest = examples.iter().map(|example| ids(example).len()).max().unwrap();
            let padded = |example, value: fn(u32) -> i64, padding| {
                let ids = ids(example);
                (0..longest).map(|index| ids.get(index).map_or(padding, |id| value(*id))).collect::<Vec<i64>>()
            };
            // padding has an id of its own here, so that a mask that is not applied is noticed
            let values: Vec<i64> = examples.iter().flat_map(|example| padded(example, i64::from, 1)).collect();
            let mask: Vec<i64> = examples.iter().flat_map(|example| padded(example, |_| 1, 0)).collect();
            [values, mask].iter().map(|ids| Tensor::from_shape(&[n, longest], ids).unwrap()).collect()
        }
    }
}

fn probs(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    logits.iter().map(|logit| (logit - largest).exp() / sum).collect()
}

fn top1(probs: &[f32]) -> usize {
    (0..probs.len()).max_by(|a, b| probs[*a].total_cmp(&probs[*b])).unwrap()
}

/// Logits that tract gives for all examples in one batch.
fn run(graph: &Graph, examples: &[Example], precision: &Precision) -> Vec<Vec<f32>> {
    let inputs = batch(graph, examples);
    let runnable = load(&onnx_file(graph, precision, &[]), &inputs);
    let found = runnable.run(inputs.into_iter().map(Into::into).collect()).unwrap();
    assert_eq!(found[0].shape(), [examples.len(), N_CLASSES]);
    found[0].as_slice::<f32>().unwrap().chunks_exact(N_CLASSES).map(<[f32]>::to_vec).collect()
}

#[test]
fn another_program_gives_the_same_probabilities() {
    for (name, model) in support::models() {
        let graph = Graph::of(&model).unwrap().with_rgb_input();
        let (examples, expected) = examples(&model);
        for (found, expected) in run(&graph, &examples, &Precision::F32).iter().zip(&expected) {
            let (found, expected) = (probs(found), probs(expected));
            let distance = support::distance(&found, &expected);
            assert!(distance < TOLERANCE, "{name}: {distance}");
            assert_eq!(top1(&found), top1(&expected), "{name}");
        }
    }
}

/// Between logits of these random networks in floats and in eight bits, as a share of the largest.
const ROUNDING: f32 = 0.05;

/// Static files are held against onnxruntime by `experiments/ship/check.py`: tract 0.22 computes other numbers of them.
#[test]
fn dynamic_bytes_change_little() {
    for (name, model) in support::models() {
        let graph = Graph::of(&model).unwrap();
        if Precision::needs_ranges(&graph) {
            continue;
        }
        let (examples, expected) = examples(&model);
        let found = run(&graph.with_rgb_input(), &examples, &Precision::Dynamic(TableBits::Eight));
        let distances = found.iter().zip(&expected).map(|(found, expected)| support::distance(found, expected));
        let largest = expected.iter().flatten().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
        let distance = distances.fold(0.0, f32::max) / largest;
        assert!(distance > 0.0 && distance < ROUNDING, "{name}: {distance}");
    }
}

/// A table of two bits is read as it was rounded, also of a width that fills no byte; the file has four numbers a byte.
#[test]
fn tables_of_two_bits_take_a_quarter_of_the_bytes() {
    for width in [16, 18, 19] {
        let config = ModelConfig::NgramBag(NgramBagConfig::new(400, width));
        let model = support::model(&config, &InputShape::Text {});
        let mut values = vec![0.0; 400 * width];
        values[width..].copy_from_slice(&support::noise(1, 399 * width));
        let rounded = Graph::of(&model).unwrap().with_values(|_, constant| {
            let is_table = constant.values.len() == 400 * width;
            is_table.then(|| RoundedRows::nearest(&values, width, 2).values())
        });
        let (examples, _) = examples(&model);
        let in_floats = run(&rounded, &examples, &Precision::F32);
        let largest = in_floats.iter().flatten().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
        for bits in [TableBits::Four, TableBits::Eight] {
            let found = run(&rounded, &examples, &Precision::Dynamic(bits));
            let distances = found.iter().zip(&in_floats).map(|(found, expected)| support::distance(found, expected));
            assert!(distances.fold(0.0, f32::max) < ROUNDING * largest, "{width}");
        }
        let n_bytes = onnx_file(&rounded, &Precision::Dynamic(TableBits::Eight), &[]).len();
        let of_four_bits = Graph::of(&model).unwrap();
        let n_bytes_of_four = onnx_file(&of_four_bits, &Precision::Dynamic(TableBits::Four), &[]).len();
        assert!(n_bytes < n_bytes_of_four - 400 * width / 6, "{n_bytes} and {n_bytes_of_four} bytes");
    }
}

/// Tables of four bits, also of an odd width, are read as they were rounded; the file has two numbers a byte.
#[test]
fn tables_of_four_bits_take_half_of_the_bytes() {
    for width in [8, 9] {
        let config = ModelConfig::NgramBag(NgramBagConfig::new(400, width));
        let model = support::model(&config, &InputShape::Text {});
        let graph = Graph::of(&model).unwrap();
        let rounded = graph.clone().with_values(|_, constant| {
            let is_table = constant.values.len() == 400 * width;
            is_table.then(|| RoundedRows::nearest(&constant.values, width, 4).values())
        });
        let (examples, _) = examples(&model);
        let (four, eight) = (Precision::Dynamic(TableBits::Four), Precision::Dynamic(TableBits::Eight));
        let found = run(&graph, &examples, &four);
        assert_eq!(found, run(&rounded, &examples, &eight), "a table that is rounded already keeps its codes");
        let in_floats = run(&rounded, &examples, &Precision::F32);
        let largest = in_floats.iter().flatten().fold(0.0_f32, |largest, logit| largest.max(logit.abs()));
        let distances = found.iter().zip(&in_floats).map(|(found, expected)| support::distance(found, expected));
        let distance = distances.fold(0.0, f32::max) / largest;
        assert!(distance < ROUNDING, "{distance}");
        let [four, eight] = [four, eight].map(|precision| onnx_file(&graph, &precision, &[]).len());
        assert!(four < eight - 400 * width / 3, "{four} and {eight} bytes");
    }
}
