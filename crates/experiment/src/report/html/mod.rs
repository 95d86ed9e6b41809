//! `report.html`: one file that shows a run to people.
//!
//! The template holds the words and the order, the style sheet the looks; the modules here turn numbers into the strings
//! and charts that the template places. Everything the template inserts is escaped, except charts, whose names end in
//! `_svg` and whose texts were escaped when they were drawn, pictures in base64, and the style sheet.

mod clusters;
mod curves;
mod image;
mod models;
mod out_of_scope;
mod soft_targets;

use super::contract::Report;
use super::findings::{headline, supporting_sentences};
use super::format::{duration, fixed, integer, whole_percent};
use super::page::ReportPage;
pub(crate) use image::{Picture, picture};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, HtmlEscape, UndefinedBehavior, Value};
pub(crate) use models::verdict_class;
use serde::Serialize;

const REPORT_TEMPLATE: &str = include_str!("page.html.j2");
const STYLE_SHEET: &str = include_str!("page.css");

/// Everything that the template of the report names.
#[derive(Serialize)]
struct View<'a> {
    style_sheet: &'static str,
    report: &'a Report,
    headline: String,
    supporting: Vec<String>,
    subtitle: Vec<String>,
    accuracy_svg: String,
    groups: Vec<models::Group>,
    specialists: Vec<models::ModelRow>,
    quality_columns: [&'static str; 7],
    cost_columns: [&'static str; 7],
    size_svg: Option<String>,
    portfolio_svg: Option<String>,
    comparisons_svg: String,
    p_values: Vec<[String; 5]>,
    curves: Vec<curves::CurvePanel>,
    bounds: Vec<Bound>,
    gains_svg: String,
    n_more_gains: usize,
    clusters: Vec<clusters::ClusterView>,
    n_more_clusters: usize,
    dustbins: Vec<clusters::DustbinView>,
    n_more_dustbins: usize,
    conditional: Vec<[String; 3]>,
    out_of_scope: Option<out_of_scope::OutOfScopeView>,
    coverage: Vec<clusters::CoverageView>,
    n_more_coverage: usize,
    samples: Vec<soft_targets::SampleView>,
    provenance: Vec<(String, String)>,
    config_toml: &'a str,
}

/// The whole page as text. A [`ReportPage`] of any content makes a page; parts that it lacks are left out.
pub fn html_page(page: &ReportPage<'_>) -> String {
    let report = page.report.sanitised();
    let (clusters, n_more_clusters) = clusters::views(&report, &page.cluster_galleries);
    let (gains_svg, n_more_gains) = clusters::gain_chart(&report);
    let (dustbins, n_more_dustbins) = clusters::dustbins(&report);
    let (coverage, n_more_coverage) = clusters::coverage(&report);
    let view = View {
        style_sheet: STYLE_SHEET,
        report: &report,
        headline: headline(&report),
        supporting: supporting_sentences(&report),
        subtitle: subtitle(&report),
        accuracy_svg: models::accuracy_chart(&report),
        groups: models::groups(&report),
        specialists: models::specialist_rows(&report),
        quality_columns: models::QUALITY_COLUMNS,
        cost_columns: models::COST_COLUMNS,
        size_svg: models::size_chart(&report),
        portfolio_svg: models::portfolio_chart(&report),
        comparisons_svg: models::comparison_chart(&report),
        p_values: p_values(&report),
        curves: curves::panels(&page.curves),
        bounds: bounds(&report),
        gains_svg,
        n_more_gains,
        clusters,
        n_more_clusters,
        dustbins,
        n_more_dustbins,
        conditional: clusters::conditional(&report),
        out_of_scope: out_of_scope::view(&report),
        coverage,
        n_more_coverage,
        samples: soft_targets::views(&page.soft_target_samples),
        provenance: provenance(&report, &page.provenance),
        config_toml: &page.config_toml,
    };
    render(REPORT_TEMPLATE, &view)
}

/// Fills a template of this crate; `context` holds every name that it uses.
pub(crate) fn render(template: &str, context: &impl Serialize) -> String {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the default delimiters"));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("breakable", breakable);
    environment
        .render_str(template, Value::from(Serde(context)))
        .expect("the templates are part of the program and tests render them")
}

/// The filter `breakable`: a label, escaped, that may be broken into lines after the underscores, dashes, dots and slashes
/// between its words, and not in the middle of one.
fn breakable(label: &str) -> Value {
    let mut html = String::with_capacity(label.len());
    for part in label.split_inclusive(['_', '-', '.', '/']) {
        if !html.is_empty() {
            html.push_str("<wbr>");
        }
        html.push_str(&HtmlEscape(part).to_string());
    }
    Value::from_safe_string(html)
}

/// The style sheet that all pages share.
pub(crate) fn style_sheet() -> &'static str {
    STYLE_SHEET
}

fn subtitle(report: &Report) -> Vec<String> {
    let dataset = &report.dataset;
    vec![
        dataset.name.clone(),
        format!("{} classes", integer(dataset.n_classes)),
        format!(
            "{} training, {} validation, {} test examples",
            integer(dataset.n_train),
            integer(dataset.n_valid),
            integer(dataset.n_test)
        ),
        format!("seed {}", report.seed),
        format!("{} of training", duration(report.total_train_seconds)),
    ]
}

/// A named number with a sentence on what it means.
#[derive(Debug, Serialize)]
struct Bound {
    value: String,
    meaning: &'static str,
}

/// What could be won, known before any specialist was trained.
fn bounds(report: &Report) -> Vec<Bound> {
    let bound = |value: String, meaning| Bound { value, meaning };
    let shares = [
        report.oracle_bound.map(|share| {
            bound(
                whole_percent(share),
                "of the generalist’s errors confuse two classes of one cluster: no specialist can correct the others",
            )
        }),
        report
            .confusion_mass_inside
            .map(|share| bound(whole_percent(share), "of the affinity between different classes lies inside clusters")),
        report.cluster_stability.map(|agreement| {
            bound(
                fixed(agreement, 2),
                "agreement of the clusters with those of another seed: 1 if they are the same, 0 as by chance",
            )
        }),
        report.soft_target_entropy.map(|entropy| {
            bound(
                format!("{}\u{a0}nats", fixed(entropy, 3)),
                "mean entropy of the merged targets at temperature 1; a label has 0",
            )
        }),
    ];
    shares.into_iter().flatten().collect()
}

/// The forest plot has no room for p-values; a table under it does.
fn p_values(report: &Report) -> Vec<[String; 5]> {
    let row = |c: &crate::statistics::Comparison| {
        [
            super::names::title(&c.a),
            super::names::title(&c.b),
            super::format::points_interval(c.ci95),
            super::format::p_value(c.p_value),
            c.verdict.word().to_owned(),
        ]
    };
    report.comparisons.iter().map(row).collect()
}

/// The caller's pairs, then what the report itself knows of its making.
fn provenance(report: &Report, given: &[(String, String)]) -> Vec<(String, String)> {
    let own = [
        ("data fingerprint".to_owned(), report.dataset.fingerprint.clone()),
        ("seed".to_owned(), report.seed.to_string()),
        ("training, all models".to_owned(), duration(report.total_train_seconds)),
        ("wall clock".to_owned(), duration(report.wall_seconds)),
    ];
    let is_new = |name: &str| !given.iter().any(|(known, _)| known == name);
    given.iter().cloned().chain(own.into_iter().filter(|(name, _)| is_new(name))).collect()
}
