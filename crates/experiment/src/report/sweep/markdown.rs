//! `sweep.md`: settings, the best by validation, failures.

use super::settings::{Setting, Settings};
use super::{SweepCell, plain_value, short_key};
use crate::report::format::{DASH, counted, percent, points, whole_percent};
use crate::report::text::{TERMINAL_WIDTH, markdown_table, markdown_text, plain_spaces, wrapped};
use crate::statistics::SeedSummary;

/// The sweep as Markdown.
pub fn sweep_markdown(name: &str, cells: &[SweepCell]) -> String {
    let settings = Settings::of(cells);
    let mut text = format!("# Sweep {}\n\n", markdown_text(name));
    text += &wrapped("", &format!("**{}**", headline(&settings)), TERMINAL_WIDTH);
    if let Some(sentence) = failure_sentence(cells) {
        text += &format!("\n{sentence}\n");
    }
    text += &table(&settings);
    text += &failures(cells);
    plain_spaces(&text)
}

/// The best setting by validation and what it reaches on test.
pub(super) fn headline(settings: &Settings) -> String {
    match settings.best().and_then(|best| Some((best, best.test?))) {
        Some((best, test)) => format!(
            "Best by validation: {}. On test, {} reaches {}\u{a0}%{}.",
            described(best, &settings.keys),
            settings.subject.phrase(),
            percent(test.mean),
            over_seeds(test)
        ),
        None => "No cell finished.".into(),
    }
}

/// How many cells failed, if any did.
pub(super) fn failure_sentence(cells: &[SweepCell]) -> Option<String> {
    let n_failed = cells.iter().filter(|cell| cell.outcome.is_err()).count();
    (n_failed > 0).then(|| {
        format!("{n_failed} of {} failed; what they would have shown is missing here.", counted(cells.len(), "cell"))
    })
}

/// `temperature = 4, rule = exact`
pub(super) fn described(setting: &Setting, keys: &[String]) -> String {
    if setting.axes.is_empty() {
        return "the only setting".into();
    }
    let part = |(key, value): &(String, String)| format!("{}\u{a0}=\u{a0}{}", short_key(key, keys), plain_value(value));
    setting.axes.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// `60.42`, with its interval where there are several seeds.
pub(super) fn summary_text(summary: Option<SeedSummary>) -> String {
    match summary {
        None => DASH.into(),
        Some(summary) => match summary.ci95 {
            None => percent(summary.mean),
            Some([low, high]) => format!("{} ± {}", percent(summary.mean), percent((high - low) / 2.0)),
        },
    }
}

fn over_seeds(summary: SeedSummary) -> String {
    match summary.ci95 {
        None => " (one seed)".into(),
        Some([low, high]) => {
            format!(" ({} to {} over {} seeds)", percent(low), percent(high), summary.n_seeds)
        }
    }
}

fn table(settings: &Settings) -> String {
    let keys: Vec<String> = settings.keys.iter().map(|key| format!("<{}", short_key(key, &settings.keys))).collect();
    let mut columns: Vec<&str> = keys.iter().map(String::as_str).collect();
    columns.extend([">Seeds", ">Valid. %", ">Test %", ">Gain", ">Kept", "<Verdict", "< "]);
    let row = |setting: &Setting| {
        let value = |key: &String| setting.axes.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
        let mut row: Vec<String> = settings
            .keys
            .iter()
            .map(|key| value(key).map_or(DASH.into(), |value| markdown_text(&plain_value(value))))
            .collect();
        let best = if setting.is_best { "best by validation" } else { "" };
        let failed = if setting.n_failed > 0 { format!("{} failed", setting.n_failed) } else { String::new() };
        row.extend([
            setting.test.map_or(0, |summary| summary.n_seeds).to_string(),
            summary_text(setting.valid),
            summary_text(setting.test),
            setting.gain.map_or(DASH.into(), |(gain, _)| points(gain)),
            setting.gain_kept.map_or(DASH.into(), |kept| whole_percent(kept.mean)),
            setting.gain.and_then(|(_, verdict)| verdict).map_or(String::new(), |verdict| verdict.to_string()),
            [best.to_owned(), failed].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
        ]);
        row
    };
    let rows: Vec<_> = settings.settings.iter().map(row).collect();
    let caption = format!(
        "{}: means over seeds, ± half of the 95 % interval. Gain: points over hard labels, same seed. Kept: share of the ensemble’s gain.",
        settings.subject.title()
    );
    format!("\n{}\n{}", markdown_table(&columns, &rows), wrapped("", &caption, TERMINAL_WIDTH))
}

fn failures(cells: &[SweepCell]) -> String {
    let mut text = String::new();
    for cell in cells {
        let Err(message) = &cell.outcome else { continue };
        if text.is_empty() {
            text += "\n## Failed cells\n\n";
        }
        let axes = cell.axes.iter().map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", ");
        text += &wrapped("- ", &format!("{}: {}", markdown_text(&axes), markdown_text(message)), TERMINAL_WIDTH);
    }
    text
}
