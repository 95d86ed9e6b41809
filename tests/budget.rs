//! `plan --budget`: candidates from short trainings, none above the budget.

mod support;

use serde_json::Value as Json;
use support::Scratch;

fn plan(scratch: &Scratch, budget: &str) -> Json {
    let words = ["plan", "tiny.toml", "--budget", budget, "--probe", "0.5", "--json", "--threads", "2"];
    serde_json::from_str(&scratch.succeed(&words).stdout).unwrap()
}

#[test]
fn candidates_are_ordered_affordable_and_run() {
    let scratch = Scratch::with_tiny_config();
    let planned = plan(&scratch, "4.5x");
    let budget = planned["budget_flops"].as_f64().unwrap();
    let generalist = planned["generalist_flops"].as_f64().unwrap();
    assert!((budget / generalist - 4.5).abs() < 1e-9);
    assert_eq!(planned["probe_epochs"], serde_json::json!([1, 2]));
    let candidates = planned["candidates"].as_array().unwrap();
    let number = |candidate: &Json, key: &str| candidate[key].as_f64().unwrap();
    assert!(candidates.is_sorted_by(|a, b| number(a, "probe_valid_top1") >= number(b, "probe_valid_top1")));
    assert!(candidates.iter().all(|candidate| number(candidate, "train_flops") <= budget), "{candidates:?}");
    // specialists are proposed only where they beat the best plain ensemble
    let plain = candidates.iter().position(|candidate| candidate["coverage"] == 0).unwrap();
    let has_verdict = |idx: usize| {
        ["BEATS", "NO DIFFERENCE", "WORSE"].contains(&candidates[idx]["verdict"].as_str().unwrap_or("none"))
    };
    assert!((0..candidates.len()).all(|idx| has_verdict(idx) == (idx != plain)), "{candidates:?}");
    let proposal = &candidates[planned["proposal"].as_u64().unwrap() as usize];
    // otherwise the whole budget goes into generalists, whichever number the probes had ahead
    let is_largest = proposal["n_specialists"] == 0 && proposal["n_generalists"] == 4;
    assert!(is_largest || proposal["verdict"] == "BEATS", "{proposal}");
    let with = |n_generalists: u64, is_plain: bool| {
        let is_it = |c: &&Json| c["n_generalists"] == n_generalists && (c["n_specialists"] == 0) == is_plain;
        candidates.iter().filter(is_it).count()
    };
    assert_eq!([1, 2, 3, 4].map(|n| with(n, true)), [1; 4]);
    assert!(with(1, false) >= 2 && with(2, false) >= 1, "{candidates:?}");
    for candidate in candidates.iter().filter(|candidate| candidate["n_specialists"] != 0) {
        let settings = candidate["settings"].as_array().unwrap().iter().map(|setting| setting.as_str().unwrap());
        let words: Vec<&str> = ["check", "tiny.toml"].into_iter().chain(settings.flat_map(|s| ["--set", s])).collect();
        scratch.succeed(&words);
    }

    // the whole training costs what the plan says
    let best = candidates.iter().find(|candidate| candidate["n_specialists"] != 0).unwrap();
    let settings = best["settings"].as_array().unwrap().iter().map(|setting| setting.as_str().unwrap());
    let words: Vec<&str> = ["run", "tiny.toml"].into_iter().chain(settings.flat_map(|s| ["--set", s])).collect();
    scratch.succeed(&words);
    let report = scratch.json("runs/tiny/report.json");
    let point = report["portfolio"].as_array().unwrap().last().unwrap();
    assert_eq!(point["n_specialists"], best["n_specialists"]);
    let ratio = point["train_flops"].as_f64().unwrap() / number(best, "train_flops");
    assert!((ratio - 1.0).abs() < 0.25, "clusters of another generalist, so not the same sizes: {ratio}");

    assert_eq!(plan(&scratch, "4.5x"), planned, "the probes are kept");
}

#[test]
fn a_plain_ensemble_is_a_run_too() {
    let scratch = Scratch::with_tiny_config();
    let config = scratch.text("tiny.toml");
    let (before, rest) = config.split_once("[clustering]").unwrap();
    let (_, after) = rest.split_once("[student]").unwrap();
    scratch.write(
        "plain.toml",
        format!("{before}[student]{after}").replace("[generalist]\n", "[generalist]\nn_models = 2\n"),
    );
    scratch.succeed(&["run", "plain.toml"]);
    let report = scratch.json("runs/plain/report.json");
    assert!(report["clusters"].as_array().unwrap().is_empty());
    let models = report["models"].as_array().unwrap();
    let ensemble = models.iter().find(|model| model["name"] == "ensemble").unwrap();
    assert_eq!(report["portfolio"].as_array().unwrap().len(), 2);
    assert_eq!(report["portfolio"][1]["top1"], ensemble["top1"]);
}

#[test]
fn budgets_that_buy_nothing_are_refused() {
    let scratch = Scratch::with_tiny_config();
    let refuse = |words: &[&str], part: &str| {
        let finished = scratch.run(&[&["plan", "tiny.toml"], words].concat());
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        assert!(finished.stderr.contains(part), "{}", finished.stderr);
    };
    refuse(&["--budget", "0.5x"], "the training of one generalist");
    refuse(&["--budget", "much"], "`5x` for five generalists");
    refuse(&["--budget", "3x", "--probe", "2"], "at most 1");
    refuse(&["--probe", "0.5"], "--budget");
}
