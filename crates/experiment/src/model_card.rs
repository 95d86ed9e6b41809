//! The card of a run's model: the numbers of its table, and what hubs read.

use crate::config::Experiment;
use crate::report::Report;
use crate::role::Role;
use crate::statistics::wilson_interval;
use stillhouse_core::InputSpec;
use stillhouse_models::{CardDetails, ModelCard, TestResult};

/// The card of a run's student, or of what ships of it. `input` and `labels` are the model's.
pub(crate) fn model_card(
    experiment: &Experiment,
    report: &Report,
    role: Role,
    (input, labels): (InputSpec, Vec<String>),
) -> ModelCard {
    let what = if role == Role::Shipped { "shipped student" } else { "student" };
    let own = experiment.config().card.as_ref().and_then(|card| card.model_name.clone());
    let name = own.unwrap_or_else(|| format!("{} {what}", experiment.name()));
    ModelCard { name, input, labels, numbers: card_numbers(report, role), details: details(experiment, report, role) }
}

/// What hubs read: the config's own words, and what the run knows.
fn details(experiment: &Experiment, report: &Report, role: Role) -> CardDetails {
    let config = experiment.config();
    let card = config.card.clone().unwrap_or_default();
    let mut datasets: Vec<String> = config.data.repository().map(str::to_owned).into_iter().collect();
    datasets.extend(card.datasets.into_iter().filter(|dataset| config.data.repository() != Some(dataset)));
    CardDetails {
        license: card.license,
        license_name: card.license_name,
        license_link: card.license_link,
        language: card.language,
        tags: card.tags,
        datasets,
        base_model: config.student.model.repository().map(|(repo, _)| repo.to_owned()).into_iter().collect(),
        results: test_result(report, role).into_iter().collect(),
    }
}

/// None without test examples.
fn test_result(report: &Report, role: Role) -> Option<TestResult> {
    let n_examples = report.dataset.n_test;
    let top1 = report.model(role)?.top1;
    // what ships may have another form than the twin
    let twin = (role == Role::Student).then(|| report.model(Role::TwinOnLabels)).flatten();
    (n_examples > 0 && top1.is_finite()).then(|| TestResult {
        dataset: report.dataset.name.clone(),
        n_examples,
        top1,
        interval: wilson_interval(top1, n_examples),
        twin_on_labels: twin.map(|twin| twin.top1).filter(|top1| top1.is_finite()),
    })
}

fn card_numbers(report: &Report, role: Role) -> Vec<(String, String)> {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let mut numbers =
        vec![("dataset".to_owned(), format!("{}, {} classes", report.dataset.name, report.dataset.n_classes))];
    if let Some(student) = report.model(role) {
        numbers.push(("top-1 accuracy, test".into(), percent(student.top1)));
        numbers.push(("top-5 accuracy, test".into(), percent(student.top5)));
        numbers.push(("negative log likelihood, test".into(), format!("{:.4}", student.nll)));
        numbers.push(("expected calibration error, test".into(), format!("{:.4}", student.ece)));
        let calibration = report.calibration.iter().find(|calibration| calibration.model == student.name);
        if let Some(calibration) = calibration {
            numbers.push(("temperature, fitted on validation".into(), format!("{:.4}", calibration.temperature)));
            numbers.push(("negative log likelihood with it, test".into(), format!("{:.4}", calibration.nll)));
            numbers.push(("expected calibration error with it, test".into(), format!("{:.4}", calibration.ece)));
            let thresholds = calibration.thresholds.iter().map(|row| {
                (
                    format!("confidence that {} of the validation examples are below", percent(row.valid_refused)),
                    format!("{:.4}", row.threshold),
                )
            });
            numbers.extend(thresholds);
        }
        numbers.push(("weights".into(), format!("{} bytes", student.bytes)));
    }
    let student = (Role::Student, "the student that it was made of");
    let others = [(report.students_teacher(), "its teacher"), (Role::TwinOnLabels, "its twin on hard labels"), student];
    let others = others.into_iter().filter(|(other, _)| *other != role);
    numbers.extend(others.filter_map(|(role, title)| {
        report.model(role).map(|model| (format!("top-1 accuracy, test, of {title}"), percent(model.top1)))
    }));
    numbers
}
