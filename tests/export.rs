//! `stillhouse export`: a student of a run as a folder for other programs.

mod support;

use support::Scratch;

/// A run whose student is a convolutional network.
fn run_with_convnet() -> Scratch {
    let scratch = Scratch::with_tiny_config();
    let student = r#"student.model={ kind = "convnet", widths = [4, 6] }"#;
    scratch.succeed(&["run", "tiny.toml", "--set", student, "--out", "run", "-q"]);
    scratch
}

#[test]
fn a_student_is_exported_in_floats_and_in_eight_bits() {
    let scratch = run_with_convnet();
    let words = ["export", "run/student", "--to", "onnx", "--out", "exported"];
    let finished = scratch.succeed(&words);
    assert!(finished.stdout.contains("onnx/model.onnx: "), "{}", finished.stdout);
    let floats = scratch.bytes("exported/onnx/model.onnx");
    assert_eq!(scratch.json("exported/config.json")["num_labels"], 12);
    // the run's own config says which examples show how large activations are
    let bytes = [&words[..], &["--bits", "8", "--json"]].concat();
    let finished = scratch.succeed(&bytes);
    let outcome: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert!(outcome["quantisation"].as_str().unwrap().contains("on 240 examples"), "{outcome}");
    assert!(outcome["parity_distance"].as_f64().unwrap() < 1e-5);
    assert_eq!(scratch.bytes("exported/onnx/model.onnx"), floats, "the same model gives the same file");
    let quantised = scratch.bytes("exported/onnx/model_quantized.onnx");
    let one_thread = [&bytes[..], &["--threads", "1"]].concat();
    scratch.succeed(&one_thread);
    assert_eq!(scratch.bytes("exported/onnx/model_quantized.onnx"), quantised, "for any number of threads");
}

#[test]
fn what_cannot_be_exported_is_refused_and_changes_nothing() {
    let scratch = run_with_convnet();
    let export = |words: &[&str]| scratch.run(&[&["export"], words].concat());
    std::fs::rename(scratch.path("run/student"), scratch.path("student")).unwrap();
    let before = scratch.files(".");
    for (words, code, parts) in [
        (&["student", "--to", "onnx"][..], 2, &["--out DIR"][..]),
        (&["nothing", "--to", "onnx", "--out", "new"], 2, &["nothing: no such folder", "hint: "]),
        (&["student", "--to", "onnx", "--out", "student"], 2, &["student: exists and is no exported folder", "hint: "]),
        (&["student", "--to", "onnx", "--out", "run"], 2, &["run: exists and is no exported folder"]),
        (&["run", "--to", "onnx", "--out", "new"], 3, &["run"]),
        (&["student", "--to", "onnx", "--bits", "8", "--out", "new"], 2, &["--calibrate CONFIG.toml"]),
        (&["student", "--to", "onnx", "--calibrate", "tiny.toml", "--out", "new"], 2, &["--bits"]),
        (&["student", "--to", "paper", "--out", "new"], 2, &["onnx"]),
    ] {
        let finished = export(words);
        assert_eq!(finished.code, Some(code), "{words:?}: {}", finished.stderr);
        for part in parts {
            assert!(finished.stderr.contains(part), "{words:?}: {}", finished.stderr);
        }
    }
    assert_eq!(scratch.files("."), before);
    let finished = export(&["student", "--to", "onnx", "--bits", "8", "--calibrate", "tiny.toml", "--out", "new"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}
