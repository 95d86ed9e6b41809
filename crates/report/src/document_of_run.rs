//! A run as a document: which figures and tables stand where, and what is said about them.

use crate::chart::Figure;
use crate::class_tables;
use crate::classes::ConfusedPair;
use crate::contract::{CalibrationReport, ClusterReport, ExportReport, Report};
use crate::curves::panels;
use crate::document::{Card, Document, Link, Part, Section};
use crate::example::Example;
use crate::figures::{self, counted_classes};
use crate::findings::{headline, supporting_sentences};
use crate::format::{duration, fixed, integer, percent, points, truncated, whole_percent};
use crate::page::{Gallery, ReportPage};
use crate::role::phrase;
use crate::samples::samples;
use crate::table::Table;
use crate::tables;

/// Clusters described with classes and pictures.
const N_CARDS: usize = 30;
/// Classes listed per cluster.
const N_CLASSES_LISTED: usize = 24;
/// Pictures per cluster.
const N_EXAMPLES: usize = 12;

/// The document of a run; parts that the page lacks are left out.
pub(crate) fn document(page: &ReportPage<'_>) -> Document {
    let report = page.report;
    let sections = vec![
        results(report),
        exports(report),
        costs(report),
        comparisons(report),
        classes(page),
        soft_targets(page),
        clusters(page),
        dustbins(report),
        conditional(report),
        confidence(report),
        out_of_scope(report),
        coverage(report),
        training(page),
        next_steps(report),
        making(page),
    ];
    Document {
        kicker: "stillhouse report",
        title: report.name.clone(),
        facts: facts(report),
        headline: headline(report),
        supporting: supporting_sentences(report),
        warnings: report.warnings.clone(),
        sections: sections.into_iter().flatten().collect(),
    }
}

fn facts(report: &Report) -> Vec<String> {
    let dataset = &report.dataset;
    let [n_train, n_valid, n_test] = [dataset.n_train, dataset.n_valid, dataset.n_test].map(integer);
    vec![
        dataset.name.clone(),
        format!("{} classes", integer(dataset.n_classes)),
        format!("{n_train} training, {n_valid} validation, {n_test} test examples"),
        format!("seed {}", report.seed),
        format!("{} of training", duration(report.total_train_seconds)),
    ]
}

/// The tables that have rows.
fn filled(tables: impl IntoIterator<Item = Table>) -> impl Iterator<Item = Part> {
    tables.into_iter().filter(|table| table.rows().next().is_some()).map(Part::Table)
}

fn results(report: &Report) -> Option<Section> {
    let caption = "Last epoch: validation accuracy after it. Verdicts at the 5\u{a0}% level, with the difference in points. Bold: \
                   best of its block.";
    let figure = Part::Figures(vec![figures::accuracies(report)]);
    let table = Part::Table(tables::results(report));
    let parts = vec![figure, table, Part::Caption(caption.into())];
    let parts = if report.main_models().is_empty() { Vec::new() } else { parts };
    Section::of("results", "Results", "Results", "On the test split, which nothing was chosen by.", parts)
}

/// Links to the student in other forms. The run's folder may be moved: they are relative.
fn exports(report: &Report) -> Option<Section> {
    let link = |export: &ExportReport| {
        let (text, what) = match export.form.as_str() {
            "html" => ("Open the student’s page", "one file, which runs the network where it is opened"),
            "onnx" => ("The student as ONNX files", "for Python, node and browsers"),
            _ => ("The student as C source", "C99, no allocation"),
        };
        let size = format!("{}\u{a0}kB", integer(export.bytes.div_ceil(1000)));
        let facts = format!("{what}; {}\u{a0}bits a weight, {size}", export.bits);
        Link { text: text.into(), path: export.path.clone(), facts }
    };
    let links: Vec<Link> = report.exports.iter().map(link).collect();
    let parts = if links.is_empty() { Vec::new() } else { vec![Part::Links(links)] };
    Section::of("exports", "Try it", "The student, to try and to use", "", parts)
}

fn costs(report: &Report) -> Option<Section> {
    let figures = [figures::sizes(report), figures::ways(report), figures::portfolio(report)]
        .into_iter()
        .flatten()
        .map(|figure| Part::Figures(vec![figure]));
    let tables = filled([
        tables::costs(report),
        tables::ship(report),
        tables::ship_ways(report),
        tables::portfolio(report),
        tables::specialist_costs(report),
    ]);
    Section::of("costs", "Costs", "What it costs", "", figures.chain(tables).collect())
}

fn comparisons(report: &Report) -> Option<Section> {
    let lead = "Two models on the same test examples. A verdict needs both: McNemar’s mid-p below 0.05, and a 95\u{a0}% \
                interval (Tango’s score interval) without 0.";
    let figure = (!report.comparisons.is_empty()).then(|| Part::Figures(vec![figures::comparisons(report)]));
    let parts = figure.into_iter().chain(filled([tables::comparisons(report)])).collect();
    Section::of("comparisons", "Comparisons", "Comparisons", lead, parts)
}

fn classes(page: &ReportPage<'_>) -> Option<Section> {
    let report = page.report;
    let n_classes = report.dataset.n_classes;
    let n_empty =
        report.class_comparison.as_ref().map_or(0, |comparison| n_classes.saturating_sub(comparison.n_classes));
    let empty = match n_empty {
        0 => String::new(),
        n => format!(" {} of {} classes have no test example and are left out.", integer(n), integer(n_classes)),
    };
    let lead = format!(
        "Each class on its own test examples.{empty} Next to this report, predictions.csv has each test example with what the \
         models predict, and classes.csv each class."
    );
    let mut parts: Vec<Part> = filled([class_tables::averages(report)]).collect();
    if let Some(comparison) = &report.class_comparison {
        parts.push(Part::Heading("Which classes distillation helps and which it hurts"));
        parts.extend(class_tables::comparison_sentences(comparison).into_iter().map(Part::Text));
        parts.extend(filled([class_tables::differences(comparison)]));
    }
    let tables = [
        ("The student’s worst classes", class_tables::worst(report)),
        ("What the student confuses most", class_tables::confused_pairs(report)),
    ];
    for (title, table) in tables.into_iter().filter(|(_, table)| table.rows().next().is_some()) {
        parts.extend([Part::Heading(title), Part::Table(table)]);
    }
    if !page.confused_examples.is_empty() {
        parts.push(Part::Examples(confused_examples(page)));
        let caption = "An example of each of these pairs: the one about which the student is most confident.";
        parts.push(Part::Caption(caption.into()));
    }
    Section::of("classes", "Classes", "Classes", &lead, parts)
}

/// Examples of the confused pairs, under their two labels.
fn confused_examples(page: &ReportPage<'_>) -> Vec<Example> {
    let pairs = page.report.confused_pairs.iter().zip(&page.confused_examples);
    let label = |pair: &ConfusedPair| format!("{} → {}", pair.label, pair.predicted);
    pairs.map(|(pair, tile)| Example { label: label(pair), ..Example::from(tile) }).collect()
}

fn soft_targets(page: &ReportPage<'_>) -> Option<Section> {
    let lead = "Test examples and what the models believe of them, in %. A higher temperature brings out what the teacher \
                thinks of the wrong classes. Bars are relative to the longest of their column; a class beyond the recorded \
                ones has a dot.";
    let samples = samples(&page.soft_target_samples);
    let parts = vec![Part::Samples(samples), Part::Caption("Marked: the true class.".into())];
    let parts = if page.soft_target_samples.is_empty() { Vec::new() } else { parts };
    Section::of("soft-targets", "Soft targets", "What a teacher knows beyond the label", lead, parts)
}

fn clusters(page: &ReportPage<'_>) -> Option<Section> {
    let report = page.report;
    let (shown, n_more) = truncated(&report.clusters, N_CARDS);
    let gallery = |index| page.cluster_galleries.iter().find(|gallery| gallery.cluster_idx == index);
    let cards = shown.iter().enumerate().map(|(index, cluster)| card(index, cluster, gallery(index)));
    let more = (n_more > 0).then(|| Part::Caption(format!("and {n_more} more clusters, in report.json")));
    let parts = [
        Part::Pairs("bounds", bounds(report)),
        Part::Figures(vec![figures::gains(report)]),
        Part::Cards(cards.collect()),
    ];
    let parts = parts.into_iter().chain(more).chain(filled([tables::clusters(report)]));
    let parts = if report.clusters.is_empty() { Vec::new() } else { parts.collect() };
    Section::of("clusters", "Clusters", "Clusters and their specialists", "", parts)
}

/// What could be won, known before any specialist was trained: a number and what it means.
fn bounds(report: &Report) -> Vec<(String, String)> {
    let nats = |entropy| format!("{}\u{a0}nats", fixed(entropy, 3));
    let agreement = |agreement| fixed(agreement, 2);
    let bounds = [
        (
            report.oracle_bound.map(whole_percent),
            "share of the generalist’s errors between two classes of one cluster; no specialist can correct the others",
        ),
        (
            report.confusion_mass_inside.map(whole_percent),
            "share of the affinity between different classes that lies inside clusters",
        ),
        (
            report.cluster_stability.map(agreement),
            "agreement of the clusters with those of another seed: 1 if they are the same, 0 as by chance",
        ),
        (
            report.soft_target_entropy.map(nats),
            "mean entropy of the student’s soft targets at temperature 1; a label has 0",
        ),
    ];
    bounds.into_iter().filter_map(|(value, meaning)| Some((value?, meaning.to_owned()))).collect()
}

fn card(index: usize, cluster: &ClusterReport, gallery: Option<&Gallery>) -> Card {
    let (labels, n_more) = truncated(&cluster.classes, N_CLASSES_LISTED);
    let (gain, examples) = (points(cluster.specialist_gain), gallery.map_or(&[][..], |gallery| &gallery.tiles));
    let mut facts = format!(
        "{} · {} validation examples · {} → {} % on test · oracle {}",
        counted_classes(cluster),
        integer(cluster.n_valid),
        percent(cluster.generalist_conditional_top1),
        percent(cluster.specialist_conditional_top1),
        points(cluster.oracle_gain),
    );
    if let Some(effect) = cluster.left_out_effect {
        facts += &format!(" · adds {} to the merge", points(effect));
    }
    if !cluster.is_heard {
        facts += " · not merged";
    }
    Card {
        title: format!("Cluster {index}"),
        value: if cluster.helps { (gain, "beats") } else { (gain + ", does not help", "same") },
        facts,
        examples: examples.iter().take(N_EXAMPLES).map(Example::from).collect(),
        labels: labels.to_vec(),
        n_more,
    }
}

fn dustbins(report: &Report) -> Option<Section> {
    let lead = "A dustbin is a specialist’s output for every class that is not its own. On the validation split, in %.";
    Section::of("dustbins", "Dustbins", "Specialists in the merge", lead, filled([tables::dustbins(report)]).collect())
}

fn conditional(report: &Report) -> Option<Section> {
    let lead = "Test top-1 in %. Conditional: examples of a specialist’s classes, predictions restricted to these, over all \
                specialists (Hinton, Vinyals and Dean 2015, Table\u{a0}3).";
    Section::of("conditional", "Inside", "Inside the clusters", lead, filled([tables::conditional(report)]).collect())
}

fn confidence(report: &Report) -> Option<Section> {
    let of_model = |model: &CalibrationReport| {
        if model.temperature == 1.0 {
            return format!(
                "On the validation split no temperature is better than 1 beyond chance: {} is as sure as it was trained, test ECE {}\u{a0}%.",
                phrase(&model.model),
                percent(model.ece)
            );
        }
        format!(
            "The logits of {} are divided by {}, fitted on the validation split: test NLL {} instead of {}, ECE {}\u{a0}% instead of {}\u{a0}%. \
             No answer changes. The numbers above are as trained.",
            phrase(&model.model),
            fixed(model.temperature, 3),
            fixed(model.nll, 3),
            fixed(model.nll_as_trained, 3),
            percent(model.ece),
            percent(model.ece_as_trained),
        )
    };
    let lead = report.calibration.iter().map(of_model).collect::<Vec<_>>().join(" ");
    let figures: Vec<Figure> = report.calibration.iter().map(figures::reliability).collect();
    let figures = (!figures.is_empty()).then_some(Part::Figures(figures));
    let parts = figures.into_iter().chain(filled([tables::thresholds(report)])).collect();
    Section::of("confidence", "Confidence", "What the confidence is worth", &lead, parts)
}

fn out_of_scope(report: &Report) -> Option<Section> {
    let lead = format!(
        "Area under the ROC curve of the confidence, softened with the temperature T: {} test examples against {} of no \
         class. 1 is perfect, 0.5 is chance.",
        integer(report.dataset.n_test),
        integer(report.out_of_scope.as_ref()?.n_examples)
    );
    Section::of(
        "out-of-scope",
        "No class",
        "Examples of no class",
        &lead,
        filled([tables::out_of_scope(report)]).collect(),
    )
}

fn coverage(report: &Report) -> Option<Section> {
    let lead = "Test examples by how many specialists cover their true class: the merged ensemble against the generalist \
                (Hinton, Vinyals and Dean 2015, Table\u{a0}4).";
    Section::of(
        "coverage",
        "Coverage",
        "Gain by number of specialists",
        lead,
        filled([tables::coverage(report)]).collect(),
    )
}

fn training(page: &ReportPage<'_>) -> Option<Section> {
    let panels = panels(&page.curves);
    let parts = if panels.is_empty() { Vec::new() } else { vec![Part::Panels(panels)] };
    Section::of("training", "Training", "Training", "", parts)
}

fn next_steps(report: &Report) -> Option<Section> {
    let steps = report.next_steps.clone();
    Section::of("next", "", "What to try next", "", if steps.is_empty() { Vec::new() } else { vec![Part::List(steps)] })
}

fn making(page: &ReportPage<'_>) -> Option<Section> {
    let notes = page.report.notes.iter().cloned().map(Part::Text);
    let mut parts: Vec<Part> = notes.chain([Part::Pairs("provenance", provenance(page))]).collect();
    if !page.config_toml.is_empty() {
        parts.push(Part::Source("Resolved config", page.config_toml.clone()));
    }
    Section::of("making", "How it was made", "How it was made", "", parts)
}

/// The caller's pairs, then what the report itself knows of its making.
fn provenance(page: &ReportPage<'_>) -> Vec<(String, String)> {
    let report = page.report;
    let own = [
        ("data fingerprint".to_owned(), report.dataset.fingerprint.clone()),
        ("seed".to_owned(), report.seed.to_string()),
        ("training, all models".to_owned(), duration(report.total_train_seconds)),
        ("wall clock".to_owned(), duration(report.wall_seconds)),
    ];
    let is_new = |name: &str| !page.provenance.iter().any(|(known, _)| known == name);
    page.provenance.iter().cloned().chain(own.into_iter().filter(|(name, _)| is_new(name))).collect()
}
