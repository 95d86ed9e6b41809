//! `predict` as a job, through the real program: folders, tables and matrices in, CSV, JSON lines and parquet out.

mod support;

use serde_json::Value as Json;
use std::process::Stdio;
use support::Scratch;
use support::matrices::npy;

/// Labels that a careless table would tear apart.
const LABELS: [&str; 3] = ["a, \"b\"", "c/d", "e;f"];

/// A folder with a trained model of texts in `runs/texts/student`; the words say the class.
fn texts() -> Scratch {
    let scratch = Scratch::new();
    let quoted = |label: &str| label.replace('"', "\"\"");
    let row = |row: usize| {
        let word = ["loka", "milo", "rumi"][row % 3];
        format!("{word} {word} kaka {row},\"{}\"\n", quoted(LABELS[row % 3]))
    };
    let table = |n_rows: usize| format!("text,label\n{}", (0..n_rows).map(row).collect::<String>());
    scratch.write("train.csv", table(90));
    scratch.write("test.csv", table(30));
    scratch.write("texts.toml", config("kind = \"table\"\ntrain = \"train.csv\"\ntest = \"test.csv\"", TEXT_MODEL));
    scratch.succeed(&["run", "texts.toml", "-q", "--threads", "2"]);
    scratch
}

const TEXTS: &str = "runs/texts/student";
const TEXT_MODEL: &str = "{ kind = \"ngram_bag\", n_buckets = 256, width = 8, ngrams = { characters = [1, 2] } }";

/// One teacher and its student on some data.
fn config(data: &str, model: &str) -> String {
    let training = "{ n_epochs = 8, batch_size = 16, optimizer = { kind = \"adamw\" }, \
                    schedule = { kind = \"constant\", learning_rate = 1e-2 } }";
    format!(
        "seed = 0\n[data]\n{data}\n[generalist]\nmodel = {model}\ntraining = {training}\n[student]\nmodel = {model}\n\
         training = {training}\ndistillation = {{ loss = {{ kind = \"soft_cross_entropy\", temperature = 2.0 }}, \
         task_loss_weight = 0.5, distill_loss_weight = 0.5 }}\n[evaluation]\nn_samples = 2\n"
    )
}

/// A folder with a trained model of images in `runs/tiny/student`, and folders of images in `photos`.
fn images(n_images: usize) -> Scratch {
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml", "-q", "--threads", "2"]);
    for nth in 0..n_images {
        let image = image::GrayImage::from_fn(28, 28, |x, y| image::Luma([((x * 9 + nth as u32) ^ (y * 5)) as u8]));
        let folder = scratch.path(&format!("photos/{}", ["a", "a/deep", "b"][nth % 3]));
        std::fs::create_dir_all(&folder).unwrap();
        image.save(folder.join(format!("{nth:04}.png"))).unwrap();
    }
    scratch
}

const IMAGES: &str = "runs/tiny/student";

/// The rows of a CSV file, which may have quoted fields.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut cell, mut row, mut is_quoted) = (Vec::new(), String::new(), Vec::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if is_quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    rows
}

#[test]
fn a_table_becomes_a_table_of_answers() {
    let scratch = texts();
    scratch.write("mails.csv", "id,body\n1,loka loka\n2,\"milo, \"\"milo\"\"\"\n3,\n4,rumi rumi\n");
    let finished = scratch.succeed(&["predict", TEXTS, "mails.csv", "--out", "out/answers.csv"]);
    assert!(finished.stdout.is_empty(), "{}", finished.stdout);
    for part in ["the column `body` is read; --column", "1 of 4 inputs are empty", "wrote out/answers.csv: 4 rows"] {
        assert!(finished.stderr.contains(part), "{part} in {}", finished.stderr);
    }
    let rows = csv(&scratch.text("out/answers.csv"));
    let header = "source,row,label,confidence,label_1,confidence_1,label_2,confidence_2,label_3,confidence_3";
    assert_eq!(rows[0].join(",")[..header.len()], *header);
    for (row, label) in [(0, LABELS[0]), (1, LABELS[1]), (2, ""), (3, LABELS[2])] {
        assert_eq!(rows[row + 1][..3], ["mails.csv".to_owned(), row.to_string(), label.to_owned()]);
    }
    // the three forms say the same, on standard output too
    let printed = scratch.succeed(&["predict", TEXTS, "mails.csv", "--format", "csv"]).stdout;
    assert_eq!(printed, scratch.text("out/answers.csv"));
    scratch.succeed(&["predict", TEXTS, "mails.csv", "--out", "answers.jsonl", "--column", "body"]);
    let lines: Vec<Json> =
        scratch.text("answers.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (line, row) in lines.iter().zip(&rows[1..]) {
        assert_eq!(line["label"].as_str().unwrap_or(""), row[2], "{line}");
        assert_eq!(line["row"].to_string(), row[1]);
    }
    assert_eq!(lines[2]["top"], serde_json::json!([]));
    // a table of answers is a table of texts, if one asks for its labels
    scratch.succeed(&["predict", TEXTS, "mails.csv", "--out", "answers.parquet", "--top-k", "1"]);
    let again = scratch.succeed(&["predict", TEXTS, "answers.parquet", "--column", "label", "--json"]).stdout;
    let inputs: Vec<Json> =
        again.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()["input"].take()).collect();
    assert_eq!(inputs, [LABELS[0], LABELS[1], "", LABELS[2]]);
}

#[test]
fn what_is_unclear_or_would_be_ignored_is_refused_and_nothing_is_written() {
    let scratch = texts();
    scratch.write("pairs.csv", "first,second\none text,other text\nmore text,other more\n");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["pairs.csv", "--out", "x.csv"], 3, "name it with --column: `first`, `second`"),
        (&["pairs.csv", "--column", "third", "--out", "x.csv"], 3, "no column `third`"),
        (&["pairs.csv", "--column", "first", "--out", "x.xlsx"], 2, "expected .csv, .jsonl, .parquet or .npy"),
        (&["pairs.csv", "--column", "first", "--out", "pairs.csv"], 2, "which this command reads"),
        (&["pairs.csv", "--format", "csv", "--out", "x.csv"], 2, "--format is for standard output"),
        (&["loka", "--format", "csv", "--json"], 2, "--json and --format"),
        (&["loka", "--skipped", "x.csv"], 2, "--skip-bad"),
        (&["loka", "--threshold", "1.5"], 2, "at most 1"),
    ];
    for (words, code, part) in cases {
        let refused = scratch.run(&[&["predict", TEXTS], words].concat());
        assert_eq!(refused.code, Some(code), "{words:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(part), "{words:?}: {}", refused.stderr);
        assert!(!scratch.path("x.csv").exists() && refused.stdout.is_empty(), "{words:?}");
    }
    assert!(scratch.text("pairs.csv").starts_with("first,second\n"));
    let images = images(0);
    let refused = images.run(&["predict", IMAGES, "--column", "text", "a.png"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("takes none"), "{}", refused.stderr);
}

#[test]
fn a_matrix_has_the_probabilities_of_all_classes() {
    let scratch = texts();
    scratch.write("new.csv", "text\nloka kaka\n\"\"\nrumi\n");
    scratch.succeed(&["predict", TEXTS, "new.csv", "--out", "probs.npy", "-q"]);
    scratch.succeed(&["predict", TEXTS, "new.csv", "--out", "rows.jsonl", "--top-k", "3", "-q"]);
    let bytes = scratch.bytes("probs.npy");
    assert!(
        String::from_utf8_lossy(&bytes[..128]).contains("'descr': '<f4', 'fortran_order': False, 'shape': (3, 3, )")
    );
    let probs: Vec<f32> =
        bytes[128..].chunks_exact(4).map(|number| f32::from_le_bytes(number.try_into().unwrap())).collect();
    let labels = scratch.text(&format!("{TEXTS}/labels.txt"));
    let labels: Vec<&str> = labels.lines().collect();
    for (row, line) in scratch.text("rows.jsonl").lines().enumerate() {
        let top = serde_json::from_str::<Json>(line).unwrap()["top"].clone();
        let of_class = |label: &str| {
            let pair = top.as_array().unwrap().iter().find(|pair| pair[0] == label);
            pair.map_or(f32::NAN, |pair| pair[1].as_f64().unwrap() as f32)
        };
        for (class, label) in labels.iter().enumerate() {
            assert_eq!(probs[row * 3 + class].to_bits(), of_class(label).to_bits(), "row {row}, {label}");
        }
    }
    let refused = scratch.run(&["predict", TEXTS, "new.csv", "--out", "other.npy", "--threshold", "0.5"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("a matrix has a row for each input, and no labels"), "{}", refused.stderr);
}

#[test]
fn below_the_threshold_there_is_no_label() {
    let scratch = texts();
    let json = scratch.succeed(&["predict", TEXTS, "--json", "--threshold", "0.99", "loka loka", "zz"]);
    let lines: Vec<Json> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let n_below = lines.iter().filter(|line| line["label"].is_null()).count();
    for line in &lines {
        assert_eq!(line["label"].is_null(), line["confidence"].as_f64().unwrap() < 0.99, "{line}");
        assert_eq!(line["top"][0][1], line["confidence"]);
    }
    assert!(n_below > 0, "{lines:?}");
    assert!(json.stderr.contains(&format!("{n_below} of 2 inputs are below 99.0 %")), "{}", json.stderr);
    let told = scratch.succeed(&["predict", TEXTS, "--threshold", "0.99", "zz", " "]).stdout;
    assert!(
        told.starts_with("zz: no label, below 99.0 %: ") && told.ends_with("\n : no answer, the text is empty\n"),
        "{told}"
    );
}

#[test]
fn images_keep_their_order_whatever_the_threads() {
    // more than two batches, so that threads have something to divide
    let scratch = images(300);
    let predict = |threads: &str, out: &str| {
        scratch.succeed(&["predict", IMAGES, "photos", "--threads", threads, "--out", out]);
        scratch.bytes(out)
    };
    let one = predict("1", "one.csv");
    assert!(predict("3", "three.csv") == one);
    let rows = csv(std::str::from_utf8(&one).unwrap());
    let sources: Vec<&String> = rows[1..].iter().map(|row| &row[0]).collect();
    assert!(sources.len() == 300 && sources.is_sorted(), "all folders, in the order of their paths");
    assert_eq!(sources[0], "photos/a/0000.png");
    // each image by itself is told the same
    let alone = scratch.succeed(&["predict", IMAGES, "photos/b/0002.png", "--format", "csv"]).stdout;
    let of_folder = rows.iter().find(|row| row[0] == "photos/b/0002.png").unwrap();
    assert_eq!(csv(&alone)[1][2], of_folder[2]);
    assert_eq!(predict("2", "one.parquet"), predict("1", "two.parquet"));
}

#[test]
fn bad_images_end_the_command_or_are_listed() {
    let scratch = images(6);
    scratch.write("photos/b/bad.png", "this is no image");
    let whole = scratch.bytes("photos/a/0000.png");
    scratch.write("photos/a/half.png", &whole[..whole.len() / 2]);
    scratch.write("out.csv", "before");
    let refused = scratch.run(&["predict", IMAGES, "photos", "--out", "out.csv"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("half.png") && refused.stderr.contains("--skip-bad"), "{}", refused.stderr);
    assert_eq!(scratch.text("out.csv"), "before");
    assert_eq!(scratch.run(&["predict", IMAGES, "photos"]).stdout, "");

    let finished = scratch.succeed(&["predict", IMAGES, "photos", "--skip-bad", "--out", "out.csv"]);
    for part in ["skipped: photos/a/half.png: found", "skipped: photos/b/bad.png: found", "2 of 8 inputs skipped"] {
        assert!(finished.stderr.contains(part), "{part} in {}", finished.stderr);
    }
    assert_eq!(csv(&scratch.text("out.csv")).len(), 7);
    let words = [
        "predict",
        IMAGES,
        "photos",
        "absent.png",
        "--skip-bad",
        "--skipped",
        "bad.csv",
        "--out",
        "out.jsonl",
        "--json",
    ];
    let finished = scratch.succeed(&words);
    let counted: Json = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&counted["n_predicted"], &counted["n_skipped"]), (&6.into(), &3.into()));
    let listed = csv(&scratch.text("bad.csv"));
    let sources: Vec<&str> = listed.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(sources, ["source", "photos/a/half.png", "photos/b/bad.png", "absent.png"]);
    assert!(listed[2][2].contains("no known image format") && !finished.stderr.contains("half.png"), "{listed:?}");

    let none = scratch.run(&["predict", IMAGES, "absent.png", "--skip-bad", "--out", "none.csv"]);
    assert_eq!(none.code, Some(3), "{}", none.stderr);
    assert!(none.stderr.contains("no input can be read") && !scratch.path("none.csv").exists(), "{}", none.stderr);
    assert!(files_of(&scratch).iter().all(|name| !name.starts_with('.')), "{:?}", files_of(&scratch));
}

#[test]
fn rows_of_a_matrix_are_predicted() {
    let scratch = Scratch::new();
    let point = |row: usize| [[0.0, 4.0], [4.0, 0.0], [4.0, 4.0]][row % 3].map(|value| value + (row % 7) as f64 / 10.0);
    let points = |n_rows: usize| (0..n_rows).map(|row| point(row).to_vec()).collect::<Vec<_>>();
    let labels = |n_rows: usize| (0..n_rows).map(|row| format!("{}\n", row % 3)).collect::<String>();
    for (name, n_rows) in [("train", 90), ("test", 30)] {
        scratch.write(&format!("{name}.npy"), npy(&points(n_rows)));
        scratch.write(&format!("{name}.txt"), labels(n_rows));
    }
    let data = "kind = \"features\"\ntrain = \"train.npy\"\ntrain_labels = \"train.txt\"\ntest = \"test.npy\"\n\
                test_labels = \"test.txt\"";
    scratch.write("points.toml", config(data, "{ kind = \"mlp\", widths = [16] }"));
    scratch.succeed(&["run", "points.toml", "-q"]);
    let mut some = points(30);
    some[7][1] = f64::NAN;
    scratch.write("some.npy", npy(&some));
    let student = "runs/points/student";
    let refused = scratch.run(&["predict", student, "some.npy"]);
    assert!(refused.code == Some(3) && refused.stderr.contains("NaN in row 7, column 1"), "{}", refused.stderr);
    let rows = csv(&scratch.succeed(&["predict", student, "some.npy", "--skip-bad", "--format", "csv"]).stdout);
    assert_eq!(rows.len(), 1 + 29);
    for row in &rows[1..] {
        let number: usize = row[1].parse().unwrap();
        assert_eq!(row[2], (number % 3).to_string(), "{row:?}");
    }
    // a row that is written out is told the same
    let [x, y] = point(8);
    let told = csv(&scratch.succeed(&["predict", student, "--format", "csv", &format!("{x},{y}")]).stdout);
    assert_eq!(told[1][3], rows[8][3], "{told:?} {:?}", rows[8]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_no_half_file() {
    let scratch = texts();
    // a pipe that stays open: the command waits for more
    let mut child =
        scratch.command(&["predict", TEXTS, "-", "--out", "out.csv"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, "loka loka\n".repeat(20_000).as_bytes()).unwrap();
    let is_begun = || files_of(&scratch).iter().any(|name| name.starts_with('.'));
    support::limit::wait_until("the file is begun", is_begun);
    let stopped = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let finished = support::limit::wait_with_output(child);
    drop(input);
    assert_eq!(finished.status.code(), Some(130), "{}", String::from_utf8_lossy(&finished.stderr));
    let stderr = String::from_utf8_lossy(&finished.stderr).into_owned();
    assert!(stderr.contains("no file is written") && !stderr.contains("goes on from here"), "{stderr}");
    assert!(
        files_of(&scratch).iter().all(|name| !name.starts_with('.') && name != "out.csv"),
        "{:?}",
        files_of(&scratch)
    );
}

/// Names of what lies in the folder itself.
fn files_of(scratch: &Scratch) -> Vec<String> {
    let entries = std::fs::read_dir(scratch.path("")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}
