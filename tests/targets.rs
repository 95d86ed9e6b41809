//! Stores of soft targets through the real program: written sparse or dense, looked into, held against their run.

mod support;

use support::Scratch;

const SPARSE: [&str; 4] =
    ["--set", "soft_targets.layout={ kind = \"sparse\", k = 4, temperatures = [3] }", "--threads", "2"];

fn run(scratch: &Scratch, words: &[&str]) {
    scratch.succeed(&[&["run", "tiny.toml"], words].concat());
}

/// The merged teacher's store of the only run.
fn store(scratch: &Scratch) -> String {
    let files = scratch.files("runs/tiny/stages");
    let is_merged = |path: &str| path.contains("/soft_targets-") && path.ends_with("targets.safetensors");
    let mut stores = files.iter().map(|path| path.to_str().unwrap().to_owned()).filter(|path| is_merged(path));
    let store = stores.next().expect("the run stored its soft targets");
    assert_eq!(stores.next(), None);
    store
}

fn flip(path: &str, from_end: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let position = bytes.len() - from_end;
    bytes[position] ^= 16;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_student_learns_from_a_sparse_store_and_the_store_says_what_it_keeps() {
    let scratch = Scratch::with_tiny_config();
    run(&scratch, &SPARSE);
    let path = store(&scratch);
    let stats = scratch.succeed(&["targets", "stats", &path]).stdout;
    for part in ["216 of 216 examples", "sparse: 4 of 12 classes, at T = 1, 2, 3", "checksums  right", "25 %"] {
        assert!(stats.contains(part), "{part} in\n{stats}");
    }
    assert!(stats.lines().skip(1).all(|line| line.chars().count() <= 80), "{stats}");
    let json = scratch.succeed(&["targets", "stats", &path, "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["stats"]["bytes_per_row"], 16 + 3 * 4 + 4 + 4 * 4);
    let kept: Vec<f64> =
        json["stats"]["kept_mass"].as_array().unwrap().iter().map(|kept| kept["mean"].as_f64().unwrap()).collect();
    assert!(kept.len() == 3 && kept.is_sorted_by(|a, b| a > b) && kept[0] < 1.0 && kept[2] > 4.0 / 12.0, "{kept:?}");
}

#[test]
fn a_store_is_what_the_runs_teachers_say() {
    for words in [&SPARSE[..], &["--threads", "2"]] {
        let scratch = Scratch::with_tiny_config();
        run(&scratch, words);
        let path = store(&scratch);
        let verified = scratch.succeed(&["targets", "verify", &path, "--run", "runs/tiny", "--rows", "40"]).stdout;
        assert!(verified.contains("data, classes and 4 teachers are those of runs/tiny"), "{verified}");
        assert!(verified.contains("rows predicted anew, largest difference"), "{verified}");
        let verified = scratch.succeed(&["targets", "verify", &path]).stdout;
        assert!(verified.contains("not compared with the teachers: --run DIR"), "{verified}");
    }
}

#[test]
fn a_flipped_byte_is_found() {
    let scratch = Scratch::with_tiny_config();
    run(&scratch, &SPARSE);
    let path = store(&scratch);
    flip(&path, 200);
    for words in [&["targets", "verify", &path][..], &["targets", "stats", &path]] {
        let finished = scratch.run(words);
        assert_eq!(finished.code, Some(3), "{}", finished.stderr);
        assert!(finished.stderr.contains("rows 0 to 215: checksum"), "{}", finished.stderr);
    }
}

#[test]
fn other_data_another_teacher_and_another_merge_are_found() {
    let scratch = Scratch::with_tiny_config();
    run(&scratch, &SPARSE);
    let path = store(&scratch);
    let verify = |setting: &str, part: &str| {
        scratch.succeed(&["run", "tiny.toml", "--set", setting, "--out", "runs/other", "--threads", "2"]);
        let finished = scratch.run(&["targets", "verify", &path, "--run", "runs/other"]);
        assert_eq!(finished.code, Some(3), "{setting}: {}", finished.stderr);
        assert!(finished.stderr.contains(part), "{setting}: {}", finished.stderr);
    };
    verify("data.train_per_class=19", "soft targets were made for the dataset");
    verify("specialists.training.n_epochs=1", "specialist_0: made by");
    verify("clustering.method.n_clusters=2", "no such teacher in the run");
    verify("merge.rule=\"arithmetic_mean\"", "the merge or a teacher has changed");
}

#[test]
fn a_run_that_is_not_finished_is_not_finished_by_the_check() {
    let scratch = Scratch::with_tiny_config();
    run(&scratch, &["--threads", "2"]);
    let path = store(&scratch);
    scratch.write("moved.safetensors", std::fs::read(&path).unwrap());
    std::fs::remove_dir_all(scratch.path("runs/tiny/stages")).unwrap();
    let finished = scratch.run(&["targets", "verify", "moved.safetensors", "--run", "runs/tiny"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("no finished stage generalist"), "{}", finished.stderr);
    let left = scratch.files("runs/tiny/stages");
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_interrupted_store_is_finished_with_the_same_bytes() {
    let whole = Scratch::with_tiny_config();
    run(&whole, &SPARSE);
    let expected = std::fs::read(store(&whole)).unwrap();

    // as a kill in the middle leaves it: begun, nothing of its rows written
    let path = store(&whole);
    let folder = std::path::Path::new(&path).parent().unwrap().to_owned();
    let partial = folder.with_extension("partial");
    std::fs::rename(&folder, &partial).unwrap();
    std::fs::remove_file(partial.join("stage.json")).unwrap();
    let mut torn = expected.clone();
    let half = torn.len() / 2;
    torn[half..].fill(0);
    std::fs::remove_file(partial.join("targets.safetensors")).unwrap();
    std::fs::write(partial.join("targets.safetensors.partial"), torn).unwrap();
    run(&whole, &SPARSE);
    assert!(std::fs::read(store(&whole)).unwrap() == expected);
}
