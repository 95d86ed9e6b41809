//! `[card]`: what the model's card says to hubs that the run cannot know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Problem;

/// What the cards of the run's models say in their front matter, for the hub that they are pushed to. No stage depends on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CardConfig {
    /// Name of the model; the run's name and `student` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub model_name: Option<String>,
    /// Identifier of the licence, as hubs write it: `apache-2.0`, `mit`, `cc-by-4.0`; `other` for one without an identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = r"^[a-z0-9][a-z0-9.-]*$", "examples" = ["apache-2.0"]))]
    pub license: Option<String>,
    /// Name of a licence `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_name: Option<String>,
    /// File in the repository, or address, of a licence `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_link: Option<String>,
    /// Dataset repositories of the hub that the data came from, besides the `repo` of the data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("examples" = [["owner/name"]]))]
    pub datasets: Vec<String>,
    /// Codes of the languages of the texts, ISO 639.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("examples" = [["en"]]))]
    pub language: Vec<String>,
    /// More words to be found by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl CardConfig {
    /// What contradicts itself, each with a key relative to the table.
    pub(super) fn contradictions(&self) -> Vec<Problem> {
        let is_plain = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c))
        };
        let mut problems = Vec::new();
        match self.license.as_deref() {
            Some(license) if !is_plain(license) => {
                let text = format!("expected an identifier such as \"apache-2.0\", found {license:?}");
                problems.push(Problem::new("license", text).hint("\"other\", with its name as license_name"));
            }
            Some("other") if self.license_name.is_none() => {
                problems.push(Problem::new("license_name", "missing; license = \"other\" needs a name"));
            }
            Some("other") => {}
            _ => {
                for (key, value) in [("license_name", &self.license_name), ("license_link", &self.license_link)] {
                    if value.is_some() {
                        problems.push(
                            Problem::new(key, "is that of a licence without an identifier").hint("license = \"other\""),
                        );
                    }
                }
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        let config: CardConfig = toml::from_str(text).unwrap();
        config.contradictions().into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn a_licence_without_an_identifier_has_a_name() {
        assert!(keys("license = \"apache-2.0\"\nlanguage = [\"no\"]").is_empty());
        assert!(keys("license = \"other\"\nlicense_name = \"Ours\"\nlicense_link = \"LICENSE\"").is_empty());
        assert_eq!(keys("license = \"other\""), ["license_name"]);
        assert_eq!(keys("license = \"Apache 2.0\""), ["license"]);
        assert_eq!(keys("license = \"mit\"\nlicense_name = \"Ours\""), ["license_name"]);
        assert_eq!(keys("license_link = \"LICENSE\""), ["license_link"]);
    }
}
