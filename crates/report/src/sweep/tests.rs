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
    SweepCell { axes, outcome: Err(message.to_owned()), is_dropped: false }
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
    let n_seeds: Vec<usize> =
        settings.settings.iter().map(|setting| setting.test.as_ref().unwrap().n_seeds()).collect();
    assert_eq!(n_seeds, [2, 2, 1]);
    assert!((settings.settings[0].test.as_ref().unwrap().mean() - 0.66).abs() < 1e-12);
    assert_eq!(settings.settings[2].n_failed, 1);
    let texts: Vec<String> = settings.settings.iter().map(|setting| setting.test.as_ref().unwrap().text()).collect();
    // two seeds are two values; an interval of them would be twelve times as wide as they are apart
    assert_eq!(texts, ["65.00, 67.00", "61.00, 63.00", "60.00"]);
    let three = [0.60, 0.62, 0.64];
    let cells: Vec<SweepCell> = three.iter().zip(0..).map(|(test, seed)| cell("1.0", seed, 0.6, *test)).collect();
    // half of the interval: t(0.975, 2) 0.02 / sqrt(3)
    assert_eq!(Settings::of(&cells).settings[0].test.as_ref().unwrap().text(), "62.00 ± 4.97");
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
fn the_best_is_told_apart_from_others_or_not() {
    let n_valid = report().dataset.n_valid as f64;
    // the standard error of a difference of two settings of two seeds each
    let error = (2.0 * 0.63 * 0.37 / (2.0 * n_valid)).sqrt();
    let pair = |temperature: &str, valid: f64| [0, 1].map(|seed| cell(temperature, seed, valid, 0.6));
    let cells = [pair("1.0", 0.63), pair("2.0", 0.63 - 1.5 * error), pair("4.0", 0.63 - 2.5 * error)].concat();
    assert_eq!(Settings::of(&cells).n_like_the_best(), Some(1));
    let headline = document("grid", &cells).headline;
    assert!(headline.contains("not told apart from 1 of 2 others"), "{headline}");
    let apart = [pair("1.0", 0.63), pair("4.0", 0.63 - 2.5 * error)].concat();
    assert!(document("grid", &apart).headline.contains("told apart from all others"));
}

#[test]
fn what_matters_is_measured_and_drawn() {
    let cell = |epochs: usize, rule: &str, valid: f64| {
        let axes =
            vec![("a.n_epochs".to_owned(), epochs.to_string()), ("merge.rule".to_owned(), format!("\"{rule}\""))];
        SweepCell { axes, ..cell("1.0", 0, valid, valid) }
    };
    let grid: Vec<SweepCell> = [(1, 0.5), (2, 0.6), (4, 0.7)]
        .into_iter()
        .flat_map(|(epochs, valid)| [cell(epochs, "exact", valid), cell(epochs, "em_step", valid + 0.01)])
        .collect();
    let found = importance::importances(&Settings::of(&grid));
    let of = |key: &str| found.iter().find(|axis| axis.key == key).unwrap();
    // squares inside the epochs 0.00015 with 3 degrees of freedom, of all 0.04015 with 5
    assert!((of("a.n_epochs").share - (1.0 - (0.00015 / 3.0) / (0.04015 / 5.0))).abs() < 1e-9, "{found:?}");
    // less than chance
    assert_eq!(of("merge.rule").share, 0.0);
    assert_eq!((found[0].key.as_str(), found[0].is_by_rank), ("a.n_epochs", false));
    let html = sweep_html("grid", &grid);
    assert!(html.contains("All settings at once") && html.contains("What matters"));
    // numbers of which most are different: the rank counts
    let drawn: Vec<SweepCell> =
        [(3, 0.5), (5, 0.52), (9, 0.7), (20, 0.71)].map(|(n, valid)| cell(n, "exact", valid)).to_vec();
    let by_rank = importance::importances(&Settings::of(&drawn));
    assert_eq!(by_rank.len(), 1);
    assert!(by_rank[0].is_by_rank && (by_rank[0].share - 1.0).abs() < 1e-12);
    assert!(!sweep_html("grid", &cells()).contains("All settings at once"), "one axis has its own chart");
}

#[test]
fn one_seed_takes_the_verdict_of_its_own_examples() {
    let mut only = cell("4.0", 0, 0.6, 0.58);
    if let Ok(report) = &mut only.outcome {
        report.comparisons = vec![comparison(Role::Student, Role::TwinOnLabels, 0.02, 0.005)];
    }
    let verdict = |cells: &[SweepCell]| Settings::of(cells).settings[0].gain.unwrap().1;
    assert_eq!(verdict(std::slice::from_ref(&only)), Some(Verdict::Beats));
    // two seeds are two points, three have a test: +0.003, +0.1 and +0.05 points say nothing
    let two = [only, cell("4.0", 1, 0.6, 0.677)];
    assert_eq!(verdict(&two), None);
    let three = [&two[..], &[cell("4.0", 2, 0.6, 0.6)]].concat();
    assert_eq!(verdict(&three), Some(Verdict::NoDifference));
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
