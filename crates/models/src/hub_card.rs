//! What model hubs read from a card: the front matter of its `README.md`.
//!
//! The keys are those of the Hugging Face Hub's model cards, <https://huggingface.co/docs/hub/model-cards>.

use serde::{Deserialize, Serialize};
use stillhouse_core::InputShape;

/// What a hub wants to know of a model; everything may be missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubCard {
    /// SPDX name of the licence, for example `apache-2.0`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// languages of texts, for example `en`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// repositories of the data on the hub, `owner/name`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<String>,
    /// repositories of the networks that the model's first weights come from
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base_models: Vec<String>,
    /// words that the model is found by
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// what was measured on the test split
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<HubResults>,
}

/// Results on a test split. Shares are `0..=1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubResults {
    /// name of the data
    pub dataset: String,
    /// top-1 accuracy
    pub accuracy: f64,
    /// its 95 % interval
    pub interval: [f64; 2],
    /// what the model is compared with, and its top-1 accuracy
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<(String, f64)>,
}

/// The task's name on hubs.
pub fn pipeline_tag(input: &InputShape) -> &'static str {
    match input {
        InputShape::Image { .. } => "image-classification",
        InputShape::Text {} | InputShape::Tokens { .. } => "text-classification",
        InputShape::Features { .. } => "tabular-classification",
    }
}

impl HubCard {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The front matter with its borders; `library` loads the folder, `own_tags` are tags of every such folder.
    pub fn front_matter(&self, name: &str, library: &str, task: Option<&str>, own_tags: &[&str]) -> String {
        let mut text = format!("---\nlibrary_name: {}\n", quoted(library));
        let mut line = |key: &str, value: &str| text += &format!("{key}: {}\n", quoted(value));
        if let Some(task) = task {
            line("pipeline_tag", task);
        }
        if let Some(license) = &self.license {
            line("license", license);
        }
        let tags = own_tags.iter().map(|tag| (*tag).to_owned()).chain(self.tags.iter().cloned()).collect::<Vec<_>>();
        let metrics = if self.results.is_some() { vec!["accuracy".to_owned()] } else { Vec::new() };
        let lists = [
            ("language", &self.languages),
            ("datasets", &self.datasets),
            ("base_model", &self.base_models),
            ("metrics", &metrics),
            ("tags", &tags),
        ];
        for (key, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
            text +=
                &format!("{key}:\n{}", values.iter().map(|value| format!("- {}\n", quoted(value))).collect::<String>());
        }
        if let (Some(results), Some(task)) = (&self.results, task) {
            text += &results.model_index(name, task, self.datasets.first());
        }
        text + "---\n\n"
    }
}

impl HubResults {
    /// Interval and twin are arguments of the metric: as metrics of their own they would pass for results of this model.
    fn model_index(&self, name: &str, task: &str, repository: Option<&String>) -> String {
        let [low, high] = self.interval;
        let twin = self.twin.as_ref().map_or(String::new(), |(twin, accuracy)| {
            format!("        twin: {}\n        twin_accuracy: {accuracy:.4}\n", quoted(twin))
        });
        format!(
            "model-index:\n- name: {}\n  results:\n  - task:\n      type: {task}\n    dataset:\n      name: {}\n      type: {}\n    \
             metrics:\n    - type: accuracy\n      name: top-1 on the test split\n      value: {:.4}\n      args:\n        \
             interval_95: [{low:.4}, {high:.4}]\n{twin}",
            quoted(name),
            quoted(&self.dataset),
            quoted(repository.unwrap_or(&self.dataset)),
            self.accuracy,
        )
    }
}

/// A string as YAML reads it back, whatever it holds: JSON's strings are YAML's, but for line separators, which are escaped.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_plain);
    // words that YAML takes for something else, in its older version too
    let is_reserved =
        ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    if is_word && !is_reserved {
        return text.to_owned();
    }
    let json = serde_json::to_string(text).expect("a string is JSON");
    let is_separator = |c: &char| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{7f}'..='\u{9f}');
    json.chars().map(|c| if is_separator(&c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_matter_is_what_hubs_expect() {
        let card = HubCard {
            license: Some("apache-2.0".into()),
            languages: vec!["no".into()],
            datasets: vec!["owner/name".into()],
            base_models: Vec::new(),
            tags: vec!["a: b".into()],
            results: Some(HubResults {
                dataset: "cats \"and\" dogs".into(),
                accuracy: 0.8184,
                interval: [0.8087, 0.8277],
                twin: Some(("the same network trained on hard labels".into(), 0.7594)),
            }),
        };
        let expected = "---\nlibrary_name: stillhouse\npipeline_tag: image-classification\nlicense: apache-2.0\nlanguage:\n- \"no\"\n\
                        datasets:\n- owner/name\nmetrics:\n- accuracy\ntags:\n- distillation\n- \"a: b\"\nmodel-index:\n\
                        - name: small\n  results:\n  - task:\n      type: image-classification\n    dataset:\n      \
                        name: \"cats \\\"and\\\" dogs\"\n      type: owner/name\n    metrics:\n    - type: accuracy\n      \
                        name: top-1 on the test split\n      value: 0.8184\n      args:\n        \
                        interval_95: [0.8087, 0.8277]\n        twin: \"the same network trained on hard labels\"\n        \
                        twin_accuracy: 0.7594\n---\n\n";
        let text = card.front_matter("small", "stillhouse", Some("image-classification"), &["distillation"]);
        assert_eq!(text, expected);
    }

    #[test]
    fn strings_are_quoted_where_yaml_would_read_something_else() {
        for (text, expected) in [
            ("plain-word", "plain-word"),
            ("no", "\"no\""),
            ("1e3", "\"1e3\""),
            ("- x", "\"- x\""),
            ("a\u{2028}b", "\"a\\u2028b\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
