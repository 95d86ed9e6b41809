use super::cell::{SEED_AXIS, short_key};
use super::settings::Settings;
use super::*;
use crate::fixture::{HOSTILE_LABEL, comparison, report};
use crate::role::Role;
use crate::statistics::Verdict;

fn cell(temperature: &str, seed: u64, valid: f64, test: f64) -> SweepCell {
    let mut report = report();
    for model in report.models.iter_mut().filter(|model| Role::of_name(&model.name) == Some(Role::Student)) {
        (model.valid_top1, model.top1) = (valid, test);
    }
    SweepCell { outcome: Ok(report), ..failed(temperature, seed, "") }
}

fn failed(temperature: &str, seed: u64, message: &str) -> SweepCell {
    let axes = vec![
        ("student.distillation.loss.temperature".to_owned(), temperature.to_owned()),
        ("merge.rule".to_owned(), "\"exact\"".to_owned()),
        (SEED_AXIS.to_owned(), seed.to_string()),
    ];
    SweepCell { axes, outcome: Err(message.to_owned()) }
}

fn cells() -> Vec<SweepCell> {
    vec![
        cell("1.0", 0, 0.60, 0.65),
        cell("1.0", 1, 0.60, 0.67),
        cell("4.0", 0, 0.62, 0.61),
        cell("4.0", 1, 0.64, 0.63),
        failed("8.0", 0, "ran out of memory, \"sadly\""),
        cell("8.0", 1, 0.61, 0.60),
    ]
}

#[test]
fn cells_that_differ_in_the_seed_are_one_setting() {
    let settings = Settings::of(&cells());
    assert_eq!(settings.keys, ["student.distillation.loss.temperature", "merge.rule"]);
    let n_seeds: Vec<usize> = settings.settings.iter().map(|setting| setting.test.unwrap().n_seeds).collect();
    assert_eq!(n_seeds, [2, 2, 1]);
    assert!((settings.settings[0].test.unwrap().mean - 0.66).abs() < 1e-12);
    assert_eq!(settings.settings[2].n_failed, 1);
    assert_eq!(settings.settings[2].test.unwrap().ci95, None);
}

#[test]
fn the_best_is_chosen_by_validation_and_not_by_test() {
    let settings = Settings::of(&cells());
    let best = settings.best().unwrap();
    assert_eq!(best.axes[0].1, "4.0"); // 1.0 is better on test
    assert_eq!(settings.settings.iter().filter(|setting| setting.is_best).count(), 1);
    let markdown = sweep_markdown("grid", &cells());
    assert!(markdown.contains("temperature = 4.0, rule = exact"), "{markdown}");
}

#[test]
fn one_seed_takes_the_verdict_of_its_own_examples() {
    let mut only = cell("4.0", 0, 0.6, 0.58);
    if let Ok(report) = &mut only.outcome {
        report.comparisons = vec![comparison(Role::Student, Role::TwinOnLabels, 0.02, 0.005)];
    }
    let verdict = |cells: &[SweepCell]| Settings::of(cells).settings[0].gain.unwrap().1;
    assert_eq!(verdict(std::slice::from_ref(&only)), Some(Verdict::Beats));
    // over two seeds, +0.003 and +0.1 points say nothing
    assert_eq!(verdict(&[only, cell("4.0", 1, 0.6, 0.677)]), Some(Verdict::NoDifference));
}

#[test]
fn the_csv_has_a_row_for_every_cell_and_quotes_what_needs_it() {
    let csv = summary_csv(&cells());
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(lines.len(), 8); // header, six cells, the end
    assert!(lines[0].starts_with(
        "student.distillation.loss.temperature,merge.rule,seed,status,student.test_top1,student.test_top5,student.test_nll"
    ));
    assert!(lines[1].starts_with("1.0,exact,0,ok,0.65,"));
    assert!(lines[5].starts_with("8.0,exact,0,failed,,,"));
    assert!(lines[5].ends_with(",\"ran out of memory, \"\"sadly\"\"\""));
    let n_columns = lines[0].split(',').count();
    assert!(lines[1..5].iter().all(|line| line.split(',').count() == n_columns));
    assert_eq!(lines[5].matches(',').count(), n_columns); // the message holds one more comma
    assert!(!lines[0].contains("specialist_"));
}

#[test]
fn failures_are_shown_with_their_message() {
    for text in [sweep_markdown("grid", &cells()), sweep_html("grid", &cells())] {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("1 of 6 cells failed") && text.contains("ran out of memory"), "{text}");
    }
}

#[test]
fn the_page_is_self_contained_and_escapes() {
    let mut cells = cells();
    cells[0].axes[1].1 = HOSTILE_LABEL.into();
    cells[4].outcome = Err(HOSTILE_LABEL.into());
    let html = sweep_html(HOSTILE_LABEL, &cells);
    for forbidden in ["<script", "http://", "https://", "src=", "url(", "NaN"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert!(!sweep_markdown(HOSTILE_LABEL, &cells).contains("<script"));
}

#[test]
fn numeric_axes_have_a_chart_and_others_none() {
    let html = sweep_html("grid", &cells());
    assert!(html.contains("Test top-1 in % along student.distillation.loss.temperature"));
    assert!(!html.contains("Test top-1 in % along merge.rule"));
}

#[test]
fn sweeps_without_results_are_reported_too() {
    for cells in [vec![], vec![failed("1.0", 0, "no data")]] {
        assert!(sweep_html("grid", &cells).contains("No cell finished."));
        assert!(sweep_markdown("grid", &cells).contains("No cell finished."));
        assert_eq!(summary_csv(&cells).split("\r\n").count(), cells.len() + 2);
    }
}

#[test]
fn keys_are_shortened_only_while_they_stay_apart() {
    let keys = ["a.n_epochs".to_owned(), "b.n_epochs".to_owned(), "c.rule".to_owned()];
    assert_eq!(short_key(&keys[0], &keys), "a.n_epochs");
    assert_eq!(short_key(&keys[2], &keys), "rule");
}

#[test]
fn the_terminal_summary_is_narrow_and_ascii() {
    let text = sweep_terminal(&cells());
    assert!(text.is_ascii(), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("1 of 6 cells failed"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("4.0 ") && line.ends_with(" best")).count(), 1, "{text}");
    assert!(sweep_terminal(&[]).starts_with("No cell finished."));
}
