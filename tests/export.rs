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
        (
            &["student", "--to", "onnx", "--out", "student"],
            2,
            &["student: holds a model, expected nothing there", "hint: "],
        ),
        (&["student", "--to", "onnx", "--out", "run"], 2, &["run: holds "]),
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
fn a_student_becomes_a_page_and_source() {
    let scratch = run_with_convnet();
    let export = |words: &[&str]| scratch.succeed(&[&["export", "run/student"], words].concat());
    let finished = export(&["--to", "html", "--bits", "4", "--out", "page", "--json"]);
    let outcome: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    let page = scratch.text("page/index.html");
    assert_eq!(outcome["files"][0], serde_json::json!(["index.html", page.len()]));
    assert!(page.contains("id=\"pad\""), "a grey student has a pad to draw on");
    assert!(page.contains("before its weights were rounded to 4 bits"), "the card's numbers are not those of the page");
    assert!(export(&["--to", "c", "--out", "source"]).stdout.contains("model.c: "));
    // an older export of the same kind gives way
    export(&["--to", "html", "--bits", "8", "--out", "page"]);
    assert_ne!(scratch.text("page/index.html"), page);
}

#[test]
fn an_export_replaces_an_export_of_its_kind_alone() {
    let scratch = run_with_convnet();
    let export = |form: &str, out: &str| scratch.run(&["export", "run/student", "--to", form, "--out", out]);
    for form in ["onnx", "html", "c"] {
        assert_eq!(export(form, form).code, Some(0));
        assert_eq!(export(form, form).code, Some(0), "a second time");
    }
    std::fs::create_dir(scratch.path("mixed")).unwrap();
    std::fs::copy(scratch.path("html/index.html"), scratch.path("mixed/index.html")).unwrap();
    scratch.write("mixed/notes.txt", "mine");
    scratch.write("file", "mine");
    let before = scratch.files(".");
    for (form, out, found) in [
        ("onnx", "html", "html: holds a page that stillhouse exported, expected nothing there"),
        ("onnx", "c", "c: holds C source that stillhouse exported, expected nothing there"),
        ("html", "onnx", "onnx: holds an ONNX folder that stillhouse exported, expected nothing there"),
        ("html", "c", "c: holds C source that stillhouse exported"),
        ("c", "html", "html: holds a page that stillhouse exported"),
        ("c", "run/student", "run/student: holds a model, expected nothing there"),
        ("html", "mixed", "mixed: holds a page that stillhouse exported, and also notes.txt"),
        ("c", "file", "file: is no folder"),
        ("html", ".", ".: holds "),
    ] {
        let finished = export(form, out);
        assert_eq!(finished.code, Some(2), "{form} to {out}: {}", finished.stderr);
        assert!(finished.stderr.contains(found), "{form} to {out}: {}", finished.stderr);
        assert!(finished.stderr.contains("hint: give another folder"), "{}", finished.stderr);
    }
    assert_eq!(scratch.files("."), before);
}

const EXPORTS: &str = r#"
[export]
to = ["html", "onnx", "c"]
"#;

#[test]
fn a_run_ends_with_its_exports() {
    let scratch = Scratch::with_tiny_config();
    scratch.write("e.toml", scratch.text("tiny.toml") + EXPORTS);
    let told = scratch.succeed(&["run", "e.toml", "--out", "run"]).stdout;
    assert!(told.contains("export   run/export/html/index.html"), "{told}");
    let page = scratch.text("run/export/html/index.html");
    assert!(
        scratch.path("run/export/onnx/onnx/model.onnx").is_file() && scratch.path("run/export/c/model.c").is_file()
    );
    let report = scratch.json("run/report.json");
    let paths: Vec<&str> = report["exports"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["export/html/index.html", "export/onnx/README.md", "export/c/README.md"]);
    assert_eq!(report["exports"][0]["bytes"], page.len());
    let link = "<a href=\"export&#x2f;html&#x2f;index.html\">Open the student’s page</a>";
    assert!(scratch.text("run/report.html").contains(link));
    assert!(scratch.text("run/report.md").contains("page](export/html/index.html)"));
    // the page is that of the command, and the run's stages do not depend on it
    scratch.succeed(&["export", "run/student", "--to", "html", "--out", "by_hand"]);
    assert_eq!(scratch.text("by_hand/index.html"), page);
    let fewer = ["--set", "export.to=[\"html\"]", "--set", "export.bits=3"];
    let plan = scratch.succeed(&[&["plan", "e.toml", "--out", "run"][..], &fewer].concat()).stdout;
    assert!(plan.contains("0 stages to do"), "{plan}");
    scratch.succeed(&[&["run", "e.toml", "--out", "run", "-q"][..], &fewer].concat());
    assert!(scratch.text("run/export/html/index.html").contains("rounded to 3 bits"));
    assert_eq!(scratch.json("run/report.json")["exports"].as_array().unwrap().len(), 1);
}

#[test]
fn an_export_that_fails_is_a_warning_of_a_finished_run() {
    let scratch = Scratch::with_tiny_config();
    scratch.write("e.toml", scratch.text("tiny.toml") + EXPORTS);
    std::fs::create_dir_all(scratch.path("run/export/html")).unwrap();
    scratch.write("run/export/html/notes.txt", "mine");
    let finished = scratch.succeed(&["run", "e.toml", "--out", "run", "-q"]);
    let warning = "export.to: \"html\" was not written: run/export/html: holds notes.txt";
    assert!(finished.stderr.contains(warning), "{}", finished.stderr);
    let report = scratch.json("run/report.json");
    assert!(report["warnings"].as_array().unwrap().iter().any(|text| text.as_str().unwrap().starts_with(warning)));
    assert_eq!(report["exports"].as_array().unwrap().len(), 2, "the others are there");
    assert_eq!(scratch.text("run/export/html/notes.txt"), "mine");
    assert!(!scratch.text("run/report.html").contains("Open the student’s page"));
}

#[test]
fn check_tells_what_no_run_could_export() {
    let scratch = Scratch::with_tiny_config();
    let check = |export: &str| {
        scratch.write("e.toml", format!("{}\n[export]\n{export}\n", scratch.text("tiny.toml")));
        scratch.run(&["check", "e.toml"])
    };
    for (export, found) in [
        ("to = []", "export.to: "),
        ("to = [\"paper\"]", "export.to[0]: "),
        ("to = [\"html\", \"html\"]", "export.to[1]: \"html\" a second time"),
        ("to = [\"html\"]\nbits = 16", "export.bits: must be one of 2, 3, 4, 5, 6, 7, 8, 32, found 16"),
        ("to = [\"onnx\"]\nbits = 4", "export.bits: \"onnx\" has a network in 32 bits and one in 8, found 4"),
        ("to = [\"c\"]\nexamples = [\"a\"]", "export.examples: is for the page"),
    ] {
        let finished = check(export);
        assert_eq!(finished.code, Some(2), "{export}: {}", finished.stderr);
        assert!(finished.stderr.contains(found), "{export}: {}", finished.stderr);
    }
    assert_eq!(check("to = [\"html\"]\nbits = 4").code, Some(0));
}

#[test]
fn a_table_of_ngrams_has_four_bits_in_an_onnx_file() {
    let scratch = Scratch::with_texts();
    let with_bits = |bits: u8| {
        scratch.write("e.toml", format!("{}\n[export]\nto = [\"onnx\"]\nbits = {bits}\n", scratch.text("t.toml")));
        scratch.run(&["check", "e.toml"])
    };
    assert!(with_bits(5).stderr.contains("in 32 bits and one in 8 or, for its tables, 4, found 5"));
    assert_eq!(with_bits(4).code, Some(0));
    scratch.succeed(&["run", "e.toml", "--out", "run", "-q"]);
    let n_bytes = |folder: &str| scratch.bytes(&format!("{folder}/onnx/model_quantized.onnx")).len();
    scratch.succeed(&["export", "run/student", "--to", "onnx", "--bits", "8", "--out", "eight"]);
    let said = scratch.succeed(&["export", "run/student", "--to", "onnx", "--bits", "4", "--out", "four"]).stdout;
    assert!(said.contains("tables of 4 bits"), "{said}");
    // 512 rows of 16 numbers
    assert!(n_bytes("four") < n_bytes("eight") - 512 * 7, "{} {}", n_bytes("four"), n_bytes("eight"));
    assert_eq!(n_bytes("run/export/onnx"), n_bytes("four"), "a run exports the same");
    // a page offers 24 lines of a file; empty ones are none
    let export = |lines: String| {
        scratch.write("lines.txt", lines);
        let words = ["export", "run/student", "--to", "html", "--examples", "lines.txt", "--out", "page"];
        scratch.succeed(&words).stdout
    };
    let lines = |n: usize| (0..n).map(|nth| format!("\nred apple {nth}\n")).collect::<String>();
    assert!(!export("\n".repeat(40) + &lines(24)).contains("note: "));
    assert!(scratch.text("page/index.html").contains("red apple 23"));
    assert!(export(lines(25)).contains("note: lines.txt: the page offers the first 24 of its lines"));
}

#[test]
fn a_page_offers_some_images_of_a_folder() {
    let scratch = run_with_convnet();
    for (class, n_images) in [("a", 20), ("b", 40)] {
        std::fs::create_dir_all(scratch.path(&format!("images/{class}"))).unwrap();
        for nth in 0..n_images {
            let image = image::GrayImage::from_pixel(28, 28, image::Luma([nth]));
            image.save(scratch.path(&format!("images/{class}/{nth:02}.png"))).unwrap();
        }
    }
    let words = ["export", "run/student", "--to", "html", "--examples", "images", "--out", "page"];
    let said = scratch.succeed(&words).stdout;
    assert!(said.contains("note: images: the page offers 24 of its 60 images"), "{said}");
    let page = scratch.text("page/index.html");
    let offered: Vec<&str> =
        ["00.png", "02.png", "37.png", "38.png", "39.png"].into_iter().filter(|name| page.contains(name)).collect();
    assert_eq!(offered, ["00.png", "02.png", "37.png"], "every second or third, of both classes");
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
        (&["--to", "html", "--bits", "9"], "expected 2 to 8, or 32"),
    ] {
        let finished = scratch.run(&[&["export", "run/student", "--out", "new"], words].concat());
        assert_eq!(finished.code, Some(2), "{words:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(parts), "{words:?}: {}", finished.stderr);
    }
    assert_eq!(scratch.files("."), before);
}
