//! What the program writes, and what it must not write over.

mod support;

use std::path::Path;
use support::{Scratch, TINY};

const USAGE: i32 = 2;

/// Runs what must be refused without a change to a file.
fn assert_kept(scratch: &Scratch, words: &[&str], file: &str) {
    let before = scratch.bytes(file);
    let finished = scratch.run(words);
    assert_eq!(finished.code, Some(USAGE), "{words:?}\n{}", finished.stderr);
    assert!(finished.stderr.contains("hint:"), "{}", finished.stderr);
    assert_eq!(scratch.bytes(file), before, "{words:?}");
}

#[test]
fn the_given_config_is_not_written_over() {
    let scratch = Scratch::with_tiny_config();
    scratch.write("config.toml", TINY);
    assert_kept(&scratch, &["run", "config.toml", "--out", "."], "config.toml");
    assert_kept(&scratch, &["data", "preview", "config.toml", "--out", "config.toml"], "config.toml");
    // in a run's folder stands what the program would write again
    scratch.succeed(&["run", "tiny.toml", "-q"]);
    let resolved = scratch.bytes("runs/tiny/config.toml");
    scratch.succeed(&["run", "runs/tiny/config.toml", "-q"]);
    assert_eq!(scratch.bytes("runs/tiny/config.toml"), resolved);
}

#[test]
fn a_merge_is_not_written_over_its_inputs() {
    let scratch = Scratch::new();
    scratch.write("a.npy", support::matrices::npy(&[vec![0.5, 0.5], vec![0.25, 0.75]]));
    scratch.write("t.toml", "[[teacher]]\npredictions = \"a.npy\"\n");
    for format in ["npy", "store"] {
        for input in ["t.toml", "a.npy", "./a.npy"] {
            assert_kept(&scratch, &["merge", "t.toml", "--out", input, "--format", format], input);
        }
    }
    scratch.succeed(&["merge", "t.toml", "--out", "merged.npy"]);
}

#[cfg(unix)]
#[test]
fn links_stay_and_pipes_stay() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let scratch = Scratch::new();
    scratch.write("a.npy", support::matrices::npy(&[vec![0.5, 0.5]]));
    scratch.write("t.toml", "[[teacher]]\npredictions = \"a.npy\"\n");
    for (format, target) in [("npy", "far.npy"), ("store", "far.safetensors")] {
        let link = scratch.path(format);
        symlink(target, &link).unwrap();
        scratch.succeed(&["merge", "t.toml", "--out", format, "--format", format]);
        assert!(link.is_symlink() && scratch.path(target).is_file(), "{format}");
    }
    assert!(std::process::Command::new("mkfifo").arg(scratch.path("pipe")).status().unwrap().success());
    let mut merge = scratch.start(&["merge", "t.toml", "--out", "pipe"]);
    assert_eq!(std::fs::read(scratch.path("pipe")).unwrap(), scratch.bytes("far.npy"));
    assert!(merge.wait().unwrap().success());
    let alone = scratch.run(&["merge", "t.toml", "--out", "pipe"]);
    assert_eq!(alone.code, Some(1));
    assert!(alone.stderr.contains("no program reads from this pipe"), "{}", alone.stderr);
    let store = scratch.run(&["merge", "t.toml", "--out", "pipe", "--format", "store"]);
    assert_eq!(store.code, Some(USAGE), "{}", store.stderr);
    assert!(std::fs::symlink_metadata(scratch.path("pipe")).unwrap().file_type().is_fifo());
}

/// Several users share a folder of stages.
#[cfg(unix)]
#[test]
fn everything_in_a_run_is_as_readable_as_any_other_file() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml", "-q"]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let expected = mode(&scratch.path("tiny.toml"));
    for file in scratch.files("runs/tiny") {
        assert_eq!(mode(&file), expected, "{}", file.display());
    }
}

#[test]
fn cards_say_what_the_config_says_and_what_was_measured() {
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml", "-q"]);
    let without = scratch.text("runs/tiny/student/README.md");
    assert!(without.starts_with("---\nlibrary_name: stillhouse\npipeline_tag: image-classification\n"), "{without}");
    assert!(!without.contains("license"), "{without}");

    // what a card says can be added to a finished run, in which nothing is trained again
    let sets = ["--set", "card.license=apache-2.0", "--set", "card.tags=[\"glyphs\", \"no\"]"];
    scratch.succeed(&[&["run", "tiny.toml", "-q"][..], &sets].concat());
    let log = scratch.text("runs/tiny/metrics.jsonl");
    assert_eq!(log.matches("\"stage_started\",\"stage\":\"student\"").count(), 1, "{log}");
    let card = scratch.text("runs/tiny/student/README.md");
    let report = scratch.json("runs/tiny/report.json");
    let top1 = |name: &str| {
        let models = report["models"].as_array().unwrap().iter();
        models.clone().find(|model| model["name"] == name).unwrap()["top1"].as_f64().unwrap()
    };
    let expected = [
        "license: apache-2.0\n".to_owned(),
        "- glyphs\n- \"no\"\n".to_owned(),
        format!("value: {:.4}\n", top1("student")),
        format!("trained on hard labels\"\n        twin_accuracy: {:.4}\n", top1("student_hard")),
    ];
    assert!(expected.iter().all(|part| card.contains(part)), "{expected:?} {card}");

    // exports have it too, and what was rounded has no results of other weights
    scratch.succeed(&["export", "runs/tiny/student", "--to", "onnx", "--out", "onnx", "-q"]);
    let onnx = scratch.text("onnx/README.md");
    assert!(onnx.contains("license: apache-2.0\n") && onnx.contains("model-index:\n"), "{onnx}");
    scratch.succeed(&["compress", "runs/tiny/student", "--bits", "4", "--out", "rounded", "-q"]);
    let rounded = scratch.text("rounded/README.md");
    assert!(rounded.contains("license: apache-2.0\n") && !rounded.contains("model-index:\n"), "{rounded}");
}
