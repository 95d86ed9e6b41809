//! `stillhouse push`: what it would send, and what it refuses. Uploads to a hub on loopback are tested in `data/src/hub/push/`.

mod support;

use support::{Finished, Scratch, output};

const FAILED: i32 = 1;
const USAGE: i32 = 2;

/// Without a hub that answers.
fn push(scratch: &Scratch, words: &[&str], variables: &[(&str, &str)]) -> Finished {
    let mut command = scratch.command(&[&["push"], words].concat());
    command.env("HF_HOME", scratch.path("home")).env("HF_ENDPOINT", "http://127.0.0.1:9");
    for name in ["HF_TOKEN", "HF_HUB_OFFLINE"] {
        command.env_remove(name);
    }
    output(command.envs(variables.iter().copied())).into()
}

fn with_model() -> Scratch {
    let scratch = Scratch::new();
    for (file, text) in
        [("README.md", "# m\n"), ("config.json", "{}"), ("model.safetensors", "12345"), (".hidden", "x")]
    {
        scratch.write(&format!("model/{file}"), text);
    }
    scratch
}

#[test]
fn a_dry_run_lists_the_files_and_needs_no_hub() {
    let scratch = with_model();
    let finished = push(&scratch, &["model", "me/m", "--dry-run", "--json"], &[]);
    let outcome: serde_json::Value = serde_json::from_str(&finished.stdout).expect(&finished.stderr);
    let expected = serde_json::json!([["README.md", 4], ["config.json", 2], ["model.safetensors", 5]]);
    assert_eq!((&outcome["planned"], &outcome["commit"]), (&expected, &serde_json::Value::Null));
    assert_eq!(outcome["address"], "http://127.0.0.1:9/me/m");
    scratch.write("data/README.md", "# d\n");
    scratch.write("data/data/train.parquet", "PAR1");
    let finished = push(&scratch, &["data", "me/d", "--type", "dataset", "--dry-run"], &[]);
    assert!(finished.stdout.contains("one commit of http://127.0.0.1:9/datasets/me/d"), "{}", finished.stdout);
    assert!(finished.stdout.contains("data/train.parquet: 4 bytes"), "{}", finished.stdout);
}

#[test]
fn what_cannot_be_pushed_is_refused_with_a_remedy() {
    let scratch = with_model();
    scratch.write("other/notes.txt", "x");
    let token = ("HF_TOKEN", "t");
    let cases = [
        (&["other", "me/m"][..], &[token][..], USAGE, "no model to push"),
        (&["model", "me/m", "--type", "dataset"], &[token], USAGE, "no data set to push"),
        (&["model", "me/m"], &[], FAILED, "needs a token"),
        (&["model", "m"], &[token], FAILED, "owner/name"),
        (&["model", "me/m"], &[token, ("HF_HUB_OFFLINE", "1")], FAILED, "HF_HUB_OFFLINE"),
        (&["model", "me/m"], &[token], FAILED, "cannot be reached"),
        (&["model", "me/m", "--out", "x"], &[token], USAGE, "--out has no meaning here"),
    ];
    for (words, variables, code, part) in cases {
        let finished = push(&scratch, words, variables);
        assert_eq!(finished.code, Some(code), "{words:?} {}", finished.stderr);
        assert!(finished.stderr.contains(part) && finished.stderr.contains("hint:"), "{words:?} {}", finished.stderr);
    }
}
