//! Every kind of specialist through the real program: heads, bodies, several generalists, corrections, who is heard.

mod support;

use serde_json::Value as Json;
use support::Scratch;

fn report_of(settings: &[&str]) -> Json {
    let scratch = Scratch::with_tiny_config();
    let mut words = vec!["run", "tiny.toml", "-q"];
    for setting in settings {
        words.extend(["--set", setting]);
    }
    scratch.succeed(&words);
    assert!(scratch.text("runs/tiny/report.html").contains("Inside the clusters"));
    scratch.json("runs/tiny/report.json")
}

fn model<'a>(report: &'a Json, name: &str) -> &'a Json {
    report["models"].as_array().unwrap().iter().find(|model| model["name"] == name).unwrap()
}

fn number(value: &Json) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn full_softmax_specialists_have_no_dustbin() {
    let report = report_of(&["specialists.head=full_softmax"]);
    assert!(report["dustbins"].as_array().unwrap().iter().all(Json::is_null), "{}", report["dustbins"]);
    assert!(report["dustbin_corrections"].as_array().unwrap().iter().all(Json::is_null));
    let size = |name: &str| model(&report, name)["n_parameters"].as_u64().unwrap();
    assert_eq!(size("specialist_0"), size("generalist"));
    assert_eq!(size("ensemble"), 4 * size("generalist"));
}

#[test]
fn a_frozen_body_costs_less_and_gives_specialists_of_the_same_shape() {
    let (frozen, trained) = (report_of(&["specialists.body=frozen"]), report_of(&[]));
    let of = |report: &Json, key: &str| number(&model(report, "specialist_1")[key]);
    assert!(of(&frozen, "train_flops") < 0.7 * of(&trained, "train_flops"), "{}", of(&frozen, "train_flops"));
    assert_eq!(of(&frozen, "n_parameters"), of(&trained, "n_parameters"));
}

#[test]
fn several_generalists_are_several_teachers() {
    let report = report_of(&["generalist.n_models=2"]);
    let size = |name: &str| model(&report, name)["n_parameters"].as_u64().unwrap();
    let specialists: u64 = (0..3).map(|idx| size(&format!("specialist_{idx}"))).sum();
    assert_eq!(size("ensemble"), 2 * size("generalist") + specialists);
    assert!(size("generalist_ensemble") >= 3 * size("generalist"));
}

#[test]
fn a_refit_moves_the_dustbin_to_what_the_validation_split_says() {
    let report = report_of(&[]);
    let (dustbins, corrections) = (&report["dustbins"], &report["dustbin_corrections"]);
    for (idx, dustbin) in dustbins.as_array().unwrap().iter().enumerate() {
        assert_eq!(dustbin["uses_refit"], true);
        let distance = |key: &str| (number(&dustbin[key]) - number(&dustbin["observed"])).abs();
        assert!(distance("refit") < 1e-3, "{dustbin}");
        // the correction that is reported is that of the priors and of the refit together
        let counted = number(&corrections[idx]) - number(&dustbin["refit_shift"]);
        assert!(counted.is_finite() && counted > 0.0, "{counted}");
    }
}

#[test]
fn only_helpful_specialists_are_heard_when_asked_for() {
    let (helpful, all) = (report_of(&["specialists.keep=helpful"]), report_of(&[]));
    let heard = |report: &Json| -> Vec<bool> {
        report["clusters"].as_array().unwrap().iter().map(|cluster| cluster["is_heard"] == true).collect()
    };
    assert_eq!(heard(&all), [true; 3]);
    let size = |report: &Json, name: &str| model(report, name)["n_parameters"].as_u64().unwrap();
    let expected: u64 = heard(&helpful)
        .iter()
        .enumerate()
        .filter(|(_, heard)| **heard)
        .map(|(idx, _)| size(&helpful, &format!("specialist_{idx}")))
        .sum();
    assert_eq!(size(&helpful, "ensemble"), size(&helpful, "generalist") + expected);
    for cluster in helpful["clusters"].as_array().unwrap() {
        assert_eq!(cluster["left_out_effect"].is_null(), cluster["is_heard"] == false, "{cluster}");
    }
}

/// Else a run would find the soft targets that others spoke for.
#[test]
fn who_is_heard_is_part_of_what_a_finished_stage_is_found_by() {
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml", "-q"]);
    let plan = scratch.succeed(&["plan", "tiny.toml", "--set", "specialists.keep=helpful"]).stdout;
    assert!(plan.contains("selection") && !plan.contains("0 stages to do"), "{plan}");
}

#[test]
fn clusters_from_out_of_fold_predictions_cost_their_trainings() {
    let scratch = Scratch::with_tiny_config();
    let words = ["--set", "clustering.predictions={ kind = \"out_of_fold\", n_folds = 3 }"];
    scratch.succeed(&[&["run", "tiny.toml", "-q"][..], &words].concat());
    let plan = scratch.succeed(&[&["plan", "tiny.toml"][..], &words].concat()).stdout;
    assert!(plan.contains("fold_2") && plan.contains("0 stages to do"), "{plan}");
    let report = scratch.json("runs/tiny/report.json");
    let flops = |name: &str| number(&model(&report, name)["train_flops"]);
    let members = flops("generalist") + (0..3).map(|idx| flops(&format!("specialist_{idx}"))).sum::<f64>();
    let of_folds = (flops("ensemble") - members) / flops("generalist");
    assert!((1.9..=2.1).contains(&of_folds), "three trainings on two thirds of the examples: {of_folds}");
    let members = report["portfolio"].as_array().unwrap();
    assert_eq!(members.last().unwrap()["train_flops"], model(&report, "ensemble")["train_flops"]);
}

#[test]
fn the_conditional_table_adds_up() {
    let report = report_of(&[]);
    assert!(number(&report["cluster_stability"]) <= 1.0);
    let table = &report["conditional"];
    assert_eq!(table["generalist_top1"], model(&report, "generalist")["top1"]);
    assert_eq!(table["ensemble_top1"], model(&report, "ensemble")["top1"]);
    assert!(number(&table["generalist_conditional_top1"]) >= number(&table["generalist_top1"]));
    let covered: i64 = report["coverage"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["covering"].as_i64().unwrap() * row["n_examples"].as_i64().unwrap())
        .sum();
    assert_eq!(table["n_examples"].as_i64(), Some(covered));
}

#[test]
fn teachers_and_weights_can_be_chosen_on_the_validation_split() {
    let nll = |settings: &[&str]| {
        let report = report_of(settings);
        let heard = report["clusters"].as_array().unwrap().iter().filter(|cluster| cluster["is_heard"] == true).count();
        (number(&model(&report, "ensemble")["nll"]), heard)
    };
    let (equal, fitted) = (nll(&[]), nll(&["merge.weights={kind=\"fitted\"}"]));
    assert_ne!(equal.0, fitted.0);
    let given = |weight: f64| nll(&[&format!("merge.weights={{kind=\"given\",specialists={weight:?}}}")]);
    assert_eq!(given(1.0).0, equal.0);
    // specialists that are not asked leave the generalist
    let (plain, calibrated) = (report_of(&[]), report_of(&["merge.calibration=\"temperature\""]));
    let (plain, calibrated) = (model(&plain, "ensemble"), model(&calibrated, "ensemble"));
    assert_eq!(plain["top1"], calibrated["top1"]);
    assert!(number(&calibrated["nll"]) < number(&plain["nll"]), "{calibrated} {plain}");
    let report = report_of(&["merge.weights={kind=\"given\",specialists=0.0}"]);
    let nll_of = |name: &str| number(&model(&report, name)["nll"]);
    assert!((nll_of("ensemble") - nll_of("generalist")).abs() < 1e-6);
    // untrained specialists are not merged, however small a weight they could be given
    let untrained = ["specialists.init=scratch", "specialists.training.n_epochs=1", "specialists.dustbin_bias=counted"];
    let slow = "specialists.training.schedule={kind=\"constant\",learning_rate=1e-9}";
    let untrained = nll(&[&untrained[..], &[slow, "merge.weights={kind=\"fitted\"}"]].concat());
    assert!((untrained.0 - nll_of("generalist")).abs() < 1e-6, "{untrained:?}");
    let greedy = nll(&["specialists.keep=greedy"]);
    assert!(greedy.1 <= 3 && greedy.0.is_finite());
}

#[test]
fn a_plan_finds_what_was_stored_after_a_choice() {
    for setting in ["specialists.keep=greedy", "merge.calibration=\"temperature\""] {
        let scratch = Scratch::with_tiny_config();
        let words = ["tiny.toml", "--set", setting];
        scratch.succeed(&[&["run", "-q"], &words[..]].concat());
        let plan: Json =
            serde_json::from_str(&scratch.succeed(&[&["plan", "--json"], &words[..]].concat()).stdout).unwrap();
        for name in ["validation", "selection", "soft_targets", "student"] {
            let stage = plan["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == name);
            assert_eq!(stage.unwrap()["cached"], true, "{setting} {name}");
        }
    }
}

#[test]
fn a_calibration_of_what_was_softened_before_is_refused() {
    let scratch = Scratch::with_tiny_config();
    let words = ["merge.calibration=\"temperature\"", "merge.soften=\"before_merge\""];
    let refused = scratch.run(&["check", "tiny.toml", "--set", words[0], "--set", words[1]]);
    assert!(refused.code != Some(0) && refused.stderr.contains("merge.calibration"), "{}", refused.stderr);
}

#[test]
fn softening_before_the_merge_changes_the_student_and_nothing_else() {
    let at = |soften: &str, temperature: &str| {
        let scratch = Scratch::with_tiny_config();
        let (soften, key) = (format!("merge.soften={soften}"), "student.distillation.loss.temperature");
        scratch.succeed(&["run", "tiny.toml", "-q", "--set", &soften, "--set", &format!("{key}={temperature}")]);
        let ensemble = model(&scratch.json("runs/tiny/report.json"), "ensemble")["nll"].clone();
        (scratch.bytes("runs/tiny/student/model.safetensors"), ensemble)
    };
    let (after, before) = (at("after_merge", "3.0"), at("before_merge", "3.0"));
    assert_ne!(after.0, before.0);
    assert_eq!(after.1, before.1);
    assert_eq!(at("after_merge", "1.0").0, at("before_merge", "1.0").0);
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for (settings, path) in [
        (&["specialists.body=frozen", "specialists.init=scratch"][..], "specialists.body"),
        (&["specialists.head=full_softmax", "specialists.dustbin_bias=refit"], "specialists.dustbin_bias"),
        (&["generalist.n_models=0"], "generalist.n_models"),
        (&["merge.soften=before_merge", "student.distillation.loss={kind=\"logit_l2\"}"], "merge.soften"),
    ] {
        let scratch = Scratch::with_tiny_config();
        let mut words = vec!["check", "tiny.toml"];
        settings.iter().for_each(|setting| words.extend(["--set", setting]));
        let finished = scratch.run(&words);
        assert_eq!(finished.code, Some(2), "{settings:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(path), "{settings:?}: {}", finished.stderr);
    }
}
