//! `report.md`: the report for repositories, issues and terminals.

use super::contract::{ClusterReport, DustbinReport, ModelReport, OutOfScopeRow, Report};
use super::findings::{headline, supporting_sentences};
use super::format::{
    DASH, bytes, duration, fixed, integer, milliseconds, p_value, percent, points, points_interval, relative_percent,
    si, truncated, whole_percent,
};
use super::names::{out_of_scope_rows, rank, title};
use super::text::{TERMINAL_WIDTH, markdown_table, markdown_text, plain_spaces, wrapped};

/// Clusters listed.
const N_CLUSTERS: usize = 60;
/// Classes named per cluster.
const N_CLASSES: usize = 3;

/// The report as Markdown.
pub fn markdown(report: &Report) -> String {
    let report = &report.sanitised();
    let sections = [
        opening(report),
        warnings(report),
        results(report),
        costs(report),
        portfolio(report),
        comparisons(report),
        clusters(report),
        specialists(report),
        conditional(report),
        out_of_scope(report),
        coverage(report),
        next_steps(report),
        closing(report),
    ];
    plain_spaces(&sections.into_iter().flatten().collect::<Vec<_>>().join("\n"))
}

fn opening(report: &Report) -> Option<String> {
    let dataset = &report.dataset;
    let mut text = format!("# {}\n\n", markdown_text(&report.name));
    text += &wrapped("", &format!("**{}**", headline(report)), TERMINAL_WIDTH);
    text.push('\n');
    for sentence in supporting_sentences(report) {
        text += &wrapped("- ", &sentence, TERMINAL_WIDTH);
    }
    let facts = format!(
        "{}: {} classes; {} training, {} validation, {} test examples. Seed {}.",
        markdown_text(&dataset.name),
        integer(dataset.n_classes),
        integer(dataset.n_train),
        integer(dataset.n_valid),
        integer(dataset.n_test),
        report.seed
    );
    Some(text + "\n" + &wrapped("", &facts, TERMINAL_WIDTH))
}

fn warnings(report: &Report) -> Option<String> {
    let lines = report.warnings.iter().map(|sentence| wrapped("- ", &markdown_text(sentence), TERMINAL_WIDTH));
    (!report.warnings.is_empty()).then(|| format!("## Before you believe it\n\n{}", lines.collect::<String>()))
}

fn next_steps(report: &Report) -> Option<String> {
    let lines = report.next_steps.iter().map(|sentence| wrapped("- ", &markdown_text(sentence), TERMINAL_WIDTH));
    (!report.next_steps.is_empty()).then(|| format!("## What to try next\n\n{}", lines.collect::<String>()))
}

fn sorted(report: &Report) -> Vec<&ModelReport> {
    let mut models: Vec<&ModelReport> = report.main_models().collect();
    models.sort_by_key(|model| rank(&model.name));
    models
}

fn results(report: &Report) -> Option<String> {
    let row = |model: &&ModelReport| {
        vec![
            markdown_text(&title(&model.name)),
            percent(model.top1),
            percent(model.top5),
            fixed(model.nll, 3),
            percent(model.ece),
            percent(model.valid_top1),
            model.agreement.map_or(DASH.into(), percent),
        ]
    };
    let rows: Vec<_> = sorted(report).iter().map(row).collect();
    let columns = ["<Model", ">Top-1", ">Top-5", ">NLL", ">ECE", ">Valid.", ">Agree"];
    let caption = "Test split, in %; NLL in nats. Valid.: validation top-1. Agree: with the merged ensemble.";
    (!rows.is_empty())
        .then(|| format!("## Results\n\n{}\n{}", markdown_table(&columns, &rows), wrapped("", caption, TERMINAL_WIDTH)))
}

fn costs(report: &Report) -> Option<String> {
    let row = |model: &&ModelReport| {
        let known = |text: String| if model.is_external() { DASH.to_owned() } else { text };
        vec![
            markdown_text(&title(&model.name)),
            known(si(model.n_parameters as f64)),
            known(bytes(model.bytes)),
            milliseconds(model.latency_ms_p50),
            known(duration(model.train_seconds)),
            known(si(model.train_flops)),
        ]
    };
    let rows: Vec<_> = sorted(report).iter().map(row).collect();
    let columns = ["<Model", ">Params", ">Size", ">Latency", ">Training", ">FLOPs"];
    (!rows.is_empty()).then(|| format!("## What it costs\n\n{}", markdown_table(&columns, &rows)))
}

/// Accuracy over training compute of ever more teachers.
fn portfolio(report: &Report) -> Option<String> {
    let first = report.portfolio.first()?;
    let row = |point: &super::contract::PortfolioPoint| {
        let specialists = match point.n_specialists {
            0 => DASH.to_owned(),
            n => format!("{n} ({} a class)", fixed(point.coverage, 1)),
        };
        vec![
            point.n_generalists.to_string(),
            specialists,
            si(point.train_flops),
            fixed(point.train_flops / first.train_flops, 2),
            percent(point.valid_top1),
            percent(point.top1),
        ]
    };
    let rows: Vec<_> = report.portfolio.iter().map(row).collect();
    let columns = [">Generalists", "<Specialists", ">FLOPs", ">× first", ">Valid.", ">Test"];
    let caption = format!(
        "Top-1 in % of ever more teachers together, test on {} examples; specialists in the order of what they gain on \
         validation examples of their own classes.",
        integer(first.n_test)
    );
    let table = markdown_table(&columns, &rows);
    Some(format!("## What the teachers’ training buys\n\n{table}\n{}", wrapped("", &caption, TERMINAL_WIDTH)))
}

fn comparisons(report: &Report) -> Option<String> {
    let row = |comparison: &crate::statistics::Comparison| {
        vec![
            markdown_text(&title(&comparison.a)),
            markdown_text(&title(&comparison.b)),
            points(comparison.delta),
            points_interval(comparison.ci95),
            p_value(comparison.p_value),
            comparison.verdict.to_string(),
        ]
    };
    let rows: Vec<_> = report.comparisons.iter().map(row).collect();
    let columns = ["<Model", "<against", ">Points", ">95 % interval", ">p", "<Verdict"];
    (!rows.is_empty()).then(|| format!("## Comparisons\n\n{}", markdown_table(&columns, &rows)))
}

fn clusters(report: &Report) -> Option<String> {
    let (shown, n_more) = truncated(&report.clusters, N_CLUSTERS);
    let rows: Vec<_> = shown.iter().enumerate().map(|(index, cluster)| cluster_row(index, cluster)).collect();
    if rows.is_empty() {
        return None;
    }
    let columns = [">Cluster", "<Classes", ">Generalist", ">Specialist", ">Gain", ">Oracle"];
    let mut text = format!("## Clusters\n\n{}", markdown_table(&columns, &rows));
    if n_more > 0 {
        text += &format!("\nAnd {n_more} more clusters.\n");
    }
    if let Some(share) = report.oracle_bound {
        let sentence = format!(
            "{} of the generalist’s errors confuse two classes of one cluster: the most that specialists can correct.",
            whole_percent(share)
        );
        text += &format!("\n{}", wrapped("", &sentence, TERMINAL_WIDTH));
    }
    Some(text)
}

fn cluster_row(index: usize, cluster: &ClusterReport) -> Vec<String> {
    let (named, n_more) = truncated(&cluster.classes, N_CLASSES);
    let mut classes = markdown_text(&named.join(", "));
    if n_more > 0 {
        classes += &format!(" and {n_more} more");
    }
    vec![
        index.to_string(),
        classes,
        percent(cluster.generalist_conditional_top1),
        percent(cluster.specialist_conditional_top1),
        points(cluster.specialist_gain),
        points(cluster.oracle_gain),
    ]
}

/// The paper's Table 3.
fn conditional(report: &Report) -> Option<String> {
    let table = report.conditional?;
    let row = |name: &str, conditional: f64, top1: f64| vec![name.to_owned(), percent(conditional), percent(top1)];
    let rows = [
        row("Generalist", table.generalist_conditional_top1, table.generalist_top1),
        row("Merged ensemble", table.ensemble_conditional_top1, table.ensemble_top1),
    ];
    let caption = "Test top-1 in %. Conditional: examples of a specialist's classes, prediction restricted to them, \
                   over all specialists.";
    let table = markdown_table(&["<Teacher", ">Conditional", ">All"], &rows);
    Some(format!("## Inside the clusters\n\n{table}\n{}", wrapped("", caption, TERMINAL_WIDTH)))
}

/// How well confidence tells examples of no class.
fn out_of_scope(report: &Report) -> Option<String> {
    let table = report.out_of_scope.as_ref()?;
    let columns: Vec<String> = std::iter::once("<Model".to_owned())
        .chain(table.temperatures.iter().map(|temperature| format!(">T = {temperature}")))
        .collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let row = |row: &OutOfScopeRow| {
        let aurocs = row.aurocs.iter().map(|auroc| fixed(*auroc, 4));
        std::iter::once(markdown_text(&title(&row.model))).chain(aurocs).collect::<Vec<_>>()
    };
    let rows: Vec<_> = out_of_scope_rows(table).into_iter().map(row).collect();
    let caption = format!(
        "Area under the ROC curve of the confidence, softened with the temperature T: {} test examples against {} of no \
         class. 1 is perfect, 0.5 is chance.",
        integer(report.dataset.n_test),
        integer(table.n_examples)
    );
    let table = markdown_table(&columns, &rows);
    Some(format!("## Examples of no class\n\n{table}\n{}", wrapped("", &caption, TERMINAL_WIDTH)))
}

/// What each specialist adds to the merge, and how far its dustbin can be believed.
fn specialists(report: &Report) -> Option<String> {
    let (shown, n_more) = truncated(&report.clusters, N_CLUSTERS);
    let row = |(index, cluster): (usize, &ClusterReport)| {
        let dustbin = report.dustbins.get(index).copied().flatten();
        let of_dustbin = |value: fn(&DustbinReport) -> f64| dustbin.as_ref().map_or(DASH.into(), |d| percent(value(d)));
        vec![
            index.to_string(),
            if cluster.is_heard { "yes" } else { "no" }.to_owned(),
            cluster.left_out_effect.map_or(DASH.into(), points),
            of_dustbin(|d| d.observed),
            of_dustbin(|d| d.uncorrected),
            of_dustbin(|d| d.counted),
            of_dustbin(|d| d.uncorrected_ece),
            of_dustbin(|d| d.counted_ece),
            of_dustbin(|d| d.refit_ece),
        ]
    };
    let rows: Vec<_> = shown.iter().enumerate().map(row).collect();
    if rows.is_empty() || report.dustbins.is_empty() {
        return None;
    }
    let columns = [">Cluster", "<Heard", ">Adds", ">Others", ">Raw", ">Counted", ">ECE raw", ">ECE cnt.", ">ECE refit"];
    let caption = "Adds: top-1 points that the merge loses without this specialist. Others: share of validation \
                   examples of other classes; then the dustbin's mean probability as trained and after the \
                   correction by counted priors, and its calibration errors. All but Adds in %.";
    let mut text = format!("## Specialists in the merge\n\n{}", markdown_table(&columns, &rows));
    if n_more > 0 {
        text += &format!("\nAnd {n_more} more.\n");
    }
    Some(text + "\n" + &wrapped("", caption, TERMINAL_WIDTH))
}

fn coverage(report: &Report) -> Option<String> {
    let row = |row: &super::contract::CoverageRow| {
        let delta_correct = format!("{:+}", row.delta_correct).replace('-', "−");
        vec![row.covering.to_string(), integer(row.n_examples), delta_correct, relative_percent(row.relative_gain)]
    };
    let rows: Vec<_> = report.coverage.iter().map(row).collect();
    let columns = [">Specialists", ">Test examples", ">Δ correct", ">Relative gain"];
    let caption =
        "Test examples by the number of specialists that cover their class: merged ensemble against generalist.";
    (!rows.is_empty()).then(|| {
        let table = markdown_table(&columns, &rows);
        format!("## Gain by number of specialists\n\n{table}\n{}", wrapped("", caption, TERMINAL_WIDTH))
    })
}

fn closing(report: &Report) -> Option<String> {
    let notes = report.notes.iter().map(|note| wrapped("- ", &markdown_text(note), TERMINAL_WIDTH));
    let times = format!(
        "- {} of training, {} in all. Data {}.\n",
        duration(report.total_train_seconds),
        duration(report.wall_seconds),
        markdown_text(&report.dataset.fingerprint)
    );
    Some(format!("## Notes\n\n{}{times}", notes.collect::<String>()))
}
