//! Every config of the repository can run and opens with its lab note.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use support::Scratch;

fn configs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(configs(&path));
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The configs of experiments; other tables lie there too.
fn experiments() -> Vec<PathBuf> {
    let mut found = configs(&support::repository().join("experiments"));
    found.retain(|path| std::fs::read_to_string(path).unwrap().contains("[data]"));
    found
}

fn sweeps() -> Vec<PathBuf> {
    let mut found = [configs(&support::repository().join("configs")), experiments()].concat();
    found.retain(|path| std::fs::read_to_string(path).unwrap().contains("[sweep]"));
    found
}

#[test]
fn every_config_passes_the_check() {
    let found = [configs(&support::repository().join("configs")), experiments()].concat();
    for name in ["quickstart.toml", "jitter.toml"] {
        assert!(found.iter().any(|path| path.ends_with(name)), "{found:?}");
    }
    for path in found {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stillhouse"));
        let output = support::output(command.arg("check").arg(&path).current_dir(support::repository()));
        let finished = support::Finished::from(output);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stdout.starts_with("ok: "), "{}", finished.stdout);
    }
}

#[test]
fn every_config_opens_with_a_lab_note() {
    for path in [configs(&support::repository().join("configs")), experiments()].concat() {
        let text = std::fs::read_to_string(&path).unwrap();
        let note: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(!note.is_empty(), "{} does not open with a comment", path.display());
        assert!(note[0].len() > 2, "{}: the first line says nothing", path.display());
    }
}

#[test]
fn the_page_of_all_keys_is_current() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stillhouse"));
    let finished = support::Finished::from(support::output(command.args(["config", "--markdown"])));
    let written = std::fs::read_to_string(support::repository().join("configs/KEYS.md")).unwrap();
    let renew = "cargo run -- config --markdown > configs/KEYS.md";
    assert!(written == finished.stdout, "configs/KEYS.md is not what the program says of its keys; renew it: {renew}");
}

#[test]
fn sweeps_list_their_cells() {
    for path in sweeps() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stillhouse"));
        let command = command.arg("sweep").arg(&path).arg("--dry-run").current_dir(support::repository());
        let finished = support::Finished::from(support::output(command));
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stdout.lines().count() > 1, "{}: {}", path.display(), finished.stdout);
    }
}

/// Experiments on a few examples: their configs must not rot. What is in the program needs no files; of MNIST there are twelve
/// images of each class.
#[test]
fn cheap_experiments_run_in_a_reduced_form() {
    let scratch = Scratch::new();
    let header = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_be_bytes()).collect() };
    for split in ["train", "t10k"] {
        let pixels = (0..120 * 64_u32).map(|at| ((at / 64 % 10 * 25 + at * at % 31) % 256) as u8);
        let images = header(&[0x803, 120, 8, 8]).into_iter().chain(pixels).collect::<Vec<u8>>();
        let labels = header(&[0x801, 120]).into_iter().chain((0..120).map(|nth| (nth % 10) as u8)).collect::<Vec<u8>>();
        scratch.write(&format!("mnist/{split}-images-idx3-ubyte"), images);
        scratch.write(&format!("mnist/{split}-labels-idx1-ubyte"), labels);
    }
    let short = [
        "generalist.training.n_epochs=2",
        "student.training.n_epochs=2",
        "generalist.training.batch_size=16",
        "student.training.batch_size=16",
    ];
    let mnist =
        ["data.path=mnist", "generalist.model.widths=[16]", "student.model.widths=[8]", "data.valid_fraction=0.2"];
    let glyphs = ["data.n_classes=12", "data.train_per_class=10", "data.test_per_class=2"];
    let runs: [(&str, &[&str], &[&str]); 5] = [
        ("mnist/jitter", &mnist, &["student.views=2"]),
        ("mnist/temperatures", &mnist, &[]),
        ("mnist/few_examples", &mnist, &["student.examples.fraction=0.5"]),
        ("mnist/left_out", &mnist, &["student.examples.without_classes=[\"3\"]"]),
        ("losses/glyphs", &glyphs, &["clustering.method.n_clusters=6", "specialists.training.n_epochs=2"]),
    ];
    for (name, data, own) in runs {
        let path = support::repository().join(format!("experiments/{name}.toml"));
        let mut words = vec!["run", path.to_str().unwrap(), "--out", name];
        words.extend(short.iter().chain(data).chain(own).flat_map(|set| ["--set", set]));
        scratch.succeed(&words);
        assert!(scratch.json(&format!("{name}/report.json"))["gain_kept"].is_number(), "{name}");
    }
}

/// Texts of three classes, as a table.
fn table(n_rows: usize) -> String {
    let row = |row: usize| format!("{} {row},kind_{}\n", ["loka", "milo", "rumi"][row % 3], row % 3);
    std::iter::once("text,label\n".to_owned()).chain((0..n_rows).map(row)).collect()
}

#[test]
fn paths_in_a_config_are_relative_to_its_folder_and_those_of_set_to_the_working_directory() {
    let scratch = Scratch::new();
    scratch.write("tables/train.csv", table(60));
    scratch.write("tables/test.csv", table(12));
    std::fs::create_dir(scratch.path("configs")).unwrap();
    scratch.succeed(&["init", "tables", "--out", "configs/mine.toml"]);
    let config = scratch.text("configs/mine.toml");
    assert!(config.contains("train = \"../tables/train.csv\""), "{config}");
    let checked = scratch.succeed(&["check", "configs/mine.toml"]);
    assert!(!checked.stderr.contains("working directory"), "{}", checked.stderr);
    let set = scratch.succeed(&["check", "configs/mine.toml", "--set", "data.train=tables/test.csv"]);
    assert!(!set.stderr.contains("working directory"), "{}", set.stderr);

    // the resolved config of a run leads to the same files, from wherever it is run
    let few = ["generalist.training.n_epochs=1", "student.training.n_epochs=1", "student.views=1"];
    let sets = few.iter().flat_map(|set| ["--set", set]);
    scratch.succeed(&["run", "configs/mine.toml", "-q", "--out", "runs/a"].into_iter().chain(sets).collect::<Vec<_>>());
    assert!(scratch.text("runs/a/config.toml").contains("train = \"../../tables/train.csv\""));
    let mut again = scratch.command(&["run", "config.toml", "-q", "--out", "."]);
    let again = support::output(again.current_dir(scratch.path("runs/a")));
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    let finished = scratch.text("runs/a/metrics.jsonl").matches("\"stage_started\",\"stage\":\"student\"").count();
    assert_eq!(finished, 1, "the second run found all stages");

    // what lies in the working directory alone is found there, which is said
    scratch.write("configs/mine.toml", config.replace("../tables/", "tables/"));
    let found = scratch.succeed(&["check", "configs/mine.toml"]);
    let expected =
        "data.train: there is no configs/tables/train.csv, so tables/train.csv in the working directory is taken";
    let words = found.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(expected), "{}{}", found.stdout, found.stderr);
    scratch.write("configs/mine.toml", config.replace("../tables/", "absent/"));
    let absent = scratch.run(&["check", "configs/mine.toml"]);
    assert!(absent.stderr.contains("configs/absent/train.csv"), "{}", absent.stderr);
}
