//! The front matter of a card: YAML between two lines of hyphens, which hubs read.
//!
//! Every text is written in double quotes and escaped, so that no name or label can be taken for something else (`no` is a
//! language, and `false` in YAML). Keys: <https://huggingface.co/docs/hub/model-cards>.

use crate::{CardDetails, ModelCard, TestResult};
use std::fmt::Write;
use stillhouse_core::InputShape;

/// A value of YAML.
enum Yaml {
    Text(String),
    Number(f64),
    Count(u64),
    List(Vec<Yaml>),
    Map(Vec<(&'static str, Yaml)>),
}

/// The front matter of a card, the two lines of hyphens included. `library` is the name on hubs of what loads the folder,
/// `tags` are added to those of the card.
pub fn front_matter(card: &ModelCard, library: &str, tags: &[&str]) -> String {
    let details = &card.details;
    let task = task(card.input.shape);
    let text = |text: &Option<String>| text.clone().map(Yaml::Text);
    let own = ["stillhouse", "knowledge-distillation"].into_iter().chain(tags.iter().copied()).map(str::to_owned);
    let keys = [
        ("library_name", Some(Yaml::Text(library.to_owned()))),
        ("pipeline_tag", Some(Yaml::Text(task.to_owned()))),
        ("license", text(&details.license)),
        ("license_name", text(&details.license_name)),
        ("license_link", text(&details.license_link)),
        ("language", list(details.language.iter().cloned())),
        ("tags", list(own.chain(details.tags.iter().cloned()))),
        ("datasets", list(details.datasets.iter().cloned())),
        ("base_model", list(details.base_model.iter().cloned())),
        ("metrics", list(details.results.iter().map(|_| ACCURACY.to_owned()).take(1))),
        ("model-index", model_index(card, task)),
    ];
    let mut text = String::from("---\n");
    let keys = keys.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    write_yaml(&mut text, &Yaml::Map(keys), 0);
    text + "---\n\n"
}

/// The task that a model of this input does, by its name on hubs.
pub(crate) fn task(input: InputShape) -> &'static str {
    match input {
        InputShape::Image { .. } => "image-classification",
        InputShape::Text {} | InputShape::Tokens { .. } => "text-classification",
        InputShape::Features { .. } => "tabular-classification",
    }
}

const ACCURACY: &str = "accuracy";

/// None for an empty list.
fn list(texts: impl Iterator<Item = String>) -> Option<Yaml> {
    let texts: Vec<Yaml> = texts.map(Yaml::Text).collect();
    (!texts.is_empty()).then_some(Yaml::List(texts))
}

/// `model-index` of the hub: what was measured, on which data. The interval and what it is to be compared with stand in the
/// metric's `args`, which may hold anything: as metrics of their own they would pass for results of this model.
fn model_index(card: &ModelCard, task: &'static str) -> Option<Yaml> {
    let results: Vec<Yaml> =
        card.details.results.iter().map(|result| result_yaml(result, &card.details, task)).collect();
    if results.is_empty() {
        return None;
    }
    let model = vec![("name", Yaml::Text(card.name.clone())), ("results", Yaml::List(results))];
    Some(Yaml::List(vec![Yaml::Map(model)]))
}

fn result_yaml(result: &TestResult, details: &CardDetails, task: &str) -> Yaml {
    let TestResult { dataset, n_examples, top1, interval, twin_on_labels } = result;
    let text = |text: &str| Yaml::Text(text.to_owned());
    let kind = details.datasets.first().unwrap_or(dataset);
    let of_dataset = vec![("type", text(kind)), ("name", text(dataset)), ("split", text("test"))];
    let mut args = vec![
        ("n_examples", Yaml::Count(*n_examples)),
        ("confidence_level", Yaml::Number(CONFIDENCE_LEVEL)),
        ("confidence_interval", Yaml::List(interval.map(Yaml::Number).into())),
    ];
    args.extend(twin_on_labels.map(|top1| ("same_network_on_hard_labels", Yaml::Number(top1))));
    let metric = vec![
        ("type", text(ACCURACY)),
        ("value", Yaml::Number(*top1)),
        ("name", text("top-1 accuracy")),
        ("args", Yaml::Map(args)),
    ];
    Yaml::Map(vec![
        ("task", Yaml::Map(vec![("type", text(task))])),
        ("dataset", Yaml::Map(of_dataset)),
        ("metrics", Yaml::List(vec![Yaml::Map(metric)])),
    ])
}

/// That of the intervals of a report.
const CONFIDENCE_LEVEL: f64 = 0.95;
/// Spaces of each level.
const INDENT: usize = 2;

/// Appends a map or a list in block style, each entry on lines of its own.
fn write_yaml(text: &mut String, yaml: &Yaml, indent: usize) {
    match yaml {
        Yaml::Map(entries) => {
            for (nth, (key, value)) in entries.iter().enumerate() {
                // the first line of a map in a list stands behind the list's hyphen
                let is_behind_hyphen = nth == 0 && text.ends_with("- ");
                let spaces = if is_behind_hyphen { 0 } else { indent };
                let _ = write!(text, "{:spaces$}{key}:", "");
                write_value(text, value, indent);
            }
        }
        Yaml::List(values) => {
            for value in values {
                let _ = write!(text, "{:indent$}-", "");
                write_value(text, value, indent);
            }
        }
        _ => write_value(text, yaml, indent),
    }
}

/// Appends what stands behind a key's colon or a list's hyphen, to the end of the line or of the block.
fn write_value(text: &mut String, value: &Yaml, indent: usize) {
    let _ = match value {
        Yaml::Text(value) => writeln!(text, " {}", quoted(value)),
        Yaml::Number(value) => writeln!(text, " {value:?}"),
        Yaml::Count(value) => writeln!(text, " {value}"),
        Yaml::Map(_) if text.ends_with('-') => {
            text.push(' ');
            write_yaml(text, value, indent + INDENT);
            Ok(())
        }
        Yaml::Map(_) | Yaml::List(_) => {
            text.push('\n');
            write_yaml(text, value, indent + INDENT);
            Ok(())
        }
    };
}

/// A text in double quotes. Escaped is what YAML 1.1 or 1.2 does not take as it is, or takes for the end of a line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_core::InputSpec;

    fn card() -> ModelCard {
        let result = TestResult {
            dataset: "letters: \"small\"".into(),
            n_examples: 400,
            top1: 0.8125,
            interval: [0.7714, 0.8479],
            twin_on_labels: Some(0.76),
        };
        let details = CardDetails {
            license: Some("apache-2.0".into()),
            language: vec!["no".into()],
            tags: vec!["a\nb".into()],
            datasets: vec!["owner/letters".into()],
            base_model: vec!["owner/body".into()],
            results: vec![result],
            ..CardDetails::default()
        };
        let input = InputSpec::new(InputShape::Text {}, Vec::new(), Vec::new());
        ModelCard { name: "student".into(), input, labels: vec!["a".into()], numbers: Vec::new(), details }
    }

    #[test]
    fn a_card_with_everything() {
        let expected = r#"---
library_name: "stillhouse"
pipeline_tag: "text-classification"
license: "apache-2.0"
language:
  - "no"
tags:
  - "stillhouse"
  - "knowledge-distillation"
  - "a\u000ab"
datasets:
  - "owner/letters"
base_model:
  - "owner/body"
metrics:
  - "accuracy"
model-index:
  - name: "student"
    results:
      - task:
          type: "text-classification"
        dataset:
          type: "owner/letters"
          name: "letters: \"small\""
          split: "test"
        metrics:
          - type: "accuracy"
            value: 0.8125
            name: "top-1 accuracy"
            args:
              n_examples: 400
              confidence_level: 0.95
              confidence_interval:
                - 0.7714
                - 0.8479
              same_network_on_hard_labels: 0.76
---

"#;
        assert_eq!(front_matter(&card(), "stillhouse", &[]), expected);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let card = ModelCard { details: CardDetails::default(), ..card() };
        let expected = "---\nlibrary_name: \"onnx\"\npipeline_tag: \"text-classification\"\ntags:\n  - \"stillhouse\"\n  \
                        - \"knowledge-distillation\"\n  - \"onnx\"\n---\n\n";
        assert_eq!(front_matter(&card, "onnx", &["onnx"]), expected);
    }

    #[test]
    fn characters_that_yaml_does_not_take_are_escaped() {
        assert_eq!(
            quoted("größer \u{85}\u{2028}\u{7f}\t\"\\ 漢字"),
            "\"größer \\u0085\\u2028\\u007f\\u0009\\\"\\\\ 漢字\""
        );
    }
}
