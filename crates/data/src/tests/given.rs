//! What a user gives to a finished model.

use super::files::write_images;
use super::{assert_contains, load};
use crate::{DataError, GivenContent, GivenExample, given_examples};
use serde_json::json;
use stillhouse_core::{InputShape, InputSpec};
use tempfile::tempdir;

fn two_features() -> InputSpec {
    InputSpec {
        shape: InputShape::Features { n_features: 2 },
        mean: vec![1.0, 2.0],
        std: vec![2.0, 4.0],
        background: None,
    }
}

fn given(input: &InputSpec, given: &str) -> Result<Vec<GivenExample>, DataError> {
    given_examples(input, given)?.collect()
}

#[test]
fn a_file_becomes_what_the_dataset_would_have_made_of_it() {
    let root = tempdir().unwrap();
    let paths = write_images(root.path(), "train", &["a", "b"], 6);
    let dataset = load(json!({"kind": "image_folder", "path": root.path(), "size": [8, 8], "channels": 1})).unwrap();
    let mut expected = vec![0.0; 64];
    let path = &paths[dataset.train.example_id(2).0 as usize];
    dataset.train.read(2, None, &mut expected).unwrap();
    let name = path.display().to_string();
    let found = given(&dataset.input, &name).unwrap();
    assert_eq!(found, [GivenExample { name, content: GivenContent::Values(expected) }]);
    let of_folder = given(&dataset.input, path.parent().unwrap().to_str().unwrap()).unwrap();
    assert_eq!(of_folder.len(), 6);
    assert!(of_folder.is_sorted_by_key(|example| example.name.clone()) && of_folder.contains(&found[0]));
}

#[test]
fn what_the_model_does_not_take_is_refused() {
    let refused = |input: &InputSpec, text: &str| given(input, text).unwrap_err().to_string();
    let grey = InputSpec {
        shape: InputShape::Image { channels: 1, height: 2, width: 2 },
        mean: vec![0.0],
        std: vec![1.0],
        background: None,
    };
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    assert_contains(&refused(&grey, &at("")), &["no images", "png"]);
    std::fs::write(at("text.png"), "text").unwrap();
    assert_contains(&refused(&grey, &at("text.png")), &["text.png", "no known image format"]);
    assert_contains(&refused(&grey, &at("absent.png")), &["cannot read", "absent.png"]);
    assert_contains(&refused(&two_features(), "1"), &["1 values", "expected 2"]);
    assert_contains(&refused(&two_features(), "1 NaN"), &["NaN at position 1"]);
    assert_contains(&refused(&two_features(), "one two"), &["\"one two\"", "a row of numbers"]);
}

#[test]
fn rows_of_features_are_normalised_and_texts_stay() {
    let content = |input: &InputSpec, text: &str| given(input, text).unwrap().remove(0).content;
    assert_eq!(content(&two_features(), "3.0, 2.0"), GivenContent::Values(vec![1.0, 0.0]));
    let text = InputSpec { shape: InputShape::Text {}, mean: Vec::new(), std: Vec::new(), background: None };
    assert_eq!(content(&text, "3.0, 2.0"), GivenContent::Text("3.0, 2.0".to_owned()));
}
