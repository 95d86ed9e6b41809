//! `--memory`: what runs side by side, and what does not fit at all.

mod support;

use serde_json::Value as Json;
use support::Scratch;

#[test]
fn a_limit_on_memory_lets_fewer_trainings_run_side_by_side() {
    let scratch = Scratch::with_tiny_config();
    let plan = |more: &[&str]| -> Json {
        let words = [&["plan", "tiny.toml", "--json", "--threads", "4"], more].concat();
        serde_json::from_str(&scratch.succeed(&words).stdout).unwrap()
    };
    let notes = |plan: &Json| plan["notes"].to_string();
    let (free, narrow) = (plan(&[]), plan(&["--memory", "1MB"]));
    assert!(!notes(&free).contains("--memory"), "{free}");
    assert!(notes(&narrow).contains("--memory lets 1 of 3 trainings of [specialists]"), "{narrow}");
    let memory = |plan: &Json| plan["memory_bytes"].as_u64().unwrap();
    // three trainings at a time and one at a time, beside the same examples and soft targets
    assert!(memory(&narrow) < memory(&free) && memory(&free) < 3 * memory(&narrow), "{free} {narrow}");
}

#[test]
fn the_trainings_on_folds_count_among_those_that_run_side_by_side() {
    let scratch = Scratch::with_tiny_config();
    let folds = "clustering.predictions={ kind = \"out_of_fold\", n_folds = 8 }";
    let words =
        ["plan", "tiny.toml", "--json", "--threads", "4", "--memory", "1MB", "--set", "evaluation.baselines=[]"];
    let alone = scratch.succeed(&words).stdout;
    assert!(!alone.contains("trainings of [generalist]"), "{alone}");
    let with_folds = scratch.succeed(&[&words[..], &["--set", folds]].concat()).stdout;
    assert!(with_folds.contains("--memory lets 1 of 4 trainings of [generalist]"), "{with_folds}");
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_trained() {
    let scratch = Scratch::with_tiny_config();
    let finished = scratch.run(&["run", "tiny.toml", "--memory", "400kB"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    for part in ["--memory 390.6 KiB", "training of [generalist]", "hint: ", "generalist.training.batch_size"] {
        assert!(finished.stderr.contains(part), "no `{part}` in\n{}", finished.stderr);
    }
    assert!(!scratch.path("runs/tiny/stages").exists(), "a stage was begun");
}
