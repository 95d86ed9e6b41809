//! What every report must keep: the contract, escaping, honesty, and pages for any amount of data.

use super::classes::*;
use super::contract::*;
use super::fixture::{HOSTILE_LABEL, class_comparison, comparison, model, page, report};
use super::page::*;
use super::{PreviewClass, PreviewExample, preview_page};
use super::{headline, html_page, markdown, supporting_sentences, terminal_summary, warnings};
use crate::role::Role;

/// The contract as other programs know it: every fixed field, nothing else.
const CONTRACT: &str = r#"{ "format_version": 1, "name": "digits", "seed": 7,
  "dataset": { "name": "mnist", "n_classes": 10, "n_train": 54000, "n_valid": 6000, "n_test": 10000, "fingerprint": "b3:00" },
  "models": [ { "name": "student", "n_parameters": 1, "bytes": 4, "top1": 0.5, "top5": 1.0, "nll": 0.25, "ece": 0.125,
                "valid_top1": 0.5, "train_seconds": 2.0, "train_flops": 1e12, "latency_ms_p50": null } ],
  "gain_kept": null,
  "clusters": [ { "classes": ["3", "8"], "oracle_gain": 0.0, "generalist_conditional_top1": 0.5, "specialist_conditional_top1": 0.75 } ],
  "coverage": [ { "covering": 0, "n_examples": 3, "delta_correct": -1, "relative_gain": -0.5 } ],
  "comparisons": [ { "a": "student", "b": "student_hard", "delta": 0.0, "ci95": [-0.5, 0.5], "p_value": 1.0, "verdict": "NO DIFFERENCE" } ],
  "total_train_seconds": 2.0, "wall_seconds": 3.0 }"#;

fn empty_report() -> Report {
    Report { models: vec![], clusters: vec![], coverage: vec![], comparisons: vec![], ..report() }
}

/// Opening and closing tags of the elements that must be closed match in number.
#[track_caller]
fn assert_closed(html: &str) {
    for tag in
        ["div", "section", "article", "table", "tbody", "tr", "td", "th", "svg", "ul", "li", "p", "figure", "span", "i"]
    {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "<{tag}>");
    }
}

#[track_caller]
fn assert_self_contained(html: &str) {
    for forbidden in
        ["http://", "https://", "//cdn", "<script", "<link", "@import", "url(", "javascript:", "NaN", "inf%"]
    {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    for (position, _) in html.match_indices("src=\"") {
        assert!(html[position..].starts_with("src=\"data:image/png;base64,"));
    }
}

#[test]
fn the_contract_is_read_and_written() {
    let report = Report::from_json(CONTRACT).unwrap();
    let written: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    let fixed: serde_json::Value = serde_json::from_str(CONTRACT).unwrap();
    assert_contains(&written, &fixed, "report");
    assert_eq!(Report::from_json(&report.to_json()).unwrap(), report);
    let full = super::fixture::report();
    assert_eq!(Report::from_json(&full.to_json()).unwrap(), full);
}

/// Every fixed field is written with the same value; there may be more fields.
#[track_caller]
fn assert_contains(written: &serde_json::Value, fixed: &serde_json::Value, path: &str) {
    match (written, fixed) {
        (serde_json::Value::Object(written), serde_json::Value::Object(fixed)) => {
            for (key, value) in fixed {
                assert_contains(&written[key], value, &format!("{path}.{key}"));
            }
        }
        (serde_json::Value::Array(written), serde_json::Value::Array(fixed)) => {
            assert_eq!(written.len(), fixed.len(), "{path}");
            for (written, fixed) in written.iter().zip(fixed) {
                assert_contains(written, fixed, path);
            }
        }
        _ => assert_eq!(written, fixed, "{path}"),
    }
}

#[test]
fn other_versions_and_other_files_are_refused() {
    let newer = CONTRACT.replace("\"format_version\": 1", "\"format_version\": 2");
    assert!(matches!(Report::from_json(&newer), Err(ReportError::Version { got: 2 })));
    assert!(Report::from_json("{}").unwrap_err().to_string().contains("format_version"));
    assert!(Report::from_json("not JSON").is_err());
    assert!(Report::from_json(&CONTRACT.replace("NO DIFFERENCE", "SAME")).is_err());
}

#[test]
fn numbers_that_are_not_finite_never_look_good() {
    let mut report = report();
    report.models[3].nll = f64::INFINITY;
    report.models[3].top1 = f64::NAN;
    report.models[3].agreement = Some(f64::NAN);
    report.gain_kept = Some(f64::NEG_INFINITY);
    report.comparisons[0].ci95 = [f64::NAN, 0.5];
    let read = Report::from_json(&report.to_json()).unwrap();
    assert!(read.models[3].top1.is_nan() && read.models[3].nll.is_nan());
    assert_eq!((read.models[3].agreement, read.gain_kept), (None, None));
    let warning = read.warnings.last().unwrap();
    for named in ["student.nll", "student.top1", "gain_kept", "comparisons[0].ci95[0]"] {
        assert!(warning.contains(named), "{warning}");
    }
    assert_eq!(Report::from_json(&read.to_json()).unwrap().warnings, read.warnings);
    let html = html_page(&page(&read));
    assert_self_contained(&html);
    assert_closed(&html);
    assert!(terminal_summary(&read).contains("Student                        -"), "{}", terminal_summary(&read));
}

#[test]
fn a_page_needs_nothing_but_itself() {
    let report = report();
    let html = html_page(&page(&report));
    assert_self_contained(&html);
    assert_closed(&html);
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("@media print"));
    assert!(html.matches("data:image/png").count() > 90);
}

#[test]
fn labels_are_text_wherever_they_come_from() {
    let mut report = report();
    report.name = HOSTILE_LABEL.into();
    report.dataset.name = HOSTILE_LABEL.into();
    report.models[0].name = HOSTILE_LABEL.into();
    report.comparisons[0].a = HOSTILE_LABEL.into();
    report.warnings.push(HOSTILE_LABEL.into());
    report.notes.push(HOSTILE_LABEL.into());
    let mut page = page(&report);
    page.config_toml = HOSTILE_LABEL.into();
    page.provenance.push((HOSTILE_LABEL.into(), HOSTILE_LABEL.into()));
    page.curves[0].model = HOSTILE_LABEL.into();
    page.soft_target_samples[0].true_label = HOSTILE_LABEL.into();
    page.soft_target_samples[0].rows[0].source = HOSTILE_LABEL.into();
    let html = html_page(&page);
    assert_self_contained(&html);
    assert_closed(&html);
    assert!(!markdown(&report).contains("<script"));
}

/// A text without the borders of its lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn classes_that_distillation_helps_are_told() {
    let report = report();
    for text in [markdown(&report), html_page(&page(&report))] {
        for told in
            ["is better in 1 and worse in 0 of 100 classes", "helped", "The student’s worst classes", "taken for"]
        {
            assert!(one_line(&text).contains(told), "{told}: {text}");
        }
        assert!(!text.contains("not significant"), "classes that tell nothing are left out where others do");
    }
    assert!(
        html_page(&page(&report)).contains("tulip → oak tree") && !markdown(&report).contains("An example of each")
    );
}

#[test]
fn labels_that_differ_in_their_ends_alone_stay_different() {
    let mut report = report();
    let labels = [7, 8].map(|card| format!("department of customer relations, lost or stolen cards, queue {card}"));
    report.confused_pairs.truncate(1);
    [report.confused_pairs[0].label, report.confused_pairs[0].predicted] = labels.clone();
    let (html, markdown) = (html_page(&page(&report)).replace("<wbr>", ""), markdown(&report));
    for label in &labels {
        assert!(html.contains(label) && markdown.contains(label), "{label}");
    }
}

#[test]
fn classes_without_a_significant_difference_are_told_as_such() {
    let mut report = report();
    report.class_comparison = Some(ClassComparison { n_helped: 0, helped: Vec::new(), ..class_comparison() });
    let text = one_line(&markdown(&report));
    assert!(
        text.contains("In no class is the student significantly better or worse than its hard-label twin"),
        "{text}"
    );
    assert!(
        text.contains("A class has 100 test examples in the median.") && text.contains("at least 12 of them"),
        "{text}"
    );
    assert!(text.contains("not significant"), "{text}");
    let old = Report { classes: Vec::new(), class_comparison: None, confused_pairs: Vec::new(), ..report };
    assert_eq!(Report::from_json(&old.to_json()).unwrap(), old);
}

#[test]
fn long_labels_break_between_their_words() {
    let mut report = report();
    report.clusters[0].classes[0] = "card_payment_<fee>".into();
    assert!(html_page(&page(&report)).contains("<span>card_<wbr>payment_<wbr>&lt;fee&gt;</span>"));
}

#[test]
fn the_templates_trust_only_what_this_program_drew() {
    for template in [include_str!("page.html.j2"), include_str!("parts.html.j2")] {
        for (position, _) in template.match_indices("|safe") {
            let name = template[..position].rsplit("{{ ").next().unwrap();
            assert!(name == "picture.base64" || name == "style_sheet", "{name}");
        }
    }
}

#[test]
fn empty_reports_are_reports() {
    let report = empty_report();
    assert_closed(&html_page(&ReportPage::of(&report)));
    assert_eq!(headline(&report), "No model was evaluated.");
    assert!(markdown(&report).contains("No model was evaluated."));
    assert!(terminal_summary(&report).starts_with("No model"));
    let lonely = Report { models: vec![model(Role::Generalist, 0.5, 10, 1.0)], ..empty_report() };
    assert!(headline(&lonely).contains("compared with nothing"), "{}", headline(&lonely));
    assert_closed(&html_page(&ReportPage::of(&lonely)));
}

#[test]
fn one_class_and_many_classes_make_pages_of_a_reasonable_size() {
    let mut report = report();
    report.dataset.n_classes = 15_000;
    report.clusters[0].classes = vec!["only".into()];
    let labels: Vec<String> = (0..300).map(|class| format!("class {class} with a long name")).collect();
    let large = ClusterReport { classes: labels, ..report.clusters[1].clone() };
    report.clusters.extend(std::iter::repeat_n(large, 120));
    let mut page = ReportPage::of(&report);
    page.cluster_galleries = (0..128)
        .map(|cluster_idx| Gallery {
            cluster_idx,
            tiles: (0..500).map(|tile| Tile { label: tile.to_string(), png: None, text: None }).collect(),
        })
        .collect();
    let html = html_page(&page);
    assert_closed(&html);
    assert!(html.contains("1 class ·") && html.contains("and 276 more") && html.contains("and 98 more clusters"));
    assert!(html.len() < 400_000, "{} bytes", html.len());
}

#[test]
fn curves_of_any_length_are_drawn() {
    let report = report();
    let point = |epoch| EpochPoint {
        epoch,
        train_loss: if epoch == 3 { f64::NAN } else { 1.0 },
        valid_loss: None,
        valid_top1: None,
        learning_rate: 0.0,
    };
    for n_epochs in [0, 1, 2, 5000] {
        let mut page = ReportPage::of(&report);
        page.curves = vec![Curve { model: Role::Student.name(), epochs: (1..=n_epochs).map(point).collect() }];
        let html = html_page(&page);
        assert_self_contained(&html);
        assert!(html.len() < 130_000, "{n_epochs} epochs: {} bytes", html.len());
    }
    let curve = Curve { model: Role::Student.name(), epochs: vec![point(3)] };
    let text = serde_json::to_string(&curve).unwrap();
    assert!(serde_json::from_str::<Curve>(&text).unwrap().epochs[0].train_loss.is_nan());
}

#[test]
fn the_headline_says_what_happened() {
    let with = |ensemble: f64, student: f64, gain_kept| {
        headline(&Report {
            comparisons: vec![
                comparison(Role::MergedEnsemble, Role::Generalist, ensemble, 0.005),
                comparison(Role::Student, Role::TwinOnLabels, student, 0.005),
            ],
            gain_kept,
            ..report()
        })
    };
    assert_eq!(
        with(0.02, 0.023, Some(0.714)),
        "The student keeps 71\u{a0}% of what the ensemble gains over hard labels (+2.30 points, BEATS)."
    );
    assert!(with(0.02, 0.023, Some(1.2)).contains("and more: 120\u{a0}%"));
    assert!(with(0.02, 0.023, None).contains("although its teacher does not"));
    assert!(with(0.02, 0.001, Some(0.1)).starts_with("Distillation made no difference"));
    assert!(with(0.02, -0.03, Some(-0.1)).starts_with("Distillation hurt"));
    assert!(with(0.001, 0.023, Some(0.9)).starts_with("Specialists did not help: the merged ensemble makes no"));
    assert!(with(-0.01, 0.023, Some(0.9)).contains("is worse than the generalist (−1.00 points"));
}

#[test]
fn comparisons_are_found_from_either_side() {
    let report =
        Report { comparisons: vec![comparison(Role::Generalist, Role::MergedEnsemble, -0.02, 0.005)], ..report() };
    let turned = report.comparison(Role::MergedEnsemble, Role::Generalist).unwrap();
    assert_eq!((turned.delta, turned.verdict.word()), (0.02, "BEATS"));
    assert_eq!(supporting_sentences(&report).len(), 1);
}

#[test]
fn warnings_name_the_trap() {
    let quiet = Report { clusters: vec![], soft_target_entropy: Some(0.5), ..report() };
    assert_eq!(warnings(&quiet, &[]), Vec::<String>::new());
    let weak = Report {
        comparisons: vec![comparison(Role::MergedEnsemble, Role::TwinOnLabels, -0.001, 0.004)],
        ..quiet.clone()
    };
    assert!(warnings(&weak, &[])[0].starts_with("The teacher is no better than the student’s hard-label twin (−0.10"));
    assert!(warnings(&weak, &[])[0].contains("use a stronger teacher"));
    let doubted = Report { doubted_teachers: vec!["big_net".into()], ..weak };
    let told = &warnings(&doubted, &[])[0];
    assert!(told.contains("repair the predictions of big_net") && !told.contains("stronger"), "{told}");
    let mut early = quiet.clone();
    let twin = early.models.iter_mut().find(|model| Role::of_name(&model.name) == Some(Role::TwinOnLabels)).unwrap();
    twin.valid_top1 = 0.75;
    assert!(warnings(&early, &[]).iter().any(|told| told.contains("the generalist was not trained long enough")));
    early
        .models
        .iter_mut()
        .find(|model| Role::of_name(&model.name) == Some(Role::TwinOnLabels))
        .unwrap()
        .n_parameters = 2_000_000;
    assert!(!warnings(&early, &[]).iter().any(|told| told.contains("not trained long enough")));
    let sharp = Report { soft_target_entropy: Some(0.01), ..quiet.clone() };
    assert!(warnings(&sharp, &[])[0].contains("nearly one-hot"));
    let mut idle = Report { clusters: report().clusters, ..quiet.clone() };
    idle.clusters[2].helps = false;
    assert!(
        warnings(&idle, &[])[0].contains("2 of 8 specialists do not beat the generalist"),
        "{:?}",
        warnings(&idle, &[])
    );
}

#[test]
fn only_a_student_that_still_climbs_is_told_to_train_longer() {
    let quiet = Report { clusters: vec![], ..report() };
    let curve = |accuracy: fn(f64) -> f64| {
        let point = |epoch: u64| EpochPoint {
            epoch,
            train_loss: 1.0,
            valid_loss: None,
            valid_top1: Some(accuracy(epoch as f64 / 20.0)),
            learning_rate: 0.1,
        };
        [Curve { model: Role::Student.name(), epochs: (1..=20).map(point).collect() }]
    };
    assert!(warnings(&quiet, &curve(|share| 0.5 * share))[0].contains("still improving"));
    assert!(warnings(&quiet, &curve(|share| 0.6 * (1.0 - (-9.0 * share).exp()))).is_empty());
    assert!(warnings(&quiet, &[Curve { model: Role::Student.name(), epochs: vec![] }]).is_empty());
}

#[test]
fn the_best_of_a_block_is_marked_where_there_is_a_choice() {
    let best = |report: &Report| html_page(&page(report)).matches("class=\"best\"").count();
    let two_blocks = report();
    assert_eq!(best(&two_blocks), 2 * 4);
    let lonely = Report { models: vec![model(Role::Generalist, 0.5, 10, 1.0)], ..report() };
    assert_eq!(best(&lonely), 0);
}

#[test]
fn outputs_show_their_own_columns() {
    let report = report();
    let (html, text, terminal) = (html_page(&page(&report)), markdown(&report), terminal_summary(&report));
    for (column, shown) in [("Params", [true, true, true]), ("… last epoch", [true, false, false])] {
        assert_eq!([&html, &text, &terminal].map(|output| output.contains(column)), shown, "{column}");
    }
    assert!(html.contains("The specialists, one by one") && !text.contains("Specialist 7"));
}

#[test]
fn a_preview_shows_pictures_and_texts() {
    let png = page(&report()).cluster_galleries[0].tiles[0].png.clone();
    let pictures = vec![PreviewExample { png, ..PreviewExample::default() }];
    let texts = vec![PreviewExample { text: Some("one <b>".into()), views: vec!["two".into()], png: None }];
    let class = |label: &str, examples| PreviewClass { label: label.into(), examples };
    let classes = [class("cat", pictures), class(HOSTILE_LABEL, texts), class("none", vec![])];
    let html = preview_page("Preview of pets".into(), "3 classes".into(), &classes, 2);
    assert_self_contained(&html);
    assert_closed(&html);
    for part in ["data:image/png", "<q>one &lt;b&gt;</q>", ">two</q>", "no training example", "and 2 more classes"] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn the_terminal_summary_is_narrow_and_ascii() {
    let text = terminal_summary(&report());
    assert!(text.is_ascii(), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("+2.72 BEATS"));
}

#[test]
fn markdown_has_every_section() {
    let text = markdown(&report());
    for section in [
        "## Results",
        "## What it costs",
        "## Comparisons",
        "## Classes",
        "## Clusters",
        "## Gain by number",
        "## How it was made",
    ] {
        assert!(text.contains(section), "{section}");
    }
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}
