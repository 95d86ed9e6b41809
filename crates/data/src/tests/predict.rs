//! One file as the input of a finished model.

use super::files::{encode, f32_bytes, picture, write_images, write_npy};
use super::{assert_contains, load};
use crate::{decode_image_for, features_for, read_features_for};
use image::ImageFormat;
use serde_json::json;
use std::path::Path;
use stillhouse_core::{InputShape, InputSpec};
use tempfile::tempdir;

fn two_features() -> InputSpec {
    InputSpec { shape: InputShape::Features { n_features: 2 }, mean: vec![1.0, 2.0], std: vec![2.0, 4.0] }
}

#[test]
fn a_file_becomes_what_the_dataset_would_have_made_of_it() {
    let root = tempdir().unwrap();
    let paths = write_images(root.path(), "train", &["a", "b"], 6);
    let dataset = load(json!({"kind": "image_folder", "path": root.path(), "size": [8, 8], "channels": 1})).unwrap();
    let mut expected = vec![0.0; 64];
    let bytes = std::fs::read(&paths[dataset.train.example_id(2).0 as usize]).unwrap();
    dataset.train.read(2, None, &mut expected).unwrap();
    assert_eq!(decode_image_for(&dataset.input, Path::new("x.png"), &bytes).unwrap(), expected);
}

#[test]
fn what_the_model_does_not_take_is_refused() {
    let path = Path::new("input");
    let image = encode(&picture(4, 4, 1), ImageFormat::Png);
    let text = decode_image_for(&two_features(), path, &image).unwrap_err().to_string();
    assert_contains(&text, &["input: found an image", "features"]);
    let grey =
        InputSpec { shape: InputShape::Image { channels: 1, height: 2, width: 2 }, mean: vec![0.0], std: vec![1.0] };
    assert_contains(&decode_image_for(&grey, path, b"text").unwrap_err().to_string(), &["no known image format"]);
    assert_contains(&features_for(&grey, path, &[1.0]).unwrap_err().to_string(), &["an image"]);
    assert_contains(&features_for(&two_features(), path, &[1.0]).unwrap_err().to_string(), &["1 values"]);
    let text = features_for(&two_features(), path, &[1.0, f32::NAN]).unwrap_err().to_string();
    assert_contains(&text, &["NaN at position 1"]);
}

#[test]
fn rows_of_features_are_normalised() {
    assert_eq!(features_for(&two_features(), Path::new("x"), &[3.0, 2.0]).unwrap(), [1.0, 0.0]);
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    write_npy(&path, "<f4", false, "(2, 2)", &f32_bytes(&[3.0, 2.0, 1.0, 6.0]));
    assert_eq!(read_features_for(&two_features(), &path).unwrap(), [1.0, 0.0, 0.0, 1.0]);
    write_npy(&path, "<f4", false, "(1, 3)", &f32_bytes(&[3.0, 2.0, 1.0]));
    assert_contains(&read_features_for(&two_features(), &path).unwrap_err().to_string(), &["3 features", "expected 2"]);
}
