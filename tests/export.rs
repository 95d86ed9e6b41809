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
    // a tenth of the 240 is for validation; the run's own config says which examples show how large activations are
    let bytes = [&words[..], &["--bits", "8", "--json"]].concat();
    let finished = scratch.succeed(&bytes);
    let outcome: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert!(outcome["quantisation"].as_str().unwrap().contains("on 216 examples"), "{outcome}");
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

#[test]
fn a_student_becomes_a_page_source_and_a_rounded_model() {
    let scratch = run_with_convnet();
    let export = |words: &[&str]| scratch.succeed(&[&["export", "run/student"], words].concat());
    let finished = export(&["--to", "html", "--bits", "4", "--out", "page", "--json"]);
    let outcome: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let page = scratch.text("page/index.html");
    assert_eq!(outcome["files"][0], serde_json::json!(["index.html", page.len()]));
    assert!(page.contains("id=\"pad\""), "a grey student has a pad to draw on");
    // an older export gives way, whatever its form
    assert!(export(&["--to", "c", "--out", "page"]).stdout.contains("model.c: "));
    assert!(!scratch.path("page/index.html").exists() && scratch.path("page/model.h").exists());
    export(&["--to", "model", "--bits", "8", "--out", "rounded"]);
    assert!(scratch.text("rounded/README.md").contains("| rounded to | 8 bits"));
    scratch.succeed(&["export", "rounded", "--to", "html", "--out", "page"]);
}

#[test]
fn options_of_another_form_are_refused() {
    let scratch = run_with_convnet();
    std::fs::write(scratch.path("lines.txt"), "a\nb\n").unwrap();
    let before = scratch.files(".");
    for (words, parts) in [
        (&["--to", "onnx", "--bits", "4"][..], "hint: --bits 8"),
        (&["--to", "onnx", "--examples", "lines.txt"], "--examples is for --to html"),
        (&["--to", "c", "--bits", "8", "--calibrate", "tiny.toml"], "--calibrate is for --to onnx"),
        (&["--to", "html", "--examples", "lines.txt"], "lines.txt: no PNG, JPEG, WebP or BMP image"),
        (&["--to", "html", "--bits", "3"], "4, 8, 32"),
    ] {
        let finished = scratch.run(&[&["export", "run/student", "--out", "new"], words].concat());
        assert_eq!(finished.code, Some(2), "{words:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(parts), "{words:?}: {}", finished.stderr);
    }
    assert_eq!(scratch.files("."), before);
}
