//! Holds the program against one that was built before a change that must change no number.
//!
//! ```text
//! cargo build --release && cp target/release/stillhouse ../before       # at the older commit
//! STILLHOUSE_BEFORE=$PWD/../before cargo test --test golden -- --ignored  # at the newer one
//! ```

mod support;

use std::process::Command;
use support::matrices::{Draw, npy};
use support::{Scratch, TINY, without_times};

const IMAGES: &str = "data.augment={ kind = \"shift\", max_pixels = 2 }";
/// Clusters that overlap need the solver of the merge.
const OVERLAPPING: &str = "clustering.coverage=2";

const TEXTS: &str = r#"[data]
kind = "table"
train = "train.csv"
test = "test.csv"
windows = { length = 12, train_stride = 6, test_stride = 6 }
augment = { kind = "text", shift = 4 }
"#;

const FEATURES: &str = r#"[data]
kind = "features"
train = "train.npy"
train_labels = "train.txt"
test = "test.npy"
test_labels = "test.txt"
"#;

const N_CLASSES: usize = 6;

/// The tiny experiment on other data, with other models.
fn config(data: &str, model: &str) -> String {
    let (_, rest) = TINY.split_once("[generalist]").unwrap();
    let rest =
        rest.replace("{ kind = \"mlp\", widths = [32] }", model).replace("{ kind = \"mlp\", widths = [16] }", model);
    format!("seed = 0\n{data}\n[generalist]{rest}").replace("n_clusters = 3", "n_clusters = 2")
}

fn write_texts(scratch: &Scratch) {
    let mut draw = Draw(3);
    for (split, n_texts) in [("train", 240), ("test", 60)] {
        let line = |nth: usize| {
            let class = nth % N_CLASSES;
            let letters = (0..20).map(|_| char::from(b'a' + (2 * class + draw.below(7)) as u8));
            format!("{},{class}\n", letters.collect::<String>())
        };
        scratch.write(&format!("{split}.csv"), format!("text,label\n{}", (0..n_texts).map(line).collect::<String>()));
    }
    scratch.write("texts.toml", config(TEXTS, "{ kind = \"ngram_bag\", n_buckets = 256, width = 8, hidden = [16] }"));
}

fn write_features(scratch: &Scratch) {
    let mut draw = Draw(7);
    for (split, n_examples) in [("train", 240), ("test", 60)] {
        let row = |nth: usize| {
            let mut row = draw.logits(N_CLASSES);
            row[nth % N_CLASSES] += 4.0;
            row
        };
        scratch.write(&format!("{split}.npy"), npy(&(0..n_examples).map(row).collect::<Vec<_>>()));
        let labels: Vec<String> = (0..n_examples).map(|nth| (nth % N_CLASSES).to_string()).collect();
        scratch.write(&format!("{split}.txt"), labels.join("\n"));
    }
    scratch.write("features.toml", config(FEATURES, "{ kind = \"mlp\", widths = [24] }"));
}

#[test]
#[ignore = "needs STILLHOUSE_BEFORE, an older build of the program"]
fn students_and_reports_are_those_of_the_program_before() {
    let before = std::env::var("STILLHOUSE_BEFORE").expect("STILLHOUSE_BEFORE names an older build of the program");
    let scratch = Scratch::with_tiny_config();
    write_texts(&scratch);
    write_features(&scratch);
    for words in [&["tiny.toml", "--set", IMAGES, "--set", OVERLAPPING][..], &["texts.toml"], &["features.toml"]] {
        let name = words[0].trim_end_matches(".toml");
        let (old, new) = (format!("{name}_before"), format!("{name}_now"));
        let status =
            Command::new(&before).arg("run").args(words).args(["--out", &old]).current_dir(scratch.path(".")).status();
        assert!(status.unwrap().success(), "the older program fails on {name}");
        scratch.succeed(&[&["run"], words, &["--out", &new]].concat());
        let student = |run: &str| scratch.bytes(&format!("{run}/student/model.safetensors"));
        assert!(student(&old) == student(&new), "the student of {name} has other bits");
        let report = |run: &str| without_times(scratch.json(&format!("{run}/report.json")));
        assert_eq!(report(&old), report(&new), "{name}");
    }
}
