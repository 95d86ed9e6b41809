//! All numbers by name.

use crate::cases::{IMAGE, batch, bits, every_case, labels, mlp, model, resnet, sgd_step};
use std::collections::HashMap;

#[test]
fn a_snapshot_brings_a_model_back() {
    for (config, input) in every_case() {
        let model = model(&config, &input, 0);
        let (snapshot, before) = (model.state_dict().unwrap(), bits(&model));
        sgd_step(&model, &batch(&input, 10, 1), &labels(10), 0.1, 0);
        assert_ne!(bits(&model), before);
        model.load_state(snapshot).unwrap();
        assert_eq!(bits(&model), before);
    }
}

#[test]
fn weights_of_another_model_are_refused_by_name_and_nothing_is_written() {
    let (small, large) = (model(&mlp(&[4]), &IMAGE, 0), model(&mlp(&[6, 6]), &IMAGE, 1));
    let before = bits(&small);
    let error = small.load_state(large.state_dict().unwrap()).unwrap_err().to_string();
    assert!(error.contains("extra layers.1.bias, layers.1.weight"), "{error}");
    assert!(error.contains("misshapen layers.0.weight (f32 [6, 216], expected f32 [4, 216])"), "{error}");
    assert_eq!(bits(&small), before);

    let mut state: HashMap<_, _> = large.state_dict().unwrap().into_iter().collect();
    state.remove("head.bias");
    assert_eq!(large.load_state(state).unwrap_err().to_string(), "the weights do not fit the model: missing head.bias");
}

#[test]
fn a_long_list_of_differences_is_cut() {
    let error = model(&resnet(8, 4), &IMAGE, 0).load_state([]).unwrap_err().to_string();
    assert!(error.contains("missing stem.conv.weight, ") && error.ends_with("more"), "{error}");
}
