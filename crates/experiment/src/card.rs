//! What the card of the student's folder says.

use crate::config::{CardConfig, ExperimentConfig};
use crate::report::Report;
use crate::role::Role;
use crate::statistics::wilson_interval;
use stillhouse_models::{HubCard, HubResults};

/// What hubs want to know of a model: what the author says, where data and first weights come from, what was measured.
pub(crate) fn hub_card(config: &ExperimentConfig, report: &Report, role: Role) -> HubCard {
    let CardConfig { license, languages, datasets, tags } = config.card.clone();
    let (twin, what) = match role {
        Role::Shipped => (Role::TwinOfShipped, "the same form trained from scratch"),
        _ => (Role::TwinOnLabels, "the same network trained on hard labels"),
    };
    let results = report.model(role).map(|model| HubResults {
        dataset: report.dataset.name.clone(),
        accuracy: model.top1,
        interval: wilson_interval(model.top1, report.dataset.n_test),
        twin: report.model(twin).map(|twin| (what.to_owned(), twin.top1)),
    });
    let of_data = config.data.repository().map(str::to_owned).filter(|repo| !datasets.contains(repo));
    let base = config.student.model.repository().map(|(repo, _)| repo.to_owned());
    HubCard {
        license,
        languages,
        datasets: of_data.into_iter().chain(datasets).collect(),
        base_models: base.into_iter().collect(),
        tags,
        results,
    }
}

/// Rows of the card's table.
pub(crate) fn card_numbers(report: &Report, role: Role) -> Vec<(String, String)> {
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
