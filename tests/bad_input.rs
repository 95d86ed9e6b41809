//! Bad input: the right exit code, one clear message, nothing half-written.

mod support;

use std::path::Path;
use support::{Finished, Scratch, TINY};

const USAGE: i32 = 2;
const BAD_DATA: i32 = 3;

/// One message, which holds all of `parts`, and no result.
fn assert_refused(scratch: &Scratch, words: &[&str], code: i32, parts: &[&str]) -> Finished {
    let finished = scratch.run(words);
    let message = &finished.stderr;
    assert_eq!(finished.code, Some(code), "{words:?}\n{message}");
    assert_eq!(message.matches("error: ").count(), 1, "{words:?}\n{message}");
    for part in parts {
        assert!(message.contains(part), "{words:?}: no `{part}` in\n{message}");
    }
    assert!(!message.contains("panicked"), "{message}");
    assert_nothing_half_written(scratch);
    finished
}

/// Neither results nor temporary files; a log and finished stages may stay.
fn assert_nothing_half_written(scratch: &Scratch) {
    for path in scratch.files(".") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_result = ["report.json", "report.html", "model.safetensors"].contains(&name.as_str());
        let is_temporary = name.starts_with(".tmp") || name.ends_with(".tmp");
        let is_stage = path.components().any(|part| part.as_os_str() == "stages");
        assert!(is_stage || !is_result && !is_temporary, "{} was written", path.display());
    }
}

/// Configs are refused before anything is made.
fn assert_config_refused(overrides: &[&str], parts: &[&str]) {
    let scratch = Scratch::with_tiny_config();
    let sets: Vec<&str> = overrides.iter().flat_map(|text| ["--set", text]).collect();
    for command in ["check", "run"] {
        assert_refused(&scratch, &[&[command, "tiny.toml"], &sets[..]].concat(), USAGE, parts);
    }
    assert!(!scratch.path("runs").exists());
}

#[test]
fn a_misspelt_key_is_answered_with_the_nearest_one() {
    assert_config_refused(&["student.training.n_epoch=3"], &["student.training.n_epoch: unknown key", "`n_epochs`?"]);
    assert_config_refused(&["studnt.views=3"], &["studnt: unknown key", "did you mean `student`?"]);
}

#[test]
fn a_wrong_type_names_the_key_and_both_types() {
    let parts = ["student.training.n_epochs: expected a whole number", "the string \"many\""];
    assert_config_refused(&["student.training.n_epochs=many"], &parts);
}

#[test]
fn all_problems_of_a_config_come_at_once() {
    assert_config_refused(&["seed=-1", "generalist.model.kind=mpl"], &["2 problems", "seed: ", "`mlp`?"]);
}

#[test]
fn a_temperature_of_zero_is_out_of_range() {
    let parts = ["student.distillation.loss.temperature: must be between 0.001 and 10000, found 0"];
    assert_config_refused(&["student.distillation.loss.temperature=0.0"], &parts);
}

#[test]
fn more_clusters_than_classes_are_refused() {
    let scratch = Scratch::with_tiny_config();
    let words = ["run", "tiny.toml", "--set", "clustering.method.n_clusters=13"];
    assert_refused(&scratch, &words, USAGE, &["13", "12"]);
}

#[test]
fn a_config_that_cannot_be_read_is_refused() {
    let scratch = Scratch::new();
    assert_refused(&scratch, &["run", "none.toml"], USAGE, &["none.toml", "cannot be read", "hint:"]);
    assert_refused(&scratch, &["run", "."], USAGE, &["cannot be read"]);
    scratch.write("broken.toml", "seed = = 1");
    assert_refused(&scratch, &["check", "broken.toml"], USAGE, &["broken.toml", "not valid TOML"]);
    scratch.write("binary.toml", [0xff, 0xfe, 0x00]);
    assert_refused(&scratch, &["check", "binary.toml"], USAGE, &["binary.toml"]);
    assert_refused(&scratch, &["run", "--set", "seed"], USAGE, &["--set seed", "a.b=value"]);
}

#[test]
fn wrong_usage_is_refused() {
    let scratch = Scratch::new();
    for words in [&["rum"][..], &["run", "--threads", "0"], &["predict"], &["run", "-q", "-v"]] {
        assert_eq!(scratch.run(words).code, Some(USAGE), "{words:?}");
    }
    assert_refused(&scratch, &["run", "--device", "abacus"], USAGE, &["abacus", "expected cpu"]);
    if cfg!(not(feature = "cuda")) {
        assert_refused(&scratch, &["run", "--device", "cuda"], USAGE, &["CUDA", "hint:"]);
    }
    assert_refused(&scratch, &["status", "nowhere"], USAGE, &["nowhere", "hint:"]);
    assert_refused(&scratch, &["report", "nowhere"], USAGE, &["nowhere", "hint:"]);
    assert_refused(&scratch, &["predict", "nowhere", "a.png"], USAGE, &["nowhere", "hint:"]);
    assert_refused(&scratch, &["status", "d", "--set", "seed=1"], USAGE, &["--set", "hint:"]);
    assert!(scratch.files(".").is_empty());
}

/// An idx file of bytes: magic number, dimensions, values.
fn idx(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    const UNSIGNED_BYTE: u8 = 8;
    let mut bytes = vec![0, 0, UNSIGNED_BYTE, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(values);
    bytes
}

const SIDE: u32 = 6;

/// A small data set in MNIST's files: a class is a grey level.
fn write_idx(scratch: &Scratch) {
    for (prefix, n) in [("train", 60_u32), ("t10k", 20)] {
        let labels: Vec<u8> = (0..n).map(|index| (index % 4) as u8).collect();
        let pixels: Vec<u8> = labels.iter().flat_map(|label| vec![label * 60; (SIDE * SIDE) as usize]).collect();
        scratch.write(&format!("idx/{prefix}-images-idx3-ubyte"), idx(&[n, SIDE, SIDE], &pixels));
        scratch.write(&format!("idx/{prefix}-labels-idx1-ubyte"), idx(&[n], &labels));
    }
}

/// The tiny experiment with other data.
fn write_config(scratch: &Scratch, data: &str) {
    let (head, tail) = TINY.split_once("[data]").unwrap();
    let rest = &tail[tail.find("[generalist]").unwrap()..];
    let config = format!("{head}[data]\n{data}\n\n{rest}").replace("n_clusters = 3", "n_clusters = 2");
    scratch.write("other.toml", config);
}

fn assert_data_refused(scratch: &Scratch, parts: &[&str]) {
    assert_refused(scratch, &["run", "other.toml"], BAD_DATA, parts);
}

#[test]
fn damaged_idx_files_are_named() {
    let scratch = Scratch::new();
    write_idx(&scratch);
    write_config(&scratch, "kind = \"idx\"\npath = \"idx\"");
    let images = "idx/train-images-idx3-ubyte";
    let whole = scratch.bytes(images);
    scratch.write(images, &whole[..whole.len() / 2]);
    assert_data_refused(&scratch, &["train-images-idx3-ubyte"]);
    let wrong_magic = [&[1, 2, 3, 4], &whole[4..]].concat();
    scratch.write(images, wrong_magic);
    assert_data_refused(&scratch, &["train-images-idx3-ubyte", "magic"]);
    scratch.write(images, &whole);
    let labels = scratch.bytes("idx/t10k-labels-idx1-ubyte");
    scratch.write("idx/t10k-labels-idx1-ubyte", [&labels[..8], &[9], &labels[9..]].concat());
    assert_data_refused(&scratch, &["t10k-labels-idx1-ubyte", "9"]);
    scratch.write("idx/t10k-labels-idx1-ubyte", &labels);
    std::fs::remove_file(scratch.path("idx/t10k-images-idx3-ubyte")).unwrap();
    assert_data_refused(&scratch, &["t10k-images-idx3-ubyte"]);
    // the files are good once they are whole
    write_idx(&scratch);
    scratch.succeed(&["run", "other.toml"]);
}

fn write_images(scratch: &Scratch) {
    for class in ["cat", "dog", "emu", "fox"] {
        for (split, n) in [("train", 8_u8), ("test", 4)] {
            for index in 0..n {
                let path = scratch.write(&format!("images/{split}/{class}/{index}.png"), "");
                image::RgbImage::from_pixel(8, 8, image::Rgb([index * 9, class.as_bytes()[0], 7])).save(path).unwrap();
            }
        }
    }
    write_config(scratch, "kind = \"image_folder\"\npath = \"images\"");
}

#[test]
fn a_class_without_images_is_named() {
    let scratch = Scratch::new();
    write_images(&scratch);
    std::fs::create_dir_all(scratch.path("images/train/gnu")).unwrap();
    assert_data_refused(&scratch, &["gnu"]);
}

#[test]
fn a_damaged_picture_in_the_middle_of_a_folder_is_named() {
    let scratch = Scratch::new();
    write_images(&scratch);
    let whole = scratch.bytes("images/train/emu/3.png");
    scratch.write("images/train/emu/3.png", &whole[..whole.len() / 2]);
    assert_data_refused(&scratch, &["emu", "3.png"]);
    scratch.write("images/train/emu/3.png", "this is no picture");
    assert_data_refused(&scratch, &["emu", "3.png"]);
}

/// A `.npy` file, version 1.0.
fn npy(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    const PREFIX_LEN: usize = 10;
    const ALIGNMENT: usize = 64;
    let dictionary = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    let header_len = (PREFIX_LEN + dictionary.len() + 1).next_multiple_of(ALIGNMENT) - PREFIX_LEN;
    let header = format!("{dictionary:<width$}\n", width = header_len - 1);
    let length = u16::try_from(header_len).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), values].concat()
}

fn write_features(scratch: &Scratch, spoilt: Option<f32>, spoilt_label: Option<i64>) {
    let n = 40_usize;
    let mut labels: Vec<i64> = (0..n as i64).map(|index| index % 4).collect();
    let mut values: Vec<f32> = labels.iter().flat_map(|label| [*label as f32, 1.0, -0.5]).collect();
    let test = values.clone();
    let test_labels = labels.clone();
    values[40] = spoilt.unwrap_or(values[40]);
    labels[7] = spoilt_label.unwrap_or(labels[7]);
    let matrix =
        |values: &[f32]| npy("<f4", "(40, 3)", &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
    let column = |labels: &[i64]| npy("<i8", "(40,)", &labels.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
    scratch.write("train.npy", matrix(&values));
    scratch.write("train_labels.npy", column(&labels));
    scratch.write("test.npy", matrix(&test));
    scratch.write("test_labels.npy", column(&test_labels));
    scratch.write("names.txt", "a\nb\nc\nd\n");
    let files =
        ["train", "train_labels", "test", "test_labels"].map(|name| format!("{name} = \"{name}.npy\"\n")).concat();
    write_config(scratch, &format!("kind = \"features\"\n{files}label_names = \"names.txt\""));
}

#[test]
fn features_that_are_no_numbers_are_named() {
    let scratch = Scratch::new();
    for spoilt in [f32::NAN, f32::INFINITY] {
        write_features(&scratch, Some(spoilt), None);
        assert_data_refused(&scratch, &["train.npy"]);
    }
    write_features(&scratch, None, None);
    scratch.succeed(&["run", "other.toml"]);
    let finished = scratch.run(&["predict", "runs/other/student", "1.0,2.0"]);
    assert_eq!(finished.code, Some(BAD_DATA), "{}", finished.stderr);
}

#[test]
fn labels_outside_the_range_are_named() {
    for label in [4, -1] {
        let scratch = Scratch::new();
        write_features(&scratch, None, Some(label));
        assert_data_refused(&scratch, &["train_labels.npy", &label.to_string()]);
    }
}

#[test]
fn a_run_directory_has_one_writer() {
    let scratch = Scratch::with_tiny_config();
    let long = ["run", "tiny.toml", "--out", "out", "--set", "generalist.training.n_epochs=100000"];
    let mut first = scratch.start(&long);
    scratch.wait_for("out/metrics.jsonl", "\"epoch\"");
    let second = scratch.run(&["run", "tiny.toml", "--out", "out"]);
    let is_running = first.try_wait().unwrap().is_none();
    first.kill().unwrap();
    support::limit::wait(&mut first);
    assert!(is_running, "the first run ended too early for this test");
    assert_eq!(second.code, Some(USAGE), "{}", second.stderr);
    let process = format!("process {}", first.id());
    for part in ["another stillhouse is using", &process, "hint:"] {
        assert!(second.stderr.contains(part), "{}", second.stderr);
    }
    assert!(!scratch.path("out/report.json").exists());
    // a killed holder leaves no lock behind
    scratch.succeed(&["run", "tiny.toml", "--out", "out"]);
}

#[test]
fn a_flipped_byte_in_a_finished_stage_is_found() {
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml"]);
    let is_weights =
        |path: &Path| path.to_string_lossy().contains("generalist-") && path.ends_with("model.safetensors");
    let stages = scratch.files("runs/tiny/stages");
    let weights = stages.iter().find(|path| is_weights(path)).unwrap_or_else(|| panic!("no weights in {stages:?}"));
    let mut bytes = std::fs::read(weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(weights, &bytes).unwrap();
    let finished = scratch.run(&["run", "tiny.toml"]);
    assert_eq!(finished.code, Some(BAD_DATA), "{}", finished.stderr);
    assert!(finished.stderr.contains("changed since it was written"), "{}", finished.stderr);
    let hint = finished.stderr.lines().find(|line| line.contains("hint: remove the folder")).expect("a remedy");
    let folder = hint.split_whitespace().find(|word| word.contains("stages")).unwrap();
    std::fs::remove_dir_all(scratch.path(folder)).unwrap();
    scratch.succeed(&["run", "tiny.toml"]);
}

#[test]
fn a_training_that_explodes_names_its_stage_and_a_remedy() {
    let scratch = Scratch::with_tiny_config();
    let words = [
        "run",
        "tiny.toml",
        "--set",
        "generalist.training.optimizer={kind=\"sgd\"}",
        "--set",
        "generalist.training.schedule={kind=\"constant\", learning_rate=1e30}",
    ];
    let finished = assert_refused(&scratch, &words, 1, &["generalist", "step", "hint:"]);
    assert_eq!(finished.stderr.matches("hint:").count(), 1, "{}", finished.stderr);
}

#[test]
fn a_specialist_that_is_damaged_or_cannot_be_written_ends_the_run() {
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml"]);
    let stages = std::fs::read_dir(scratch.path("runs/tiny/stages")).unwrap().map(|entry| entry.unwrap().path());
    let specialist = stages.filter(|path| path.is_dir()).find(|path| path.to_string_lossy().contains("/specialist-"));
    let specialist = specialist.unwrap();
    let name = specialist.file_name().unwrap().to_string_lossy().into_owned();
    for file in ["model.safetensors", "fit.json", "stage.json"] {
        let whole = std::fs::read(specialist.join(file)).unwrap();
        std::fs::write(specialist.join(file), &whole[..whole.len() / 2]).unwrap();
        let finished = scratch.run(&["run", "tiny.toml"]);
        assert_eq!(finished.code, Some(BAD_DATA), "{file}: {}", finished.stderr);
        assert!(
            finished.stderr.contains(&name) && finished.stderr.contains("remove the folder"),
            "{}",
            finished.stderr
        );
        std::fs::write(specialist.join(file), &whole).unwrap();
    }
    // its folder is taken by a file, so this one cannot write and the others can
    std::fs::remove_dir_all(&specialist).unwrap();
    std::fs::write(&specialist, "").unwrap();
    let finished = scratch.run(&["run", "tiny.toml"]);
    assert!(matches!(finished.code, Some(1 | BAD_DATA)), "{finished:?}");
    assert!(finished.stderr.contains(&name), "{}", finished.stderr);
    std::fs::remove_file(&specialist).unwrap();
    scratch.succeed(&["run", "tiny.toml"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let scratch = Scratch::with_tiny_config();
    scratch.write("file", "");
    let finished = scratch.run(&["run", "tiny.toml", "--out", "file/below"]);
    assert!(matches!(finished.code, Some(USAGE | BAD_DATA)), "{finished:?}");
    assert!(finished.stderr.contains("file/below"), "{}", finished.stderr);
}
