//! The tables of a run, each in one function: a line for each column.

use crate::chart::scale::Scale;
use crate::contract::{
    CalibrationReport, ClusterReport, CoverageRow, DustbinReport, ModelReport, PortfolioPoint, Report, ShipAttempt,
    ShipWay, ThresholdRow,
};
use crate::format::{
    DASH, bytes, duration, fixed, integer, milliseconds, p_value, percent, points, points_interval, relative_percent,
    si, signed, truncated,
};
use crate::role::{Role, rank, title};
use crate::statistics::Comparison;
use crate::table::{Cell, Field, Html, Markdown, Table, Terminal, cells, numbers, texts};

/// Clusters listed.
const N_CLUSTERS: usize = 60;
/// Classes named per cluster.
const N_CLASSES: usize = 3;
/// Rows of the table of coverage.
const N_COVERAGE_ROWS: usize = 40;

type Model<'a> = &'a ModelReport;

/// Quality on the test split: students in one block, teachers in the other.
pub(crate) fn results(report: &Report) -> Table {
    let verdict = |model: &Model<'_>| {
        let role = Role::of_name(&model.name);
        Cell::comparison(role.and_then(|role| report.comparison(role, role.reference()?)).as_ref())
    };
    let size = |model: &Model<'_>| (!model.is_external()).then_some(model.n_parameters as f64);
    let fields = vec![
        cells("Model", |model: &Model<'_>| Cell::model(&model.name)),
        numbers("Top-1", percent, |model: &Model<'_>| Some(model.top1)).highest_is_best(),
        numbers("Top-5", percent, |model: &Model<'_>| Some(model.top5)).highest_is_best(),
        numbers("NLL", |nll| fixed(nll, 3), |model: &Model<'_>| Some(model.nll)).lowest_is_best(),
        numbers("ECE", percent, |model: &Model<'_>| Some(model.ece)).lowest_is_best(),
        numbers("Agreement", percent, |model: &Model<'_>| model.agreement).only_in(&[Markdown, Html]),
        numbers("Valid. top-1", percent, |model: &Model<'_>| Some(model.valid_top1)).only_in(&[Markdown, Html]),
        numbers("… last epoch", percent, |model: &Model<'_>| model.last_epoch_valid_top1).only_in(&[Html]),
        numbers("Params", si, size).only_in(&[Terminal]),
        cells("Verdict", verdict).only_in(&[Terminal, Html]),
    ];
    let [students, teachers] = students_and_teachers(report);
    let groups = vec![
        ("Students: one network, one budget".to_owned(), "against hard labels".to_owned(), &students[..]),
        ("Teachers".to_owned(), "against the generalist".to_owned(), &teachers[..]),
    ];
    let note = "In %; NLL in nats, lower is better; ECE is the expected calibration error, lower is better. Agreement is with the \
                top-1 of the student’s teacher. Validation accuracy of the reported weights. A shipped student is compared with the \
                student.";
    Table::in_groups("Results", fields, groups).with_note(note)
}

/// Size, speed and training cost of the models.
pub(crate) fn costs(report: &Report) -> Table {
    let [students, teachers] = students_and_teachers(report);
    let groups = vec![
        ("Students".to_owned(), String::new(), &students[..]),
        ("Teachers".to_owned(), String::new(), &teachers[..]),
    ];
    Table::in_groups("Costs", cost_fields(report, false), groups)
}

/// The specialists one by one. Their top-1 is low by nature: they see only their own classes.
pub(crate) fn specialist_costs(report: &Report) -> Table {
    let models = report.specialist_models();
    Table::new("The specialists, one by one", cost_fields(report, true), &models)
        .folded()
        .only_in(&[Html])
        .cut(N_CLUSTERS)
}

fn cost_fields<'a>(report: &Report, has_top1: bool) -> Vec<Field<'a, Model<'a>>> {
    let of_generalist = report.model(Role::Generalist).map(|generalist| generalist.train_flops);
    let relative = move |model: &Model<'_>| Some(model.train_flops / of_generalist?);
    let known = |model: &Model<'_>, value: f64| (!model.is_external()).then_some(value);
    let top1 = numbers("Top-1 %", percent, |model: &Model<'_>| Some(model.top1));
    let costs = vec![
        numbers("Params", si, move |model: &Model<'_>| known(model, model.n_parameters as f64)),
        numbers("Size", |size| bytes(size as u64), move |model: &Model<'_>| known(model, model.bytes as f64)),
        numbers("Latency p50", milliseconds, |model: &Model<'_>| model.latency_ms_p50),
        numbers("p95", milliseconds, |model: &Model<'_>| model.latency_ms_p95).only_in(&[Html]),
        numbers("Training", duration, move |model: &Model<'_>| known(model, model.train_seconds)),
        numbers("FLOPs", si, move |model: &Model<'_>| known(model, model.train_flops)),
        numbers("× generalist", |share| fixed(share, 2), relative).only_in(&[Html]),
    ];
    let name = cells("Model", |model: &Model<'_>| Cell::model(&model.name));
    std::iter::once(name).chain(has_top1.then_some(top1)).chain(costs).collect()
}

fn students_and_teachers(report: &Report) -> [Vec<Model<'_>>; 2] {
    let is_teacher = |model: &Model<'_>| Role::of_name(&model.name).is_some_and(Role::is_teacher);
    let (teachers, students) = report.main_models().into_iter().partition(is_teacher);
    [students, teachers]
}

/// What was tried to make the student ship.
pub(crate) fn ship(report: &Report) -> Table {
    let Some(ship) = &report.ship else { return Table::new::<ShipAttempt>("What ships", Vec::new(), &[]) };
    let lost = |attempt: &ShipAttempt| Some(attempt.valid_top1? - ship.student_valid_top1);
    let fields = vec![
        cells("The student,", |attempt: &ShipAttempt| Cell::label(&attempt.what)),
        numbers("Size", |size| bytes(size as u64), |attempt: &ShipAttempt| Some(attempt.bytes as f64)),
        numbers("Valid. top-1", percent, |attempt: &ShipAttempt| attempt.valid_top1),
        numbers("Points", points, lost),
        numbers("Latency", milliseconds, |attempt: &ShipAttempt| attempt.latency_ms_p50),
        numbers("NLL", |nll| fixed(nll, 3), |attempt: &ShipAttempt| attempt.valid_nll).only_in(&[Markdown, Html]),
        numbers("KL", |kl| fixed(kl, 4), |attempt: &ShipAttempt| attempt.kl).only_in(&[Markdown, Html]),
        texts("", |attempt: &ShipAttempt| if attempt.is_shipped { "ships".to_owned() } else { String::new() }),
    ];
    let note = format!(
        "At most {} of weights and {} points of validation top-1 lost to the student, which has {} %. KL is the mean divergence of \
         the predictions from the student’s, in nats. Latency: median of one example on one thread.",
        bytes(ship.max_bytes),
        fixed(ship.max_loss, 2),
        percent(ship.student_valid_top1)
    );
    Table::new("What ships", fields, &ship.attempts).with_note(note)
}

/// Each way to a small student by itself.
pub(crate) fn ship_ways(report: &Report) -> Table {
    let ship = report.ship.as_ref();
    let student = ship.map_or(f64::NAN, |ship| ship.student_valid_top1);
    let fields = vec![
        texts("Way", |way: &ShipWay| way.way.clone()),
        texts("", |way: &ShipWay| way.what.clone()),
        numbers("Size", |size| bytes(size as u64), |way: &ShipWay| Some(way.bytes as f64)),
        numbers("Valid. top-1", percent, |way: &ShipWay| Some(way.valid_top1)),
        numbers("Points", points, move |way: &ShipWay| Some(way.valid_top1 - student)),
        numbers("NLL", |nll| fixed(nll, 3), |way: &ShipWay| Some(way.valid_nll)).only_in(&[Markdown, Html]),
    ];
    let note = "Without further training. Fewer numbers are f32; of weights at 0, the size is that of the others and a bit for each.";
    let ways: &[ShipWay] = ship.map_or(&[], |ship| &ship.ways);
    Table::new("Each way by itself", fields, ways).with_note(note.to_owned())
}

/// Accuracy over training compute of ever more teachers.
pub(crate) fn portfolio(report: &Report) -> Table {
    let first = report.portfolio.first().copied();
    let specialists = |point: &PortfolioPoint| match point.n_specialists {
        0 => DASH.to_owned(),
        n => format!("{n} ({} a class)", fixed(point.coverage, 1)),
    };
    let relative = move |point: &PortfolioPoint| Some(point.train_flops / first?.train_flops);
    let fields = vec![
        numbers("Generalists", |n| integer(n as u64), |point: &PortfolioPoint| Some(point.n_generalists as f64)),
        texts("Specialists", specialists),
        numbers("FLOPs", si, |point: &PortfolioPoint| Some(point.train_flops)),
        numbers("× first", |share| fixed(share, 2), relative),
        numbers("Valid. top-1", percent, |point: &PortfolioPoint| Some(point.valid_top1)),
        numbers("Test top-1", percent, |point: &PortfolioPoint| Some(point.top1)),
    ];
    let note = format!(
        "Top-1 in % of ever more teachers together, test on {} examples; specialists in the order of what they gain on \
         validation examples of their own classes.",
        integer(first.map_or(0, |point| point.n_test))
    );
    Table::new("What the teachers’ training buys", fields, &report.portfolio).with_note(note).folded()
}

/// Two models on the same test examples.
pub(crate) fn comparisons(report: &Report) -> Table {
    let fields = vec![
        texts("Model", |comparison: &Comparison| title(&comparison.a)),
        texts("against", |comparison: &Comparison| title(&comparison.b)),
        numbers("Points", points, |comparison: &Comparison| Some(comparison.delta)),
        texts("95\u{a0}% interval", |comparison: &Comparison| points_interval(comparison.ci95)).right_aligned(),
        numbers("p", p_value, |comparison: &Comparison| Some(comparison.p_value)),
        cells("Verdict", |comparison: &Comparison| Cell::verdict(Some(comparison.verdict), None)),
    ];
    Table::new("Intervals and p-values", fields, &report.comparisons).folded()
}

type Numbered<'a> = (usize, &'a ClusterReport);

/// Each cluster, and its specialist against the generalist inside it.
pub(crate) fn clusters(report: &Report) -> Table {
    let classes = |(_, cluster): &Numbered<'_>| match truncated(&cluster.classes, N_CLASSES) {
        (named, 0) => named.join(", "),
        (named, n_more) => format!("{} and {n_more} more", named.join(", ")),
    };
    let fields = vec![
        texts("Cluster", |(index, _): &Numbered<'_>| index.to_string()),
        texts("Classes", classes),
        numbers("Generalist", percent, |(_, cluster): &Numbered<'_>| Some(cluster.generalist_conditional_top1)),
        numbers("Specialist", percent, |(_, cluster): &Numbered<'_>| Some(cluster.specialist_conditional_top1)),
        numbers("Gain", points, |(_, cluster): &Numbered<'_>| Some(cluster.specialist_gain)),
        numbers("Oracle", points, |(_, cluster): &Numbered<'_>| Some(cluster.oracle_gain)),
    ];
    let note = "Test top-1 in % on the cluster’s own classes, predictions restricted to them. Oracle: points of validation top-1 \
                that the generalist would gain on all classes if the specialist were never wrong inside its cluster.";
    Table::new("The clusters, one by one", fields, &numbered(report)).with_note(note).folded().cut(N_CLUSTERS)
}

fn numbered(report: &Report) -> Vec<Numbered<'_>> {
    report.clusters.iter().enumerate().collect()
}

/// What each specialist adds to the merge, and whether its dustbin is right.
pub(crate) fn dustbins(report: &Report) -> Table {
    let dustbin = |index: usize| report.dustbins.get(index).copied().flatten();
    let of_dustbin = |title, value: fn(&DustbinReport) -> f64| {
        numbers(title, percent, move |(index, _): &Numbered<'_>| dustbin(*index).as_ref().map(value))
    };
    let merged = |(index, cluster): &Numbered<'_>| match dustbin(*index) {
        _ if !cluster.is_heard => "no",
        Some(dustbin) if dustbin.uses_refit => "refit",
        _ => "yes",
    };
    let fields = vec![
        texts("Cluster", |(index, _): &Numbered<'_>| index.to_string()),
        texts("Merged", move |row: &Numbered<'_>| merged(row).to_owned()),
        numbers("Adds", points, |(_, cluster): &Numbered<'_>| cluster.left_out_effect),
        of_dustbin("Others", |dustbin| dustbin.observed),
        of_dustbin("Trained", |dustbin| dustbin.uncorrected),
        of_dustbin("Corrected", |dustbin| dustbin.counted),
        of_dustbin("ECE trained", |dustbin| dustbin.uncorrected_ece),
        of_dustbin("corrected", |dustbin| dustbin.counted_ece),
        of_dustbin("refit", |dustbin| dustbin.refit_ece),
    ];
    let clusters = if report.dustbins.is_empty() { Vec::new() } else { numbered(report) };
    let note = "Adds: top-1 points that the merge loses without this specialist. Others: how often an example is of another \
                class. Trained and corrected: the dustbin’s mean probability as trained, and after the correction by counted \
                priors. ECE: its calibration errors, with a refit of its bias on these examples for comparison.";
    Table::new("Dustbins", fields, &clusters).with_note(note).cut(N_CLUSTERS)
}

/// The paper's Table 3.
pub(crate) fn conditional(report: &Report) -> Table {
    let rows = report.conditional.map(|table| {
        [
            (Role::Generalist, table.generalist_conditional_top1, table.generalist_top1),
            (Role::MergedEnsemble, table.ensemble_conditional_top1, table.ensemble_top1),
        ]
    });
    let fields = vec![
        cells("Teacher", |(role, _, _): &(Role, f64, f64)| Cell::model(&role.name())),
        numbers("Conditional", percent, |(_, conditional, _): &(Role, f64, f64)| Some(*conditional)),
        numbers("All", percent, |(_, _, top1): &(Role, f64, f64)| Some(*top1)),
    ];
    Table::new("Conditional accuracy", fields, rows.as_ref().map_or(&[][..], |rows| rows))
}

/// What is refused below a confidence.
pub(crate) fn thresholds(report: &Report) -> Table {
    type Row<'a> = (&'a CalibrationReport, &'a ThresholdRow);
    let rows: Vec<Row<'_>> =
        report.calibration.iter().flat_map(|model| model.thresholds.iter().map(move |row| (model, row))).collect();
    let mut fields = vec![
        cells("Model", |(model, _): &Row<'_>| Cell::model(&model.model)),
        numbers("Threshold", |share| fixed(share, 3), |(_, row): &Row<'_>| Some(row.threshold)),
        numbers("Refused, valid.", percent, |(_, row): &Row<'_>| Some(row.valid_refused)),
        numbers("Refused, test", percent, |(_, row): &Row<'_>| Some(row.test_refused)),
        numbers("Top-1 of the rest", percent, |(_, row): &Row<'_>| row.top1_of_kept),
    ];
    if rows.iter().any(|(_, row)| row.others_refused.is_some()) {
        fields.push(numbers("Refused, no class", percent, |(_, row): &Row<'_>| row.others_refused));
    }
    let note = "In %. Answers below the threshold are refused: stillhouse predict --threshold. It was chosen on the validation split; \
                what it refuses of the test split are false alarms, and what it refuses of the examples of no class is right.";
    Table::new("No answer below a confidence", fields, &rows).with_note(note)
}

/// How well confidence tells examples of no class.
pub(crate) fn out_of_scope(report: &Report) -> Table {
    let Some(found) = report.out_of_scope.as_ref() else { return Table::default() };
    let mut rows: Vec<_> = found.rows.iter().collect();
    rows.sort_by_key(|row| rank(&row.model));
    let auroc = |(nth, temperature): (usize, &f64)| {
        let value = move |row: &&crate::contract::OutOfScopeRow| row.aurocs.get(nth).copied();
        numbers(format!("T = {temperature}"), |auroc| fixed(auroc, 4), value)
    };
    let name = cells("Model", |row: &&crate::contract::OutOfScopeRow| Cell::model(&row.model));
    let fields = std::iter::once(name).chain(found.temperatures.iter().enumerate().map(auroc)).collect();
    Table::new("Detection of examples of no class", fields, &rows)
}

/// The paper's Table 4.
pub(crate) fn coverage(report: &Report) -> Table {
    let gains = report.coverage.iter().take(N_COVERAGE_ROWS).map(|row| row.relative_gain);
    let scale = Scale::linear(gains.chain([0.0]), 4);
    let n_examples: u64 = report.coverage.iter().map(|row| row.n_examples).sum();
    let bar = move |row: &CoverageRow| {
        let ends = [scale.percent(0.0), scale.percent(row.relative_gain)];
        let class = if row.relative_gain >= 0.0 { "beats" } else { "worse" };
        Cell { bar: row.relative_gain.is_finite().then_some(ends), class: class.to_owned(), ..Cell::default() }
    };
    let share = move |row: &CoverageRow| Some(row.n_examples as f64 / n_examples.max(1) as f64);
    let fields = vec![
        texts("Specialists", |row: &CoverageRow| row.covering.to_string()),
        numbers("Test examples", |n| integer(n as u64), |row: &CoverageRow| Some(row.n_examples as f64)),
        numbers("Share %", percent, share),
        numbers("Δ correct", signed, |row: &CoverageRow| Some(row.delta_correct as f64)),
        numbers("Relative gain", relative_percent, |row: &CoverageRow| Some(row.relative_gain)),
        cells("", bar).only_in(&[Html]),
    ];
    Table::new("Coverage", fields, &report.coverage).cut(N_COVERAGE_ROWS)
}
