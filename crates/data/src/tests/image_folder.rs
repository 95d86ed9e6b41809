//! Folders of images, whole and damaged.

use super::files::{encode, picture, png, write_images};
use super::{assert_contains, config, load, load_noted, refusal};
use crate::{DataProgress, LoadContext};
use image::ImageFormat;
use serde_json::json;
use std::path::Path;
use stillhouse_core::{InputShape, Seed};
use tempfile::tempdir;

const CLASSES: [&str; 3] = ["ant", "bee", "cat"];

fn folder(path: &Path) -> serde_json::Value {
    json!({"kind": "image_folder", "path": path, "valid_fraction": 0.25})
}

#[test]
fn splits_are_the_folders() {
    let root = tempdir().unwrap();
    write_images(root.path(), "train", &CLASSES, 8);
    write_images(root.path(), "test", &CLASSES, 2);
    std::fs::write(root.path().join("train/ant/.hidden"), "no image").unwrap();
    let dataset = load(folder(root.path())).unwrap();
    assert_eq!(dataset.labels, CLASSES);
    assert_eq!((dataset.train.len(), dataset.valid.len(), dataset.test.len()), (18, 6, 6));
    assert_eq!(dataset.input.shape, InputShape::Image { channels: 3, height: 6, width: 5 });
    write_images(root.path(), "valid", &CLASSES[..2], 3);
    let dataset = load(folder(root.path())).unwrap();
    assert_eq!((dataset.train.len(), dataset.valid.len()), (24, 6));
    assert!(dataset.provenance.contains(&("validation split".to_owned(), "the source's own".to_owned())));
}

#[test]
fn a_missing_test_split_is_carved_and_said_so() {
    let root = tempdir().unwrap();
    write_images(root.path(), "train", &CLASSES, 20);
    let dataset = load(folder(root.path())).unwrap();
    assert_eq!((dataset.train.len(), dataset.valid.len(), dataset.test.len()), (39, 15, 6));
    let said = &dataset.provenance.iter().find(|(key, _)| key == "test split").unwrap().1;
    assert_contains(said, &["carved", "fraction 0.1"]);
}

#[test]
fn formats_sizes_and_colours_are_made_alike() {
    let root = tempdir().unwrap();
    write_images(root.path(), "train", &CLASSES, 4);
    let class = root.path().join("train/ant");
    let jpeg = encode(&picture(30, 20, 9), ImageFormat::Jpeg);
    std::fs::write(class.join("j.jpg"), jpeg).unwrap();
    std::fs::write(class.join("w.webp"), encode(&picture(7, 7, 8), ImageFormat::WebP)).unwrap();
    let grey = image::DynamicImage::ImageLuma8(picture(9, 9, 7).into_luma8());
    std::fs::write(class.join("g.png"), encode(&grey, ImageFormat::Png)).unwrap();
    let text = refusal(folder(root.path()));
    assert_contains(&text, &["g.png", "9 x 9", "6 x 5 pixels, as in", "000.png", "hint: give one size"]);
    for channels in [1, 3] {
        let mut wanted = folder(root.path());
        wanted["size"] = json!([8, 10]);
        wanted["channels"] = json!(channels);
        let dataset = load(wanted).unwrap();
        assert_eq!(dataset.input.shape, InputShape::Image { channels, height: 8, width: 10 });
        assert_eq!(dataset.input.mean.len(), channels);
    }
}

#[test]
fn what_does_not_fit_into_memory_is_decoded_again_to_the_same_bits() {
    let root = tempdir().unwrap();
    write_images(root.path(), "train", &CLASSES, 8);
    write_images(root.path(), "test", &CLASSES, 8);
    let load = |memory_limit_bytes| {
        let context = LoadContext { memory_limit_bytes, ..LoadContext::quiet(Seed(0)) };
        config(folder(root.path())).load(&context).unwrap()
    };
    let (resident, on_demand) = (load(None), load(Some(0)));
    for split in [&resident.train, &on_demand.train] {
        let file = split.file(0).unwrap();
        assert!(file.starts_with(root.path().join("train")) && file.is_file(), "{}", file.display());
    }
    assert!(!resident.train.is_slow_to_read() && on_demand.train.is_slow_to_read());
    assert_eq!(resident.fingerprint, on_demand.fingerprint);
    assert_eq!(resident.input, on_demand.input);
    let (mut a, mut b) = (vec![0.0; 90], vec![1.0; 90]);
    for row in 0..resident.train.len() {
        resident.train.read(row, None, &mut a).unwrap();
        on_demand.train.read(row, None, &mut b).unwrap();
        assert_eq!(a, b);
    }
}

#[test]
fn a_file_that_breaks_after_the_load_is_an_error() {
    let root = tempdir().unwrap();
    let paths = write_images(root.path(), "train", &CLASSES, 8);
    let context = LoadContext { memory_limit_bytes: Some(0), ..LoadContext::quiet(Seed(0)) };
    let train = config(folder(root.path())).load(&context).unwrap().train;
    paths.iter().for_each(|path| std::fs::write(path, "gone").unwrap());
    assert_contains(&train.read(0, None, &mut [0.0; 90]).unwrap_err().to_string(), &[".png", "no known image format"]);
}

#[test]
fn a_corrupt_image_in_the_middle_is_named() {
    let root = tempdir().unwrap();
    let paths = write_images(root.path(), "train", &CLASSES, 8);
    let whole = png(3);
    for damaged in [&whole[..whole.len() / 2], b"not an image", b""] {
        std::fs::write(&paths[11], damaged).unwrap();
        assert_contains(&refusal(folder(root.path())), &["bee/003.png", "PNG, JPEG, WebP or BMP image", "hint"]);
    }
}

#[test]
fn folders_whose_names_look_the_same_are_one_class_or_refused() {
    let root = tempdir().unwrap();
    write_images(root.path(), "train", &["cafe\u{301}", "caf\u{e9}", "x"], 8);
    let (dataset, notes) = load_noted(folder(root.path()));
    assert_eq!(dataset.labels, ["cafe\u{301}", "x"]);
    assert_contains(&notes, &["the labels of 8 rows"]);
    write_images(root.path(), "train", &["\u{445}"], 8);
    assert_contains(
        &refusal(folder(root.path())),
        &["labels that look the same", "`\\u{445}` in a folder of 8 images"],
    );
}

#[test]
fn an_empty_class_is_named() {
    let root = tempdir().unwrap();
    write_images(root.path(), "train", &CLASSES, 2);
    std::fs::create_dir(root.path().join("train/dog")).unwrap();
    assert_contains(&refusal(folder(root.path())), &["class `dog` without an image", "hint"]);
}

#[test]
fn other_layouts_are_explained() {
    let root = tempdir().unwrap();
    assert_contains(&refusal(folder(&root.path().join("absent"))), &["no such folder"]);
    assert_contains(&refusal(folder(root.path())), &["no folder `train`", "hint: move"]);
    write_images(root.path(), "train", &CLASSES, 3);
    write_images(root.path(), "test", &["emu"], 1);
    assert_contains(&refusal(folder(root.path())), &["test/emu", "without training examples"]);
    std::fs::remove_dir_all(root.path().join("test")).unwrap();
    std::fs::write(root.path().join("train/0.png"), png(1)).unwrap();
    assert_contains(&refusal(folder(root.path())), &["train/0.png", "only folders", "folder of its class"]);
    std::fs::remove_file(root.path().join("train/0.png")).unwrap();
    write_images(root.path(), "train/ant", &["more"], 1);
    assert_contains(&refusal(folder(root.path())), &["ant/more", "a folder", "hint"]);
    std::fs::remove_dir_all(root.path().join("train/ant/more")).unwrap();
    let outer = tempdir().unwrap();
    std::fs::rename(root.path(), outer.path().join("inner")).unwrap();
    assert_contains(&refusal(folder(outer.path())), &["no folder `train`", "inner`, which has one"]);
}

#[test]
fn splits_have_their_usual_names_and_other_folders_are_noted() {
    let root = tempdir().unwrap();
    for (split, n) in [("Train", 8), ("val2017", 3), ("evaluation", 2), ("extra", 1), (".old", 4)] {
        write_images(root.path(), split, &CLASSES, n);
    }
    std::fs::create_dir(root.path().join("__MACOSX")).unwrap();
    std::fs::write(root.path().join("README.md"), "about").unwrap();
    std::fs::write(root.path().join("sample.png"), png(1)).unwrap();
    let (dataset, notes) = load_noted(folder(root.path()));
    assert_eq!((dataset.train.len(), dataset.valid.len(), dataset.test.len()), (24, 9, 6));
    assert_contains(
        &notes,
        &["`eval` is taken for the test split", "no split that is still free: `extra`", "`sample.png`"],
    );
    assert_contains(&notes, &["12 images left out, because a name begins with a dot: `.old`"]);
    assert!(!notes.contains("MACOSX"), "{notes}");
    write_images(root.path(), "validation", &CLASSES, 3);
    assert_contains(
        &refusal(folder(root.path())),
        &["several folders of the validation split: `val2017`, `validation`"],
    );
    std::fs::remove_dir_all(root.path().join("validation")).unwrap();
    std::fs::remove_dir_all(root.path().join("Train")).unwrap();
    assert_contains(&refusal(folder(root.path())), &["no folder `train` next to `val2017`, `evaluation`"]);
}

#[test]
fn folders_of_classes_alone_are_carved() {
    let root = tempdir().unwrap();
    write_images(root.path(), "", &["car", "test", "train"], 20);
    let (dataset, notes) = load_noted(folder(root.path()));
    assert_eq!(dataset.labels, ["car", "test", "train"], "names of splits are classes where images lie in them");
    assert_eq!((dataset.train.len(), dataset.valid.len(), dataset.test.len()), (39, 15, 6));
    assert_contains(&notes, &["one of 3 classes", "carved"]);
    let whole = tempdir().unwrap();
    write_images(whole.path(), "train", &["car", "test", "train"], 20);
    let names = load(folder(whole.path())).unwrap().labels;
    assert_eq!(names, dataset.labels);
}

#[test]
fn files_that_are_no_images_are_passed_over() {
    let root = tempdir().unwrap();
    write_images(root.path(), "train", &CLASSES, 8);
    let plain = load(folder(root.path())).unwrap().fingerprint;
    for name in ["train/ant/Thumbs.db", "train/ant/.DS_Store", "train/desktop.ini", "train/bee/._000.png"] {
        std::fs::write(root.path().join(name), "system").unwrap();
    }
    let (dataset, notes) = load_noted(folder(root.path()));
    assert_eq!((dataset.fingerprint.as_str(), notes.as_str()), (plain.as_str(), ""));
    for name in ["train/README.txt", "train/ant/000.xml", "train/bee/BMW"] {
        std::fs::write(root.path().join(name), "BMW and others").unwrap();
    }
    std::fs::create_dir(root.path().join("train/ant/checkpoints")).unwrap();
    write_images(root.path(), "train", &[".net"], 5);
    let (dataset, notes) = load_noted(folder(root.path()));
    assert_eq!(dataset.fingerprint, plain);
    assert_contains(
        &notes,
        &["4 files without an image left out", "`train/README.txt`", "`train/ant/000.xml`", "`train/bee/BMW`"],
    );
    assert_contains(&notes, &["5 images left out, because a name begins with a dot: `train/.net`"]);
    std::fs::write(root.path().join("train/ant/notes"), png(7)).unwrap();
    let dataset = load(folder(root.path())).unwrap();
    let n_images = dataset.train.len() + dataset.valid.len() + dataset.test.len();
    assert_eq!(n_images, 25, "content makes an image, as before");
    std::fs::write(root.path().join("train/ant/notes.PNG"), "text").unwrap();
    assert_contains(&refusal(folder(root.path())), &["notes.PNG", "no known image format", "remove the file"]);
}

#[test]
fn one_class_is_no_problem_to_learn() {
    let root = tempdir().unwrap();
    write_images(root.path(), "train", &["only"], 9);
    assert_contains(&refusal(folder(root.path())), &["1 class", "at least two"]);
}

#[test]
fn copies_of_training_images_in_the_test_split_are_counted() {
    let root = tempdir().unwrap();
    let train = write_images(root.path(), "train", &CLASSES, 8);
    let test = write_images(root.path(), "test", &CLASSES, 4);
    let twins = |root: &Path| {
        let provenance = load(json!({"kind": "image_folder", "path": root})).unwrap().provenance;
        provenance.into_iter().find(|(key, _)| key.contains("seen in training")).map(|(_, text)| text)
    };
    let before = twins(root.path());
    for (from, to) in train.iter().zip(&test) {
        std::fs::copy(from, to).unwrap();
    }
    assert_ne!(before, twins(root.path()));
    assert_contains(&twins(root.path()).unwrap(), &["of 12 are identical"]);
}

#[test]
fn an_interruption_is_no_data_error() {
    struct Stop;
    impl DataProgress for Stop {
        fn is_interrupted(&self) -> bool {
            true
        }
    }
    let root = tempdir().unwrap();
    write_images(root.path(), "train", &CLASSES, 8);
    let context = LoadContext::new(Seed(0), &Stop);
    assert!(config(folder(root.path())).load(&context).unwrap_err().is_interrupted());
}
